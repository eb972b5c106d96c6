"""Reads from the primary the files that mirrors are compared with."""

import hashlib
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from msgspec import Struct

from snapshot.export.rows import Progress
from snapshot.file.errors import DataFileError
from snapshot.file.text import printable
from snapshot.sites.config import Config, Primary
from snapshot.sites.content import Content, Reader
from snapshot.sites.fetch import UNKNOWN_SIZE, FetchError, Folder, Got, Tree, Web
from snapshot.sites.inside import inside_of
from snapshot.sites.judging import Known
from snapshot.sites.repomd import MOST_BYTES, Metadata, read_repomd
from snapshot.sites.state import CheckedFile

_AT_ONCE = 4
_SILENT = 4
# The files of one repository are looked for within this time.
_MOST_SECONDS = 300
_SUMS = ("md5", "sha1", "sha256", "sha512")


class Seen(Struct, frozen=True):
    """What the primary gave for a file in an earlier probe."""

    etag: str
    content: Content


class Found(Struct):
    """A file: the repositories that it tells of, what the database has of it, what was read."""

    file: CheckedFile
    names: list[str]
    known: list[Any]
    """Rows of file_detail."""
    seen: Seen | None = None
    content: Content | None = None
    metadata: Metadata | None = None
    """What a metalink says of it; None for a time file."""
    etag: str | None = None
    reason: str | None = None

    @property
    def newest(self) -> Any:
        """The details that are the current ones in the database, or None."""
        return max(self.known, key=rank, default=None)

    @property
    def is_new(self) -> bool:
        """Whether it differs from what the database has."""
        if self.content is None:
            return False
        if self.content.is_time:
            return self.seen is None or self.seen.content.sha256 != self.content.sha256
        return self.newest is None or self.newest.sha256 != self.content.sha256

    @property
    def last(self) -> Content:
        """What the database has as the current state; without a sum if it has none."""
        newest = self.newest
        if newest is None or (self.seen and self.seen.content.sha256 == newest.sha256):
            return self.seen.content if self.seen else Content("", None)
        return Content(newest.sha256, newest.timestamp)

    def drop(self, reason: str) -> None:
        """Forget what was read; the reason takes its place."""
        self.content, self.metadata, self.reason = None, None, printable(reason)


def rank(row: Any) -> tuple[int, int]:
    """Return the place of details among those of one file; the largest one is the current."""
    return row.timestamp or 0, row.id


Place = tuple[str, str]
"""The folder and the name of a file."""


def known_sums(known: Iterable[Found], found: Iterable[Found], lag: int) -> dict[Place, Known]:
    """Return what mirrors may have; of a file that could not be read, what the primary had last.

    `known` has the rows of the database after `found` was written.
    """
    read = {(one.file.folder, one.file.name): one.content for one in found}
    sums = {}
    for one in known:
        content = read.get((one.file.folder, one.file.name))
        last = content or one.last
        sums[one.file.folder, one.file.name] = Known(
            current=last.sha256,
            alternates=frozenset(row.sha256 for row in one.known),
            timestamp=last.timestamp,
            lag=lag,
            is_time=last.is_time,
            is_old=content is None,
        )
    return sums


def open_tree(config: Config, folder: Path, agent: str) -> Tree:
    """Return the primary of a file; raises DataFileError if it has none."""
    primary = config.primary
    if not isinstance(primary, Primary):
        raise DataFileError("the file has no [primary], which a probe reads; give its url or path")
    if primary.path is not None:
        return Folder(folder / primary.path)
    return Web(primary.url or "", agent, inside_of(config))


def read_all(tree: Tree, known: list[Found], progress: Progress) -> list[Found]:
    """Read every file, some of them at once; a reason takes the place of what cannot be read.

    After some files in a row without an answer the rest is not asked for, because each takes long.
    """
    silent: list[str] = []
    with ThreadPoolExecutor(_AT_ONCE, "primary") as pool:
        for step, _ in enumerate(pool.map(lambda one: _read(tree, one, silent), known), 1):
            progress("reading the primary", step, len(known))
    return known


def _read(tree: Tree, one: Found, silent: list[str]) -> None:
    if len(silent) >= _SILENT:
        one.drop(silent[-1])
        return
    try:
        _ask(tree, one)
        silent.clear()
    except FetchError as error:
        one.drop(str(error))
        if error.is_silent:
            silent.append(str(error))


def _ask(tree: Tree, one: Found) -> None:
    try:
        got = tree.get(one.file.path, MOST_BYTES, _etag(one))
        _take(one, got)
        if one.is_new and one.metadata and (missing := _missing(tree, one)):
            raise ValueError(f"half published: {missing}")
    except ValueError as error:
        one.drop(str(error))


def _etag(one: Found) -> str | None:
    """Return the ETag to ask with: of what the database has as the current state, or None."""
    if one.seen is None or not one.seen.etag:
        return None
    is_there = one.newest is not None and one.newest.sha256 == one.seen.content.sha256
    return one.seen.etag if is_there or one.seen.content.is_time else None


def _take(one: Found, got: Got) -> None:
    one.etag = got.etag
    if got.data is not None:
        try:
            _parse(one, got.data)
        except ValueError as error:
            raise ValueError(f"{one.file.path}: {error}") from error
    elif one.seen is not None:
        one.content = one.seen.content
        if not one.content.is_time:
            one.metadata = _metadata(one.newest)


def _parse(one: Found, data: bytes) -> None:
    if one.file.is_repomd:
        one.metadata = read_repomd(data)
        one.content = Content(one.metadata.sha256, one.metadata.timestamp)
        return
    content = Reader().read(data, False)
    if content.error is not None:
        raise ValueError(f"{content.error}, not a {one.file.name}")
    one.content = content
    if not content.is_time:
        sums = {name: hashlib.new(name, data).hexdigest() for name in _SUMS}
        one.metadata = Metadata(
            timestamp=content.timestamp or 0, size=len(data), files=(), primary=None, **sums
        )


def _metadata(row: Any) -> Metadata:
    sums = {name: getattr(row, name) or "" for name in _SUMS}
    return Metadata(
        timestamp=row.timestamp or 0, size=row.size or 0, files=(), primary=None, **sums
    )


def _missing(tree: Tree, one: Found) -> str | None:
    """Return which file of a repomd.xml is not there yet, or not whole."""
    base = f"{one.file.directory}/"[len(one.file.topdir) + 1 :]
    deadline = time.monotonic() + _MOST_SECONDS
    for file, size in one.metadata.files if one.metadata else ():
        if file.startswith("/") or ".." in file.split("/") or "://" in file:
            raise ValueError(f"a repomd.xml that names a file elsewhere: {file:.100}")
        if time.monotonic() > deadline:
            raise ValueError(f"its files were not all found within {_MOST_SECONDS} s")
        found = tree.size(base + file)
        if found is None:
            return f"{file} is not there yet"
        if size is not None and found not in (size, UNKNOWN_SIZE):
            return f"{file} has {found:,} of {size:,} bytes"
    return None
