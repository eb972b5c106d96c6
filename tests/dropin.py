"""Runs `mirrorlist-server` as a unit does: a process, its files, its output, its exit code."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cache_file import write_cache
from tests.forked import Process, template
from tests.live import ROOT, Response, exchange, request, wait_until
from tests.mmdb import write_countries

SECONDS = 30.0
_LISTENING = re.compile(r"^Listening on http://127\.0\.0\.1:(\d+)$", re.MULTILINE)
# As the command, but for looking 20 times a second.
_OFTEN = """
import sys
from snapshot.file import changes
changes.changes.__defaults__ = (0.05,)
sys.argv[0] = "mirrorlist-server"
from mirrorlist.cli.dropin.command import main
main()
"""


class DropIn:
    """The files of a mirrorlist-server in a folder of their own, and its process."""

    def __init__(self, folder: Path) -> None:
        """Write the four files that it reads; `environment` is what its process will have."""
        self.folder = folder
        self.cache = write_cache(folder / "mirrorlist_cache.proto")
        self.netblocks, self.continents = folder / "global_netblocks.txt", folder / "cc.csv"
        self.netblocks.write_text("192.0.2.0/24 64500\n")
        self.continents.write_text("DE,EU\nFR,EU\n")
        self.geoip = write_countries(folder / "geoip.mmdb", {"198.51.100.0/24": "FR"})
        self.log, self._printed = folder / "mirrorlist1.service.log", folder / "printed"
        self.state = folder / "state"
        self.state.mkdir()
        self.environment = {"PATH": "/usr/bin:/bin", "STATE_DIRECTORY": str(self.state)}

    def words(self, *more: object) -> list[str]:
        """Return the command line of Fedora's unit, with other files and a free port."""
        return [
            "mirrorlist-server",
            *("--listen", "127.0.0.1", "--port", "0", "-l", str(self.log)),
            *("--cache", str(self.cache), "--global_netblocks", str(self.netblocks)),
            *("--cccsv", str(self.continents), "--geoip", str(self.geoip)),
            *("--internet2_netblocks", str(self.folder / "not there")),
            *map(str, more),
        ]

    def run(self, *more: object) -> subprocess.CompletedProcess[str]:
        """Run it to its end, for a command line that does not serve."""
        output, errors = self.folder / "out", self.folder / "err"
        with output.open("wb") as out, errors.open("wb") as err:
            code = template().run(self.words(*more), self.environment, (out, err), SECONDS)
        return subprocess.CompletedProcess([], code, output.read_text(), errors.read_text())

    @contextmanager
    def serving(self, *more: object, often: bool = False) -> Iterator["Serving"]:
        """Serve in the block; with `often` it looks for changes 20 times a second."""
        with self._printed.open("wb") as printed:
            process: Process
            if often:
                process = subprocess.Popen(
                    [sys.executable, "-c", _OFTEN, *self.words(*more)[1:]],
                    cwd=ROOT,
                    env=self.environment,
                    stdout=printed,
                    stderr=printed,
                    start_new_session=True,
                )
            else:
                started = self.words(*more), self.environment, ROOT, (printed, printed)
                process = template().start(*started)
        try:
            yield Serving(process, self._printed)
            assert "Traceback" not in self._printed.read_text(), self._printed.read_text()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Serving:
    """A server that has said where it listens."""

    def __init__(self, process: Process, printed: Path) -> None:
        """Wait for that line."""
        self.process, self._path = process, printed
        self.wait_for("Listening on ")
        found = _LISTENING.search(self.printed)
        assert found, self.printed
        self.port = int(found[1])

    @property
    def printed(self) -> str:
        """All that it has printed."""
        return self._path.read_text()

    def children(self) -> list[int]:
        """The processes beside the supervisor, the importer first."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(child) for child in path.read_text().split()]

    def get(self, target: str, *headers: str, method: str = "GET") -> Response:
        """Ask for a target."""
        sent = request(target.encode(), method, [one.encode() for one in headers])
        return exchange(self.port, sent)

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until it has printed a text this many times."""
        wait_until(
            f"{text}: {self.printed}",
            lambda: self.process.poll() is not None or self.printed.count(text) >= count,
            SECONDS,
        )
        assert self.printed.count(text) >= count, self.printed
