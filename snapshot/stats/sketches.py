"""Sketches of distinct addresses: united with those that the database has.

The row without repository and arch is the union of the day's other rows with the same secret.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from snapshot.link import Link, temporary
from snapshot.stats.spool import SketchRow
from snapshot.stats.tables import day_of

if TYPE_CHECKING:
    from datasketches import hll_sketch, hll_union

LG_K = 12
"""The size of a union: 2 to this power registers; more precise sketches are taken down to it."""

Identity = tuple[str, str, str, str]
"""Day, name of the secret, repository, arch."""

_COLUMNS = {"day": "DATE", "secret": "TEXT", "repo": "TEXT", "arch": "TEXT"}
_SAME = "s.day = n.day AND s.secret = n.secret AND s.repo = n.repo AND s.arch = n.arch"
_PRESENT = f"""SELECT s.day, s.secret, s.repo, s.arch, s.hll
    FROM new_identity n JOIN stat_sketch s ON {_SAME}"""
_PUT = """INSERT INTO stat_sketch (day, secret, repo, arch, estimate, hll)
    SELECT day, secret, repo, arch, estimate, hll FROM new_sketch WHERE true
    ON CONFLICT (day, secret, repo, arch)
    DO UPDATE SET estimate = excluded.estimate, hll = excluded.hll"""


def write(link: Link, rows: Iterable[tuple[str, SketchRow]]) -> None:
    """Unite sketches, each with the name of its secret, with those of the same day and place."""
    united = _united(rows)
    temporary(link, "new_identity", _COLUMNS, united)
    for day, secret, repo, arch, packed in link.query(_PRESENT):
        united[str(day), secret, repo, arch].update(_sketch(bytes(packed)))
    columns = {**_COLUMNS, "estimate": "BIGINT", "hll": "BYTEA"}
    made = ((*at, round(one.get_estimate()), _packed(one)) for at, one in united.items())
    temporary(link, "new_sketch", columns, made)
    link.execute(_PUT)


def _united(rows: Iterable[tuple[str, SketchRow]]) -> Mapping[Identity, "hll_union"]:
    found: dict[Identity, hll_union] = {}
    for secret, row in rows:
        sketch, day = _sketch(row.hll), str(day_of(row.day))
        for repo, arch in ((row.repository, row.arch), ("", "")):
            found.setdefault((day, secret, repo, arch), _union()).update(sketch)
    return found


def _union() -> "hll_union":
    from datasketches import hll_union

    return hll_union(LG_K)


def is_sketch(data: bytes) -> bool:
    """Return whether the bytes are a sketch."""
    try:
        _sketch(data)
    except (RuntimeError, ValueError):
        return False
    return True


def _sketch(data: bytes) -> "hll_sketch":
    from datasketches import hll_sketch

    return hll_sketch.deserialize(data)


def _packed(union: "hll_union") -> bytes:
    from datasketches import tgt_hll_type

    packed: bytes = union.get_result(tgt_hll_type.HLL_4).serialize_compact()
    return packed
