"""What a request for a page of statistics asks: its days, its label, and its limits."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from snapshot.file.errors import QuestionError

if TYPE_CHECKING:
    from snapshot.stats.periods import Period
    from snapshot.stats.shown import Statistics

DAYS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "a year", "3650": "all"}
"""The periods that pages link to."""
MOST_CHARACTERS = 255
"""The longest value of a parameter."""
_OF_TIME = ("since", "until", "days")


class Takes(Enum):
    """Which parameters a page takes."""

    DAYS = 1
    LIMITS = 2
    """Values of labels, too."""
    LABEL = 3
    """Also the label that it is by."""


class Asked(NamedTuple):
    """A question in a URL."""

    by: str
    period: "Period"
    where: Mapping[str, str]
    now: datetime
    of_time: Mapping[str, str]
    """The parameters of the period, for the links to other pages."""

    def link(self, path: str, **more: str | None) -> str:
        """Return a URL with the same days, and with some parameters."""
        return url(path, {**self.of_time, **more})

    def data(self, path: str, by: str | None = None, **more: str) -> str:
        """Return the URL of the data behind a plot, with fixed days."""
        days = {"since": str(self.period.since), "until": str(self.period.until)}
        return url(path, {"by": by, **self.where, **more, **days})


def url(path: str, parameters: Mapping[str, str | None]) -> str:
    """Return a URL of a path with those parameters that have a value."""
    given = {name: value for name, value in parameters.items() if value is not None}
    query = "&".join(f"{name}={escaped(value)}" for name, value in given.items())
    return f"{path}?{query}" if query else path


@lru_cache(1024)
def escaped(text: str) -> str:
    """Return a text as a part of a URL."""
    return quote(text, safe="", errors="replace")


def read(
    statistics: "Statistics",
    given: Iterable[tuple[str, str]],
    by: str,
    takes: Takes,
    fixed: Mapping[str, str],
    now: datetime,
) -> Asked:
    """Return the question of a query, whose label is `by` if it has none; raises QuestionError.

    `fixed` are limits that the path has; `now` is in UTC.
    """
    found: dict[str, str] = {}
    known = [*_OF_TIME]
    known += ["by"] if takes is Takes.LABEL else []
    known += statistics.labels if takes is not Takes.DAYS else []
    for name, value in given:
        if name not in known:
            raise QuestionError(f"{name[:40]!a}: not a parameter; there are {', '.join(known)}")
        if name in found:
            raise QuestionError(f"{name}: given twice")
        check_text(name, value)
        found[name] = value
    since, until, days = (found.get(name) for name in _OF_TIME)
    where = {name: value for name, value in found.items() if name in statistics.labels}
    return Asked(
        found.get("by") or by,
        statistics.period(since, until, days, now.date()),
        {**where, **fixed},
        now,
        {name: found[name] for name in _OF_TIME if found.get(name)},
    )


def check_text(name: str, value: str) -> None:
    """Raise QuestionError for a text that no database can have."""
    if len(value) > MOST_CHARACTERS:
        raise QuestionError(f"{name}: longer than {MOST_CHARACTERS} characters")
    if "\0" in value or any("\ud800" <= one <= "\udfff" for one in value):
        raise QuestionError(f"{name}: not a text")
