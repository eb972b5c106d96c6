"""Measures what the questions of the pages take, at 1, 100 and 1,000 days of history.

    python -m loadtest.stats --database postgresql://mm@db/scratch --record

The database must be one to throw away, without the tables of the statistics. 1,000 days of 27
million requests a day take about 10 GB and a quarter of an hour. Each question is asked about all
of the history, on an open connection, and its answer is read whole.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import click
import psutil
from msgspec import Struct

from loadtest import options
from loadtest.common.progress import show_phases
from loadtest.common.records import Machine, keep, record, this_machine
from loadtest.common.tables import Sheet, sheet, show
from loadtest.stats.history import REQUESTS, History, make_tables
from snapshot.link import Link, linked
from snapshot.stats.queries import courses, table
from snapshot.stats.questions import Question, Step

LAST = date(2026, 11, 26)
"""The last day of each history."""
_SIZES = """SELECT i.inhparent::regclass::text, sum(pg_total_relation_size(i.inhrelid))::bigint,
        sum(c.reltuples)::bigint
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE c.relkind = 'r' GROUP BY 1 UNION ALL
    SELECT 'stat_key', pg_total_relation_size('stat_key'), reltuples::bigint
    FROM pg_class WHERE oid = 'stat_key'::regclass ORDER BY 1"""
_STEPS = 30

Labels = Mapping[str, str]
NONE: Labels = MappingProxyType({})


class QuestionFigures(Struct, frozen=True):
    """What one question took: milliseconds of each run, the first one apart.

    `cpu` is the CPU time of a run on average, of the client and of the server's process if that is
    on this machine: other work makes it less wrong than a wall time.
    """

    question: str
    days: int
    """The days of history in the database."""
    about: int
    """The days that the question is about."""
    lines: int
    first: float
    runs: list[float]
    cpu: float

    @property
    def median(self) -> float:
        """The middle of the runs."""
        return sorted(self.runs)[len(self.runs) // 2]


class TableSize(Struct, frozen=True):
    """A table's size with its indexes, in bytes."""

    table: str
    bytes: int
    rows: int


class StatsRun(Struct, frozen=True):
    """All figures of a run with where they were made."""

    machine: Machine
    figures: list[QuestionFigures]
    sizes: list[TableSize]
    keys: int
    detail_rows: int
    """Of an hour."""


@options.program
@options.database()
@click.option(
    "--days",
    "histories",
    type=click.IntRange(1, 1100),
    multiple=True,
    default=(1, 100, 1000),
    show_default=True,
    help="Days of history; may be given more than once, the fewest first.",
)
@options.number("--requests", REQUESTS, "Requests a day.", 1000)
@options.number("--runs", 20, "How often each question is asked.", 1)
@options.seed("Another seed, other hosts.")
@options.record("stats")
def main(
    database: str,
    histories: tuple[int, ...],
    requests: int,
    runs: int,
    seed: int,
    path: Path | None,
) -> None:
    """Fill the tables, and measure the questions of the pages; prints tables."""
    history = History(seed, LAST, requests)
    figures: list[QuestionFigures] = []
    with show_phases() as phases, linked(database, "loadtest.stats") as link:
        with phases.phase("keys"):
            make_tables(link, LAST, max(histories) + 1)
            keys = history.write_keys(link)
            detail = history.write_detail(link)
        filled = 0
        for days in sorted(histories):
            with phases.phase(f"{days} days"):
                history.write_days(link, filled, days)
                link.execute("VACUUM ANALYZE")
                filled = days
            with phases.phase(f"questions, {days} days"):
                figures += [*_ask(link, history, days, days, runs)]
        for about in sorted(histories)[:-1]:
            figures += [*_ask(link, history, filled, about, runs)]
        sizes = [TableSize(*row) for row in link.query(_SIZES)]
    run = StatsRun(this_machine(), figures, sizes, keys, detail)
    found = [questions_sheet(figures), sizes_sheet(run)]
    show(found)
    if path:
        details = {
            "runs of each question": str(runs),
            "requests a day": f"{requests:,}",
            "keys": f"{keys:,}",
            "rows of stat_detail an hour": f"{detail:,}",
        }
        keep(run, path, record(run.machine, "stats", details, found))


