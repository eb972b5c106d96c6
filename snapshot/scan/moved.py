"""Finds where a repository that a scan lost went: by what its metadata says.

Within a category the rules name a moved repository (`repositories.plan`). A tree that goes to an
archive leaves its category, and the rules may leave out the archive: so a row whose directory is
gone is pointed to the directory of another category whose newest repomd.xml has the same SHA-256.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct

from snapshot.link import Link, Row
from snapshot.scan.rules import find_arch
from snapshot.scan.statements import ARCHES

# A row of file_detail for each file, by the order of an export.
_NEWEST = """CREATE TEMPORARY TABLE scan_newest AS SELECT directory_id, sha256 FROM (
        SELECT directory_id, sha256, row_number() OVER (PARTITION BY directory_id ORDER BY
            CASE WHEN "timestamp" IS NULL THEN 0 ELSE 1 END, "timestamp" DESC, id DESC) AS place
        FROM file_detail WHERE filename = 'repomd.xml') n
    WHERE place = 1 AND sha256 <> ''"""

_CANDIDATES = """SELECT l.id, r.arch_id, o.name, n.name, cd.category_id, length(t.name)
    FROM scan_lost l JOIN repository r ON r.id = l.id JOIN directory o ON o.id = r.directory_id
    JOIN directory oi ON oi.name = o.name || '/repodata'
    JOIN scan_newest a ON a.directory_id = oi.id
    JOIN scan_newest b ON b.sha256 = a.sha256 AND b.directory_id <> a.directory_id
    JOIN directory ni ON ni.id = b.directory_id
    JOIN directory n ON n.name = CASE WHEN ni.name LIKE '%%/repodata'
        THEN substr(ni.name, 1, length(ni.name) - length('/repodata')) END
    JOIN category_directory cd ON cd.directory_id = n.id
    JOIN category c ON c.id = cd.category_id JOIN directory t ON t.id = c.topdir_id
    WHERE NOT EXISTS (SELECT 1 FROM repository x WHERE x.directory_id = n.id OR x.name = n.name)
        AND cd.category_id <> %(category)s"""

_REPOINT = """UPDATE repository SET name = CASE WHEN repository.name = w.old THEN w.name
            ELSE repository.name END, directory_id = d.id, category_id = w.category_id
    FROM scan_moved w JOIN directory d ON d.name = w.name WHERE repository.id = w.id"""

_NOT_LOST = "DELETE FROM scan_lost WHERE id IN (SELECT id FROM scan_moved)"
_COLUMNS = {"id": "INTEGER", "old": "TEXT", "name": "TEXT", "category_id": "INTEGER"}


class Candidate(Struct, frozen=True):
    """A directory to which a lost repository may have gone."""

    id: int
    arch: int | None
    old: str
    new: str
    category: int
    topdir_length: int


def repoint_lost(link: Link, category: int) -> list[tuple[str, str]]:
    """Point lost repositories to where their metadata is now; return old and new directories."""
    link.execute(_NEWEST)
    arches = [(int(id), str(name)) for id, name in link.query(ARCHES)]
    rows = link.query(_CANDIDATES, {"category": category})
    found = choose(map(_candidate, rows), arches)
    shape = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    link.execute(f"CREATE TEMPORARY TABLE scan_moved ({shape})")
    moved = ((one.id, one.old, one.new, one.category) for one in found)
    link.load("scan_moved", list(_COLUMNS), moved)
    link.execute(_REPOINT)
    link.execute(_NOT_LOST)
    return [(one.old, one.new) for one in found]


def _candidate(row: Row) -> Candidate:
    return Candidate(*row)


def choose(candidates: Iterable[Candidate], arches: Sequence[tuple[int, str]]) -> list[Candidate]:
    """Return one new directory for each repository, and each directory once; none if in doubt.

    The arch must be that of the row. Of several, the one that ends like the old directory.
    """
    by_id: dict[int, list[Candidate]] = defaultdict(list)
    for one in candidates:
        if find_arch(one.new, arches) == one.arch:
            by_id[one.id].append(one)
    found: dict[str, list[Candidate]] = defaultdict(list)
    for some in by_id.values():
        if best := _best(some):
            found[best.new].append(best)
    return [some[0] for _, some in sorted(found.items()) if len(some) == 1]


def _best(some: Sequence[Candidate]) -> Candidate | None:
    # The category with the longest topdir is the one that an export takes.
    ranked = sorted(some, key=lambda one: (-_alike(one), -one.topdir_length, one.category))
    rivals = {one.new for one in some if _alike(one) == _alike(ranked[0])}
    return ranked[0] if len(rivals) == 1 else None


def _alike(one: Candidate) -> int:
    """Return with how many components two directories end alike."""
    count = 0
    for old, new in zip(reversed(one.old.split("/")), reversed(one.new.split("/")), strict=False):
        if old != new:
            break
        count += 1
    return count
