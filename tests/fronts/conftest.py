"""Two servers that a front is in front of; their lists tell which of the two has answered."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.factories import edited, export_tables, world
from tests.live import Server, serve

LIST = "/mirrorlist?repo=linux-40&arch=x86_64"
# A drain that no test waits for.
LONG = 60
TRUSTED = ("--trusted-proxy", "127.0.0.1")


class Pair(NamedTuple):
    """The two servers."""

    one: Server
    two: Server

    @property
    def ports(self) -> tuple[int, int]:
        """Their ports."""
        return self.one.port, self.two.port


def by(body: str) -> str:
    """Return which server has made a list: only the second one has a host in Brazil."""
    return "two" if "brazil.example" in body else "one"


def write_snapshots(folder: Path) -> list[Path]:
    """Write the snapshots of the two servers, each in a folder of its own."""
    url = {"url": "http://brazil.example/linux"}
    found = []
    for name, tables in (("one", world()), ("two", edited(("host_category_url", 510, url)))):
        (folder / name).mkdir()
        export_tables(folder / name, tables)
        found.append(folder / name / "mm.snap")
    return found


@pytest.fixture(scope="session")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The snapshots of the two servers."""
    return write_snapshots(tmp_path_factory.mktemp("snapshots"))


@pytest.fixture
def pair(tmp_path: Path, snapshots: list[Path]) -> Iterator[Pair]:
    """Two servers."""
    with ExitStack() as stack:
        servers = []
        for path in snapshots:
            folder = tmp_path / path.parent.name
            folder.mkdir()
            servers.append(stack.enter_context(serve(path, folder, *TRUSTED, "--drain", LONG)))
        yield Pair(*servers)
        for server in servers:
            # Not in order: they would drain.
            server.end(signal.SIGKILL)
