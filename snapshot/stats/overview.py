"""The numbers of the first page: today, yesterday, the week, systems, and what went wrong."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from snapshot.link import Link
from snapshot.stats.cubes import NOT_LOGGED
from snapshot.stats.periods import DAY, Period, step, week_before
from snapshot.stats.queries import courses, table
from snapshot.stats.questions import Line, Question, Step
from snapshot.stats.views import AGES, UNKNOWN_REPOSITORY, Days, days

_HOUR = timedelta(hours=1)


class Pair(Struct, frozen=True):
    """A number, and the one before that it is to be compared with."""

    now: int
    before: int

    @property
    def change(self) -> float | None:
        """By how many percent it has changed; None if there is nothing to compare with."""
        return 100 * (self.now - self.before) / self.before if self.before else None


class Overview(Struct, frozen=True):
    """Numbers at a moment; `week` is the last seven whole days."""

    today: int
    so_far: Pair
    """The whole hours of today, and the same hours of yesterday."""
    hours: int
    """How many hours these are."""
    yesterday: Pair
    week: Pair
    systems: Pair
    """Of the last whole week from Monday, with the week before."""
    systems_week: Step
    found: int
    """Requests of the week that got a list, status 200."""
    judged: int
    """Requests of the week whose status is known: an old log of MirrorManager's form has none."""
    unknown: int
    """Requests of the week for unknown repositories."""
    addresses: Days
    """Of yesterday and of the day before."""
    counted_until: int | None
    """The end of the newest batch, in seconds since 1970; None without a batch."""


def overview(link: Link, now: datetime) -> Overview:
    """Return the numbers, by a fixed number of statements."""
    today = now.date()
    week = Period(today - 7 * DAY, today - DAY)
    by_day = _counts(link, _days(today))
    hours = [_hours(today, now.hour), _hours(today - DAY, now.hour)]
    so_far = _counts(link, hours) if now.hour else [0, 0]
    weeks = [week_before(today), week_before(today, 2)]
    statuses = {one.values[0]: one.requests for one in table(link, _of(week, "status"))}
    ages = courses(link, Question(("countme",)), weeks, [Line((age,), 0) for age in AGES])
    return Overview(
        today=by_day[0],
        so_far=Pair(*so_far),
        hours=now.hour,
        yesterday=Pair(by_day[1], by_day[2]),
        week=Pair(by_day[3], by_day[4]),
        systems=Pair(*(sum(one.requests[n] for one in ages) for n in range(2))),
        systems_week=weeks[0],
        found=statuses.get("200", 0),
        judged=sum(statuses.values()) - statuses.get(NOT_LOGGED, 0),
        unknown=_sum(link, week, "repo", UNKNOWN_REPOSITORY),
        addresses=days(link, Period(today - 2 * DAY, today - DAY), "", {}),
        counted_until=_counted_until(link),
    )


def _days(today: date) -> list[Step]:
    """Return today, yesterday, the day before, the week up to yesterday, and the week before."""
    return [
        step(today, today + DAY),
        step(today - DAY, today),
        step(today - 2 * DAY, today - DAY),
        step(today - 7 * DAY, today),
        step(today - 14 * DAY, today - 7 * DAY),
    ]


def _hours(day: date, hours: int) -> Step:
    begin = datetime(day.year, day.month, day.day)
    return Step(begin, begin + hours * _HOUR)


def _counts(link: Link, steps: Sequence[Step]) -> list[int]:
    (only,) = courses(link, Question(()), steps, [Line((), 0)])
    return only.requests


def _of(period: Period, label: str) -> Question:
    return Question((label,), period.since, period.until)


def _sum(link: Link, period: Period, label: str, value: str) -> int:
    question = Question((), period.since, period.until, {label: value})
    return sum(one.requests for one in table(link, question))


def _counted_until(link: Link) -> int | None:
    ((found,),) = link.query("SELECT max(ended) FROM stat_batch")
    return None if found is None else int(found)
