"""Reads which directories each host category has up to date: the largest table, in one statement.

"`host_category_dir` is the largest table: a row for each host category and directory"
(docs/mirrormanager.md#up-to-date). So the database groups the rows, and the directories of a group
arrive as one value, not as a row each.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from snapshot.export.directories import Carried, Directories, Shared
from snapshot.export.session import SQLITE, Session
from snapshot.export.values import TRUE, as_number


class Group(NamedTuple):
    """What the database says about the rows of one host category.

    `named` counts those with a directory; `sum` is the fingerprint of their directories, None if
    it was not asked for.
    """

    host_category: int | None
    rows: int
    named: int
    first_unnamed: int | None
    sum: Any = None


# "The database groups the rows" (docs/mirrormanager.md#up-to-date): in PostgreSQL 15 this grouping
# takes half as long as one by directory, because there are fewer groups and no numbers as text.
GROUPS = """
SELECT host_category_id, count(*), count(directory_id), min(id) FILTER (WHERE directory_id IS NULL)
    {more} FROM host_category_dir WHERE up2date {only} GROUP BY host_category_id
"""
# int8send() makes eight bytes of a number, with the highest first.
SETS = ", string_agg(int8send(directory_id::bigint), '')"
ALL = GROUPS.format(more=SETS, only="")

# A SQLite column has no fixed type: `up2date` may be text such as "t", and a directory's id too.
_WORDS = ", ".join(f"'{word}'" for word in TRUE)
_IS_UP2DATE = f"(up2date = 1 OR typeof(up2date) = 'text' AND lower(trim(up2date)) IN ({_WORDS}))"
_IS_ODD = "typeof(directory_id) NOT IN ('integer', 'null')"
_SQLITE = f"""
SELECT CAST(host_category_id AS INTEGER), count(*), count(directory_id),
    min(CASE WHEN directory_id IS NULL THEN id END),
    group_concat(CASE typeof(directory_id) WHEN 'integer' THEN directory_id END), sum({_IS_ODD})
FROM host_category_dir WHERE {_IS_UP2DATE} GROUP BY 1
"""
_SQLITE_ODD = f"""
SELECT CAST(host_category_id AS INTEGER), directory_id, id
FROM host_category_dir WHERE {_IS_UP2DATE} AND {_IS_ODD}
"""


def read_carried(session: Session) -> Carried:
    """Read the whole table."""
    if session.kind == SQLITE:
        return _read_sqlite(session)
    found = session.query_binary(ALL)
    shared = Shared()
    sets = {row[0]: shared.of_bytes(row[4]) for row in found if row[4] is not None}
    return carried((Group(*row[:4]) for row in found), sets)


def carried(groups: Iterable[Group], sets: Mapping[Any, Directories]) -> Carried:
    """Join what is known of all groups; directories of rows without a host category are dropped."""
    rows = unnamed = 0
    first: list[int] = []
    for group in groups:
        rows += group.rows
        unnamed += group.rows - group.named
        first += [group.first_unnamed] if type(group.first_unnamed) is int else []
    by_id = {id: ids for id, ids in sets.items() if id is not None}
    return Carried(by_id, rows, unnamed, min(first, default=None))


def _read_sqlite(session: Session) -> Carried:
    found = session.query(_SQLITE)
    groups = [Group(*row[:4]) for row in found]
    ids = {row[0]: list(map(int, row[4].split(","))) if row[4] else [] for row in found}
    if any(row[5] for row in found):
        groups += _odd(session, ids)
    shared = Shared()
    return carried(groups, {id: shared.of(numbers) for id, numbers in ids.items()})


def _odd(session: Session, ids: dict[Any, list[int]]) -> list[Group]:
    """Add the directories whose ids are not stored as integers; empty texts are no directory."""
    groups = []
    for host_category, value, row in session.query(_SQLITE_ODD):
        directory = as_number(value)
        if directory is None:
            # The row itself is counted already, as one with a directory.
            groups.append(Group(host_category, 0, -1, row))
        elif isinstance(directory, int):
            ids[host_category].append(directory)
    return groups
