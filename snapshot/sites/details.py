"""Writes what the primary has: the details of its files, those that are replaced, the dates."""

from collections import defaultdict
from collections.abc import Iterable, Set
from typing import Any

from sqlalchemy import Connection, delete

from snapshot.export import schema
from snapshot.export.declared import primary_file, replaced
from snapshot.file.errors import DataFileError
from snapshot.sites.content import Content
from snapshot.sites.named import write_named
from snapshot.sites.primary import Found, Seen, rank
from snapshot.sites.repomd import Metadata
from snapshot.sites.rows import chunks, delete_where, ids_of, insert_all, rows_of, update_all
from snapshot.sites.state import State

_TABLE = schema.file_detail
_KEY = "file_detail_id"
_SUMS = ("md5", "sha1", "sha256", "sha512")


def read_known(connection: Connection, want: State) -> list[Found]:
    """Return all files to ask the primary for, with what the database has of them."""
    found = read_there(connection, want)
    if len({one.file.folder for one in found}) < len({one.folder for one in want.files.values()}):
        raise DataFileError(
            "the database is older than the file; run `mirrorlist sites apply` first"
        )
    return found


def read_there(connection: Connection, want: State) -> list[Found]:
    """Return the files whose directories the database has."""
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    files = {}
    for key, repository in want.repositories.items():
        file = want.files[repository.directory]
        names[file.folder, file.name].append(" ".join(key))
        files[file.folder, file.name] = file
    ids = ids_of(connection, schema.directory, "name", {folder for folder, _ in files})
    details = defaultdict(list)
    for row in rows_of(connection, _TABLE, "directory_id", ids.values()):
        details[row.directory_id, row.filename].append(row)
    seen = {
        (row.directory_id, row.filename): Seen(
            row.etag, Content(row.sha256, row.timestamp, is_time=row.is_time)
        )
        for row in rows_of(connection, primary_file, "directory_id", ids.values())
    }
    return [
        Found(file, names[place], details[at], seen.get(at))
        for place, file in files.items()
        if file.folder in ids
        for at in [(ids[file.folder], file.name)]
    ]


def renew(connection: Connection, found: Iterable[Found], want: State) -> None:
    """Give files what the database has of them now; drop what it does not let be written.

    While the primary was read, the file may have been applied, and another probe may have ended.
    """
    there = {(one.file.folder, one.file.name): one for one in read_there(connection, want)}
    for one in found:
        now = there.get((one.file.folder, one.file.name))
        if now is None:
            one.drop("an apply took it away meanwhile")
        elif _rows(now) != _rows(one) and now.newest and not _has(one, now.newest.sha256):
            one.drop("another probe saw another state meanwhile")
        one.known, one.seen = (now.known, now.seen) if now else ([], None)


def _rows(one: Found) -> set[tuple[int, str]]:
    return {(row.id, row.sha256) for row in one.known}


def _has(one: Found, sha256: str) -> bool:
    return one.content is None or one.content.sha256 == sha256


def write_found(connection: Connection, found: list[Found], now: int, lag: int) -> None:
    """Insert new details, remove those that no mirror may have any more, and date directories."""
    fresh = [one for one in found if one.is_new]
    places = {
        name for one in found if one.content for name in (one.file.directory, one.file.folder)
    }
    ids = ids_of(connection, schema.directory, "name", places)
    rows = [
        _row(ids[one.file.folder], one.file.name, one.metadata, now)
        for one in fresh
        if one.metadata
    ]
    dates = {
        ids[name]: (one.content.timestamp if one.content else None) or now
        for one in fresh
        for name in one.file.own
        if name in ids
    }
    _forget(connection, found, now, lag)
    insert_all(connection, _TABLE, rows)
    for one in fresh:
        if one.named is not None:
            at = ids[one.file.folder]
            named = [_row(at, name, about, now) for name, about in one.named.items()]
            write_named(connection, at, one.file.name, one.known, named)
    update_all(connection, schema.directory, [{"id": id, "ctime": at} for id, at in dates.items()])
    _write_seen(connection, found, ids)


def _row(directory: int, name: str, metadata: Metadata, now: int) -> dict[str, Any]:
    sums = {one: getattr(metadata, one) for one in (*_SUMS, "size")}
    # A file without a time has the one at which it was first seen: the newest is the current.
    timestamp = metadata.timestamp or now
    return {"directory_id": directory, "filename": name, "timestamp": timestamp, **sums}


def _write_seen(connection: Connection, found: Iterable[Found], ids: dict[str, int]) -> None:
    rows = [
        {
            "directory_id": ids[one.file.folder],
            "filename": one.file.name,
            "etag": one.etag or "",
            "sha256": one.content.sha256,
            "timestamp": one.content.timestamp,
            "is_time": one.content.is_time,
        }
        for one in found
        if one.content and one.seen != Seen(one.etag or "", one.content)
    ]
    # A directory with several files is rare: the others are only read in full once more.
    for part in chunks({row["directory_id"] for row in rows}):
        connection.execute(delete(primary_file).where(primary_file.c.directory_id.in_(part)))
    insert_all(connection, primary_file, rows)


def _wrong(one: Found, current: Content) -> list[int]:
    """Return the ids of details that are newer than the current ones, or say the same.

    A primary that goes back to an older state makes this state the current one. A time file has no
    details, because it is judged by its time.
    """
    newer = current.timestamp
    return [
        row.id
        for row in one.known
        if current.is_time
        or (newer is not None and (row.timestamp or 0) > newer)
        or (one.is_new and row.sha256 == current.sha256)
    ]


def _replaced(one: Found, gone: Set[int]) -> list[int]:
    """Return the ids of details that are not the current ones any more."""
    rows = sorted(one.known, key=rank)
    if not one.is_new:
        rows = rows[:-1]
    return [row.id for row in rows if row.id not in gone]


def _since(connection: Connection, known: list[int], now: int) -> dict[int, int]:
    """Return since when details are replaced; a time that a wrong clock noted is forgotten."""
    since = {row.file_detail_id: row.at for row in rows_of(connection, replaced, _KEY, known)}
    for part in chunks(id for id, at in since.items() if at > now):
        connection.execute(delete(replaced).where(replaced.c[_KEY].in_(part)))
    return {id: at for id, at in since.items() if at <= now}


def _forget(connection: Connection, found: list[Found], now: int, lag: int) -> None:
    """Remove details that no mirror may have any more, and note since when others are replaced."""
    gone = {id for one in found if one.content for id in _wrong(one, one.content)}
    old = [id for one in found if one.content for id in _replaced(one, gone)]
    known = [row.id for one in found for row in one.known]
    since = _since(connection, known, now)
    gone |= {id for id in old if since.get(id, now) < now - lag}
    delete_where(connection, _TABLE, "id", gone)
    new = [{_KEY: id, "at": now} for id in old if id not in gone and id not in since]
    insert_all(connection, replaced, new)
