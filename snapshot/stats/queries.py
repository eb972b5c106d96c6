"""Answers questions about the counts: sums by labels, and their course over time.

A sum over any period is two look-ups for each key: the running total at its end, less that before
its begin. So the time of an answer depends on how many keys it is about, not on the days between.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from msgspec import structs

from snapshot.file.errors import QuestionError
from snapshot.link import POSTGRESQL, Link
from snapshot.stats.cubes import Cube, key, name, neighbours
from snapshot.stats.questions import (
    RELEASE,
    TIMES,
    Course,
    Line,
    Question,
    Step,
    check,
    cube_of,
    kept,
    labels_of,
    together,
)
from snapshot.stats.tables import DAY, DETAILS_SINCE, day_of, read_mark
from snapshot.stats.texts import fit_values

_LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(1)}
# To look for the first day takes as long as a small question.
_LONG = timedelta(1100)
FIRST, LAST = date(1970, 1, 1), date(9999, 12, 30)

_END = """(SELECT t.total FROM {table} t WHERE t.key_id = k.id
            AND t.{unit} >= {first} AND t.{unit} < {end} ORDER BY t.{unit} DESC LIMIT 1)"""
_BEGIN = """(SELECT t.total - t.requests FROM {table} t WHERE t.key_id = k.id
            AND t.{unit} >= {first} AND t.{unit} < {end} ORDER BY t.{unit} LIMIT 1)"""

# Without a limit, PostgreSQL puts the look-ups into a condition, too, and makes them twice.
_FENCE = "LIMIT 9223372036854775807"

# The first and the last period within bounds that has counts: beyond them no key has a row.
_COUNTED = f"""(SELECT c.{{unit}} FROM {{table}} c WHERE c.key_id = {key((), ())}
            AND c.{{unit}} >= {{first}} AND c.{{unit}} < {{end}}
            ORDER BY c.{{unit}}{{order}} LIMIT 1)"""

# Most keys have a row on the first and the last day. Of one day, the rows of neighbouring keys are
# read together, however many days there are; only for the other keys is looked one by one.
_SUMS = f"""SELECT {{columns}} sum(x.requests) AS requests
    FROM (SELECT {{labels}} coalesce(e.total, {_END}) - coalesce(b.total - b.requests, {_BEGIN})
            AS requests
        FROM stat_key k{{join}}
        LEFT JOIN {{table}} e ON e.key_id = k.id AND e.{{unit}} = {{newest}}
            AND e.key_id BETWEEN {{lowest}} AND {{highest}}
        LEFT JOIN {{table}} b ON b.key_id = k.id AND b.{{unit}} = {{oldest}}
            AND b.key_id BETWEEN {{lowest}} AND {{highest}}
        WHERE {{keys}}{{where}} {_FENCE}) x{{group}}
    ORDER BY {{order}} LIMIT {{most}}"""

_TIMED = """SELECT {columns} sum(t.requests) AS requests
    FROM stat_key k{join} JOIN {table} t ON t.key_id = k.id
    WHERE {keys}{where} AND t.{unit} >= {first} AND t.{unit} < {end}{group}
    ORDER BY {order} LIMIT {most}"""

_DETAILS = """SELECT {columns} sum(k.requests) AS requests FROM stat_detail k{join}
    WHERE k.hour >= {first} AND k.hour < {end}{where}{group} ORDER BY {order} LIMIT {most}"""

_OF_RELEASES = " JOIN stat_release r ON r.repo = k.repo"

# A WHERE instead would be a second evaluation of the look-ups, in PostgreSQL.
_SOME = " HAVING sum(x.requests) > 0"

# What a key had up to each edge of the steps.
_COURSE = f"""WITH edge(n, at, last) AS (VALUES {{edges}}){{rows}}
    SELECT x.n, {{columns}} sum(x.upto) AS upto
    FROM (SELECT edge.n, {{labels}} coalesce({{read}}{{upto}}, {_BEGIN}, 0) AS upto
        FROM edge CROSS JOIN stat_key k{{join}}{{beside}}
        WHERE {{keys}}{{where}}{{chosen}} {_FENCE}) x
    GROUP BY {{group}}"""

# If a line is of many keys, their rows before each edge are read together, as for a sum: apart,
# because PostgreSQL would read all days of each key.
_ROWS = """, e AS MATERIALIZED (SELECT key_id, {unit}, total FROM {table}
        WHERE {unit} IN ({lasts}) AND key_id BETWEEN {lowest} AND {highest})"""
_BESIDE = """
        LEFT JOIN e ON e.key_id = k.id AND e.{unit} = edge.last"""


def table(link: Link, question: Question, most: int = 1_000_000) -> list[Line]:
    """Return the sums, the largest first, or by time; raises QuestionError, DatabaseError."""
    check(link, question)
    # As the names are written; the keys are made of them, too.
    question = structs.replace(question, where=fit_values(question.where, link.safe_codec()))
    cube = cube_of(question)
    if cube is None:
        statement, parameters = _of_details(link, question, most)
    else:
        statement, parameters = _of_cube(link, question, cube, most)
    # Without requests there is a line, but of nothing.
    rows = [row for row in link.query(statement, parameters) if row[-1]]
    return [Line(tuple(map(_shown, row[:-1])), int(row[-1])) for row in rows]


def total(link: Link, question: Question) -> int:
    """Return the requests of all lines of the table together."""
    if needs_details(question):
        return sum(line.requests for line in table(link, question))
    by = ("host",) if "host" in question.by else ()
    apart = Question(by, question.since, question.until, question.where)
    return sum(line.requests for line in table(link, apart))


def courses(
    link: Link, question: Question, steps: Sequence[Step], lines: list[Line]
) -> list[Course]:
    """Return the course of each of some lines of a table over the steps.

    Raises QuestionError if the labels together are kept for no other than the last days.
    """
    question = structs.replace(question, where=fit_values(question.where, link.safe_codec()))
    times = [one for one in question.by if one in TIMES]
    if times:
        raise QuestionError(f"{times[0]}: a course has steps already; leave it out")
    by_hour = any((one.end - one.first) % timedelta(1) for one in steps)
    cube = cube_of(question, hourly=by_hour)
    if cube is None:
        raise QuestionError(
            f"{together(question)}: not kept by {'hour' if by_hour else 'day'};"
            f" these are: {kept(hourly=by_hour)}"
        )
    if not lines or not steps:
        return []
    unit = "hour" if by_hour else "day"
    edges = sorted({one.first for one in steps} | {one.end for one in steps})
    period = {"table": TIMES[unit], "unit": unit}
    period |= {"first": _time(link, edges[0], unit), "end": _time(link, edges[-1], unit)}
    where, parameters = _where(question.where)
    chosen, more = _chosen(question.by, lines)
    lasts = [_time(link, at - _LENGTHS[unit], unit) for at in edges]
    lowest, highest = neighbours(cube, question.where)
    rows = _ROWS.format(**period, lowest=lowest, highest=highest, lasts=", ".join(lasts))
    is_one = labels_of(question) == {*cube}
    statement = _COURSE.format(
        **period,
        edges=", ".join(
            f"({n}, {_time(link, at, unit)}, {last})"
            for n, (at, last) in enumerate(zip(edges, lasts, strict=True))
        ),
        read="" if is_one else "e.total, ",
        rows="" if is_one else rows,
        beside="" if is_one else _BESIDE.format(unit=unit),
        columns="".join(f"x.{label}, " for label in question.by),
        labels="".join(f"{_label(label)}, " for label in question.by),
        join=_join(question),
        upto=_END.format(**{**period, "end": "edge.at"}),
        keys=_keys(question, cube),
        where=where,
        chosen=chosen,
        group=", ".join(["x.n", *(f"x.{label}" for label in question.by)]),
    )
    upto = {line.values: dict.fromkeys(edges, 0) for line in lines}
    given = fit_values({**parameters, **more}, link.safe_codec())
    for n, *values, requests in link.query(statement, given):
        upto[tuple(map(_shown, values))][edges[n]] = int(requests)
    return [
        Course(values, [found[one.end] - found[one.first] for one in steps])
        for values, found in upto.items()
    ]


def hourly(question: Question) -> bool:
    """Return whether its labels together are kept by hour."""
    return cube_of(question, hourly=True) is not None


def first_day(link: Link) -> date | None:
    """Return the first day of which there are counts, or None without any."""
    check(link, Question())
    # By the number itself: with a join, PostgreSQL reads all days of all keys for a minimum.
    rows = link.query(f"SELECT day FROM {DAY} WHERE key_id = {key((), ())} ORDER BY day LIMIT 1")
    return date.fromisoformat(_shown(rows[0][0])[:10]) if rows else None


def _of_cube(
    link: Link, question: Question, cube: Cube, most: int
) -> tuple[str, Mapping[str, str]]:
    unit = next((one for one in question.by if one in TIMES), None)
    where, parameters = _where(question.where)
    first, end = _bounds(link, question, unit or "day")
    last = _time(link, datetime.combine(question.until or LAST, time()), "day")
    counted = {"table": TIMES[unit or "day"], "unit": unit or "day", "first": first, "end": end}
    lowest, highest = neighbours(cube, question.where)
    parts = {
        **counted,
        "oldest": _COUNTED.format(**counted, order="") if _is_open(question) else first,
        "newest": _COUNTED.format(**counted, order=" DESC") if question.until is None else last,
        "lowest": lowest,
        "highest": highest,
        "keys": _keys(question, cube),
        "columns": "".join(
            f"{f'x.{one}' if unit is None else _column(one)}, " for one in question.by
        ),
        "labels": "".join(f"{_label(label)}, " for label in question.by),
        "join": _join(question),
        "group": _group(question.by) + (_SOME if question.by and unit is None else ""),
        "order": _order(question.by),
        "where": where,
        "most": most,
    }
    return (_TIMED if unit else _SUMS).format(**parts), parameters


def _is_open(question: Question) -> bool:
    """Return whether the days may begin before the first one that has counts."""
    return question.since is None or (question.until or LAST) - question.since > _LONG


def _keys(question: Question, cube: Cube) -> str:
    """Return the condition that a key is of a cube; by the number it is found without an index."""
    lowest, highest = neighbours(cube, question.where)
    return f"k.id BETWEEN {lowest} AND {highest} AND k.cube = '{name(cube)}'"


def _column(one: str) -> str:
    return f"t.{one}" if one in TIMES else _label(one)


def _label(label: str) -> str:
    return f"r.{label}" if label == RELEASE else f"k.{label}"


def _join(question: Question) -> str:
    return _OF_RELEASES if RELEASE in labels_of(question) else ""


def _group(by: Sequence[str]) -> str:
    return f" GROUP BY {', '.join(str(n + 1) for n in range(len(by)))}" if by else ""


def _order(by: Sequence[str]) -> str:
    """The largest first; in a table by time, the earliest first."""
    places = {one: str(n + 1) for n, one in enumerate(by)}
    times = [places[one] for one in by if one in TIMES]
    return ", ".join([*times, f"{len(by) + 1} DESC", *(one for one in places.values())])


def _of_details(link: Link, question: Question, most: int) -> tuple[str, Mapping[str, str]]:
    since, oldest = question.since, details_since(link)
    if oldest is not None:
        if since and since < oldest:
            raise QuestionError(
                f"{together(question)}: kept together since {oldest} only; give --since {oldest}."
                f" For longer these are kept: {kept()}"
            )
        since = since or oldest
    if {"month"} & labels_of(question):
        raise QuestionError(
            f"{together(question)}: not kept by month; these are: {kept(hourly=True)}"
        )
    where, parameters = _where(question.where)
    first, end = _bounds(link, Question((), since, question.until), "hour")
    day = "CAST(k.hour AS DATE)" if link.kind == POSTGRESQL else "substr(k.hour, 1, 10)"
    columns = [day if one == "day" else _label(one) for one in question.by]
    return _DETAILS.format(
        join=_join(question),
        columns="".join(f"{one}, " for one in columns),
        first=first,
        end=end,
        where=where,
        group=_group(question.by),
        order=_order(question.by),
        most=most,
    ), parameters


def details_since(link: Link) -> date | None:
    """Return the first day that is kept in each combination of labels, or None if all are."""
    second = read_mark(link, DETAILS_SINCE)
    return None if second is None else day_of(second)


def needs_details(question: Question) -> bool:
    """Return whether only the counts of the last days have these labels together."""
    return cube_of(question) is None


def _bounds(link: Link, question: Question, unit: str) -> tuple[str, str]:
    """Return the first period as SQL, and what comes after the last."""
    first, last = question.since or FIRST, question.until or LAST
    if unit == "month":
        first = first.replace(day=1)
    begin = datetime(first.year, first.month, first.day)
    end = datetime(last.year, last.month, last.day)
    return _time(link, begin, unit), _time(link, end + timedelta(1), unit)


def _time(link: Link, time: datetime, unit: str) -> str:
    """Return a time as SQL; it is never a user's text."""
    if unit == "hour":
        kind, shown = "TIMESTAMP", time.isoformat(" ")
    else:
        kind, shown = "DATE", time.date().isoformat()
    return f"{kind} '{shown}'" if link.kind == POSTGRESQL else f"'{shown}'"


def _where(where: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    conditions = "".join(f" AND {_label(label)} = %(where_{label})s" for label in where)
    return conditions, {f"where_{label}": value for label, value in where.items()}


def _chosen(by: Sequence[str], lines: Sequence[Line]) -> tuple[str, dict[str, str]]:
    """Return the condition that a key is of one of the lines."""
    if not by:
        return "", {}
    parameters = {
        f"line_{n}_{place}": value
        for n, line in enumerate(lines)
        for place, value in enumerate(line.values)
    }
    each = [
        " AND ".join(f"{_label(label)} = %(line_{n}_{place})s" for place, label in enumerate(by))
        for n in range(len(lines))
    ]
    return f" AND ({' OR '.join(f'({one})' for one in each)})", parameters


def _shown(value: object) -> str:
    return str(value)
