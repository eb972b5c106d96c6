"""Brings one category of a database to what a scan found: temporary tables, then set statements.

All of it is one transaction of the caller. Each function says in one step what it needs before it.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from snapshot.file.errors import RefusedScan
from snapshot.link import Link, Row
from snapshot.scan import statements as sql
from snapshot.scan.checksums import Detail
from snapshot.scan.inventory import Inventory
from snapshot.scan.job import MOST_DELETED, Changes
from snapshot.scan.moved import repoint_lost
from snapshot.scan.repositories import Plan
from snapshot.scan.target import Target


class Found(Struct):
    """All that a scan found; nothing is deleted outside of `scope`, unless that is empty."""

    inventory: Inventory
    plan: Plan
    details: list[Detail]
    scope: Sequence[str] = ()


def write(link: Link, target: Target, found: Found, ages: tuple[int, int], allow: bool) -> Changes:
    """Write what was found, and return what changed; `ages` are times in seconds since 1970.

    Raises RefusedScan if too much would be deleted and `allow` is not set.
    """
    _load(link, found)
    values = {"category": target.id, "product": target.product}
    if found.scope:
        link.execute(sql.CREATE_SCOPE)
        link.load("scan_scope", ["name"], [(name,) for name in found.scope])
    scope = sql.SCOPE if found.scope else ""
    link.execute(sql.GONE.format(category=target.id, scope=scope))
    known, gone = link.query(sql.COUNT_GONE, values)[0]
    _check("directories", gone, known, allow)
    changes = Changes()
    changes.directories_changed = _names(link.query(sql.UPDATE_DIRECTORIES))
    changes.directories_added = _names(link.query(sql.INSERT_DIRECTORIES))
    link.execute(sql.INSERT_LINKS, values)
    link.execute(sql.INSERT_VERSIONS, values)
    link.execute(sql.UPDATE_REPOSITORIES, values)
    link.execute(sql.INSERT_REPOSITORIES, values)
    changes.versions_added = sorted(one.name for one in found.plan.versions)
    changes.repositories_added = [
        f"{one.prefix} {one.name}" for id, one in found.plan.rows if id is None
    ]
    changes.repositories_moved = found.plan.moved
    changes.details_added = link.execute(sql.INSERT_DETAILS)
    if gone:
        _delete(link, target, changes, allow)
    _age(link, target, ages, changes)
    return changes


def _load(link: Link, found: Found) -> None:
    rows = _rows(found)
    for table, columns in sql.TEMPORARY.items():
        shape = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        # The keys are for SQLite, which joins by an index or not at all.
        shape += sql.KEYS.get(table, "")
        link.execute(f"CREATE TEMPORARY TABLE {table} ({shape})")
        link.load(table, [f'"{name}"' for name in columns], rows[table])


def _rows(found: Found) -> dict[str, Iterable[Row]]:
    inventory, plan = found.inventory, found.plan
    return {
        "scan_directory": (
            (inventory.full(path), one.ctime, one.readable, one.shown())
            for path, one in inventory.directories.items()
        ),
        "scan_unlisted": ((inventory.full(path),) for path in inventory.unlisted),
        "scan_place": ((name,) for name in plan.places),
        "scan_version": ((one.name, one.is_test, one.display) for one in plan.versions),
        "scan_repository": (
            (id, one.name, one.prefix, one.arch, one.version) for id, one in plan.rows
        ),
        "scan_detail": (
            (
                one.directory,
                one.filename,
                one.timestamp,
                one.size,
                one.md5,
                one.sha1,
                one.sha256,
                one.sha512,
            )
            for one in found.details
        ),
    }


def _check(what: str, gone: int, known: int, allow: bool) -> None:
    if gone * 100 > known * MOST_DELETED and not allow:
        raise RefusedScan(
            f"{gone:,} of {known:,} {what} would be deleted, more than {MOST_DELETED} %: the"
            " listing may be cut short; nothing was changed. --dry-run --allow-deletions names what"
            " would go; if that is right, scan with --allow-deletions"
        )


def _delete(link: Link, target: Target, changes: Changes, allow: bool) -> None:
    """Delete what is no longer in the inventory, with all that depends on it."""
    values = {"category": target.id}
    link.execute(sql.ORPHANS.format(category=target.id))
    link.execute(sql.LOST.format(category=target.id))
    changes.repositories_moved = changes.repositories_moved + repoint_lost(link, target.id)
    known, lost = link.query(sql.COUNT_LOST, values)[0]
    _check("repositories", lost, known, allow)
    changes.directories_deleted = _names(link.query("SELECT name FROM scan_gone"))
    changes.repositories_deleted = _names(link.query("SELECT name FROM scan_lost"))
    for table, statement in (*sql.DELETE_LOST, *sql.DELETE_GONE):
        if table not in sql.OPTIONAL or table in target.optional:
            link.execute(statement, values if "%(" in statement else {})


def _age(link: Link, target: Target, ages: tuple[int, int], changes: Changes) -> None:
    stale, propagation = ages
    link.execute(sql.AGED.format(category=target.id, stale=stale, propagation=propagation))
    for table, statement in sql.DELETE_AGED:
        if table not in sql.OPTIONAL or table in target.optional:
            changes.details_aged = link.execute(statement)


def next_age(link: Link, target: Target, seconds: tuple[int, int]) -> int | None:
    """Return when the next alternate will be too old, in seconds since 1970; None for never."""
    stale, propagation = seconds
    statement = sql.DUE.format(category=target.id, stale_age=stale, propagation_age=propagation)
    found: int | None = link.query(statement)[0][0]
    return found


def _names(rows: Iterable[Row]) -> list[str]:
    return sorted(name for (name,) in rows)
