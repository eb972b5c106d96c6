"""What an export reads of the tables of `mirrorlist sites` (`snapshot.export.declared`).

An export reads when somebody last took something away on purpose: then one snapshot may hold less
than the published one, whatever `--max-loss` says (docs/sites.md#when-much-goes-at-once).
"""

from snapshot.export.leftout import LeftOutRows
from snapshot.export.session import Session
from snapshot.file.model import RequestShape

SITE_FILE, REQUEST_SHAPE, URL_STATE = "mirrorlist_site", "mirrorlist_request", "mirrorlist_url"
_SHAPES = f"SELECT names, request, prefix, arch FROM {REQUEST_SHAPE} ORDER BY site, request"


def may_read_or_note(session: Session, table: str, left_out: LeftOutRows, option: str = "") -> bool:
    """Return whether our table may be read; if not, a note says so, for an option of the export."""
    if session.may_read(table):
        return True
    before = f"{option}: " if option else ""
    left_out.note(f"{before}the database's user may not read {table}: grant SELECT on it")
    return False


def read_reduced(session: Session) -> int | None:
    """Return when a file last took something away, in seconds since 1970; None if never."""
    [(found,)] = session.query(f"SELECT max(reduced) FROM {SITE_FILE}")
    return found if type(found) is int else None


def read_shapes(session: Session) -> tuple[RequestShape, ...]:
    """Return the requests of all sites, those with the most parameters first.

    Of two sites that name one request, the first by name has it.
    """
    found: dict[tuple[str, ...], dict[str, tuple[str, str]]] = {}
    for joined, request, prefix, arch in session.query(_SHAPES):
        names = tuple(joined.split("&")) if joined else ()
        found.setdefault(names, {}).setdefault(request, (prefix, arch))
    ordered = sorted(found.items(), key=lambda item: (-len(item[0]), item[0]))
    return tuple(RequestShape(*item) for item in ordered)
