"""Measures rsync with our lists: a full run, the classic filter and the list of directories.

    python -m loadtest.rsync --record

A real daemon and a real mirror on loopback, both trees on the same disk and in the page cache.
Each cell of the table is two runs of equally many changes: one plain, for the times, and one
whose daemon runs under strace, for the calls. After each the mirror is compared with the tree.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click
from msgspec import Struct

from loadtest import options
from loadtest.common.processes import cpu_seconds, tree, until
from loadtest.common.records import Machine, keep, record, this_machine
from loadtest.common.tables import Sheet, sheet, show
from loadtest.rsync.tree import RsyncTree

_FILES = ["-lptgoD", "-d", "--delete", "--ignore-missing-args", "--files-from=-"]
OPTIONS = {
    "full": ["-rlptgoD", "--delete", "--delete-after"],
    "classic": ["-rlptgoD", "--delete", "--delete-after", "--exclude-from=-"],
    "files": _FILES,
    # rsync 3.2.5 and later compares each name it is sent with each one it asked for.
    "trusted": [*_FILES, "--trust-sender"],
}
# The system calls that ask about a file by name; each directory also needs openat and getdents64.
STATS = ("newfstatat", "lstat", "statx")
_NULL = b"# includes\n# excludes\n"
_START_SECONDS = 10.0
_PORTS = 3


class Cell(Struct, frozen=True):
    """One case by one method: seconds of wall time and CPU, calls of the daemon.

    `directories` is how many the list has; without a run (nothing changed) all else is 0.
    """

    case: str
    method: str
    directories: int
    wall: float = 0
    upstream_cpu: float = 0
    mirror_cpu: float = 0
    calls: dict[str, int] = {}
    same_tree: bool = True

    @property
    def stats(self) -> int:
        """The calls that ask about a file."""
        return sum(self.calls.get(name, 0) for name in STATS)


class RsyncRun(Struct, frozen=True):
    """All cells of a run with where and on what they were made."""

    machine: Machine
    rsync: str
    directories: int
    files: int
    cells: list[Cell]


@options.program
@options.number("--directories", 10_000, "Of the tree.", 50)
@options.number("--files", 20, "Files in each directory.", 1)
@click.option("--changes", default="10,1000,8000", show_default=True, help="Directories changed.")
@click.option("--methods", default=",".join(OPTIONS), show_default=True, help="Which to measure.")
@click.option("--folder", type=options.FILE, help="Where both trees go for a while.")
@options.record("rsync-trees")
def main(
    directories: int, files: int, changes: str, methods: str, folder: Path | None, path: Path | None
) -> None:
    """Measure rsync runs against a daemon; prints a table."""
    machine = this_machine()
    with tempfile.TemporaryDirectory(dir=folder) as name:
        bench = Bench(Path(name), directories, files, methods.split(","))
        cells = bench.case("nothing changed", lambda: None)
        cells += bench.case("one repository", bench.tree.change_repository)
        for count in map(int, changes.split(",")):
            change = lambda count=count: bench.tree.change_directories(count)  # noqa: E731
            cells += bench.case(f"{count:,} directories", change)
        version = subprocess.run(["rsync", "--version"], capture_output=True, text=True).stdout
        counted = bench.tree.count_files()
        run = RsyncRun(machine, version.partition("\n")[0], bench.tree.directories, counted, cells)
    show([table(run)])
    if path:
        some = "" if methods == ",".join(OPTIONS) else f"-{methods.replace(',', '-')}"
        details = {"rsync": run.rsync, "methods": methods}
        text = record(machine, "rsync with lists and without", details, [table(run)])
        keep(run, path.with_stem(path.stem + some), text)


class Bench:
    """A tree with a mirror of it."""

    def __init__(self, folder: Path, directories: int, files: int, methods: list[str]) -> None:
        """Make both."""
        self._folder = folder
        self._methods = methods
        self._snapshot = folder / "mm.snap"
        self._mirror = folder / "mirror"
        (folder / "primary").mkdir()
        self.tree = RsyncTree(folder / "primary", directories, files)
        self._bring_up_to_date()

    def case(self, name: str, change: Callable[[], None]) -> list[Cell]:
        """Measure a case by each method, each time with new changes."""
        return [self._cell(name, method, change) for method in self._methods]

    def _cell(self, case: str, method: str, change: Callable[[], None]) -> Cell:
        change()
        form = "files" if "--files-from=-" in OPTIONS[method] else "classic"
        listed, count = self.tree.changes(form, self._snapshot)
        if method != "full" and (not listed or _NULL in listed):
            click.echo(f"{case}, {method}: no rsync", err=True)
            return Cell(case, method, 0)
        with _daemon(self._folder, traced=False) as (process, url):
            before = cpu_seconds(process.pid)
            wall, mirror_cpu = self._rsync(method, url, listed)
            # The daemon counts a child's time when it has reaped it.
            time.sleep(0.3)
            upstream_cpu = cpu_seconds(process.pid) - before
        same = self._bring_up_to_date()
        change()
        listed, _ = self.tree.changes(form, self._snapshot)
        with _daemon(self._folder, traced=True) as (_, url):
            self._rsync(method, url, listed)
        same &= self._bring_up_to_date()
        click.echo(f"{case}, {method}: {wall:.2f} s", err=True)
        calls = _calls(self._folder / "strace")
        figures = (round(wall, 3), round(upstream_cpu, 2), round(mirror_cpu, 3))
        return Cell(case, method, count, *figures, calls, same)

    def _rsync(self, method: str, url: str, listed: bytes) -> tuple[float, float]:
        """Run a mirror's rsync; seconds of wall time and of CPU."""
        command = ["rsync", *OPTIONS[method], f"{url}/tree/", f"{self._mirror}/"]
        before, started = os.times(), time.perf_counter()
        subprocess.run(command, input=listed, check=True)
        wall, after = time.perf_counter() - started, os.times()
        cpu = after.children_user + after.children_system
        return wall, cpu - before.children_user - before.children_system

    def _bring_up_to_date(self) -> bool:
        """Make the mirror equal to the tree with a full run; return whether it was equal before."""
        command = ["rsync", "-ai", "--delete", f"{self.tree.root}/", f"{self._mirror}/"]
        run = subprocess.run(command, check=True, capture_output=True)
        self.tree.settle()
        return not run.stdout


