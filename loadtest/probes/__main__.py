"""Measures `mirrorlist sites probe` with mirrors on loopback: fast, slow, dripping, lying and more.

    python -m loadtest.probes --record
    python -m loadtest.probes --mirrors 20 --repositories 10

Each probe is a process of its own, timed from its start to its exit; the mirrors are another
process on the same machine. The program ends with 1 if a mirror is judged wrongly, if a second
probe gets a file again, or if a host has more than 4 requests in flight.
"""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
from msgspec import Struct
from sqlalchemy import create_engine, func, select

from loadtest import options
from loadtest.common.cost import cost
from loadtest.common.records import Machine, keep, record, this_machine
from loadtest.common.tables import Goal, Sheet, goals_sheet, sheet, show
from loadtest.probes.farm import Asked
from loadtest.probes.kinds import VERDICTS, Mirror, mirrors, site_file
from snapshot.export import schema
from snapshot.export.declared import answer, url_state
from snapshot.sites.apply import apply
from snapshot.sites.load import load

Run = Callable[[Path, str], tuple[float, float, int]]
"""Probes, and returns what it cost as `run_probe` does."""

_MOST_OF_A_HOST = 4
_SECONDS = 60


class ProbeFigures(Struct, frozen=True):
    """What a probe cost, and what it asked by the kind of the mirror."""

    case: str
    wall: float
    cpu: float
    peak_kib: int
    asked: dict[str, Asked]
    verdicts: dict[str, dict[str, int]]
    """How many files were judged how, by the kind of the mirror."""
    hidden: dict[str, int]
    """How many URLs are not in lists, by the kind of the mirror."""


class ProbesRun(Struct, frozen=True):
    """All figures of a run with where they were made."""

    machine: Machine
    mirrors: int
    repositories: int
    figures: list[ProbeFigures]


@options.program
@options.number("--mirrors", 200, "Mirrors of all kinds.", 12)
@options.number("--repositories", 100, "Repositories, half of each arch.", 2)
@options.record("probes")
def main(mirrors: int, repositories: int, path: Path | None) -> None:
    """Measure a first probe, and one that finds nothing new; prints tables."""
    run = ProbesRun(this_machine(), mirrors, repositories, measure(mirrors, repositories))
    found = [*tables(run.figures), goals_sheet("Goals", goals(run.figures))]
    show(found)
    if path:
        details = {"mirrors": str(mirrors), "repositories": str(repositories)}
        keep(run, path, record(run.machine, "probes", details, found))
    if wrong := [*mistakes(run.figures)]:
        raise click.ClickException("; ".join(wrong))


def run_probe(file: Path, database: str) -> tuple[float, float, int]:
    """Probe as a process; return wall and CPU seconds, and peak KiB."""
    return cost(["sites", "probe", str(file), "--database", database])


def measure(
    count: int,
    repositories: int,
    probe: Callable[[Path, str], tuple[float, float, int]] = run_probe,
) -> list[ProbeFigures]:
    """Probe twice."""
    with tempfile.TemporaryDirectory(prefix="mirrorlist-probes-") as name, _farm(count) as farm:
        folder, (found, process, port) = Path(name), farm
        file = folder / "mirrors.toml"
        file.write_text(site_file(port, found, repositories))
        database = f"sqlite:///{folder / 'm.db'}"
        apply(database, load(file).config, lambda difference: None)
        figures = []
        for case in ("a first probe", "nothing new"):
            costs = probe(file, database)
            asked = _asked(process)
            figures.append(ProbeFigures(case, *costs, asked, *_judged(database, found)))
        return figures


