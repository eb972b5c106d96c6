"""Adds counts to the database: bulk loads, then set statements, whose number is fixed.

All of it is one transaction of the caller, who is alone with the tables. The text of the statements
is the same on PostgreSQL and SQLite.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import chain
from operator import itemgetter

from msgspec import Struct

from snapshot.link import POSTGRESQL, Link, Row, temporary
from snapshot.stats import access, releases, sketches, texts
from snapshot.stats.cubes import (
    HOURLY,
    LABELS,
    REQUEST,
    Cube,
    Detail,
    Sums,
    Values,
    key,
    name,
    sums,
)
from snapshot.stats.spool import SketchRow, UnknownRow
from snapshot.stats.tables import (
    DAY,
    DETAIL,
    DETAILS_SINCE,
    HOUR,
    MONTH,
    UNITS,
    as_hour,
    as_month,
    day_of,
    mark,
)

DETAIL_DAYS = 62
"""Counts of earlier days are not kept in each combination, also before anything has expired."""

# Nothing is read twice that is not in memory, and compiling a plan takes longer than running it.
# The files are removed after the commit, so it must be on the disk then, whatever is usual here.
_SETTINGS = "SET LOCAL random_page_cost = 1; SET LOCAL jit = off; SET LOCAL synchronous_commit = on"

# A key that is new has no rows yet: keys are written last. In order, because an index takes
# neighbours in half the time.
_FACT = """INSERT INTO {table} (key_id, {unit}, requests, total)
    SELECT n.key_id, n.{unit}, n.requests, n.requests + CASE WHEN k.id IS NULL THEN 0 ELSE coalesce(
        (SELECT t.total FROM {table} t WHERE t.key_id = n.key_id AND t.{unit} <= n.{unit}
            ORDER BY t.{unit} DESC LIMIT 1),
        (SELECT t.total - t.requests FROM {table} t
            WHERE t.key_id = n.key_id AND t.{unit} > n.{unit} ORDER BY t.{unit} LIMIT 1), 0) END
    FROM new_{unit} n LEFT JOIN stat_key k ON k.id = n.key_id WHERE true ORDER BY n.key_id
    ON CONFLICT (key_id, {unit}) DO UPDATE SET requests = {table}.requests + excluded.requests,
        total = {table}.total + excluded.requests"""

_LATER = """UPDATE {table} SET total = {table}.total + s.requests
    FROM (SELECT t.key_id, t.{unit}, sum(n.requests) AS requests
        FROM new_{unit} n JOIN {table} t ON t.key_id = n.key_id AND t.{unit} > n.{unit}
        GROUP BY t.key_id, t.{unit}) s
    WHERE {table}.key_id = s.key_id AND {table}.{unit} = s.{unit}"""

_UNKNOWN = """INSERT INTO stat_unknown (day, repo, arch, requests)
    SELECT day, repo, arch, requests FROM new_unknown WHERE true
    ON CONFLICT (day, repo, arch)
    DO UPDATE SET requests = stat_unknown.requests + excluded.requests"""

# Each key has a day.
_NEW_KEYS = """SELECT DISTINCT n.key_id FROM new_day n LEFT JOIN stat_key k ON k.id = n.key_id
    WHERE k.id IS NULL ORDER BY n.key_id"""


class Content(Struct, frozen=True):
    """What is to be added; without `has_hours` the detail's hours are only days."""

    detail: Detail
    hosts: list[Sums]
    unknown: tuple[UnknownRow, ...] = ()
    sketches: tuple[tuple[str, SketchRow], ...] = ()
    """Each with the name of its secret."""
    has_hours: bool = True

    def days(self) -> set[date]:
        """Return the days of it."""
        seconds = {
            second for second, _ in chain(self.detail, *(one.requests for one in self.hosts))
        }
        seconds |= {one.day for one in self.unknown} | {one.day for _, one in self.sketches}
        return {day_of(second) for second in seconds}

    def fitted(self, codec: str) -> "tuple[Content, int]":
        """Return it with names that fit a codec, and how many requests had others."""
        if codec == texts.ALL:
            return self, 0
        fitter = texts.Fitter(codec)
        fitted = Content(
            detail=fitter.detail(self.detail),
            hosts=[fitter.sums(one) for one in self.hosts],
            unknown=tuple(map(fitter.unknown, self.unknown)),
            sketches=tuple(fitter.sketch(*one) for one in self.sketches),
            has_hours=self.has_hours,
        )
        return fitted, fitter.escaped


