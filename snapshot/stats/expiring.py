"""Lets go of what is too old, by dropping partitions; in SQLite by deleting rows."""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta

from msgspec import Struct

from snapshot.link import POSTGRESQL, Link, linked
from snapshot.stats.tables import (
    BATCHES_SINCE,
    DAY,
    DETAIL,
    DETAILS_SINCE,
    HOUR,
    MONTH,
    RELEASE_SKETCH,
    SKETCH,
    SUBJECT,
    UNITS,
    mark,
    prepare,
)

PROGRAM = "mirrorlist stats expire"

# Of each partition its name and its end. PostgreSQL writes an end as the session writes dates, and
# one that is written otherwise is never taken for an old one.
_DATES = "SET LOCAL DateStyle = 'ISO'"
_PARTITIONS = """SELECT p.relname, c.relname,
        substring(pg_get_expr(c.relpartbound, c.oid) FROM $$TO \\('(\\d{4}-\\d\\d-\\d\\d)[ ']$$)
    FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_class c ON c.oid = i.inhrelid
    WHERE p.relnamespace = current_schema()::regnamespace ORDER BY 2"""
_OLD_BATCHES = "DELETE FROM stat_batch WHERE ended < %(ended)s"
_OLD_NAMES = "DELETE FROM stat_unknown WHERE day < '{first}'"
# A key without a sum would be looked up by each query for nothing.
_OLD_KEYS = f"""DELETE FROM stat_key WHERE NOT EXISTS
        (SELECT 1 FROM {DAY} t WHERE t.key_id = stat_key.id)
    AND NOT EXISTS (SELECT 1 FROM {MONTH} t WHERE t.key_id = stat_key.id)"""


class Keep(Struct, frozen=True):
    """How long each is kept; None for ever."""

    detail_hours: int | None = 48
    hours: int | None = 2400
    days: int | None = 1100
    months: int | None = None
    sketch_days: int | None = 400
    batch_days: int | None = 400


class Expired(Struct, frozen=True):
    """What an expiry did."""

    dropped: list[str]
    """The partitions that were dropped; of SQLite the tables from which rows were deleted."""
    batches: int
    """How many batches are noted no more."""


def expire(database: str, keep: Keep, now: datetime) -> Expired:
    """Drop what is older than it is to be kept; raises DatabaseError."""
    now = now.astimezone(UTC)
    with linked(database, PROGRAM) as link:
        prepare(link, [])
        link.begin()
        link.wait_alone(SUBJECT)
        firsts = _firsts(keep, now)
        drop = _drop_partitions if link.kind == POSTGRESQL else _delete_rows
        dropped = drop(link, firsts)
        if DETAIL in firsts:
            mark(link, DETAILS_SINCE, int(firsts[DETAIL].timestamp()))
        if DAY in firsts:
            link.execute(_OLD_NAMES.format(first=firsts[DAY].date()))
        batches = 0
        if keep.batch_days is not None:
            since = now - timedelta(keep.batch_days)
            batches = link.execute(_OLD_BATCHES, {"ended": int(since.timestamp())})
            mark(link, BATCHES_SINCE, int(since.timestamp()))
        if any(one.startswith((DAY, MONTH)) for one in dropped):
            link.execute(_OLD_KEYS)
        link.end(commit=True)
    return Expired(dropped, batches)


def _firsts(keep: Keep, now: datetime) -> Mapping[str, datetime]:
    """Return the first time that is kept, of each table that is not kept for ever."""
    lengths = {
        DETAIL: None if keep.detail_hours is None else timedelta(hours=keep.detail_hours),
        HOUR: None if keep.hours is None else timedelta(hours=keep.hours),
        DAY: None if keep.days is None else timedelta(keep.days),
        MONTH: None if keep.months is None else timedelta(31 * keep.months),
        SKETCH: None if keep.sketch_days is None else timedelta(keep.sketch_days),
    }
    lengths[RELEASE_SKETCH] = lengths[SKETCH]
    firsts = {table: now - length for table, length in lengths.items() if length is not None}
    # Whole days: partitions have them.
    return {table: datetime.combine(first.date(), time(), UTC) for table, first in firsts.items()}


def _drop_partitions(link: Link, firsts: Mapping[str, datetime]) -> list[str]:
    link.execute(_DATES)
    found = [
        partition
        for table, partition, end in link.query(_PARTITIONS)
        if table in firsts and end is not None and str(end) <= str(firsts[table].date())
    ]
    if found:
        link.execute(f"DROP TABLE {', '.join(found)}")
    return found


def _delete_rows(link: Link, firsts: Mapping[str, datetime]) -> list[str]:
    return [
        table
        for table, first in firsts.items()
        if link.execute(f"DELETE FROM {table} WHERE {UNITS[table]} < '{first.date()}'")
    ]
