"""Causes random faults for minutes while clients ask: no answer may fail, and all recovers.

    python -m loadtest.soak --seconds 300 --seed 1

Needs PostgreSQL. A watch exports a database that keeps changing, two workers serve it, and clients
ask for lists as dnf does: a connection that dies with its worker is tried once more, and counted.
In the end, every worker must serve the snapshot that a full export makes. The seed decides which
faults come in which order, not when.
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
from loadtest.common.mix import known_only, make_mix, read_data
from loadtest.common.progress import Phases, show_phases
from loadtest.common.servers import Servers
from loadtest.common.tables import Sheet, show
from loadtest.common.workers import all_serve, each_worker
from loadtest.soak.clients import Clients
from loadtest.soak.faults import DATABASE_IS_GONE, FAULTS
from loadtest.soak.scene import WORKERS, Scene
from tests.postgresql import run_server
from tests.system import find_program

_CLIENTS, _LINES = 6, 20_000
_LEAST_PAUSE, _MOST_PAUSE = 0.1, 0.6
# One action in three is a fault, the others are changes of the database.
_ONE_IN = 3
_SETTLE_SECONDS = 60.0


class Deed(Struct, frozen=True):
    """A change or a fault: its time in seconds from the start, its name, and its details."""

    at: float
    name: str
    what: str


class Soak:
    """A soak on a scene, with its diary."""

    def __init__(self, scene: Scene, clients: Clients, rng: Random) -> None:
        """Take the scene, its clients, and the source of chance."""
        self.diary: list[Deed] = []
        self._scene, self._clients, self._rng = scene, clients, rng
        self._began = time.monotonic()
        self._due: list[str] = []

    def run(self, seconds: float) -> None:
        """Make changes and faults in random order; an answer that fails raises an error."""
        while time.monotonic() < self._began + seconds:
            if self._rng.randrange(_ONE_IN):
                self._note("change", self._change())
            else:
                name = self._next()
                self._note(name, FAULTS[name](self._scene, self._rng))
            self._judge()
            time.sleep(self._rng.uniform(_LEAST_PAUSE, _MOST_PAUSE))

    def settle(self) -> None:
        """Wait until every worker serves the snapshot of a full export; raises an error if not."""
        scene = self._scene
        self._note("change", self._change())
        wanted = scene.full_export()
        scene.until(f"{wanted} is published", lambda: scene.published() == wanted, _SETTLE_SECONDS)
        with each_worker(scene.server, scene.workers()) as workers:
            scene.until(f"every worker serves {wanted}", lambda: all_serve(workers, wanted))
        self._note("end", f"{wanted} is published, a full export's, and every worker's")
        self._judge()

    def _next(self) -> str:
        """Each fault comes once before any comes again."""
        if not self._due:
            self._due = self._rng.sample(list(FAULTS), len(FAULTS))
        return self._due.pop()

    def _change(self) -> str:
        try:
            return self._scene.commit(self._rng)
        except DATABASE_IS_GONE as error:
            return f"not possible: {str(error).strip().rpartition(':')[2].strip()}"

    def _note(self, name: str, what: str) -> None:
        self.diary.append(Deed(round(time.monotonic() - self._began, 1), name, what))

    def _judge(self) -> None:
        self._scene.check()
        if self._clients.failures:
            first = self._clients.failures[0]
            raise click.ClickException(
                f"an answer failed: {first.target} for {first.address}: {first.why}"
            )


@options.program
@options.number("--seconds", 300, "How long.", 1)
@options.seed("Another seed, another order.")
@options.scale(0.05)
def main(seconds: int, seed: int, scale: float) -> None:
    """Break things at random while clients ask."""
    if find_program("initdb") is None:
        raise click.ClickException("PostgreSQL is needed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="mirrorlist-soak-"))
    try:
        with run_server() as postgresql, Servers() as servers, show_phases() as phases:
            scene = Scene(folder, postgresql, servers)
            try:
                _soak(scene, seconds, seed, scale, phases)
            finally:
                scene.end()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _soak(scene: Scene, seconds: int, seed: int, scale: float, phases: Phases) -> None:
    server = scene.begin(scale, seed, phases)
    mix = make_mix(known_only(read_data(scene.log, scene.snapshot)), "day", seed, _LINES)
    with Clients(server.url, mix, seed, _CLIENTS) as clients:
        soak = Soak(scene, clients, Random(seed))
        try:
            with phases.phase(f"soak, {seconds} s"):
                soak.run(seconds)
            with phases.phase("coming to rest"):
                soak.settle()
        except click.ClickException:
            last = "\n".join(f"{one.at:7.1f} s  {one.name}: {one.what}" for one in soak.diary[-20:])
            sys.stderr.write(f"seed {seed}; the last that was done:\n{last}\n")
            sys.stderr.write(f"the watch said:\n{scene.said.read_text()[-3000:]}\n")
            raise
    show(sheets(soak.diary, clients, seed))


def sheets(diary: list[Deed], clients: Clients, seed: int) -> list[Sheet]:
    """Return what happened as tables."""
    counts = Counter(one.name for one in diary)
    last = {one.name: one.what for one in diary}
    rows = [[name, str(counts[name]), last[name]] for name in ("change", *FAULTS) if counts[name]]
    answers = [
        ["lists asked for", f"{clients.asked:,}"],
        ["connections that broke, tried once more", str(len(clients.retried))],
        ["failed answers", str(len(clients.failures))],
        ["slowest answer", f"{clients.slowest * 1e3:.0f} ms"],
        ["workers", str(WORKERS)],
        ["in the end", diary[-1].what],
    ]
    return [
        Sheet(f"What was done (seed {seed})", ["what", "times", "the last one"], rows),
        Sheet("What clients saw", ["", ""], answers),
    ]


if __name__ == "__main__":
    main()
