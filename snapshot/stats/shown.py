"""The pages of the statistics: all that one page shows, read in one transaction."""

from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar

from msgspec import Struct

from snapshot.file.errors import QuestionError
from snapshot.link import Link
from snapshot.stats import views
from snapshot.stats.overview import Overview, overview
from snapshot.stats.periods import DAY, DEFAULT_DAYS, Period, last_days
from snapshot.stats.queries import needs_details
from snapshot.stats.questions import ASKED, RELEASE, Question, check
from snapshot.stats.reading import Reader
from snapshot.stats.views import Days, Sums, Trend, Unknown, Where

MOST_LINES = 100
MOST_UNKNOWN = 200
_FEW = 10
_ADDRESS_DAYS = 92
_FIRST, _LAST = date(2000, 1, 1), date(2199, 12, 31)
_MOST_DAYS = 10_000
_ALL: Where = {}

T = TypeVar("T")


class FirstPage(Struct, frozen=True):
    """The first page."""

    overview: Overview
    requests: Trend
    repositories: Sums
    countries: Sums
    systems: Trend
    addresses: Days
    unknown: list[Unknown]


class AddressesPage(Struct, frozen=True):
    """Distinct addresses."""

    days: Days
    releases: Days


class RequestsPage(Struct, frozen=True):
    """Requests by one label."""

    trend: Trend
    sums: Sums


class RepositoryPage(Struct, frozen=True):
    """One repository."""

    trend: Trend
    before: int
    """Requests of the period of the same length before."""
    whole: int
    """Requests of the period for all repositories."""
    countries: Sums
    tables: list[Sums]
    systems: Trend
    addresses: Days


class HostPage(Struct, frozen=True):
    """One host: how often it was named first."""

    trend: Trend
    before: int
    whole: int
    tiers: Sums


class UnknownPage(Struct, frozen=True):
    """The unknown repositories that were asked for most."""

    lines: list[Unknown]
    trend: Trend
    """Of all requests for unknown repositories, by client."""
    whole: int