@contextmanager
def _farm(count: int) -> Iterator[tuple[list[Mirror], "subprocess.Popen[str]", int]]:
    found = mirrors(count)
    command = [sys.executable, "-m", "loadtest.probes.farm"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            process.stdin.write(msgspec.json.encode(found).decode() + "\n")
            process.stdin.flush()
            yield found, process, int(process.stdout.readline())
        finally:
            process.kill()


def _asked(process: "subprocess.Popen[str]") -> dict[str, Asked]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return msgspec.json.decode(process.stdout.readline(), type=dict[str, Asked])


def _judged(database: str, found: list[Mirror]) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
    kinds = {one.address: one.kind for one in found}
    url = schema.host_category_url
    engine = create_engine(database)
    with engine.connect() as connection:
        of_url = {
            row.id: kinds[row.url.split("/")[2].partition(":")[0]]
            for row in connection.execute(select(url.c.id, url.c.url))
        }
        verdicts: dict[str, dict[str, int]] = {}
        counted = select(answer.c.url_id, answer.c.verdict, func.count().label("many"))
        for row in connection.execute(counted.group_by(answer.c.url_id, answer.c.verdict)):
            mine = verdicts.setdefault(of_url[row.url_id], {})
            mine[row.verdict] = mine.get(row.verdict, 0) + row.many
        hidden = Counter(
            of_url[id]
            for id in connection.scalars(
                select(url_state.c.url_id)
                .join(url, url.c.id == url_state.c.url_id)
                .where(url.c.private)
            )
        )
    engine.dispose()
    return verdicts, dict(hidden)


def tables(figures: list[ProbeFigures]) -> list[Sheet]:
    """Return the figures as tables."""
    costs = sheet("Probes", figures, {
        "case": lambda one: one.case,
        "wall": lambda one: f"{one.wall:.1f} s",
        "CPU": lambda one: f"{one.cpu:.1f} s",
        "peak memory": lambda one: f"{one.peak_kib / 1000:.0f} MB",
        "requests": lambda one: f"{sum(row.requests for row in one.asked.values()):,}",
        "of them 304": lambda one: f"{sum(row.unchanged for row in one.asked.values()):,}",
    })  # fmt: skip
    first, second = figures
    kinds = sheet("Mirrors", first.asked, {
        "kind": lambda kind: kind,
        "requests": lambda kind: f"{first.asked[kind].requests:,}",
        "again": lambda kind: f"{_of(second, kind).requests:,}",
        "of them 304": lambda kind: f"{_of(second, kind).unchanged:,}",
        "most in flight": lambda kind: max(_of(one, kind).most_in_flight for one in figures),
        "files are": lambda kind: ", ".join(
            f"{many:,} {word}" for word, many in first.verdicts.get(kind, {}).items()
        ),
        "URLs hidden": lambda kind: first.hidden.get(kind, 0),
    })  # fmt: skip
    return [costs, kinds]


def _of(figures: ProbeFigures, kind: str) -> Asked:
    return figures.asked.get(kind, Asked(0, 0, 0))


def goals(figures: list[ProbeFigures]) -> list[Goal]:
    """Return what the figures are held to."""
    return [
        Goal("a first probe", "s", _SECONDS, figures[0].wall),
        Goal("requests in flight of a host", "", _MOST_OF_A_HOST, _most(figures)),
    ]


def _most(figures: list[ProbeFigures]) -> int:
    return max((row.most_in_flight for one in figures for row in one.asked.values()), default=0)


def mistakes(figures: list[ProbeFigures]) -> Iterator[str]:
    """Yield what is not as it has to be, whatever the machine."""
    if (most := _most(figures)) > _MOST_OF_A_HOST:
        yield f"a host had {most} requests in flight"
    for one in figures:
        for kind, found in one.verdicts.items():
            expected = VERDICTS.get(kind, "unreachable")
            if found.keys() != {expected}:
                yield f"{one.case}: mirrors that are {kind} were judged {', '.join(found)}"
        if one.hidden.keys() & VERDICTS.keys():
            yield f"{one.case}: a mirror that answers has left the lists"
    for kind in ("fast", "slow", "stale", "primary"):
        again = _of(figures[1], kind)
        if again.requests != again.unchanged:
            yield f"{kind}: {again.requests - again.unchanged} files came again"


if __name__ == "__main__":
    main()