def write(link: Link, content: Content, today: date) -> int:
    """Add it to the tables, which have partitions for its days.

    Returns how many requests have a name that the database's encoding lacks characters for.
    """
    content, escaped = content.fitted(link.safe_codec())
    if link.kind == POSTGRESQL:
        link.execute(_SETTINGS)
    kept = detailed(today)
    link.load(DETAIL, ["hour", *REQUEST, "requests"], _details(content.detail, kept))
    mark(link, DETAILS_SINCE, int(datetime.combine(kept, time(), UTC).timestamp()))
    facts = _Facts()
    for one in chain(sums(content.detail), content.hosts):
        facts.take(one, content.has_hours)
    for table, rows in ((HOUR, facts.hours), (DAY, facts.days), (MONTH, facts.months)):
        _facts(link, table, rows)
    _keys(link, facts.keys)
    releases.write(link)
    _unknown(link, content.unknown)
    sketches.write(link, content.sketches)
    access.write(link, content.detail)
    return escaped


def detailed(today: date) -> date:
    """Return the first day that is kept in each combination of labels."""
    return today - timedelta(DETAIL_DAYS)


class _Facts:
    """The sums of all cubes by their keys and periods."""

    def __init__(self) -> None:
        self.keys: dict[int, tuple[Cube, Values]] = {}
        self.hours: dict[tuple[int, str], int] = {}
        self.days: dict[tuple[int, str], int] = {}
        self.months: dict[tuple[int, str], int] = {}
        # A batch has few periods and many sums.
        self._hour, self._month = lru_cache(as_hour), lru_cache(as_month)
        self._day = lru_cache(lambda second: str(day_of(second)))

    def take(self, given: Sums, has_hours: bool) -> None:
        """Take the sums of a cube by hour."""
        cube, by_day = given.cube, given.by_day()
        ids = {values: key(cube, values) for _, values in by_day.requests}
        self.keys.update((id, (cube, values)) for values, id in ids.items())
        for (second, values), count in by_day.requests.items():
            self.days[ids[values], self._day(second)] = count
        if cube not in HOURLY:
            return
        for (second, values), count in by_day.requests.items():
            at = ids[values], self._month(second)
            self.months[at] = self.months.get(at, 0) + count
        if has_hours:
            for (second, values), count in given.requests.items():
                self.hours[ids[values], self._hour(second)] = count


def _details(detail: Detail, kept: date) -> Iterator[Row]:
    seconds = {second for second, _ in detail}
    hours = {second: as_hour(second) for second in seconds if day_of(second) >= kept}
    for (second, values), count in detail.items():
        if second in hours:
            yield (hours[second], *values, count)


def _keys(link: Link, keys: Mapping[int, tuple[Cube, Values]]) -> None:
    missing = [id for (id,) in link.query(_NEW_KEYS)]
    link.load("stat_key", ["id", "cube", *LABELS], (_key_row(id, *keys[id]) for id in missing))


def _key_row(id: int, cube: Cube, values: Values) -> Row:
    name, pick = _columns(cube)
    return (id, name, *pick((*values, "")))


@lru_cache
def _columns(cube: Cube) -> tuple[str, Callable[[Values], Values]]:
    """Return the name of a cube, and a function that gives its values, then "", all labels."""
    places = {label: place for place, label in enumerate(cube)}
    return name(cube), itemgetter(*(places.get(label, len(cube)) for label in LABELS))


def _facts(link: Link, table: str, rows: Mapping[tuple[int, str], int]) -> None:
    unit = UNITS[table]
    kind = "TIMESTAMP" if table == HOUR else "DATE"
    columns = {"key_id": "BIGINT", unit: kind, "requests": "BIGINT"}
    temporary(link, f"new_{unit}", columns, ((*at, count) for at, count in rows.items()))
    link.execute(_FACT.format(table=table, unit=unit))
    link.execute(_LATER.format(table=table, unit=unit))


def _unknown(link: Link, rows: Iterable[UnknownRow]) -> None:
    found: dict[tuple[str, str, str], int] = {}
    for row in rows:
        at = (str(day_of(row.day)), row.repository, row.arch)
        found[at] = found.get(at, 0) + row.requests
    columns = {"day": "DATE", "repo": "TEXT", "arch": "TEXT", "requests": "BIGINT"}
    temporary(link, "new_unknown", columns, ((*at, count) for at, count in found.items()))
    link.execute(_UNKNOWN)
