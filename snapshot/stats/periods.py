"""Periods of whole days, UTC, and their division into the steps of a plot."""

from datetime import date, datetime, timedelta

from msgspec import Struct

from snapshot.stats.questions import Step

DAY, WEEK = timedelta(1), timedelta(7)
DEFAULT_DAYS = 30
MOST_STEPS = 92
# Lengths of a step, in days, that people have names for.
_LENGTHS = (1, 2, 7, 14, 28, 91, 364)


class Period(Struct, frozen=True):
    """The days from `since` to `until`, both in it."""

    since: date
    until: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.until - self.since).days + 1

    def before(self) -> "Period":
        """Return the period of the same length that ends before this one."""
        return Period(self.since - self.days * DAY, self.since - DAY)

    def begun(self, first: date | None) -> "Period":
        """Return the part of this period that begins with a day, which is the whole for None.

        It has the last DEFAULT_DAYS at least: a day alone would be one bar as wide as the plot.
        """
        if first is None:
            return self
        return Period(
            max(self.since, min(first, last_days(DEFAULT_DAYS, self.until).since)), self.until
        )


def last_days(days: int, today: date) -> Period:
    """Return the period of some days that ends today."""
    return Period(today - (days - 1) * DAY, today)


def step(first: date, end: date) -> Step:
    """Return the step of some days, of which `end` is not in it."""
    return Step(_midnight(first), _midnight(end))


def steps_of(period: Period) -> list[Step]:
    """Return steps of equal length, the last of which ends with the period.

    They are so long that at most MOST_STEPS are needed, so the first one may be shorter.
    """
    fit = (one for one in _LENGTHS if period.days <= one * MOST_STEPS)
    length = next(fit, -(-period.days // MOST_STEPS))
    found, end = [], period.until + DAY
    while end > period.since:
        first = max(period.since, end - length * DAY)
        found.append(step(first, end))
        end = first
    return found[::-1]


def weeks_of(period: Period) -> list[Step]:
    """Return the weeks from Monday to Sunday in which the days of a period are.

    dnf counts a system once in each of these weeks. Long periods have several weeks in a step.
    """
    monday = _monday(period.since)
    weeks = (_monday(period.until) - monday).days // 7 + 1
    length = -(-weeks // MOST_STEPS)
    firsts = (monday + n * WEEK for n in range(0, weeks, length))
    return [step(one, one + length * WEEK) for one in firsts]


def week_before(today: date, back: int = 1) -> Step:
    """Return the last whole week from Monday to Sunday, or one that is further back."""
    monday = _monday(today) - back * WEEK
    return step(monday, monday + WEEK)


def _monday(day: date) -> date:
    return day - day.weekday() * DAY


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)
