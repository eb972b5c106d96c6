"""A site with every stage of the chain, each in its own process, and what they say of it.

`python -m tests.chain_site FOLDER` runs one to look at, until Ctrl-C.
"""

import json
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.command import PLAIN
from tests.factories import Row, Tables, host, site
from tests.forked import Process, template
from tests.hooked import SECRET
from tests.live import exchange, request, wait_until
from tests.mirror_farm import Farm, run_farm
from tests.mmdb import write_countries
from tests.running_site import small_file
from tests.scanned import ARM, CATEGORY, TOML, X86, Primary, database, empty
from tests.small_sites import REPOMD

SECONDS = 60.0
LISTS = (
    b"/metalink?repo=epel-9&arch=x86_64",
    b"/mirrorlist?repo=epel-9&arch=aarch64",
    b"/mirrorlist?repo=epel-9&arch=x86_64&protocol=ftp",
    b"/metalink?repo=invented&arch=x86_64",
)
"""What clients ask for: two lists, one that no host has, and an unknown repository."""
_LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+) ")
_ADMIN = re.compile(r"on http://127\.0\.0\.1:(\d+)/status")
_KEEPER = re.compile(r"http://127\.0\.0\.1:(\d+)/site")
_FREE = ("--admin", "127.0.0.1:0")


@dataclass
class Part:
    """A process of the site: its port for operators, and that for clients if it has one."""

    process: Process
    said: Path
    admin: int
    port: int = 0

    def get(self, path: str, *headers: bytes) -> bytes:
        """Return a page of its admin address."""
        return exchange(self.admin, request(path.encode(), headers=headers)).body

    def stages(self) -> dict[str, dict[str, Any]]:
        """Return its stages by their names."""
        return {one["stage"]: one for one in json.loads(self.get("/stages"))}

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


class ChainSite:
    """The folder of a site, and what starts its parts."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Make a primary of two repositories with a mirror, and a second site of `run`."""
        self._folder, self._stack = folder, stack
        self.primary, self.url = Primary(folder), database(folder, _tables())
        self.snapshot, self.spool = folder / "mm.snap", folder / "spool"
        self.statistics = f"sqlite:///{folder / 'stats.sqlite'}"
        for path in (X86, ARM):
            self.primary.repository(path)
        (folder / "scan.toml").write_text(TOML)
        (folder / "secret").write_bytes(SECRET + b"\n")
        self._geoip = write_countries(folder / "geoip.mmdb", {"127.0.0.0/8": "DE"})

    def scan(self) -> Part:
        """Start a `scan --watch`."""
        words = ["scan", "--watch", "--database", self.url, "--category", CATEGORY]
        words += ["--config", str(self._folder / "scan.toml"), "--source", str(self.primary.root)]
        return self.start("scan", *words, "--hook-secret", f"@{self._folder / 'secret'}", *_FREE)

    def watch(self, *more: str, admin: str = "127.0.0.1:0") -> Part:
        """Start a watch, which pushes."""
        words = ["watch", "--database", self.url, "--output", str(self.snapshot), "--no-dns"]
        return self.start("watch", *words, "--push", "true", "--admin", admin, *more)

    def serve(self, *more: str) -> Part:
        """Start a server that writes statistics."""
        words = ["serve", "--snapshot", str(self.snapshot), "--port", "0", "--wait", "60"]
        words += ["--spool", str(self.spool), "--geoip", str(self._geoip)]
        return self.start("serve", *words, *_FREE, *more)

    def collect(self, admin: str = "127.0.0.1:0", interval: str = "1") -> Part:
        """Start a collector."""
        words = ["stats", "collect", str(self.spool), "--database", self.statistics, "--watch"]
        return self.start("collect", *words, "--interval", interval, "--admin", admin)

    def run(self) -> Part:
        """Start a `mirrorlist run` of its own, and return its keeper's pages."""
        state = self._folder / "site"
        farm = self._stack.enter_context(_farm(state))
        file = small_file(state, {"right": farm.url("right")})
        words = ["run", str(file), "--state", str(state / "state"), "--port", "0", "--no-dns"]
        words += [*_FREE, "--watch-admin", "127.0.0.1:0", "--interval", "5"]
        return self.start("run", *words, where=_KEEPER)

    def start(self, name: str, *words: str, where: re.Pattern[str] = _ADMIN) -> Part:
        """Start a part, which ends with the site."""
        said = self._folder / f"{name}.said"
        with said.open("wb") as file:
            process = template().start(["mirrorlist", *words], PLAIN, self._folder, (file, file))
        self._stack.callback(_kill, process)

        def is_up() -> bool:
            assert process.poll() is None, said.read_text()
            text = said.read_text()
            return bool(where.search(text)) and (name != "serve" or "listening on" in text)

        wait_until(f"{name} says its address", is_up, SECONDS)
        text = said.read_text()
        admin, port = where.search(text), _LISTENING.search(text)
        assert admin
        return Part(process, said, int(admin[1]), int(port[1]) if port else 0)


def _tables() -> Tables:
    """Return a database that knows a category, and a mirror that always has all of it."""
    carried: Row = {"id": 1, "host_id": 1, "category_id": 1, "always_up2date": True}
    url: Row = {"id": 1, "host_category_id": 1, "url": "https://mirror.example/pub/epel"}
    return {
        **empty(),
        "site": [site(1)],
        "host": [host(1, country="DE")],
        "host_category": [carried],
        "host_category_url": [url],
    }


@contextmanager
def _farm(folder: Path) -> Iterator[Farm]:
    """Publish a repository in a folder, and run a mirror of it."""
    place = folder / "pub" / "9" / "x86_64" / "repodata"
    place.mkdir(parents=True)
    (place / "primary.xml.gz").write_bytes(b"x")
    text = REPOMD.format(file="primary.xml.gz", timestamp=1_790_000_000)
    (place / "repomd.xml").write_text(text)
    with run_farm(folder / "pub") as farm:
        yield farm


def _kill(process: Process) -> None:
    # A server ends its workers at SIGTERM; a killed one has them end too, a little later.
    process.send_signal(signal.SIGTERM)
    with suppress(TimeoutError):
        process.wait(SECONDS)


@contextmanager
def chain_site(folder: Path) -> Iterator[ChainSite]:
    """Make a site, whose parts end with the block."""
    with ExitStack() as stack:
        yield ChainSite(folder, stack)


def main() -> None:
    """Run a site with all stages, asked by clients, until Ctrl-C."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    with chain_site(folder) as made, suppress(KeyboardInterrupt):
        scan, watch = made.scan(), made.watch()
        collect, keeper = made.collect(interval="10"), made.run()
        others = f"--chain=scan=127.0.0.1:{scan.admin},collect=127.0.0.1:{collect.admin}"
        server = made.serve(f"--watch-admin=127.0.0.1:{watch.admin}", others)
        parts = {"scan": scan, "watch": watch, "collect": collect, "run": keeper, "serve": server}
        for name, part in parts.items():
            print(f"{name}: process {part.process.pid}, http://127.0.0.1:{part.admin}/status")  # noqa: T201
        print(f"http://127.0.0.1:{server.admin}/chain", flush=True)  # noqa: T201
        while True:
            for target in LISTS:
                with suppress(OSError):
                    exchange(server.port, request(target))
            time.sleep(0.1)


if __name__ == "__main__":
    main()