class Statistics:
    """The statistics in a database; raises DatabaseError, and QuestionError for odd questions."""

    labels = ASKED
    """What requests can be shown by, and limited by."""

    def __init__(self, reader: Reader) -> None:
        """Take the connections."""
        self._reader = reader

    def _read(self, question: Callable[[Link], T]) -> T:
        def checked(link: Link) -> T:
            check(link, Question())
            return question(link)

        return self._reader.read(checked)

    def period(self, since: str | None, until: str | None, days: str | None, today: date) -> Period:
        """Return the period that texts mean; without any it is the last 30 days."""
        last = _day("until", until) or today
        if since and days:
            raise QuestionError("since and days: give one of them")
        first = _day("since", since) or last - (_count(days) - 1) * DAY
        if first > last:
            raise QuestionError(f"since {first} is after until {last}")
        return Period(max(first, _FIRST), last)

    def ready(self) -> None:
        """Raise DatabaseError if there is no database, or it has no statistics."""
        self._read(lambda link: None)

    def can(self, by: str, where: Where) -> bool:
        """Return whether a label and limits are counted together for long."""
        question = Question((by,), where=where)
        return not needs_details(question)

    def first_page(self, period: Period, now: datetime) -> FirstPage:
        """Return the numbers of now, and plots of a period."""
        return self._read(
            lambda link: FirstPage(
                overview=overview(link, now),
                requests=views.trend(link, RELEASE, period, _ALL),
                repositories=views.sums(link, "repo", period, _ALL, _FEW),
                countries=views.sums(link, "country", period, _ALL, MOST_LINES * 10),
                systems=views.systems(link, period, _ALL),
                addresses=views.days(link, period, "", _ALL),
                unknown=views.unknown(link, period, _FEW),
            )
        )

    def requests(self, by: str, period: Period, where: Where) -> RequestsPage:
        """Return the requests by a label."""
        return self._read(
            lambda link: RequestsPage(
                views.trend(link, by, period, where),
                views.sums(link, by, period, where, MOST_LINES),
            )
        )

    def trend(self, by: str, period: Period, where: Where) -> Trend:
        """Return the plot of requests by a label."""
        return self._read(lambda link: views.trend(link, by, period, where))

    def sums(self, by: str, period: Period, where: Where) -> Sums:
        """Return all sums of a label."""
        return self._read(lambda link: views.sums(link, by, period, where, 1_000_000))

    def hosts(self, period: Period) -> Sums:
        """Return how often each host was named first."""
        return self.sums("host", period, _ALL)

    def systems(self, period: Period, where: Where) -> Trend:
        """Return systems by their age."""
        return self._read(lambda link: views.systems(link, period, where))

    def addresses(self, period: Period) -> AddressesPage:
        """Return the distinct addresses of each day."""
        return self._read(
            lambda link: AddressesPage(
                views.days(link, period, "", _ALL), views.days(link, period, RELEASE, _ALL)
            )
        )

    def days(self, by: str, period: Period, where: Where) -> Days:
        """Return the distinct addresses of each day by a label."""
        return self._read(lambda link: views.days(link, _late(period, where), by, where))

    def unknown(self, period: Period) -> UnknownPage:
        """Return the unknown repositories that were asked for most."""
        where = {"repo": views.UNKNOWN_REPOSITORY}
        return self._read(
            lambda link: UnknownPage(
                views.unknown(link, period, MOST_UNKNOWN),
                views.trend(link, "client", period, where),
                _requests(link, period, _ALL),
            )
        )

    def repository(self, name: str, period: Period) -> RepositoryPage | None:
        """Return the page of a repository, or None if it was never counted."""

        def read(link: Link) -> RepositoryPage | None:
            where = {"repo": name}
            if not views.is_counted(link, "repo", name):
                return None
            return RepositoryPage(
                trend=views.trend(link, "arch", period, where),
                before=_requests(link, period.before(), where),
                whole=_requests(link, period, _ALL),
                countries=views.sums(link, "country", period, where, MOST_LINES * 10),
                tables=[
                    views.sums(link, by, period, where, _FEW)
                    for by in ("client", "status", "tier", "kind", "family")
                ],
                systems=views.systems(link, period, where),
                addresses=views.days(link, _late(period, where), "arch", where),
            )

        return self._read(read)

    def host(self, name: str, period: Period) -> HostPage | None:
        """Return the page of a host, or None if it was never named first."""

        def read(link: Link) -> HostPage | None:
            where = {"host": name}
            if not views.is_counted(link, "host", name):
                return None
            everyone = views.sums(link, "host", period, _ALL, 1_000_000)
            return HostPage(
                trend=views.trend(link, "tier", period, where),
                before=_requests(link, period.before(), where),
                whole=everyone.whole,
                tiers=views.sums(link, "tier", period, where, _FEW),
            )

        return self._read(read)

    def is_asked_for(self, repo: str) -> bool:
        """Return whether a repository is among the unknown ones that were asked for."""
        return self._read(lambda link: views.is_asked_for(link, repo))


def _requests(link: Link, period: Period, where: Where) -> int:
    (found,) = views.course(link, period, where, [views.whole_step(period)])
    return found


def _late(period: Period, where: Where) -> Period:
    """Return the end of a period for a repository, whose sketches are found day by day."""
    if "repo" not in where:
        return period
    return period.begun(last_days(_ADDRESS_DAYS, period.until).since)


def _day(name: str, text: str | None) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not _FIRST <= day <= _LAST:
        raise QuestionError(f"{name}: not a day such as 2026-11-27, from {_FIRST} to {_LAST}")
    return day


def _count(text: str | None) -> int:
    if not text:
        return DEFAULT_DAYS
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MOST_DAYS):
        raise QuestionError(f"days: not a number from 1 to {_MOST_DAYS}")
    return int(text)
