"""Reads each repository's repomd.xml from the primary, then from each mirror."""

from collections import defaultdict
from collections.abc import Callable, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from snapshot.export import schema
from snapshot.export.database import parse_url
from snapshot.export.declared import replaced
from snapshot.export.usable import METADATA
from snapshot.file.errors import DataFileError
from snapshot.sites.asking import Limits
from snapshot.sites.config import Config, Primary
from snapshot.sites.database import writing
from snapshot.sites.fetch import FetchError, Folder, Tree, Web
from snapshot.sites.judging import Known
from snapshot.sites.mirror_probe import ProbedUrl, ask_mirrors, read_urls, write_verdicts
from snapshot.sites.repomd import MOST_BYTES, Metadata, read_repomd
from snapshot.sites.rows import delete_where, ids_of, insert_all, rows_of, update_all
from snapshot.sites.state import METADATA_FOLDER, State, declared

_AT_ONCE = 4
_TABLE = schema.file_detail
_KEY = "file_detail_id"
_SUMS = ("md5", "sha1", "sha256", "sha512")

Progress = Callable[[str, int, int], None]


class Probed(Struct, frozen=True):
    """What the primary has of a repository."""

    repository: str
    """What clients ask for, and the arch."""
    state: str
    """`new`, `unchanged` or `failed`."""
    timestamp: int | None = None
    """The newest time in its repomd.xml, in seconds since 1970."""
    reason: str | None = None
    """Why it failed."""


class ProbedAll(Struct, frozen=True):
    """What a probe read from the primary and from the mirrors."""

    repositories: list[Probed]
    mirrors: list[ProbedUrl]


def probe(
    database: str,
    config: Config,
    folder: Path,
    agent: str,
    progress: Progress,
    now: int,
    *,
    mirrors: bool = True,
    limits: Limits | None = None,
) -> ProbedAll:
    """Write the details of every repomd.xml that changed, then which mirrors have it.

    Nothing changes for a repository that cannot be read, or that is half published: its repomd.xml
    names files that are not there yet. `folder` is where a relative path begins, and `now` is in
    seconds since 1970.
    """
    url, tree, want = parse_url(database), _tree(config, folder, agent), declared(config)
    with writing(url, create=False, commit=False) as connection:
        known = _known(connection, want)
    found = _read_all(tree, known, progress)
    with writing(url, create=False) as connection:
        _write(connection, found, now, config.site.lag_hours * 3600)
        sums = _sums(_known(connection, want), found)
        urls = read_urls(connection, config.site.name, want) if mirrors and sums else []
    judged = ask_mirrors(urls, sums, agent, progress, limits)
    with writing(url, create=False) as connection:
        asked = write_verdicts(connection, config.site.name, judged, now, config.site.failures)
    return ProbedAll([*map(_said, found)], asked)


class _Found(Struct):
    """A repository: its directory, the details that the database has, and what was read."""

    name: str
    directory: str
    path: str
    known: list[Any]
    metadata: Metadata | None = None
    reason: str | None = None

    @property
    def is_new(self) -> bool:
        """Whether its repomd.xml differs from the current one of the database."""
        newest = max(self.known, key=_rank, default=None)
        return self.metadata is not None and (
            newest is None or newest.sha256 != self.metadata.sha256
        )


def _sums(known: list[_Found], found: list[_Found]) -> dict[str, Known]:
    """Return what the metalink has now, by directory, of the repositories that could be read."""
    read = {one.directory: one.metadata for one in found if one.metadata}
    return {
        one.directory: Known(
            current=read[one.directory].sha256,
            alternates=frozenset(row.sha256 for row in one.known),
            timestamp=read[one.directory].timestamp,
        )
        for one in known
        if one.directory in read
    }


def _rank(row: Any) -> tuple[int, int]:
    return row.timestamp or 0, row.id


def _said(found: _Found) -> Probed:
    if found.metadata is None:
        return Probed(found.name, "failed", reason=found.reason)
    return Probed(found.name, "new" if found.is_new else "unchanged", found.metadata.timestamp)


def _tree(config: Config, folder: Path, agent: str) -> Tree:
    primary = config.primary
    if not isinstance(primary, Primary):
        raise DataFileError("the file has no [primary], which a probe reads; give its url or path")
    if primary.path is not None:
        return Folder(folder / primary.path)
    return Web(primary.url or "", agent)