@contextmanager
def _daemon(folder: Path, traced: bool) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Run a daemon that gives the tree, perhaps under strace; yields its process and URL."""
    settings = folder / "rsyncd.conf"
    user = "uid = 0\ngid = 0\n" if os.geteuid() == 0 else ""
    settings.write_text(f"use chroot = no\n{user}[tree]\npath = {folder / 'primary'}\n")
    command = ["rsync", "--daemon", "--no-detach", f"--config={settings}", "--address=127.0.0.1"]
    trace = ["strace", "-f", "-c", "-o", str(folder / "strace")] if traced else []
    if traced and not shutil.which("strace"):
        trace = []
        click.echo("no strace (Debian package strace): calls are not counted", err=True)
    process, port = _begin([*trace, *command])
    try:
        yield process, f"rsync://127.0.0.1:{port}"
    finally:
        # End the daemon and not strace, which would end without writing its table.
        for child in tree(process.pid)[1:2] if trace else [process.pid]:
            os.kill(child, signal.SIGTERM)
        process.wait()


def _begin(command: list[str]) -> tuple["subprocess.Popen[bytes]", int]:
    """Start a daemon on a free port; a port that another program takes meanwhile is left to it."""
    for _ in range(_PORTS):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        process = subprocess.Popen([*command, f"--port={port}"])
        until("the daemon answers", partial(_is_settled, process, port), _START_SECONDS)
        if process.poll() is None:
            return process, port
    raise click.ClickException("the rsync daemon ends by itself")


def _is_settled(process: "subprocess.Popen[bytes]", port: int) -> bool:
    """Return whether a daemon answers, or has ended."""
    return process.poll() is not None or _answers(port)


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _calls(table: Path) -> dict[str, int]:
    """Read how often each system call was made, from strace's table."""
    if not table.exists():
        return {}
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) .*?(\w+)$", table.read_text(), re.MULTILINE)
    return {name: int(count) for count, name in rows if name != "total"}


def table(run: RsyncRun) -> Sheet:
    """Return the figures as a table."""
    title = f"{run.directories:,} directories, {run.files:,} files, {run.rsync}"
    return sheet(title, run.cells, {
        "changed": lambda one: one.case,
        "method": lambda one: one.method,
        "listed": lambda one: f"{one.directories:,}",
        "wall": lambda one: f"{one.wall:.2f} s" if one.wall else "no rsync",
        "CPU upstream": lambda one: f"{one.upstream_cpu:.2f} s" if one.wall else "",
        "CPU mirror": lambda one: f"{one.mirror_cpu:.2f} s" if one.wall else "",
        "stat calls upstream": lambda one: f"{one.stats:,}",
        "all calls": lambda one: f"{sum(one.calls.values()):,}",
        "same tree": lambda one: "yes" if one.same_tree else "no",
    })  # fmt: skip


if __name__ == "__main__":
    main()
