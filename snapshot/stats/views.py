"""What the pages show: plots and tables of the statistics, each by a fixed number of statements."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from msgspec import Struct

from snapshot.file.errors import QuestionError
from snapshot.link import Link
from snapshot.stats.distinct import Distinct, distinct
from snapshot.stats.periods import DAY, Period, step, steps_of, weeks_of
from snapshot.stats.queries import courses, first_day, needs_details, table
from snapshot.stats.questions import Line, Question, Step, check, kept, together
from snapshot.stats.texts import fit_values

Where = Mapping[str, str]
MOST_LAYERS = 7
"""The values that have a layer of their own in a plot."""
AGES = ("1", "2", "3", "4")
"""The values of countme: the age of a system."""
UNKNOWN_REPOSITORY = "(unknown)"


class Layer(Struct, frozen=True):
    """One value's part of a plot: requests in each step."""

    name: str
    requests: Sequence[int]

    @property
    def total(self) -> int:
        """The requests of all steps."""
        return sum(self.requests)


class Trend(Struct, frozen=True):
    """A plot over time: the layers of a label, the largest first, and all else together."""

    by: str
    period: Period
    steps: Sequence[Step]
    layers: Sequence[Layer]
    rest: Layer | None
    """What is in no layer, if that is anything."""

    @property
    def total(self) -> int:
        """The requests of the period."""
        return sum(one.total for one in self.all)

    @property
    def all(self) -> list[Layer]:
        """The layers and the rest."""
        return [*self.layers, *([self.rest] if self.rest else [])]


class Sums(Struct, frozen=True):
    """A table: the largest sums of a label in a period, with the sum of all."""

    by: str
    lines: Sequence[Line]
    whole: int

    @property
    def rest(self) -> int:
        """The requests of all other lines."""
        return self.whole - sum(one.requests for one in self.lines)


class Days(Struct, frozen=True):
    """Distinct addresses: of each day one estimate, or one for each value of a label."""

    by: str
    """The label, or empty for all addresses together."""
    period: Period
    rows: Sequence[Distinct]

    @property
    def secrets(self) -> int:
        """With how many secrets servers counted on a day, at most."""
        return max((one.secrets for one in self.rows), default=1)


class Unknown(Struct, frozen=True):
    """A repository that no snapshot had: how often it was asked for, on how many days."""

    repo: str
    requests: int
    days: int
    last: str


def trend(link: Link, by: str, period: Period, where: Where) -> Trend:
    """Return a plot of requests by a label; raises QuestionError, DatabaseError."""
    question = asked(by, period, where)
    check_kept(link, question)
    drawn = period.begun(first_day(link))
    steps = steps_of(drawn)
    lines = table(link, question, MOST_LAYERS)
    found = {one.values: one.requests for one in courses(link, question, steps, lines)}
    layers = [Layer(one.values[0], found[one.values]) for one in lines]
    whole = course(link, period, where, steps, host="host" in where or by == "host")
    named = [sum(each) for each in zip(*(one.requests for one in layers), strict=True)]
    others = [a - b for a, b in zip(whole, named or [0] * len(steps), strict=True)]
    rest = Layer("", others) if any(others) else None
    return Trend(by, drawn, steps, layers, rest)


def course(
    link: Link, period: Period, where: Where, steps: Sequence[Step], *, host: bool = False
) -> list[int]:
    """Return the requests in each of some steps, or how often hosts were named first."""
    if host and "host" not in where:
        question = Question(("host",), period.since, period.until, where)
        lines = table(link, question)
        each = [one.requests for one in courses(link, question, steps, lines)]
        return [sum(one) for one in zip(*each, strict=True)] or [0] * len(steps)
    question = Question((), period.since, period.until, where)
    (only,) = courses(link, question, steps, [Line((), 0)])
    return only.requests


def sums(link: Link, by: str, period: Period, where: Where, most: int) -> Sums:
    """Return a table of requests by a label; raises QuestionError, DatabaseError."""
    question = asked(by, period, where)
    check_kept(link, question)
    found = table(link, question, most)
    if len(found) < most:
        return Sums(by, found, sum(one.requests for one in found))
    apart = ("host",) if by == "host" else ()
    whole = table(link, Question(apart, period.since, period.until, where))
    return Sums(by, found, sum(one.requests for one in whole))


def systems(link: Link, period: Period, where: Where) -> Trend:
    """Return a plot of systems by their age, by the week in which a system counts itself once."""
    question = asked("countme", period, where)
    check_kept(link, question)
    steps = weeks_of(period.begun(first_day(link)))
    lines = [Line((age,), 0) for age in AGES]
    found = {one.values[0]: one.requests for one in courses(link, question, steps, lines)}
    whole = Period(steps[0].first.date(), steps[-1].end.date() - DAY)
    return Trend("countme", whole, steps, [Layer(age, found[age]) for age in AGES], None)


def days(link: Link, period: Period, by: str, where: Where) -> Days:
    """Return the distinct addresses of each day, of all together if `by` is empty."""
    labels = (by,) if by else ()
    rows = distinct(link, Question(labels, period.since, period.until, where))
    # Sketches may be kept for longer than the sums.
    firsts = [first_day(link) or period.since, *(date.fromisoformat(one.day) for one in rows)]
    return Days(by, period.begun(min(firsts)), rows)


def unknown(link: Link, period: Period, most: int) -> list[Unknown]:
    """Return the unknown repositories that were asked for most; counts are lower bounds."""
    rows = link.query(
        "SELECT repo, sum(requests), count(DISTINCT day), max(day) FROM stat_unknown"
        " WHERE day >= CAST(%(since)s AS {day}) AND day <= CAST(%(until)s AS {day})"
        " GROUP BY repo ORDER BY 2 DESC, 1 LIMIT {most}".format(day=_day_type(link), most=most),
        {"since": period.since.isoformat(), "until": period.until.isoformat()},
    )
    return [Unknown(repo, int(count), int(n), str(last)) for repo, count, n, last in rows]


def is_counted(link: Link, label: str, name: str) -> bool:
    """Return whether a repository or a host has ever been counted."""
    sql = f"SELECT 1 FROM stat_key WHERE cube = '{label}' AND {label} = %(name)s LIMIT 1"
    return bool(link.query(sql, fit_values({"name": name}, link.safe_codec())))


def is_asked_for(link: Link, repo: str) -> bool:
    """Return whether an unknown repository is among those that were asked for most."""
    sql = "SELECT 1 FROM stat_unknown WHERE repo = %(repo)s LIMIT 1"
    return bool(link.query(sql, fit_values({"repo": repo}, link.safe_codec())))


def whole_step(period: Period) -> Step:
    """Return a period as one step."""
    return step(period.since, period.until + DAY)


def asked(by: str, period: Period, where: Where) -> Question:
    """Return the question about a label in a period."""
    return Question((by,), period.since, period.until, where)


def check_kept(link: Link, question: Question) -> None:
    """Raise QuestionError if labels are together in no sums that are kept for long."""
    check(link, question)
    if needs_details(question):
        raise QuestionError(
            f"{together(question)}: not counted together for long. These are: {kept()}."
        )


def today_of(second: float) -> date:
    """Return the day of a time in seconds since 1970, UTC."""
    return date(1970, 1, 1) + timedelta(int(second // 86400))


def _day_type(link: Link) -> str:
    # In SQLite a day is a text.
    return "DATE" if link.kind == "postgresql" else "TEXT"
