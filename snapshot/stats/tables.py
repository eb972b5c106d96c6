"""The tables of the statistics, and their partitions in PostgreSQL.

In SQLite there are tables of the same names without partitions. Times are UTC: `hour` is a
timestamp, `day` and `month` are dates (of a month its first day). SQLite has them as ISO texts.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct

from snapshot.link import POSTGRESQL, Link
from snapshot.stats.cubes import LABELS, REQUEST
from snapshot.stats.spool import DAY_SECONDS

DETAIL = "stat_detail"
"""Each combination of labels by hour, for the last days; its rows are only ever added."""
HOUR, DAY, MONTH = "stat_hour", "stat_day", "stat_month"
"""The roll-ups: `requests` of a period, and `total`, the running total up to its end."""
SKETCH = "stat_sketch"
RELEASE_SKETCH = "stat_release_sketch"
"""The unions of the sketches of a release's repositories."""
UNITS = {HOUR: "hour", DAY: "day", MONTH: "month", DETAIL: "hour", SKETCH: "day"}
UNITS[RELEASE_SKETCH] = UNITS[SKETCH]
"""The column with the period, of each table that has partitions."""

DETAILS_SINCE = "details since"
"""The mark of the first hour that is kept in each combination of labels."""
BATCHES_SINCE = "batches since"
"""The mark of the time before which no batch is noted any more."""

_MARK = """INSERT INTO stat_mark (name, value) VALUES (%(name)s, %(value)s)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value
    WHERE excluded.value > stat_mark.value"""
_READ_MARK = "SELECT value FROM stat_mark WHERE name = %(name)s"
_LABELS = ", ".join(f"{label} TEXT NOT NULL" for label in LABELS)
_REQUEST = ", ".join(f"{label} TEXT NOT NULL" for label in REQUEST)
_FACT = "key_id BIGINT NOT NULL, {unit} {kind} NOT NULL, requests BIGINT NOT NULL,"
_FACT += " total BIGINT NOT NULL, PRIMARY KEY (key_id, {unit})"

TABLES = {
    "stat_key": f"id BIGINT PRIMARY KEY, cube TEXT NOT NULL, {_LABELS}",
    HOUR: _FACT.format(unit="hour", kind="TIMESTAMP"),
    DAY: _FACT.format(unit="day", kind="DATE"),
    MONTH: _FACT.format(unit="month", kind="DATE"),
    DETAIL: f"hour TIMESTAMP NOT NULL, {_REQUEST}, requests BIGINT NOT NULL",
    SKETCH: "day DATE NOT NULL, secret TEXT NOT NULL, repo TEXT NOT NULL, arch TEXT NOT NULL,"
    " estimate BIGINT NOT NULL, hll BYTEA NOT NULL, PRIMARY KEY (day, secret, repo, arch)",
    RELEASE_SKETCH: "day DATE NOT NULL, secret TEXT NOT NULL, release TEXT NOT NULL,"
    " arch TEXT NOT NULL, estimate BIGINT NOT NULL, hll BYTEA NOT NULL,"
    " PRIMARY KEY (day, secret, release, arch)",
    "stat_release": "repo TEXT PRIMARY KEY, release TEXT NOT NULL",
    "stat_unknown": "day DATE NOT NULL, repo TEXT NOT NULL, arch TEXT NOT NULL,"
    " requests BIGINT NOT NULL, PRIMARY KEY (day, repo, arch)",
    "stat_batch": "source TEXT NOT NULL, sequence BIGINT NOT NULL, server TEXT NOT NULL,"
    " begun BIGINT NOT NULL, ended BIGINT NOT NULL, requests BIGINT NOT NULL,"
    " other BIGINT NOT NULL, added BIGINT NOT NULL, PRIMARY KEY (source, sequence)",
    "stat_import": "first TEXT NOT NULL, bytes BIGINT NOT NULL, digest TEXT NOT NULL,"
    " name TEXT NOT NULL, requests BIGINT NOT NULL, added BIGINT NOT NULL,"
    " PRIMARY KEY (first, bytes, digest)",
    "stat_mark": "name TEXT PRIMARY KEY, value BIGINT NOT NULL",
}
"""The tables with their columns."""