def _known(connection: Connection, want: State) -> list[_Found]:
    """Return all repositories with the details that the database has of their repomd.xml."""
    places = {
        one.directory: f"{one.directory}/{METADATA_FOLDER}" for one in want.repositories.values()
    }
    ids = ids_of(connection, schema.directory, "name", places.values())
    details = defaultdict(list)
    for row in rows_of(connection, _TABLE, "directory_id", ids.values()):
        if row.filename == METADATA:
            details[row.directory_id].append(row)
    if len(ids) < len({*places.values()}):
        raise DataFileError(
            "the database is older than the file; run `mirrorlist sites apply` first"
        )
    return [
        _Found(
            " ".join(key),
            one.directory,
            one.directory[len(want.categories[one.category]) + 1 :],
            details[ids[places[one.directory]]],
        )
        for key, one in want.repositories.items()
    ]


def _read_all(tree: Tree, known: list[_Found], progress: Progress) -> list[_Found]:
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for step, _ in enumerate(pool.map(lambda one: _read(tree, one), known), 1):
            progress("reading the primary", step, len(known))
    return known


def _read(tree: Tree, one: _Found) -> None:
    base = f"{one.path}/" if one.path else ""
    try:
        one.metadata = read_repomd(tree.get(f"{base}{METADATA_FOLDER}/{METADATA}", MOST_BYTES))
        if one.is_new and (missing := _missing(tree, base, one.metadata)):
            one.metadata, one.reason = None, f"half published: {missing} is not there yet"
    except (FetchError, ValueError) as error:
        one.metadata, one.reason = None, str(error)


def _missing(tree: Tree, base: str, metadata: Metadata) -> str | None:
    for file in metadata.files:
        if file.startswith("/") or ".." in file.split("/") or "://" in file:
            raise ValueError(f"a repomd.xml that names a file elsewhere: {file:.100}")
        if not tree.has(base + file):
            return file
    return None


def _write(connection: Connection, found: list[_Found], now: int, lag: int) -> None:
    """Insert new details, remove those that no mirror may have any more, and date directories."""
    fresh = [one for one in found if one.metadata and one.is_new]
    names = {
        name for one in fresh for name in (one.directory, f"{one.directory}/{METADATA_FOLDER}")
    }
    ids = ids_of(connection, schema.directory, "name", names)
    rows, dates = [], []
    for one in fresh:
        at = ids[f"{one.directory}/{METADATA_FOLDER}"]
        rows.append(_row(at, one.metadata))
        for id in (at, ids[one.directory]):
            dates.append({"id": id, "ctime": one.metadata.timestamp if one.metadata else 0})
    _forget(connection, found, now, lag)
    insert_all(connection, _TABLE, rows)
    update_all(connection, schema.directory, dates)


def _row(directory: int, metadata: Metadata | None) -> dict[str, Any]:
    sums = {name: getattr(metadata, name) for name in (*_SUMS, "timestamp", "size")}
    return {"directory_id": directory, "filename": METADATA, **sums}


def _wrong(one: _Found, current: Metadata) -> list[int]:
    """Return the ids of details that are newer than the current ones, or say the same.

    A primary that goes back to an older state makes this state the current one.
    """
    return [
        row.id
        for row in one.known
        if (row.timestamp or 0) > current.timestamp or (one.is_new and row.sha256 == current.sha256)
    ]


def _replaced(one: _Found, gone: Set[int]) -> list[int]:
    """Return the ids of details that are not the current ones any more."""
    rows = sorted(one.known, key=_rank)
    if not one.is_new:
        rows = rows[:-1]
    return [row.id for row in rows if row.id not in gone]


def _forget(connection: Connection, found: list[_Found], now: int, lag: int) -> None:
    """Remove details that no mirror may have any more, and note since when others are replaced."""
    gone = {id for one in found if one.metadata for id in _wrong(one, one.metadata)}
    old = [id for one in found if one.metadata for id in _replaced(one, gone)]
    known = [row.id for one in found for row in one.known]
    since = {row.file_detail_id: row.at for row in rows_of(connection, replaced, _KEY, known)}
    gone |= {id for id in old if since.get(id, now) < now - lag}
    delete_where(connection, _TABLE, "id", gone)
    new = [{_KEY: id, "at": now} for id in old if id not in gone and id not in since]
    insert_all(connection, replaced, new)
