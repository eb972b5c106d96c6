"""Counts requests under faults: in the end the totals are the answers that clients have got.

    python -m loadtest.exact --seconds 180 --outage 60 --faster 60

Needs PostgreSQL, and libfaketime for clocks that are set back. Three servers of two workers write
spool files, which come to two collectors as a shared folder, copied, and by HTTP; the copied and
the sent ones come twice. Meanwhile the database crashes, collectors are killed, servers restart and
clocks go back, at random. Then the database is away for --outage seconds under load. No process of
a server is killed: that costs what it has not written yet, a minute at most.
"""

import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

import click
from msgspec import Struct

from loadtest import options
from loadtest.common.processes import until
from loadtest.common.progress import Phases, show_phases
from loadtest.common.tables import Sheet, sheet, show
from loadtest.exact.clients import Clients
from loadtest.exact.faults import FAULTS, start_database
from loadtest.exact.scene import SERVERS, WORKERS, Scene, Waiting
from loadtest.exact.totals import differences, totals
from tests.postgresql import run_server
from tests.system import find_program

_LOOKS = 12
_EMPTY_SECONDS = 600.0


class Look(Struct, frozen=True):
    """What waits at a moment of the outage, in seconds from its begin."""

    at: float
    what: str
    waiting: Waiting
    answered: int


class Run:
    """What was done and seen."""

    def __init__(self, scene: Scene, clients: Clients, rng: Random) -> None:
        """Take the scene and its clients."""
        self.scene, self.clients, self._rng = scene, clients, rng
        self.counts, self.last = Counter[str](), dict[str, str]()
        self.looks: list[Look] = []
        self.recovery = 0.0
        self._due: list[str] = []

    def break_things(self, seconds: float) -> None:
        """Cause faults, each once before any comes again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._due = self._due or self._rng.sample([*FAULTS], len(FAULTS))
            name = self._due.pop()
            self.last[name] = FAULTS[name](self.scene, self._rng)
            self.counts[name] += 1
            self.scene.check()
            time.sleep(self._rng.uniform(0.1, 0.5))

    def lose_database(self, seconds: float) -> None:
        """Stop the database for this long, and wait until nothing waits any more."""
        began = time.monotonic()
        self._look(began, "before")
        self.scene.postgresql.stop()
        while (left := began + seconds - time.monotonic()) > 0:
            time.sleep(min(left, seconds / _LOOKS))
            self.scene.check()
            self._look(began, "away")
        start_database(self.scene)
        back = time.monotonic()
        least = max(self.looks[0].waiting.files, SERVERS * WORKERS * 4)
        until("the backlog is gone", lambda: self.scene.waiting.files <= least, _EMPTY_SECONDS, 0.1)
        self.recovery = time.monotonic() - back
        self._look(began, "back")

    def _look(self, began: float, what: str) -> None:
        answered = self.clients.answered.total()
        at = time.monotonic() - began
        self.looks.append(Look(at, what, self.scene.waiting, answered))


@options.program
@options.number("--seconds", 180, "How long faults are caused.", 0)
@options.number("--outage", 60, "Seconds without a database, after the faults; 0 leaves it out.", 0)
@options.number("--faster", 60, "How many times as often as usual workers write.", 1)
@options.number("--clients", 6, "Clients that ask at once.", 1)
@options.number("--pause", 0.0, "Seconds that each waits between two requests.")
@options.seed("Another seed, another order.")
def main(seconds: int, outage: int, faster: int, clients: int, pause: float, seed: int) -> None:
    """Break things while clients count their answers; fails unless the totals are equal."""
    if find_program("initdb") is None:
        raise click.ClickException("PostgreSQL is needed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="mirrorlist-exact-"))
    try:
        with run_server() as postgresql, show_phases() as phases:
            scene = Scene(folder, postgresql, faster)
            try:
                scene.begin()
                with Clients(scene.ports, seed, clients, pause) as asking:
                    run = Run(scene, asking, Random(seed))
                    _run(run, seconds, outage, phases)
                found = _end(run, phases)
            except click.ClickException:
                sys.stderr.write(f"seed {seed}; the processes said:\n{scene.said[-3000:]}\n")
                raise
            finally:
                scene.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(sheets(run, found))
    if wrong := differences(run.clients, found):
        raise click.ClickException("; ".join(wrong))


def _run(run: Run, seconds: int, outage: int, phases: Phases) -> None:
    with phases.phase(f"faults, {seconds} s"):
        run.break_things(seconds)
    if outage:
        with phases.phase(f"without a database, {outage} s"):
            run.lose_database(outage)


def _end(run: Run, phases: Phases) -> "Counter[tuple[str, ...]]":
    """End the servers, let all files in, and return the totals."""
    with phases.phase("the rest"):
        run.scene.end_servers()
        until("nothing waits", lambda: run.scene.waiting.files == 0, _EMPTY_SECONDS, 0.1)
        run.scene.check()
    return totals(run.scene.url)


def sheets(run: Run, found: "Counter[tuple[str, ...]]") -> list[Sheet]:
    """Return what happened as tables."""
    faults = [[name, str(run.counts[name]), run.last[name]] for name in FAULTS if run.counts[name]]
    answered = run.clients.answered
    rows = [
        [*key, f"{answered[key]:,}", f"{found[key]:,}"]
        for key in sorted({*answered, *(one for one in found if len(one) == 4)})
    ]
    rows.append(["all", "", "", "", f"{answered.total():,}", f"{found['all',]:,}"])
    sums = [[name, f"{found[name,]:,}"] for name in ("hours", "days", "months", "hosts")]
    if run.looks:
        sums.append(["seconds until the backlog was gone", f"{run.recovery:.0f}"])
    sums += [
        ["addresses that asked", f"{run.clients.addresses:,}"],
        ["addresses by the sketches", f"{found['addresses',]:,}"],
        ["hours with requests", str(found["hours with requests",])],
        ["batches noted", f"{found['batches',]:,}"],
        ["files that came twice", f"{run.scene.sent_twice:,}"],
        ["connections without an answer", f"{run.clients.refused:,}"],
    ]
    looks = sheet("Without a database", run.looks, {
        "": lambda one: one.what,
        "after": lambda one: f"{one.at:.0f} s",
        "files": lambda one: f"{one.waiting.files:,}",
        "KB": lambda one: f"{one.waiting.bytes / 1e3:,.0f}",
        "hidden files": lambda one: one.waiting.hidden,
        "answered so far": lambda one: f"{one.answered:,}",
    })  # fmt: skip
    return [
        Sheet("Faults", ["what", "times", "the last one"], faults),
        *([looks] if run.looks else []),
        Sheet("Requests", ["kind", "repository", "client", "status", "answered", "counted"], rows),
        Sheet("Other sums", ["", ""], sums),
    ]


if __name__ == "__main__":
    main()
