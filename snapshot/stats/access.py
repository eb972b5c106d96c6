"""MirrorManager's own statistics, `access_stat`, so that its pages go on working.

MirrorManager's own mm2_mirrorlist-statistics counts the lines of the request log, which has a line
for each list of a repository and an arch that were found. It cuts a country to two characters.
"""

from collections.abc import Iterator

from snapshot.link import Link, Row, temporary
from snapshot.stats.cubes import NOT_LOGGED, REQUEST, Detail, Values
from snapshot.stats.spool import NO_REPOSITORY, NO_TIER, OTHER, UNKNOWN_REPOSITORY
from snapshot.stats.tables import day_of

TABLES = ("access_stat_category", "access_stat")
_CATEGORIES = {"countries": "country", "archs": "arch", "repositories": "repo"}
_NOT_RESOLVED = (UNKNOWN_REPOSITORY, NO_REPOSITORY, OTHER)
# A disabled repository has no tier; an answer that a log has no status of was a list.
_ANSWERED = ("200", "302", NOT_LOGGED)
_LONGEST = 255
# MirrorManager's column is an integer of 32 bits.
_MOST = (1 << 31) - 1

_NEW_CATEGORIES = """INSERT INTO access_stat_category (name)
    SELECT DISTINCT n.category FROM new_access n
    WHERE n.category NOT IN (SELECT name FROM access_stat_category)"""

_ADD = f"""INSERT INTO access_stat (category_id, date, name, requests)
    SELECT c.id, n.day, n.name, n.requests
    FROM new_access n JOIN access_stat_category c ON c.name = n.category WHERE true
    ON CONFLICT (category_id, date, name) DO UPDATE SET requests = CASE
        WHEN coalesce(access_stat.requests, 0) > {_MOST} - excluded.requests THEN {_MOST}
        ELSE coalesce(access_stat.requests, 0) + excluded.requests END"""

_PERCENT = """UPDATE access_stat SET percent = access_stat.requests * 100.0 / s.requests
    FROM (SELECT category_id, date, sum(requests) AS requests FROM access_stat
        WHERE date IN (SELECT day FROM new_access) GROUP BY category_id, date) s
    WHERE access_stat.category_id = s.category_id AND access_stat.date = s.date
        AND s.requests > 0"""


def write(link: Link, detail: Detail) -> None:
    """Add counts to MirrorManager's tables, if the database has them."""
    if link.tables(TABLES) != {*TABLES}:
        return
    columns = {"category": "TEXT", "day": "DATE", "name": "TEXT", "requests": "BIGINT"}
    temporary(link, "new_access", columns, _rows(detail))
    for statement in (_NEW_CATEGORIES, _ADD, _PERCENT):
        link.execute(statement)


def _rows(detail: Detail) -> Iterator[Row]:
    found: dict[tuple[str, int, str], int] = {}
    places = {one: REQUEST.index(label) for one, label in _CATEGORIES.items()}
    for (second, values), count in detail.items():
        if _is_resolved(values):
            for category, place in places.items():
                shown = values[place][: 2 if category == "countries" else _LONGEST]
                at = category, second // 86400, shown
                found[at] = found.get(at, 0) + count
    for (category, day, shown), count in found.items():
        yield category, str(day_of(day * 86400)), shown, min(count, _MOST)


def _is_resolved(values: Values) -> bool:
    by_label = dict(zip(REQUEST, values, strict=True))
    return (
        by_label["repo"] not in _NOT_RESOLVED
        and by_label["status"] in _ANSWERED
        and by_label["tier"] != NO_TIER
    )
