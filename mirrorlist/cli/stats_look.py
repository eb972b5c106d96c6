"""`mirrorlist stats top`, `trend` and `table`: what the statistics say, for people or as data."""

import csv
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.text import Text

from mirrorlist.cli.console import output, plain_table, say
from mirrorlist.cli.options import options
from mirrorlist.cli.values import Whole, refuse
from mirrorlist.errors import OptionError

if TYPE_CHECKING:
    from snapshot.link import Link
    from snapshot.stats.queries import Course, Line, Question, Step

_BARS = "▁▂▃▄▅▆▇█"
_POINTS = 30
# Beside requests and share there is less room.
_POINTS_OF_TOP = 20
_MOST_LINES = 5
# Of a line: requests, share or last, and the spaces between them.
_NUMBERS = 26
_SHORTEST_NAME = 6
_PROGRAM = "mirrorlist stats"

F = TypeVar("F", bound=Callable[..., Any])


class Day(click.ParamType[date]):
    """A day such as 2026-11-27."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day; raises Unfit."""
        try:
            return value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            raise refuse(value, "not a day such as 2026-11-27", param, ctx) from None


def _question(by: str) -> Callable[[F], F]:
    """Return a decorator with the options of a question."""

    def decorate(function: F) -> F:
        for option in (
            click.option("--csv", "as_csv", is_flag=True, help="Print CSV on standard output."),
            click.option(
                "--where",
                multiple=True,
                metavar="LABEL=VALUE",
                help="Only requests with this label, such as repo=fedora-43; may be given again.",
            ),
            click.option(
                "--until", type=Day(), metavar="DAY", help="The last day, such as 2026-11-27."
            ),
            click.option("--since", type=Day(), metavar="DAY", help="The first day."),
            click.option(
                "--by",
                default=by,
                show_default=bool(by),
                metavar="LABEL,...",
                help="Labels with commas: kind, repo, arch, country, tier, status, client, family,"
                " countme; or host, tier.",
            ),
        ):
            function = option(function)
        return function

    return decorate


@click.command(short_help="Show what is asked for most.")
@options("stats top")
@_question("repo")
@click.option(
    "--most", type=Whole(1), default=20, show_default=True, metavar="N", help="How many lines."
)
def top(
    database: str,
    json: bool,
    by: str,
    since: date | None,
    until: date | None,
    where: tuple[str, ...],
    as_csv: bool,
    most: int,
) -> None:
    """Show what is asked for most: requests, their share, and their course.

    \b
    mirrorlist stats top --database sqlite:///stats.sqlite --by country --since 2026-11-01
    mirrorlist stats top --database sqlite:///stats.sqlite --by arch --where repo=epel-9
    """
    from snapshot.link import linked
    from snapshot.stats import queries

    question = _asked(by, since, until, where)
    with linked(database, _PROGRAM) as link:
        lines = queries.table(link, question, most)
        whole = queries.total(link, question)
        if json or as_csv:
            _print_data(by, [(*one.values, one.requests) for one in lines], as_csv)
            return
        steps = _steps(link, question, _POINTS_OF_TOP)
        drawn = queries.courses(link, question, steps, lines) if _has_course(question) else []
    if not lines:
        say("no requests")
        return
    _print_top(question, lines, whole, drawn)


@click.command(short_help="Show the course of requests over time.")
@options("stats trend")
@_question("")
@click.option(
    "--most",
    type=Whole(1),
    default=_MOST_LINES,
    show_default=True,
    metavar="N",
    help="How many lines of --by, those with the most requests.",
)
def trend(
    database: str,
    json: bool,
    by: str,
    since: date | None,
    until: date | None,
    where: tuple[str, ...],
    as_csv: bool,
    most: int,
) -> None:
    """Show the course of requests over time, in at most 30 steps.

    \b
    mirrorlist stats trend --database sqlite:///stats.sqlite --since 2026-11-01
    mirrorlist stats trend --database sqlite:///stats.sqlite --by countme --csv
    """
    from snapshot.link import linked
    from snapshot.stats import queries

    question = _asked(by, since, until, where)
    with linked(database, _PROGRAM) as link:
        lines = queries.table(link, question, most)
        steps = _steps(link, question, _POINTS)
        found = queries.courses(link, question, steps, lines)
    if json or as_csv:
        rows = [
            (step.first.isoformat(" "), step.end.isoformat(" "), *one.values, count)
            for one in found
            for step, count in zip(steps, one.requests, strict=True)
        ]
        _print_data(f"from,to,{by}".rstrip(","), rows, as_csv)
    elif not lines:
        say("no requests")
    else:
        _print_trend(question, steps, found)


