"""Measures what a change of the snapshot costs the clients that ask meanwhile.

    python -m loadtest.changes.swaps --record

Needs wrk. Two workers under full load: at rest; while one host changes every second; and while
one snapshot after the other is published. All this time each worker is also asked over a
connection of its own, which tells when it answers from the new one, and how long an answer takes
in between.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import cycle
from math import ceil
from pathlib import Path
from typing import Any

import click
from msgspec import Struct

from loadtest import options
from loadtest.common.judging import load_fault, refusals
from loadtest.common.mix import make_mix, read_data
from loadtest.common.processes import cpu_seconds, pss_bytes
from loadtest.common.progress import Phases, show_phases
from loadtest.common.records import Machine, keep, record, this_machine
from loadtest.common.servers import Servers
from loadtest.common.tables import MEGABYTE, Goal, Sheet, goals_sheet, percentile, sheet, show
from loadtest.common.workers import Worker, all_serve, each_worker, worker_pids
from loadtest.common.wrk import CONNECTIONS, Load, load
from loadtest.dataset.prepared import ScaleFiles
from loadtest.dataset.versions import Versions, make_versions
from snapshot.file.reader import Snapshot

_KIND, _SEED, _LINES = "day", 1, 200_000
# Every worker looks at the published file at least every 2 s.
_LATE_SECONDS = 10.0
# Between two questions of this program: wrk makes the load.
_ASK_SECONDS = 0.005


class Spell(Struct, frozen=True):
    """A load: what wrk saw, and CPU time of the whole server in microseconds a request.

    `swaps`: seconds from each rename to the first moment when every worker answers from it;
    `during`: milliseconds of the lists that were asked for between these two, or at any time
    where nothing is published; `pss`: bytes of the whole server afterwards.
    """

    name: str
    load: Load
    cpu: float
    swaps: list[float]
    during: list[float]
    pss: int


class Wanted(Struct, frozen=True):
    """The options of a run; times in seconds."""

    swaps: int
    pause: float
    seconds: int
    warm: int
    workers: int

    def spells(self) -> list[tuple[str, int, int, float]]:
        """Return each spell's name, its length, how many swaps it has and how far apart."""
        return [
            ("at rest", self.seconds, 0, 0.0),
            ("a change each second", self.seconds, self.seconds - 2, 1.0),
            ("at rest again", self.seconds, 0, 0.0),
            ("one swap after the other", ceil(self.swaps * self.pause) + 2, self.swaps, self.pause),
            ("at rest afterwards", self.seconds, 0, 0.0),
        ]


class SwapsRun(Struct, frozen=True):
    """All figures of a run with where they were made; `pss` is that of before."""

    machine: Machine
    settings: dict[str, str]
    pss: int
    spells: list[Spell]


class _Publisher:
    """Puts one snapshot after the other into a server's place: back and forth, as each differs
    from its neighbours in one host.
    """

    def __init__(self, place: Path, versions: Sequence[Path]) -> None:
        self._place = place
        self._turn = cycle([(one, Snapshot(one).id) for one in (*versions, *versions[-2:0:-1])])

    def next(self) -> str:
        """Publish another one, whole; returns its id."""
        version, found = next(self._turn)
        part = self._place.with_suffix(".part")
        shutil.copyfile(version, part)
        os.replace(part, self._place)
        return found


class _Spells:
    """A server with its workers, and the requests that it gets."""

    def __init__(
        self, url: str, pid: int, workers: list[Worker], mix: list[str], publisher: _Publisher
    ) -> None:
        self._url, self._pid, self._workers, self._mix = url, pid, workers, mix
        self._publisher = publisher
        self._lines = cycle(mix)

    def run(self, name: str, seconds: int, swaps: int = 0, pause: float = 0.0) -> Spell:
        """Load for some seconds, and meanwhile publish `swaps` times, every `pause` seconds."""
        used = cpu_seconds(self._pid)
        with ThreadPoolExecutor(1) as beside:
            loading = beside.submit(load, self._url, self._mix, seconds, False)
            if swaps:
                took, during = self._swap(loading, swaps, pause)
            else:
                took, during = [], self._ask_while(lambda: not loading.done())
            found = loading.result()
        used = cpu_seconds(self._pid) - used
        if why := load_fault(found, refusals(_KIND)):
            raise click.ClickException(f"{name}: {why}")
        cost = round(used * 1e6 / found.requests, 2)
        return Spell(name, found, cost, took, during, pss_bytes(self._pid))

    def _swap(
        self, loading: "Future[Load]", swaps: int, pause: float
    ) -> tuple[list[float], list[float]]:
        took: list[float] = []
        during: list[float] = []
        # By then wrk has begun.
        due = time.monotonic() + 1
        for number in range(swaps):
            time.sleep(max(0.0, due - time.monotonic()))
            if loading.done():
                raise click.ClickException(f"the load ended after {number} of {swaps} swaps")
            wanted, began = self._publisher.next(), time.monotonic()
            during += self._ask_while(partial(self._is_awaited, wanted, began))
            took.append(round(time.monotonic() - began, 4))
            due = began + pause
        return took, during

    def _is_awaited(self, wanted: str, began: float) -> bool:
        if time.monotonic() > began + _LATE_SECONDS:
            raise click.ClickException(f"a worker does not swap within {_LATE_SECONDS:g} s")
        return not all_serve(self._workers, wanted)

    def _ask_while(self, holds: Callable[[], bool]) -> list[float]:
        found = []
        while holds():
            target, address = next(self._lines).split()
            for worker in self._workers:
                began = time.perf_counter()
                worker.ask(target, address)
                found.append(round((time.perf_counter() - began) * 1e3, 3))
            time.sleep(_ASK_SECONDS)
        return found


