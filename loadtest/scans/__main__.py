"""Measures `mirrorlist scan`: a first run, nothing changed, one repository changed.

    python -m loadtest.scans --database sqlite:///scratch.sqlite --record
    python -m loadtest.scans --database postgresql://mm@db/scratch --factor 1 --factor 10

The database is emptied for each factor, so it must be one to throw away. Each scan is a process of
its own, timed from its start to its exit; `--help` of the command costs what any start costs.
Beside it runs, by turns, a writer that looks up each row (`loadtest.scans.naive`), in the same
three cases and on the same data.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import msgspec
from msgspec import Struct
from sqlalchemy import Engine, create_engine, text

from loadtest import options
from loadtest.common.cost import cost
from loadtest.common.progress import Phases, show_phases
from loadtest.common.records import Machine, keep, record, this_machine
from loadtest.common.scratch import claim
from loadtest.common.tables import Sheet, sheet, show
from loadtest.scans.tree import ARCHES, CATEGORY, TOPDIR, Tree
from snapshot.demo.tables import create_tables
from snapshot.export import schema
from snapshot.export.database import parse_url
from snapshot.scan.config import read_settings
from snapshot.scan.job import ScanJob
from snapshot.scan.run import scan
from snapshot.scan.statements import STATE_TABLE

_COMMAND, _NAIVE = "mirrorlist.cli", "loadtest.scans.naive"


Program = tuple[list[str], str]
"""The words of a command, and its module."""


class _Part(Struct, frozen=True):
    name: str
    seconds: float


class _Told(Struct, frozen=True):
    phases: list[_Part]
    statements: int = 0


class ScanFigures(Struct, frozen=True):
    """What one case cost a program at a factor: seconds of each run, KiB of the worst.

    `writing` is the part after all was read; empty for a program that writes nothing.
    """

    factor: float
    case: str
    program: str
    files: int
    wall: list[float]
    cpu: list[float]
    writing: list[float]
    statements: int
    peak_kib: int


class ScansRun(Struct, frozen=True):
    """All figures of a run with where they were made."""

    machine: Machine
    figures: list[ScanFigures]


@options.program
@options.database()
@click.option(
    "--factor",
    "factors",
    type=click.FloatRange(0.01, 20),
    multiple=True,
    default=(1.0,),
    show_default=True,
    help="Size of the set; 1 is 227,430 files. May be given more than once.",
)
@options.number("--runs", 3, "Scans of each kind.", 1)
@options.record("scans")
def main(database: str, factors: tuple[float, ...], runs: int, path: Path | None) -> None:
    """Measure scans, and a writer with a look-up for each row; prints a table."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="mirrorlist-scans-") as name, show_phases() as phases:
        for factor in factors:
            figures += _Case(database, factor, Path(name) / f"{factor:g}", runs, phases).measure()
    run = ScansRun(this_machine(), figures)
    found = table(figures)
    show([found])
    if path:
        kind = database.partition(":")[0]
        details = {"scans of each kind": str(runs), "database": kind}
        keep(run, path, record(run.machine, "scans", details, [found]))


def table(figures: list[ScanFigures]) -> Sheet:
    """Return the figures as a table."""
    return sheet("Scans", figures, {
        "case": lambda one: one.case,
        "program": lambda one: one.program,
        "files": lambda one: f"{one.files:,}",
        "wall, best": lambda one: f"{min(one.wall):.2f} s",
        "CPU, best": lambda one: f"{min(one.cpu):.2f} s",
        "writing, best": lambda one: f"{min(one.writing):.2f} s" if one.writing else "",
        "statements": lambda one: f"{one.statements:,}" if one.statements else "",
        "peak memory": lambda one: f"{one.peak_kib / 1000:.0f} MB" if one.peak_kib else "",
    })  # fmt: skip


