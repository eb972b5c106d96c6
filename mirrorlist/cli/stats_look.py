"""`mirrorlist stats top`, `trend` and `table`: what the statistics say, for people or as data."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click
from click.core import ParameterSource

from mirrorlist.cli.console import say
from mirrorlist.cli.options import options
from mirrorlist.cli.stats_shown import (
    POINTS,
    POINTS_OF_TOP,
    names_of,
    print_rows,
    print_sums,
    print_top,
    print_trend,
)
from mirrorlist.cli.values import Whole, refuse
from mirrorlist.errors import OptionError

if TYPE_CHECKING:
    from snapshot.link import Link
    from snapshot.stats.questions import Question, Step

_MOST_LINES = 5
_HOUR = timedelta(hours=1)
_PROGRAM = "mirrorlist stats"

_LAST_DAY = date(2199, 12, 31)

F = TypeVar("F", bound=Callable[..., Any])


class Day(click.ParamType[date]):
    """A day such as 2026-11-27."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day; raises Unfit."""
        try:
            day = value if isinstance(value, date) else date.fromisoformat(value)
        except ValueError:
            raise refuse(value, "not a day such as 2026-11-27", param, ctx) from None
        if day > _LAST_DAY:
            raise refuse(value, f"later than {_LAST_DAY}", param, ctx)
        return day


_LABELS = (
    "Labels with commas: kind, release, repo, arch, country, tier, status, client, family, countme;"
    " or host, tier."
)


def _question(by: str, labels: str = _LABELS) -> Callable[[F], F]:
    """Return a decorator with the options of a question, which the command gets as `question`."""

    def decorate(function: F) -> F:
        @wraps(function)
        def asking(
            *,
            by: str,
            since: date | None,
            until: date | None,
            where: tuple[str, ...],
            **others: Any,
        ) -> None:
            _one_form(others["as_csv"])
            function(by=by, question=_asked(by, since, until, where), **others)

        asked = cast(F, asking)
        for option in (
            click.option(
                "--csv",
                "as_csv",
                is_flag=True,
                help="Print CSV on standard output. A cell that a spreadsheet would take for a"
                " formula has a ' before it.",
            ),
            click.option(
                "--where",
                multiple=True,
                metavar="LABEL=VALUE",
                help="Only requests with this label, such as repo=fedora-43; may be given again.",
            ),
            click.option(
                "--until", type=Day(), metavar="DAY", help="The last day (UTC); today without it."
            ),
            click.option(
                "--since",
                type=Day(),
                metavar="DAY",
                help="The first day (UTC), such as 2026-11-01; all without it.",
            ),
            click.option(
                "--by",
                default=by,
                show_default=bool(by),
                metavar="LABEL,...",
                help=labels,
            ),
        ):
            asked = option(asked)
        return asked

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
    question: "Question",
    as_csv: bool,
    most: int,
) -> None:
    """Show what is asked for most: requests, their share, and their course.

    \b
    mirrorlist stats top --database sqlite:///stats.sqlite --by country \\
        --since 2026-11-01
    mirrorlist stats top --database sqlite:///stats.sqlite --by arch \\
        --where repo=epel-9
    """
    from snapshot.link import linked
    from snapshot.stats import queries

    with linked(database, _PROGRAM) as link:
        lines = queries.table(link, question, most)
        whole = queries.total(link, question)
        if json or as_csv:
            print_rows(by, [(*one.values, one.requests) for one in lines], as_csv)
            return
        steps = _steps(link, question, POINTS_OF_TOP)
        drawn = queries.courses(link, question, steps, lines) if _has_course(question) else []
    if not lines:
        say("no requests")
        return
    print_top(question, lines, whole, drawn)


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
    question: "Question",
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

    with linked(database, _PROGRAM) as link:
        lines = queries.table(link, question, most)
        steps = _steps(link, question, POINTS)
        found = queries.courses(link, question, steps, lines)
    if json or as_csv:
        rows = [
            (step.first.isoformat(" "), step.end.isoformat(" "), *one.values, count)
            for one in found
            for step, count in zip(steps, one.requests, strict=True)
        ]
        print_rows(f"from,to,{by}".rstrip(","), rows, as_csv)
    elif not lines or not steps:
        # Without a step all of them are later than today.
        say("no requests up to now" if lines else "no requests")
    else:
        print_trend(question, steps, found)


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
    question: "Question",
    as_csv: bool,
    most: int,
) -> None:
    """Print all sums by some labels, the largest first; --by can have hour, day or month too.

    With --json it is a list of objects: the names of --by with their values, and `requests`.

    \b
    mirrorlist stats table --database sqlite:///stats.sqlite \\
        --by repo,arch,country --json
    mirrorlist stats table --database sqlite:///stats.sqlite --by day,country \\
        --csv
    """
    from snapshot.link import linked
    from snapshot.stats import queries

    with linked(database, _PROGRAM) as link:
        lines = queries.table(link, question, most)
        kept = queries.details_since(link) if queries.needs_details(question) else None
    if kept and question.since is None:
        say(f"{by}: counted together since {kept} alone, so earlier days are not in these sums")
    rows = [(*one.values, one.requests) for one in lines]
    if json or as_csv:
        print_rows(by, rows, as_csv)
    elif not rows:
        say("no requests")
    else:
        print_sums(by, rows)


