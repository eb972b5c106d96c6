"""The scene of a soak: a database, a watch that exports it, a server, and a crawler."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import click
import psycopg

from loadtest.common.processes import tree, until
from loadtest.common.progress import Phases
from loadtest.common.servers import Server, Servers
from loadtest.common.workers import worker_pids
from loadtest.dataset.crawl import crawl, crawled_hosts
from loadtest.dataset.data_files import GEOIP_FILE, LOG_FILE
from loadtest.dataset.dataset import Dataset, fill
from loadtest.dataset.prepared import export, export_options
from loadtest.soak.stderr_pipe import StderrPipe
from snapshot.file.errors import SnapshotError
from snapshot.file.reader import Snapshot
from tests.postgresql import Server as PostgreSQL

WORKERS = 2
_DIRECTORIES = 30
_REQUESTS = 20_000
_START_SECONDS = 30.0
_LOOK_SECONDS = 0.02
_DISK_BYTES = 32 << 20
_EVERY_SECONDS = 5
_NAME = "soak"
# A user without other processes, not even those of another soak on this machine.
_NOBODY = 60_000 + os.getpid() % 5_000


class Scene:
    """All processes of a soak; a fault that ends one of them also starts it again."""

    def __init__(self, folder: Path, postgresql: PostgreSQL, servers: Servers) -> None:
        """Take an empty folder, a running PostgreSQL, and the collection to start servers in."""
        self.folder, self.postgresql = folder, postgresql
        self.disk = folder / "published"
        self.disk.mkdir()
        self.snapshot = self.disk / "mm.snap"
        self.data = folder / "data"
        self.said = folder / "watch.said"
        self.url = postgresql.create(_NAME)
        self.stderr = StderrPipe(folder / "said")
        self.requests = folder / "log" / "requests.log"
        self._servers = servers
        self._hosts: list[int] = []
        self._watch: subprocess.Popen[bytes] | None = None
        self._said_before = 0
        self._mounted = False

    def begin(self, scale: float, seed: int, phases: Phases) -> Server:
        """Fill the database, watch it, and serve it; returns the server."""
        dataset = Dataset(scale, seed)
        fill(self.url, dataset.rows(noise=False), False, phases)
        dataset.write_files(self.data, _REQUESTS, phases)
        with self._connect() as connection:
            found = connection.execute(crawled_hosts(_DIRECTORIES)).fetchall()
            self._hosts = [int(str(host)) for (host,) in found]
        self._mounted = self._mount()
        self.start_watch()
        self.until("the first export", self.snapshot.exists)
        options = ["--geoip", str(self.geoip), "--workers", str(WORKERS)]
        options += ["--log", str(self.requests)]
        self._make_room()
        self.server = self._servers.ours(self.snapshot, options, _as_nobody(), self.stderr)
        return self.server

    def end(self) -> None:
        """End the watch, and unmount the disk."""
        self.kill_watch(signal.SIGTERM)
        self.stderr.close()
        if self._mounted:
            subprocess.run(["umount", str(self.disk)], check=False)

    @property
    def geoip(self) -> Path:
        """The GeoIP file that the server reads."""
        return self.data / GEOIP_FILE

    @property
    def watch(self) -> int:
        """The watch's process."""
        assert self._watch is not None
        return self._watch.pid

    def limit_processes(self, most: int) -> None:
        """Let the server's user have this many processes at most; -1 is no limit."""
        wish = f"--nproc={'unlimited' if most < 0 else most}:"
        command = ["prlimit", f"--pid={self.server.pid}", wish]
        subprocess.run([*_as_nobody(), *command], check=True, capture_output=True)

    def _make_room(self) -> None:
        """Make the files that the server writes, and let it read the others."""
        self.requests.parent.mkdir()
        self.requests.parent.chmod(0o777)
        self.folder.chmod(0o755)

    @property
    def log(self) -> Path:
        """The request log of the data set."""
        return self.data / LOG_FILE

    @property
    def has_disk(self) -> bool:
        """Whether the published file has a disk of its own, which can be full."""
        return self._mounted

    def workers(self) -> list[int]:
        """Return the processes of all workers, as soon as none is missing."""
        return worker_pids(self.server, WORKERS)

    def commit(self, rng: Random) -> str:
        """Commit what a crawler would; raises psycopg's error while there is no database."""
        host = rng.choice(self._hosts)
        with self._connect() as connection:
            connection.execute(crawl(host, _DIRECTORIES))
        return f"host {host}"

    def cut_connections(self) -> int:
        """Let PostgreSQL end all connections to the database; returns how many there were."""
        with self._connect("postgres") as connection:
            found = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (_NAME,),
            ).fetchall()
        return len(found)

    def start_beside(self, watch_admin: str) -> list[int]:
        """Start one more server, with an admin listener; return its processes, the first one's
        end being the caller's.
        """
        options = ["--admin", "127.0.0.1:0", "--watch-admin", watch_admin]
        server = self._servers.ours(self.snapshot, options)
        found: list[int] = []

        def has_all() -> bool:
            found[:] = tree(server.pid)
            return len(found) == 3

        self.until("a worker and an admin process", has_all)
        self._servers.forget(server.pid)
        return found

    def start_database(self) -> None:
        """Start PostgreSQL again after its crash."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.postgresql.start()
                return
            except RuntimeError:
                # The killed server's shared memory is freed when its last process has ended.
                if time.monotonic() > deadline:
                    raise
                time.sleep(_LOOK_SECONDS)

    def start_watch(self) -> None:
        """Start the watch."""
        command = [
            *(sys.executable, "-m", "mirrorlist.cli", "watch", "--output", str(self.snapshot)),
            *("--every", str(_EVERY_SECONDS), "--admin", "127.0.0.1:0"),
            *export_options(self.data),
        ]
        environment = {**os.environ, "MIRRORLIST_DATABASE": self.url}
        with self.said.open("ab") as file:
            self._said_before = file.tell()
            self._watch = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file
            )

    def watches(self) -> bool:
        """Return whether the watch has loaded what it needs, and begun."""
        return b"watching " in self.said.read_bytes()[self._said_before :]

    def kill_watch(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the watch."""
        if self._watch is not None:
            self._watch.send_signal(number)
            self._watch.wait()
            self._watch = None

    def check(self) -> None:
        """Raise an error of one line if something has ended that no fault ended."""
        self._servers.check()
        if self._watch is not None and self._watch.poll() is not None:
            last = self.said.read_text().strip().rpartition("\n")[2]
            raise click.ClickException(f"the watch ended with {self._watch.returncode}: {last}")
        if "Traceback" in self.said.read_text():
            raise click.ClickException(f"the watch: {self.said.read_text()[-2000:]}")

    def fill_disk(self) -> None:
        """Fill the disk of the published file."""
        with suppress(OSError), (self.disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))

    def free_disk(self) -> None:
        """Remove the file that fills the disk."""
        (self.disk / "filler").unlink(missing_ok=True)

    def full_export(self) -> str:
        """Export to another file, and return that snapshot's id."""
        output = self.folder / "full.snap"
        output.unlink(missing_ok=True)
        export(self.data, self.url, output)
        return Snapshot(output).id

    def published(self) -> str | None:
        """Return the id of the published snapshot; None while the file is not one."""
        try:
            return Snapshot(self.snapshot).id
        except SnapshotError:
            return None

    def until(self, what: str, holds: Callable[[], bool], seconds: float = _START_SECONDS) -> None:
        """Wait until something holds; raises an error of one line if it never does."""

        def holds_and_all_run() -> bool:
            self.check()
            return holds()

        until(what, holds_and_all_run, seconds, _LOOK_SECONDS)

    def _connect(self, database: str = _NAME) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.postgresql.url(database))

    def _mount(self) -> bool:
        """Give the published file a small disk of its own, if we may."""
        command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(self.disk)]
        if os.geteuid() != 0:
            return False
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _as_nobody() -> list[str]:
    """Return what runs a program as a user whom the system can refuse processes."""
    if os.geteuid() != 0:
        return []
    user = str(_NOBODY)
    return ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
