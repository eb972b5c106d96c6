"""Keeps only the newest file details: clients then refuse every mirror that is not up to date."""

from collections.abc import Iterable

from msgspec import Struct

from snapshot.file.errors import NoSuchRepository
from snapshot.link import Link, linked
from snapshot.repo import statements as sql
from snapshot.repo.choice import Choice, choose, forget, lock
from snapshot.scan.statements import OPTIONAL


class Expired(Struct, frozen=True):
    """An alternate that was deleted, or would be."""

    directory: str
    """Its directory."""
    filename: str
    """Its file."""
    timestamp: int | None
    """Its timestamp, in seconds since 1970."""


class ExpireResult(Struct, frozen=True):
    """What an expiry of file details did, or with `--dry-run` would have done."""

    dry_run: bool
    """Whether nothing was written."""
    repositories: int
    """The number of repositories that were meant; 0 if a directory was given alone."""
    expired: list[Expired]
    """The alternates, by directory and file."""


def expire(database: str, choice: Choice, *, dry_run: bool = False) -> ExpireResult:
    """Delete the alternates of all files in some repositories' directories, and below them.

    A `choice` of a directory alone means all files in it and below it. Raises a BackendError, and
    then nothing is changed.
    """
    with linked(database) as link:
        link.begin()
        _, categories, _ = _meant(link, choice)
        lock(link, categories)
        count, categories, places = _meant(link, choice)
        ids, expired = _alternates(link, places)
        _delete(link, ids)
        forget(link, categories if ids else ())
        link.end(commit=not dry_run)
    return ExpireResult(dry_run, count, expired)


def _meant(link: Link, choice: Choice) -> tuple[int, set[int | None], set[str]]:
    """Return the number of repositories, their categories, and their directories."""
    directory = choice.directory
    if directory is not None and choice == Choice(directory=directory):
        rows = link.query(sql.CATEGORIES_OF, {"name": directory})
        if not rows:
            raise NoSuchRepository(f"directory {directory}: not in the database")
        return 0, {category for (category,) in rows}, {directory}
    found = choose(link, choice)
    places = {row.directory for row in found if row.directory is not None}
    if not places:
        raise NoSuchRepository(
            "no repository with a directory fits; mirrorlist repo list shows what is there"
        )
    return len(found), {row.category_id for row in found}, places


def _alternates(link: Link, places: set[str]) -> tuple[list[int], list[Expired]]:
    ids, expired = [], []
    for id, name, filename, stamp in link.query(sql.ALTERNATES):
        if any(one in places for one in _above(name)):
            ids.append(id)
            expired.append(Expired(name, filename, stamp))
    return ids, expired


def _above(name: str) -> Iterable[str]:
    """Yield a directory and all above it."""
    while name:
        yield name
        name = name.rpartition("/")[0]


def _delete(link: Link, ids: Iterable[int]) -> None:
    link.execute("CREATE TEMPORARY TABLE repo_expired (id INTEGER)")
    link.load("repo_expired", ["id"], ((id,) for id in ids))
    there = link.tables(OPTIONAL)
    for table, statement in sql.DELETE:
        if table not in OPTIONAL or table in there:
            link.execute(statement)