@click.command(short_help="Show how many different addresses asked on each day.")
@options("stats addresses")
@_question("", "Labels with commas: release; release,arch; or repo,arch. Without, all together.")
def addresses(
    database: str,
    json: bool,
    by: str,
    question: "Question",
    as_csv: bool,
) -> None:
    """Show how many different addresses asked on each day, within about 1.6 %.

    No address is kept: these are estimates from sketches, which add up over servers. Addresses of
    different days cannot be compared, so days do not add up to the addresses of a week.

    \b
    mirrorlist stats addresses --database sqlite:///stats.sqlite \\
        --since 2026-11-01
    mirrorlist stats addresses --database sqlite:///stats.sqlite \\
        --by release,arch --csv
    """
    from snapshot.link import linked
    from snapshot.stats.distinct import distinct

    with linked(database, _PROGRAM) as link:
        found = distinct(link, question)
    apart = max((one.secrets for one in found), default=1)
    if apart > 1:
        say(f"servers used {apart} secrets on a day: an address may be counted {apart} times")
    by = f"day,{by}".rstrip(",")
    rows = [(one.day, *one.values, one.addresses) for one in found]
    if json or as_csv:
        print_rows(by, rows, as_csv, "addresses")
    elif not rows:
        say("no addresses")
    else:
        print_sums(by, rows, "addresses")


def _one_form(as_csv: bool) -> None:
    """Refuse --csv beside --json; it wins over the variable, and over the settings file."""
    context = click.get_current_context()
    if as_csv and context.get_parameter_source("json") is ParameterSource.COMMANDLINE:
        raise OptionError("--json and --csv: only one of them")


def _asked(by: str, since: date | None, until: date | None, where: Sequence[str]) -> "Question":
    from snapshot.stats.questions import Question

    pairs = {}
    for one in where:
        label, equals, value = one.partition("=")
        if not equals:
            raise OptionError(f"--where {one}: not LABEL=VALUE, such as repo=fedora-43")
        if any("\ud800" <= each <= "\udfff" for each in value):
            raise OptionError(f"--where {one!a}: not UTF-8")
        pairs[label.strip()] = value
    return Question(names_of(by), since, until, pairs)


def _has_course(question: "Question") -> bool:
    from snapshot.stats.queries import needs_details
    from snapshot.stats.questions import TIMES

    return not needs_details(question) and not {*question.by} & {*TIMES}


def _steps(link: "Link", question: "Question", most: int) -> "list[Step]":
    """Divide the period into steps, of hours or of whole days."""
    from snapshot.stats.queries import first_day, hourly
    from snapshot.stats.questions import Step

    now = datetime.now(UTC)
    today = now.date()
    last = min(question.until or today, today + timedelta(1))
    first = max(question.since or date.min, first_day(link) or last)
    begin, end = (datetime(one.year, one.month, one.day) for one in (first, last + timedelta(1)))
    if end <= begin:
        return []
    hours = int((end - begin).total_seconds()) // 3600
    if hours <= 48 and hourly(question):
        length = timedelta(hours=-(-hours // most))
        # An hour that has not begun would look like one without requests.
        end = min(
            end, max(begin, now.replace(minute=0, second=0, microsecond=0, tzinfo=None)) + _HOUR
        )
    else:
        length = timedelta(-(-(hours // 24) // most))
    count = -(-(end - begin) // length)
    return [Step(begin + n * length, min(begin + (n + 1) * length, end)) for n in range(count)]
