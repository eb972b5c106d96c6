"""Fixtures for tests of mirror-sync: one HTTP server and one rsync daemon for all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.clients.rsync import run_daemon
from tests.mirror_sync.stage import Mirror, Scan, Sites, Stage, run_sites
from tests.mirror_sync.tree import make_primary
from tests.system import need_program

NEEDED = {"dash": "dash", "rsync": "rsync", "curl": "curl", "wget": "wget", "flock": "util-linux"}


@dataclass(frozen=True)
class Network:
    """What runs for all tests: the server, and an rsync daemon with a module for each test."""

    folder: Path
    rsync: str
    log: Path
    sites: Sites

    def add_module(self, name: str, folder: Path) -> str:
        """Give a folder a name and return its URL; the daemon reads its settings each time."""
        with (self.folder / "rsyncd.conf").open("a") as settings:
            settings.write(f"[{name}]\npath = {folder}\n")
        return f"{self.rsync}/{name}"


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """An HTTP server and an rsync daemon on loopback."""
    for program, package in NEEDED.items():
        need_program(program, package)
    folder = tmp_path_factory.mktemp("network")
    settings = ("reverse lookup = no", "socket options = TCP_NODELAY")
    with (
        run_sites() as sites,
        run_daemon(folder, "127.0.0.1", {}, *settings) as daemon,
    ):
        yield Network(folder, daemon.url, folder / "rsync.log", sites)


_names = (f"t{number}" for number in count())


@pytest.fixture
def stage(network: Network) -> Stage:
    """A primary that was scanned once, and a mirror that is still empty."""
    name = next(_names)
    folder = network.folder / name
    primary = folder / "primary"
    make_primary(primary)
    scan = Scan(primary)
    scan.scan()
    server, site = network.sites.add(name, scan)
    mirror = Mirror(folder / "first", server, network.add_module(name, primary))
    url = network.add_module(f"{name}-all", folder)
    return Stage(folder, primary, scan, site, mirror, url, network.log, name)


@pytest.fixture
def synced(stage: Stage) -> Stage:
    """A primary and a mirror that has everything."""
    stage.mirror.fill_from(stage.primary, stage.scan.cursor)
    return stage
