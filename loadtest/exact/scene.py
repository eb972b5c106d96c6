"""The scene: three servers with spools, two collectors, what carries files, and a database.

The first server's spool is a folder that the collectors share with it. The files of the second are
copied into a folder of the collectors, each of them twice, as after an rsync that was broken off;
those of the third are sent by HTTP, each twice.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import click
from msgspec import Struct

from loadtest.common.processes import tree, until
from loadtest.common.servers import ROOT, get
from snapshot.stats import spool
from tests.factories import export_tables, world
from tests.postgresql import Server as PostgreSQL

SERVERS, WORKERS = 3, 2
TOKEN = "a token for a load test"
_FAKETIME = Path("/usr/lib") / f"{os.uname().machine}-linux-gnu/faketime/libfaketimeMT.so.1"
_START_SECONDS, _STOP_SECONDS = 60.0, 30.0
_CARRY_SECONDS = 0.3
# After this long a file is sent a second time: the collectors have had it.
_AGAIN_SECONDS = 2.0


class Waiting(Struct, frozen=True):
    """What waits in all spools: files that a collector may take, and hidden ones."""

    files: int
    bytes: int
    hidden: int


class Scene:
    """All processes of a run."""

    def __init__(self, folder: Path, postgresql: PostgreSQL, faster: float) -> None:
        """Take an empty folder and a running PostgreSQL."""
        self.folder, self.postgresql, self._faster = folder, postgresql, faster
        self.url = postgresql.create("exact")
        self.ports = [_free_port() for _ in range(SERVERS)]
        self.spools = [folder / f"spool{n}" for n in range(SERVERS)]
        self.incoming = [self.spools[0], *(folder / f"incoming{n}" for n in range(1, SERVERS))]
        self.receiver = _free_port()
        self.sent_twice = 0
        self._snapshot = Path(export_tables(folder, world())[0].path)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._is_ending = threading.Event()
        self._carriers = [
            threading.Thread(target=self._carry, args=(n, send))
            for n, send in ((1, self._copy), (2, self._post))
        ]

    @property
    def has_faketime(self) -> bool:
        """Whether a server's clock can be set (Debian's package libfaketime)."""
        return _FAKETIME.exists()

    def begin(self) -> None:
        """Start everything."""
        (self.folder / "token").write_text(TOKEN)
        (self.folder / "secret").write_text("a secret of a site, of 32 bytes or more")
        for one in self.incoming[1:]:
            one.mkdir()
        for n in range(SERVERS):
            self.set_clock(n, 0)
            self.start_server(n)
        for n in range(2):
            self.start_collector(n)
        for n in range(SERVERS):
            self.wait_for_server(n)
        for thread in self._carriers:
            thread.start()

    def end_servers(self) -> None:
        """End the servers, and wait until their files are carried."""
        for n in range(SERVERS):
            self.end_server(n)
        until("all files are carried", lambda: not self.uncarried, 600)
        self._is_ending.set()
        for one in self._carriers:
            one.join()

    def end(self) -> None:
        """End everything; nothing is left."""
        self._is_ending.set()
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()
        for one in self._carriers:
            if one.ident:
                one.join()

    @property
    def uncarried(self) -> int:
        """How many files wait to be carried."""
        return sum(len([*spool.files(one)]) for one in self.spools[1:] if one.exists())

    @property
    def waiting(self) -> Waiting:
        """What waits."""
        files = [path for one in {*self.spools, *self.incoming} for path in _listed(one)]
        ready = [path for path in files if not path.name.startswith(".")]
        sizes = 0
        for path in files:
            with suppress(FileNotFoundError):
                sizes += path.stat().st_size
        return Waiting(len(ready), sizes, len(files) - len(ready))

    def start_server(self, number: int) -> None:
        """Start a server."""
        words = ["--snapshot", self._snapshot, "--port", self.ports[number], "--admin", "none"]
        words += ["--workers", WORKERS, "--spool", self.spools[number]]
        words += ["--spool-key", self.folder / "secret"]
        module = ("loadtest.exact.server", self._faster)
        self._start(f"server{number}", [*module, *words], self._clock_of(number))

    def wait_for_server(self, number: int) -> None:
        """Wait until a server answers; raises an error of one line if one has ended."""

        def is_ready() -> bool:
            self.check()
            return _answers(self.ports[number])

        until(f"server {number} answers", is_ready, _START_SECONDS)

    def end_server(self, number: int) -> None:
        """End a server with SIGTERM; raises an error of one line if it does not end in order."""
        process = self._processes.pop(f"server{number}")
        process.terminate()
        if (code := process.wait(_STOP_SECONDS)) != 0:
            raise click.ClickException(f"server {number} ended with {code}: {self.said[-500:]}")

    def signal_server(self, number: int, signal_number: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        self._processes[f"server{number}"].send_signal(signal_number)

    def end_worker(self, number: int) -> None:
        """End one worker of a server in order; the supervisor starts another one."""
        _, *workers = tree(self._processes[f"server{number}"].pid)
        os.kill(workers[0], signal.SIGTERM)

    def set_clock(self, number: int, seconds: int) -> None:
        """Set a server's clock to this many seconds from the true time."""
        path = self.folder / f"clock{number}"
        (beside := path.with_suffix(".new")).write_text(f"{seconds:+d}\n")
        beside.rename(path)

    def start_collector(self, number: int) -> None:
        """Start a collector that stays; the first one receives files too."""
        words = ["mirrorlist.cli", *self.collect_words, "--watch", "--interval", "1"]
        if number == 0:
            listen = f"127.0.0.1:{self.receiver}"
            words += ["--listen", listen, "--token-file", str(self.folder / "token")]
        self._start(f"collector{number}", words, {})

    def kill_collector(self, number: int) -> None:
        """Kill a collector, wherever it is."""
        process = self._processes.pop(f"collector{number}")
        process.kill()
        process.wait()

    @property
    def collect_words(self) -> list[str]:
        """The words of a collector: the received files belong in the first spool."""
        spools = [self.incoming[2], *self.incoming[:2]]
        return ["stats", "collect", *map(str, spools), "--database", self.url]

    def collect_and_die(self, step: int) -> int:
        """Run a third collector that is killed before a step; returns its exit code."""
        words = f"{step}, {self.collect_words!r}, 'os.remove'"
        command = [sys.executable, "-c", f"from tests.killed_scan import run; run({words})"]
        with (self.folder / "said").open("ab") as said:
            return subprocess.run(command, cwd=ROOT, stderr=said, check=False).returncode

    @property
    def said(self) -> str:
        """What all processes said."""
        return (self.folder / "said").read_text(errors="replace")

    def check(self) -> None:
        """Raise an error of one line if something has ended that no fault ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise click.ClickException(f"{name} ended: {self.said[-500:]}")
        if "Traceback" in self.said:
            raise click.ClickException(f"an internal error: {self.said[-2000:]}")

    def _clock_of(self, number: int) -> Mapping[str, str]:
        if not self.has_faketime:
            return {}
        return {
            "LD_PRELOAD": str(_FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / f"clock{number}"),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    def _start(self, name: str, words: Sequence[object], environment: Mapping[str, str]) -> None:
        with (self.folder / "said").open("ab") as said:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", *map(str, words)],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def _carry(self, number: int, send: Callable[[Path], bool]) -> None:
        """Send each file twice, the second time when the collectors have had the first."""
        sent: dict[Path, float] = {}
        while not self._is_ending.is_set():
            for path in [*spool.files(self.spools[number])]:
                first = sent.get(path)
                if first is not None and time.monotonic() - first < _AGAIN_SECONDS:
                    continue
                if not send(path):
                    break
                sent.setdefault(path, time.monotonic())
                if first is not None:
                    path.unlink()
                    self.sent_twice += 1
            self._is_ending.wait(_CARRY_SECONDS)

    def _copy(self, path: Path) -> bool:
        target = self.incoming[1] / path.name
        beside = target.with_name(f".{path.name}.copy")
        shutil.copyfile(path, beside)
        beside.rename(target)
        return True

    def _post(self, path: Path) -> bool:
        connection = HTTPConnection("127.0.0.1", self.receiver, timeout=10)
        try:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            connection.request("POST", "/spool", path.read_bytes(), headers)
            return connection.getresponse().status == 204
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def _listed(folder: Path) -> list[Path]:
    """Return the files of a spool, those that are being written too, but not its own notes."""
    if not folder.exists():
        return []
    return [one for one in folder.iterdir() if spool.SUFFIX in one.name]


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        return get(connection, "/health/ready", "192.0.2.1")[0] == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port
