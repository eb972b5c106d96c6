"""Measures `mirrorlist packages import`: a first run, nothing changed, 500 packages changed.

    python -m loadtest.packages --database sqlite:///scratch.sqlite --record
    python -m loadtest.packages --database postgresql://mm@db/scratch --factor 0.1 --factor 1

The database is emptied for each first run, so it must be an empty one, or one of such a measurement
(`loadtest.common.scratch`). Each import is a
process of its own, timed from its start to its exit; `--help` of the command costs what any start
costs. Beside it runs an import with a look-up for each row (`loadtest.packages.naive`). The CPU and
memory are those of the process: what a server of PostgreSQL takes is not in them.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import click
from msgspec import Struct
from sqlalchemy import Engine, create_engine, text

from loadtest import options
from loadtest.common.cost import cost
from loadtest.common.progress import Phases, show_phases
from loadtest.common.records import Machine, keep, record, this_machine
from loadtest.common.scratch import claim
from loadtest.common.tables import Sheet, sheet, show
from loadtest.packages.release import ARCHES, TOPDIR, Release
from snapshot.demo.tables import create_tables
from snapshot.export import schema
from snapshot.export.database import parse_url
from snapshot.packages.tables import NAMES

_COMMAND, _NAIVE, _COUNTED = (
    "mirrorlist.cli",
    "loadtest.packages.naive",
    "loadtest.packages.counted",
)
_CHANGED = 500
"""Packages that change, at factor 1."""


class ImportFigures(Struct, frozen=True):
    """What one case cost at a factor: seconds of each run, KiB of the worst, SQL statements."""

    factor: float
    case: str
    packages: int
    wall: list[float]
    cpu: list[float]
    peak_kib: int
    statements: int


class ImportsRun(Struct, frozen=True):
    """All figures of a run with where they were made."""

    machine: Machine
    figures: list[ImportFigures]


@options.program
@options.database()
@click.option(
    "--factor",
    "factors",
    type=click.FloatRange(0.001, 20),
    multiple=True,
    default=(1.0,),
    show_default=True,
    help="Size of a repository; 1 is 70,000 packages. May be given more than once.",
)
@options.number("--repositories", 1, "Repositories of this size.", 1)
@options.number("--runs", 3, "Imports of each kind.", 1)
@click.option("--naive/--no-naive", default=True, help="Measure an import by look-ups, too.")
@click.option("--commit/--no-commit", default=False, help="And one with a commit a package.")
@options.record("packages")
def main(
    database: str,
    factors: tuple[float, ...],
    repositories: int,
    runs: int,
    naive: bool,
    commit: bool,
    path: Path | None,
) -> None:
    """Measure imports of packages, and those with a look-up for each row; prints a table."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="mirrorlist-load-") as name, show_phases() as phases:
        for factor in factors:
            size = Release(factor, repositories)
            case = _Case(database, size, Path(name) / f"{factor:g}", runs, phases)
            figures += case.measure(naive=naive, commit=commit)
    run = ImportsRun(this_machine(), figures)
    found = table(figures)
    show([found])
    if path:
        kind = database.partition(":")[0]
        details = {"imports of each kind": str(runs), "database": kind}
        keep(run, path, record(run.machine, "packages", details, [found]))


def table(figures: list[ImportFigures]) -> Sheet:
    """Return the figures as a table."""
    return sheet("Imports of packages", figures, {
        "case": lambda one: one.case,
        "packages": lambda one: f"{one.packages:,}",
        "wall, best": lambda one: f"{min(one.wall):.2f} s",
        "CPU, best": lambda one: f"{min(one.cpu):.2f} s",
        "peak memory": lambda one: f"{one.peak_kib / 1000:.0f} MB",
        "SQL statements": lambda one: f"{one.statements:,}",
    })  # fmt: skip


class _Case:
    """The measurements of one size."""

    def __init__(
        self, database: str, release: Release, folder: Path, runs: int, phases: Phases
    ) -> None:
        self._database, self._release, self._source = database, release, folder / "source"
        self._runs, self._phases = runs, phases
        self._counts = folder / "statements"
        self._changed = 0

    def measure(self, *, naive: bool, commit: bool) -> list[ImportFigures]:
        """Measure all cases."""
        ours = ["packages", "import", "--database", self._database, str(self._source)]
        found = [
            *self._three("set statements", _COMMAND, ours),
            self._figures("the start of the command alone", lambda: None, ["-h"], _COMMAND),
        ]
        theirs = [self._database, str(self._source)]
        if naive:
            found += self._three("a look-up a row", _NAIVE, theirs)
        if commit:
            found += self._three("and a commit a package", _NAIVE, [*theirs, "--commit"])
        return found

    def _three(self, name: str, module: str, words: list[str]) -> list[ImportFigures]:
        return [
            self._figures(f"{name}: a first import", self._begin, words, module),
            self._figures(f"{name}: nothing changed", lambda: None, words, module),
            self._figures(f"{name}: {self._most:,} changed", self._change, words, module),
        ]

    @property
    def _most(self) -> int:
        return max(1, round(_CHANGED * self._release.factor))

    def _figures(
        self, case: str, before: Callable[[], None], words: list[str], module: str
    ) -> ImportFigures:
        costs = []
        title = f"{case}, {self._release.factor:g}"
        for _ in self._phases.counted(title, range(self._runs), self._runs):
            before()
            costs.append(cost([str(self._counts), module, *words], _COUNTED))
        return ImportFigures(
            self._release.factor,
            case,
            self._release.packages * self._release.repositories,
            [wall for wall, _, _ in costs],
            [cpu for _, cpu, _ in costs],
            max(peak for _, _, peak in costs),
            int(self._counts.read_text()),
        )

    def _begin(self) -> None:
        if self._changed or not self._source.exists():
            self._write(0)
        engine = create_engine(parse_url(self._database).text(password=None))
        try:
            _make(engine, self._release)
        finally:
            engine.dispose()

    def _change(self) -> None:
        """Change as many packages each time: some of them, then back."""
        self._write(0 if self._changed else self._most)

    def _write(self, changed: int) -> None:
        release = self._release
        Release(release.factor, release.repositories, changed, release.seed).write(self._source)
        self._changed = changed


def _make(engine: Engine, release: Release) -> None:
    """Make MirrorManager's tables again, with the repositories alone."""
    claim(engine)
    with engine.begin() as connection:
        schema.metadata.drop_all(connection)
        for name in NAMES:
            connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
    create_tables(engine)
    places = list(enumerate(release.places(), 2))
    directories: list[dict[str, object]] = [{"name": one.directory} for _, one in places]
    rows: dict[str, list[dict[str, object]]] = {
        "product": [{"name": "Fedora"}],
        "directory": [{"name": TOPDIR}, *directories],
        "category": [{"name": "Fedora Linux", "topdir_id": 1, "product_id": 1}],
        "arch": [{"name": name} for name in ARCHES],
        "repository": [
            {
                "name": one.directory,
                "prefix": one.prefix,
                "category_id": 1,
                "arch_id": 1 + ARCHES.index(one.arch),
                "directory_id": number,
                "disabled": False,
            }
            for number, one in places
        ],
    }
    with engine.begin() as connection:
        for name, some in rows.items():
            connection.execute(schema.metadata.tables[name].insert(), some)


if __name__ == "__main__":
    main()
