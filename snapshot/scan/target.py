"""The category of the database that a scan brings up to date."""

from msgspec import Struct

from snapshot.file.errors import DatabaseError, ScanSettingsError
from snapshot.link import Link
from snapshot.scan import statements as sql


class Target(Struct, frozen=True):
    """A category of the database, and the tables that this database has beyond the usual ones."""

    id: int
    product: int | None
    topdir: str
    optional: frozenset[str]


def find_target(link: Link, name: str) -> Target:
    """Return a category by its name; raises ScanSettingsError or DatabaseError."""
    rows = link.query(sql.CATEGORY, {"name": name})
    if not rows:
        raise ScanSettingsError(f"category {name}: not in the database{_hint(link, name)}")
    id, product, topdir = rows[0]
    if topdir is None:
        raise DatabaseError(f"category {name}: has no topdir in the database; give it one first")
    return Target(id, product, topdir, frozenset(link.tables(sql.OPTIONAL)))


def _hint(link: Link, name: str) -> str:
    # Imported here: most scans find their category.
    from difflib import get_close_matches

    known = [str(row[0]) for row in link.query(sql.CATEGORIES)]
    near = get_close_matches(name, known, 1)
    if near:
        return f" (perhaps {near[0]}?)"
    has = f"the database has {', '.join(known) or 'no category'}"
    return f"; {has}; docs/scan.md (Before the first scan) says how to add one"