@click.command(short_help="Print sums, for programs and for people.")
@options("stats table")
@_question("repo,arch")
@click.option(
    "--most", type=Whole(1), default=1_000_000, metavar="N", help="Print this many rows at most."
)
def table(
    database: str,
    json: bool,
    by: str,
    since: date | None,
    until: date | None,
    where: tuple[str, ...],
    as_csv: bool,
    most: int,
) -> None:
    """Print all sums by some labels, the largest first; --by can have hour, day or month too.

    With --json it is a list of objects: the names of --by with their values, and `requests`.

    \b
    mirrorlist stats table --database sqlite:///stats.sqlite --by repo,arch,country --json
    mirrorlist stats table --database sqlite:///stats.sqlite --by day,country --csv
    """
    from snapshot.link import linked
    from snapshot.stats import queries

    question = _asked(by, since, until, where)
    with linked(database, _PROGRAM) as link:
        lines = queries.table(link, question, most)
        kept = queries.details_since(link) if queries.needs_details(question) else None
    if kept and since is None:
        say(f"{by}: counted together since {kept}")
    rows = [(*one.values, one.requests) for one in lines]
    if json or as_csv:
        _print_data(by, rows, as_csv)
        return
    shown = plain_table(*_names(by), "requests")
    shown.columns[-1].justify = "right"
    for *values, count in rows:
        shown.add_row(*(Text(str(one)) for one in values), f"{count:,}")
    # In a pipe lines are as long as they are: nothing is folded or cut.
    output().print(shown)


@click.command(short_help="Show how many different addresses asked on each day.")
@options("stats addresses")
@click.option("--by-repo", is_flag=True, help="Of each repository and arch, not of all together.")
@click.option("--since", type=Day(), metavar="DAY", help="The first day.")
@click.option("--until", type=Day(), metavar="DAY", help="The last day, such as 2026-11-27.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV on standard output.")
def addresses(
    database: str,
    json: bool,
    by_repo: bool,
    since: date | None,
    until: date | None,
    as_csv: bool,
) -> None:
    """Show how many different addresses asked on each day, within about 1.6 %.

    No address is kept: these are estimates from sketches, which add up over servers. Addresses of
    different days cannot be compared, so days do not add up to the addresses of a week.

    \b
    mirrorlist stats addresses --database sqlite:///stats.sqlite --since 2026-11-01
    """
    from snapshot.link import linked
    from snapshot.stats import queries

    with linked(database, _PROGRAM) as link:
        found = queries.addresses(link, since, until, by_repo=by_repo)
    apart = max((one.secrets for one in found), default=1)
    if apart > 1:
        say(f"servers used {apart} secrets on a day: an address may be counted {apart} times")
    by = "day,repo,arch" if by_repo else "day"
    rows = [(one.day, *((one.repo, one.arch) if by_repo else ()), one.addresses) for one in found]
    if json or as_csv:
        _print_data(by, rows, as_csv, "addresses")
        return
    shown = plain_table(*_names(by), "addresses")
    shown.columns[-1].justify = "right"
    for *values, count in rows:
        shown.add_row(*(Text(str(one)) for one in values), f"{count:,}")
    output().print(shown)


def _names(by: str) -> tuple[str, ...]:
    return tuple(one for one in (part.strip() for part in by.split(",")) if one)


def _asked(by: str, since: date | None, until: date | None, where: Sequence[str]) -> "Question":
    from snapshot.stats.queries import Question

    pairs = {}
    for one in where:
        label, equals, value = one.partition("=")
        if not equals:
            raise OptionError(f"--where {one}: not LABEL=VALUE, such as repo=fedora-43")
        pairs[label.strip()] = value
    return Question(_names(by), since, until, pairs)