def questions(history: History, since: date) -> dict[str, Callable[[Link], int]]:
    """Return the questions of the pages by their names; each returns its lines."""
    repo, host = next(iter(history.shares["repo"])), next(iter(history.shares["host"]))
    of_repo, of_host = {"repo": repo}, {"host": host}

    def top(by: str, where: Labels = NONE, most: int = 1000) -> Callable[[Link], int]:
        return lambda link: len(table(link, Question((by,), since, LAST, where), most))

    def course(*by: str, where: Labels = NONE) -> Callable[[Link], int]:
        def ask(link: Link) -> int:
            question = Question(by, since, LAST, where)
            lines = table(link, question, 5)
            return len(courses(link, question, _steps(since), lines))

        return ask

    return {
        "requests over time": course(),
        "most requested repositories": top("repo", most=20),
        "their course": course("repo"),
        "all countries": top("country"),
        "course by country": course("country"),
        "course by arch": course("arch"),
        "course by client": course("client"),
        "requests by release": top("release"),
        "course by release": course("release"),
        "course by age (countme)": course("countme"),
        "a repository by country": top("country", where=of_repo),
        "a repository by client": top("client", where=of_repo),
        "a repository's course by arch": course("arch", where=of_repo),
        "all hosts, named first": top("host"),
        "a host by tier": top("tier", where=of_host),
    }


def _steps(since: date) -> list[Step]:
    begin = datetime(since.year, since.month, since.day)
    days = (LAST - since).days + 1
    if days == 1:
        return [Step(begin + timedelta(hours=n), begin + timedelta(hours=n + 1)) for n in range(24)]
    length = -(-days // _STEPS)
    firsts = (begin + timedelta(n) for n in range(0, days, length))
    return [Step(one, one + timedelta(length)) for one in firsts]


def _ask(link: Link, history: History, days: int, about: int, runs: int) -> "list[QuestionFigures]":
    found = []
    cpu_seconds = _cpu_of(link)
    for name, ask in questions(history, LAST - timedelta(about - 1)).items():
        times, lines, before = [], 0, 0.0
        for n in range(runs + 1):
            if n == 1:
                before = cpu_seconds()
            began = time.perf_counter()
            lines = ask(link)
            times.append((time.perf_counter() - began) * 1000)
        cpu = (cpu_seconds() - before) * 1000 / runs
        found.append(QuestionFigures(name, days, about, lines, times[0], times[1:], cpu))
    return found


def _cpu_of(link: Link) -> Callable[[], float]:
    """Return the function that gives the CPU seconds of this process and of the server's."""
    pid = int(link.query("SELECT pg_backend_pid()")[0][0])
    with suppress(psutil.Error):
        server = psutil.Process(pid)
        if server.name() == "postgres":
            return lambda: sum(server.cpu_times()[:2]) + time.process_time()
    return time.process_time


def questions_sheet(figures: list[QuestionFigures]) -> Sheet:
    """Return the figures of the questions as a table."""
    return sheet("Questions", figures, {
        "question": lambda one: one.question,
        "days of history": lambda one: f"{one.days:,}",
        "about days": lambda one: f"{one.about:,}",
        "lines": lambda one: one.lines,
        "median": lambda one: f"{one.median:.1f} ms",
        "best": lambda one: f"{min(one.runs):.1f} ms",
        "CPU": lambda one: f"{one.cpu:.1f} ms",
        "first": lambda one: f"{one.first:.1f} ms",
    })  # fmt: skip


def sizes_sheet(run: StatsRun) -> Sheet:
    """Return the sizes of the tables as a table."""
    return sheet("Sizes", run.sizes, {
        "table": lambda one: one.table,
        "rows": lambda one: f"{one.rows:,}",
        "MB": lambda one: f"{one.bytes / 1e6:,.0f}",
    })  # fmt: skip


if __name__ == "__main__":
    main()