@options.program
@options.number("--swaps", 200, "In a row.", 1)
@options.number("--pause", 0.4, "Seconds from one swap to the next; longer than one takes.", 0.1)
@options.number("--seconds", 20, "Of load at rest, and of load with a change each second.", 2)
@options.number("--warm", 20, "Seconds of load before anything is measured.", 1)
@options.number("--workers", 2, "Of the server.", 1)
@options.scale()
@options.directory()
@click.option(
    "--snapshot",
    "snapshots",
    multiple=True,
    type=options.FILE,
    help="Instead of a data set: snapshots in turn (with --log and --geoip).",
)
@click.option("--log", type=options.FILE, help="A request log that fits --snapshot.")
@click.option("--geoip", type=options.FILE, help="A GeoIP file that fits --snapshot.")
@options.record("swaps")
def main(
    scale: float,
    directory: Path,
    snapshots: tuple[Path, ...],
    log: Path | None,
    geoip: Path | None,
    path: Path | None,
    **wishes: Any,
) -> None:
    """Measure swaps under load."""
    with show_phases() as phases:
        if snapshots and log and geoip:
            versions = Versions(ScaleFiles(snapshots[0], geoip, log), snapshots)
        elif snapshots or log or geoip:
            raise click.UsageError("--snapshot, --log and --geoip go together")
        else:
            versions = make_versions(directory, scale, _SEED, phases)
        run = _run(versions, Wanted(**wishes), phases)
    show(sheets(run))
    if path:
        title = "changed snapshots under load"
        keep(run, path, record(run.machine, title, run.settings, sheets(run)))


def _run(versions: Versions, wanted: Wanted, phases: Phases) -> SwapsRun:
    files = versions.files
    mix = make_mix(read_data(files.log, files.snapshot), _KIND, _SEED, _LINES)
    with tempfile.TemporaryDirectory() as name, Servers() as servers:
        publisher = _Publisher(Path(name) / "mm.snap", versions.snapshots)
        publisher.next()
        words = ["--geoip", str(files.geoip), "--workers", str(wanted.workers)]
        server = servers.ours(Path(name) / "mm.snap", words)
        with each_worker(server, worker_pids(server, wanted.workers)) as each:
            load(server.url, mix, wanted.warm, False)
            spells = _Spells(server.url, server.pid, each, mix, publisher)
            pss, found = pss_bytes(server.pid), []
            for spell, length, count, every in wanted.spells():
                with phases.phase(spell):
                    found.append(spells.run(spell, length, count, every))
    settings = {
        "workers": str(wanted.workers),
        "connections": str(CONNECTIONS),
        "warm-up seconds": str(wanted.warm),
        "seconds between swaps": f"{wanted.pause:g}",
    }
    return SwapsRun(this_machine(), settings, pss, found)


def sheets(run: SwapsRun) -> list[Sheet]:
    """Return the figures of a run as tables."""
    loads = sheet("Loads", run.spells, {
        "wrk": lambda one: one.name,
        "requests": lambda one: f"{one.load.requests:,}",
        "failed": lambda one: one.load.failed,
        "a second": lambda one: f"{one.load.a_second:,.0f}",
        "p50 ms": lambda one: f"{one.load.p50:.2f}",
        "p99 ms": lambda one: f"{one.load.p99:.2f}",
        "slowest ms": lambda one: f"{one.load.slowest:.1f}",
        "CPU us": lambda one: f"{one.cpu:.1f}",
    })  # fmt: skip
    title = f"Swaps, and the lists asked for meanwhile; {run.pss / MEGABYTE:.1f} MB before"
    swaps = sheet(title, run.spells, {
        "each worker asked": lambda one: one.name,
        "swaps": lambda one: len(one.swaps),
        "p50 s": lambda one: f"{percentile(one.swaps, 50):.3f}" if one.swaps else "",
        "slowest s": lambda one: f"{max(one.swaps):.3f}" if one.swaps else "",
        "lists": lambda one: f"{len(one.during):,}",
        "p99 ms": lambda one: f"{percentile(one.during, 99):.2f}",
        "slowest ms": lambda one: f"{max(one.during):.1f}",
        "MB after": lambda one: f"{one.pss / MEGABYTE:.1f}",
    })  # fmt: skip
    return [loads, swaps, goals_sheet("Goals", _goals(run))]


def _goals(run: SwapsRun) -> list[Goal]:
    rest, each, again, row, _ = run.spells
    failed = sum(one.load.failed for one in run.spells)
    return [
        Goal("failed requests", "", 0, failed),
        Goal("p99 during a swap", "ms", 10, percentile(row.during, 99)),
        Goal("slowest", "ms", 25, max(row.load.slowest, *row.during)),
        Goal("CPU with a change each second", "times", 1.3, each.cpu / min(rest.cpu, again.cpu)),
    ]


if __name__ == "__main__":
    main()