class _Case:
    """The measurements at one factor."""

    def __init__(
        self, database: str, factor: float, folder: Path, runs: int, phases: Phases
    ) -> None:
        self._database, self._factor, self._folder = database, factor, folder
        self._runs, self._phases = runs, phases
        self._tree = Tree(factor)
        self._list = self._tree.write(folder)
        self._output = folder / "output"
        self._pushed = 0

    def measure(self) -> list[ScanFigures]:
        """Measure all cases."""
        programs = self._programs()
        found = self._turns("a first run", self._empty, programs)
        # The last writer left no digest of the list.
        cost(*programs["mirrorlist scan"])
        for case, before in (("nothing changed", _nothing), ("one repository changed", self._push)):
            found += [*self._turns(case, before, programs), self._loaded(case, before)]
        start = {"the start alone": (["scan", "--help"], _COMMAND)}
        return [*found, *self._turns("nothing at all", _nothing, start)]

    def _programs(self) -> dict[str, Program]:
        naive = [self._database, str(self._folder)]
        scan = [
            *("scan", "--database", self._database, "--category", CATEGORY, "--json"),
            *("--config", str(self._folder / "scan.toml"), "--source", str(self._folder)),
            *("--list", str(self._list)),
        ]
        programs = {"mirrorlist scan": (scan, _COMMAND)}
        if self._factor <= 1:
            programs["a look-up a row"] = (naive, _NAIVE)
            programs["a look-up a row, a commit a row"] = ([*naive, "--commit"], _NAIVE)
            programs["a look-up a row, by an ORM"] = ([*naive, "--orm"], _NAIVE)
        return programs

    def _turns(
        self, case: str, before: Callable[[], None], programs: dict[str, Program]
    ) -> list[ScanFigures]:
        costs: dict[str, list[tuple[float, float, int]]] = {name: [] for name in programs}
        told: dict[str, list[_Told]] = {name: [] for name in programs}
        for _ in self._phases.counted(f"{case}, {self._factor:g}", range(self._runs), self._runs):
            for name, (words, module) in programs.items():
                before()
                costs[name].append(cost(words, module, str(self._output)))
                if self._output.read_bytes()[:1] == b"{":
                    told[name].append(msgspec.json.decode(self._output.read_bytes(), type=_Told))
        return [self._figures(case, name, costs[name], told[name]) for name in programs]

    def _loaded(self, case: str, before: Callable[[], None]) -> ScanFigures:
        """Measure scans in this process, which has loaded all: the work without the start."""
        folder = self._folder
        settings = read_settings(folder / "scan.toml")
        job = ScanJob(
            database=self._database,
            settings=settings,
            category=CATEGORY,
            source=str(folder),
            list=self._list,
        )
        costs = []
        scan(job)
        for _ in self._phases.counted(f"{case}, loaded", range(self._runs), self._runs):
            before()
            cpu = time.process_time()
            wall = scan(job).seconds
            costs.append((round(wall, 3), round(time.process_time() - cpu, 3), 0))
        return self._figures(case, "mirrorlist scan, already loaded", costs, [])

    def _figures(
        self, case: str, name: str, costs: list[tuple[float, float, int]], told: "list[_Told]"
    ) -> ScanFigures:
        return ScanFigures(
            self._factor,
            case,
            name,
            self._tree.files,
            [wall for wall, _, _ in costs],
            [cpu for _, cpu, _ in costs],
            [one.seconds for each in told for one in each.phases if one.name == "writing"],
            max((one.statements for one in told), default=0),
            max(peak for _, _, peak in costs),
        )

    def _push(self) -> None:
        # Two pushes in one second would be one.
        self._pushed = max(self._pushed + 1, int(time.time()))
        repository = self._tree.repositories[0]
        self._tree.push(self._folder, repository, self._pushed)
        self._tree.write_list(self._list, {repository.path: self._pushed})

    def _empty(self) -> None:
        engine = create_engine(parse_url(self._database).text(password=None))
        try:
            _make(engine)
        finally:
            engine.dispose()


def _nothing() -> None:
    """Change nothing between two scans."""


def _make(engine: Engine) -> None:
    """Make MirrorManager's tables again, with the category alone."""
    claim(engine)
    with engine.begin() as connection:
        schema.metadata.drop_all(connection)
        connection.execute(text(f"DROP TABLE IF EXISTS {STATE_TABLE}"))
    create_tables(engine)
    rows: dict[str, list[dict[str, object]]] = {
        "product": [{"name": "EPEL"}],
        "directory": [{"name": TOPDIR}],
        "category": [{"name": CATEGORY, "topdir_id": 1, "product_id": 1}],
        "arch": [{"name": name} for name in ARCHES],
    }
    with engine.begin() as connection:
        for name, some in rows.items():
            connection.execute(schema.metadata.tables[name].insert(), some)


if __name__ == "__main__":
    main()
