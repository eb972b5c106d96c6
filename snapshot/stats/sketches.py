"""Sketches of distinct addresses: united with those that the database has.

In `stat_sketch` the row without repository and arch is the union of the day's other rows with the
same secret. In `stat_release_sketch` are the unions of the repositories of a release, of an arch
and, without one, of all archs.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from snapshot.link import Link, temporary
from snapshot.stats import releases
from snapshot.stats.spool import SketchRow
from snapshot.stats.tables import RELEASE_SKETCH, SKETCH, day_of

if TYPE_CHECKING:
    from datasketches import hll_sketch, hll_union

LG_K = 12
"""The size of a union: 2 to this power registers; more precise sketches are taken down to it."""

# The head of a serialised sketch (datasketches-cpp, hll/include/HllUtil.hpp): 1 its version, 2 the
# family, 3 lgK, 5 flags, 6 the least value, 7 mode and kind; 36 how many exceptions there are.
_HEAD, _REGISTERS, _OF_LIBRARY, _COMPACT = 8, 40, b"\x01\x07", 8
_LEAST_K, _MOST_K = 4, 14
_IN_REGISTERS, _HLL_4, _HLL_8, _SEE_THERE = 2, 0, 2, 15
_MOST_ADDRESSES = 1 << 40

Identity = tuple[str, str, str, str]
"""Day, name of the secret, repository or release, arch."""
Unions = Mapping[Identity, "hll_union"]

_SAME = "s.day = n.day AND s.secret = n.secret AND s.{label} = n.{label} AND s.arch = n.arch"
_PRESENT = """SELECT s.day, s.secret, s.{label}, s.arch, s.hll
    FROM new_identity n JOIN {table} s ON """
_PUT = """INSERT INTO {table} (day, secret, {label}, arch, estimate, hll)
    SELECT day, secret, {label}, arch, estimate, hll FROM new_sketch WHERE true
    ON CONFLICT (day, secret, {label}, arch)
    DO UPDATE SET estimate = excluded.estimate, hll = excluded.hll"""


def write(link: Link, rows: Iterable[tuple[str, SketchRow]]) -> None:
    """Unite sketches, each with the name of its secret, with those of the same day and place."""
    united = _united(rows)
    of_releases = _of_releases(united, releases.all_of(link))
    _unite(link, SKETCH, "repo", united)
    _unite(link, RELEASE_SKETCH, "release", of_releases)


def _united(rows: Iterable[tuple[str, SketchRow]]) -> Unions:
    found: dict[Identity, hll_union] = {}
    for secret, row in rows:
        sketch, day = _sketch(row.hll), str(day_of(row.day))
        for repo, arch in ((row.repository, row.arch), ("", "")):
            found.setdefault((day, secret, repo, arch), _union()).update(sketch)
    return found


def _of_releases(united: Unions, release_of: Mapping[str, str]) -> Unions:
    found: dict[Identity, hll_union] = {}
    for (day, secret, repo, arch), union in united.items():
        if repo:
            release, sketch = release_of.get(repo) or releases.by_name(repo), union.get_result()
            for place in (arch, ""):
                found.setdefault((day, secret, release, place), _union()).update(sketch)
    return found


def _unite(link: Link, table: str, label: str, united: Unions) -> None:
    """Unite with what a table has, and put it there."""
    columns = {"day": "DATE", "secret": "TEXT", label: "TEXT", "arch": "TEXT"}
    temporary(link, "new_identity", columns, united)
    present = (_PRESENT + _SAME).format(table=table, label=label)
    for day, secret, place, arch, packed in link.query(present):
        united[str(day), secret, place, arch].update(_sketch(bytes(packed)))
    columns |= {"estimate": "BIGINT", "hll": "BYTEA"}
    temporary(link, "new_sketch", columns, _rows(united))
    link.execute(_PUT.format(table=table, label=label))


def _rows(united: Unions) -> Iterator[tuple[object, ...]]:
    return ((*at, round(one.get_estimate()), _packed(one)) for at, one in united.items())


def _union() -> "hll_union":
    from datasketches import hll_union

    return hll_union(LG_K)


def is_sketch(data: bytes) -> bool:
    """Return whether the bytes are a sketch, as a server writes it.

    The library reads what it is given, and a sketch that contradicts itself ends the process.
    """
    try:
        return _is_whole(data) and 0 <= _sketch(data).get_estimate() <= _MOST_ADDRESSES
    # The library's errors are of many kinds.
    except Exception:
        return False


def _is_whole(data: bytes) -> bool:
    """Return whether its head, its length and its exceptions fit together."""
    if len(data) < _HEAD or data[1:3] != _OF_LIBRARY or not data[5] & _COMPACT:
        return False
    if not _LEAST_K <= data[3] <= _MOST_K:
        return False
    mode, kind = data[7] & 3, data[7] >> 2
    if mode != _IN_REGISTERS:
        return mode < _IN_REGISTERS and kind <= _HLL_8
    registers, exceptions = 1 << data[3], int.from_bytes(data[36:40], "little")
    sizes = (registers // 2, registers * 3 // 4 + 1, registers)
    if kind > _HLL_8 or len(data) != _REGISTERS + sizes[kind] + 4 * exceptions:
        return False
    return kind != _HLL_4 or _exceptions_fit(data, registers, exceptions)


def _exceptions_fit(data: bytes, registers: int, exceptions: int) -> bool:
    """Return whether each register of four bits that says "see there" has its exception."""
    end = _REGISTERS + registers // 2
    halves = np.frombuffer(data[_REGISTERS:end], np.uint8)
    values = np.stack((halves & 15, halves >> 4), axis=1).ravel()
    listed = np.frombuffer(data[end:], "<u4")
    places = np.sort(listed & (registers - 1))
    least = data[6] + _SEE_THERE
    return (
        np.array_equal(places, np.flatnonzero(values == _SEE_THERE))
        and bool(np.all(listed >> 26 >= least))
        and len(listed) == exceptions
    )


def _sketch(data: bytes) -> "hll_sketch":
    from datasketches import hll_sketch

    return hll_sketch.deserialize(data)


def _packed(union: "hll_union") -> bytes:
    from datasketches import tgt_hll_type

    packed: bytes = union.get_result(tgt_hll_type.HLL_4).serialize_compact()
    return packed
