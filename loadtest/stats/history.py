"""Fills the tables of the statistics with days of a site of 27 million requests a day, seeded.

What a key has in a day follows from its share and from the season alone, so days can be added in
any order, and the database computes the rows: 1,000 days are 100 million of them.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import accumulate, product
from random import Random

from snapshot.link import Link, temporary
from snapshot.stats import releases
from snapshot.stats.cubes import CUBES, HOSTS, HOURLY, LABELS, REQUEST, Cube, Values, key, name
from snapshot.stats.spool import CLIENTS, KINDS
from snapshot.stats.tables import DAY_INDEX, DETAIL, prepare

REQUESTS = 27_000_000
"""Requests a day."""
REPOSITORIES, COUNTRIES, MIRRORS = 700, 200, 400
HOUR_DAYS = 100
"""The days of which sums by hour are kept."""

_ARCHES = {"x86_64": 0.8, "aarch64": 0.2}
_RARE = 0.1
"""A key with fewer requests a day is left out: on most days it would have no row."""

_KEYS = {
    "id": "BIGINT",
    "rate": "DOUBLE PRECISION",
    "phase": "DOUBLE PRECISION",
    "hourly": "BOOLEAN",
}
# How much more a key has at the end of a period than at its begin.
_FILL = """INSERT INTO {table} (key_id, {unit}, requests, total)
    SELECT id, CAST(%(period)s AS TIMESTAMP), upto - before, upto
    FROM (SELECT id, floor(rate * %(upto)s + phase) AS upto,
            floor(rate * %(before)s + phase) AS before FROM history_key k
        WHERE true {condition}) k
    WHERE upto > before"""
_WITHOUT_INDEXES = (
    "ALTER TABLE stat_day DROP CONSTRAINT stat_day_pkey",
    "ALTER TABLE stat_hour DROP CONSTRAINT stat_hour_pkey",
    "DROP INDEX stat_day_day",
    "SET maintenance_work_mem = '1GB'",
)
_WITH_INDEXES = (
    "ALTER TABLE stat_day ADD PRIMARY KEY (key_id, day)",
    "ALTER TABLE stat_hour ADD PRIMARY KEY (key_id, hour)",
    DAY_INDEX,
)

Shares = dict[str, float]


class History:
    """The keys of a site with their shares, and its days up to the last one."""

    def __init__(self, seed: int, last: date, requests: int) -> None:
        """Draw the shares of a site with this many requests a day."""
        self._chance = Random(seed)
        self._last, self._requests = last, requests
        self.shares = _shares(self._chance)

    def write_keys(self, link: Link) -> int:
        """Write the keys of all cubes, and return their number; in the caller's transaction."""
        rates = {key(cube, values): (cube, values, rate) for cube, values, rate in self._keys()}
        link.load("stat_key", ["id", "cube", *LABELS], (
            (id, name(cube), *(dict(zip(cube, values, strict=True)).get(one, "") for one in LABELS))
            for id, (cube, values, _) in rates.items()
        ))  # fmt: skip
        releases.write(link)
        rows = (
            (id, rate, self._chance.random(), cube in HOURLY)
            for id, (cube, _, rate) in sorted(rates.items())
        )
        temporary(link, "history_key", _KEYS, rows)
        return len(rates)

    def write_days(self, link: Link, newest: int, oldest: int) -> None:
        """Write the days from `newest` to before `oldest` days before the end."""
        days = [self._last - timedelta(n) for n in range(newest, oldest)]
        hours = [
            _begin(one) + timedelta(hours=hour)
            for one in days
            if (self._last - one).days < HOUR_DAYS
            for hour in range(24)
        ]
        # With its indexes, a table takes ten times as long to fill.
        for statement in _WITHOUT_INDEXES:
            link.execute(statement)
        for day in days:
            self._fill(link, "stat_day", "day", _begin(day), timedelta(1), "")
        for hour in hours:
            self._fill(link, "stat_hour", "hour", hour, timedelta(hours=1), "AND k.hourly")
        for statement in _WITH_INDEXES:
            link.execute(statement)

    def write_detail(self, link: Link) -> int:
        """Write an hour of the last day in each combination of labels, and return its rows."""
        columns = [
            self._chance.choices(
                [*self.shares[label]], [*self.shares[label].values()], k=self._requests // 24
            )
            for label in REQUEST
        ]
        found: dict[Values, int] = {}
        for values in zip(*columns, strict=True):
            found[values] = found.get(values, 0) + 1
        hour = str(_begin(self._last))
        link.load(DETAIL, ["hour", *REQUEST, "requests"], (
            (hour, *values, count) for values, count in found.items()
        ))  # fmt: skip
        return len(found)

    def _fill(
        self,
        link: Link,
        table: str,
        unit: str,
        begin: datetime,
        length: timedelta,
        condition: str,
    ) -> None:
        before, upto = _upto(begin), _upto(begin + length)
        values = {"period": str(begin), "before": before, "upto": upto}
        link.execute(_FILL.format(table=table, unit=unit, condition=condition), values)

    def _keys(self) -> Iterator[tuple[Cube, Values, float]]:
        """Yield each key with its requests a day."""
        for cube in (*CUBES, *HOSTS):
            for values in product(*(self.shares[label] for label in cube)):
                rate = self._requests * math.prod(
                    self.shares[label][one] for label, one in zip(cube, values, strict=True)
                )
                if rate >= _RARE:
                    yield cube, values, rate


def days_of(last: date, count: int) -> list[date]:
    """Return the last days."""
    return [last - timedelta(n) for n in range(count)]


def make_tables(link: Link, last: date, count: int) -> None:
    """Make the tables, with partitions for the last days."""
    prepare(link, days_of(last, count))


def _begin(day: date) -> datetime:
    return datetime.combine(day, time())


def _upto(moment: datetime) -> float:
    """Return the days up to a moment, of which the weekends are shorter."""
    days = (moment - datetime(2020, 1, 1)).total_seconds() / 86400
    return days + 0.3 * math.sin(2 * math.pi * days / 7)


def _shares(chance: Random) -> dict[str, Shares]:
    repositories = [f"updates-released-f{20 + n % 26}-{n:03}" for n in range(REPOSITORIES // 2)]
    return {
        "repo": _zipf(repositories, 1.5, 3),
        "arch": _ARCHES,
        "country": _zipf([chr(65 + n // 26) + chr(65 + n % 26) for n in range(COUNTRIES)], 1.6, 2),
        "kind": dict(zip(KINDS, (0.93, 0.07), strict=True)),
        "tier": {"country": 0.7, "continent": 0.2, "netblock": 0.05, "global": 0.05},
        "status": {"200": 0.98, "404": 0.02},
        "client": dict(zip(CLIENTS, (0.5, 0.3, 0.05, 0.05, 0.05, 0.05), strict=True)),
        "family": {"4": 0.75, "6": 0.25},
        "countme": {"0": 0.86, "1": 0.01, "2": 0.02, "3": 0.05, "4": 0.06},
        "host": _zipf([f"mirror{chance.randrange(10**6)}.example" for _ in range(MIRRORS)], 0.8, 2),
    }


def _zipf(names: Sequence[str], power: float, offset: int) -> Shares:
    weights = [(n + offset) ** -power for n in range(1, len(names) + 1)]
    whole = [*accumulate(weights)][-1]
    return {one: weight / whole for one, weight in zip(names, weights, strict=True)}