INDEXES = ("CREATE INDEX IF NOT EXISTS stat_batch_ended ON stat_batch (ended)",)
DAY_INDEX = f"CREATE INDEX IF NOT EXISTS {DAY}_day ON {DAY} (day, key_id)"
"""PostgreSQL's, by which it reads the rows of one day together; SQLite looks each up."""
# Small enough to drop soon after its data is too old; few enough that a query is planned quickly.
_SPANS = {DETAIL: "day", HOUR: "month", DAY: "half", MONTH: "year", SKETCH: "month"}
_SPANS[RELEASE_SKETCH] = _SPANS[SKETCH]
_EPOCH = date(1970, 1, 1)


class Span(Struct, frozen=True):
    """The days of a partition: `first` is in it, `end` is not."""

    table: str
    first: date
    end: date

    @property
    def partition(self) -> str:
        """The name of the partition."""
        return f"{self.table}_{self.first:%Y%m%d}"


def day_of(second: int) -> date:
    """Return the day of a time in seconds since 1970, UTC."""
    return _EPOCH + timedelta(second // DAY_SECONDS)


def as_hour(second: int) -> str:
    """Return the hour of a time, as the databases take it."""
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:00:00}"


def as_month(second: int) -> str:
    """Return the month of a time, as the databases take it."""
    return f"{day_of(second):%Y-%m-01}"


def span(table: str, day: date) -> Span:
    """Return the partition of a table that a day is in."""
    kind = _SPANS[table]
    if kind == "day":
        return Span(table, day, day + timedelta(1))
    months = {"month": 1, "half": 6, "year": 12}[kind]
    month = (day.month - 1) // months * months + 1
    after = day.year * 12 + month - 1 + months
    return Span(table, date(day.year, month, 1), date(after // 12, after % 12 + 1, 1))


SUBJECT = 0x73746174
"""What an adder or an expirer is alone with: "stat" in ASCII."""


def prepare(link: Link, days: Iterable[date], detailed: date = date.min) -> None:
    """Make the tables, and the partitions for some days; in a transaction of its own.

    Days before `detailed` have no partition for details: a file with many old days would need more
    locks than PostgreSQL has.

    So no reader waits for the one that adds: a new partition locks its table until the commit.
    """
    is_partitioned = link.kind == POSTGRESQL
    spans = _spans(days, detailed) if is_partitioned else []
    link.begin()
    link.wait_alone(SUBJECT)
    present = link.tables([*TABLES, *(one.partition for one in spans)])
    statements = [] if {*TABLES} <= present else _creations(is_partitioned)
    statements += [_partition(one) for one in spans if one.partition not in present]
    for one in statements:
        link.execute(one)
    link.end(commit=True)


def _spans(days: Iterable[date], detailed: date) -> list[Span]:
    needed = (
        span(table, day) for day in days for table in UNITS if table != DETAIL or day >= detailed
    )
    return sorted({*needed}, key=lambda s: s.partition)


def _creations(is_partitioned: bool) -> list[str]:
    made = []
    for table, columns in TABLES.items():
        by = f" PARTITION BY RANGE ({UNITS[table]})" if table in UNITS and is_partitioned else ""
        made.append(f"CREATE TABLE IF NOT EXISTS {table} ({columns}){by}")
    if is_partitioned:
        made.append(DAY_INDEX)
    else:
        made.append(f"CREATE INDEX IF NOT EXISTS {DETAIL}_hour ON {DETAIL} (hour)")
    return [*made, *INDEXES]


def _partition(one: Span) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {one.partition} PARTITION OF {one.table}"
        f" FOR VALUES FROM ('{one.first}') TO ('{one.end}')"
    )


def mark(link: Link, name: str, second: int) -> None:
    """Set a mark to a time in seconds since 1970; it is never set back."""
    link.execute(_MARK, {"name": name, "value": second})


def read_mark(link: Link, name: str) -> int | None:
    """Return the time of a mark in seconds since 1970, or None if it was never set."""
    rows = link.query(_READ_MARK, {"name": name})
    return int(rows[0][0]) if rows else None