def _has_course(question: "Question") -> bool:
    from snapshot.stats.queries import TIMES, needs_details

    return not needs_details(question) and not {*question.by} & {*TIMES}


def _steps(link: "Link", question: "Question", most: int) -> "list[Step]":
    """Divide the period into steps, of hours or of whole days."""
    from snapshot.stats.queries import Step, first_day, hourly

    today = datetime.now(UTC).date()
    last = min(question.until or today, today + timedelta(1))
    first = max(question.since or date.min, first_day(link) or last)
    begin, end = (datetime(one.year, one.month, one.day) for one in (first, last + timedelta(1)))
    if end <= begin:
        return []
    hours = int((end - begin).total_seconds()) // 3600
    if hours <= 48 and hourly(question):
        length = timedelta(hours=-(-hours // most))
    else:
        length = timedelta(-(-(hours // 24) // most))
    count = -(-(end - begin) // length)
    return [Step(begin + n * length, min(begin + (n + 1) * length, end)) for n in range(count)]


def _print_data(
    by: str, rows: Sequence[Sequence[Any]], as_csv: bool, counted: str = "requests"
) -> None:
    names = (*_names(by), counted)
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
        return
    found = [dict(zip(names, row, strict=True)) for row in rows]
    click.echo(msgspec.json.encode(found))


def _printer() -> Console:
    """Return the console: in a pipe 80 columns, because what is shown is for people."""
    console = output()
    if not console.is_terminal:
        console.width = 80
    return console


def _print_top(
    question: "Question", lines: "Sequence[Line]", whole: int, drawn: "Sequence[Course]"
) -> None:
    console = _printer()
    short = _shortener(console, len(question.by), _POINTS_OF_TOP)
    courses = {one.values: one.requests for one in drawn}
    columns = [*question.by, "requests", "share", *(["course"] if drawn else [])]
    shown = plain_table(*columns)
    for column in shown.columns[len(question.by) : len(question.by) + 2]:
        column.justify = "right"
    for line in lines:
        share = f"{100 * line.requests / max(1, whole):.1f} %"
        spark = [sparkline(courses[line.values])] if drawn else []
        shown.add_row(*map(short, line.values), f"{line.requests:,}", share, *spark)
    console.print(shown)
    say(f"{whole:,} requests in all")


def _print_trend(question: "Question", steps: "Sequence[Step]", found: "Sequence[Course]") -> None:
    if not question.by:
        (only,) = found
        _print_steps(steps, only.requests)
        return
    console = _printer()
    short = _shortener(console, len(question.by), _POINTS)
    shown = plain_table(*question.by, "course", "last", "requests")
    for column in shown.columns[-2:]:
        column.justify = "right"
    for one in found:
        shown.add_row(
            *map(short, one.values),
            sparkline(one.requests),
            f"{one.requests[-1]:,}",
            f"{sum(one.requests):,}",
        )
    console.print(shown)
    say(f"{len(steps)} steps, from {steps[0].first} to {steps[-1].end} UTC")


def _print_steps(steps: "Sequence[Step]", counts: Sequence[int]) -> None:
    shown = plain_table("from (UTC)", "requests", "")
    shown.columns[1].justify = "right"
    most = max([*counts, 1])
    for step, count in zip(steps, counts, strict=True):
        bar = "█" * round(40 * count / most)
        shown.add_row(f"{step.first:%Y-%m-%d %H:%M}", f"{count:,}", Text(bar))
    _printer().print(shown)


def _shortener(console: Console, labels: int, points: int) -> Callable[[str], Text]:
    """Return the function that cuts names so that a line fits on the screen."""
    room = (console.width - _NUMBERS - points) // max(1, labels) - 2
    most = max(_SHORTEST_NAME, room)
    return lambda name: Text(name if len(name) <= most else f"{name[: most - 1]}…")


def sparkline(counts: Sequence[int]) -> Text:
    """Return counts as bars of eight heights, of which the lowest begins at 0."""
    most = max([*counts, 1])
    return Text("".join(_BARS[min(7, 8 * count // (most + 1))] for count in counts))
