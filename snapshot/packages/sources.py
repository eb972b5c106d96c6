"""Reads repodata from a folder or a web server: whole small files, and large ones in blocks."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from snapshot.file.errors import PackagesError, UnusableRepository
from snapshot.file.text import printable, without_userinfo
from snapshot.file.wholefile import open_regular
from snapshot.packages.repomd import SUMS, RepomdRecord

_BLOCK = 1 << 18
MOST_PACKED = 2 << 30
"""The largest file as it is packed; Fedora's primary.xml has 20 MB."""
_GONE = (404, 410)


class Missing(Exception):
    """The file is not there, as the source itself says."""


class Source(Protocol):
    """Where repodata is; what cannot be read raises UnusableRepository, or Missing."""

    name: str
    """The whole path of the folder, or the URL, without a password."""

    def blocks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file."""


class Folder:
    """A tree on this machine."""

    def __init__(self, root: Path) -> None:
        """Take the folder; raises PackagesError if it is missing, or may not be looked at."""
        self._root = root
        # What is remembered of a repository must not depend on where an import is started.
        self.name = str(root.absolute())
        try:
            is_there = root.is_dir()
        except OSError as error:
            shown = printable(str(root))[:200]
            raise PackagesError(f"{shown}: {error.strerror}; nothing was changed") from error
        if not is_there:
            raise PackagesError(f"{printable(str(root))}: no such folder; nothing was changed")

    def blocks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        try:
            with open_regular(self._root / path, MOST_PACKED) as file:
                while block := file.read(_BLOCK):
                    yield block
        except (FileNotFoundError, NotADirectoryError):
            raise Missing from None
        except OSError as error:
            raise UnusableRepository(f"cannot be read: {error.strerror}") from error


class Web:
    """A web server."""

    def __init__(self, url: str) -> None:
        """Take the URL."""
        self._url = url.rstrip("/") + "/"
        self.name = without_userinfo(url.rstrip("/"))

    def blocks(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file."""
        # Imported here, because it takes a tenth of a second.
        from snapshot.fetching import opened

        try:
            with opened(self._url + quote(path)) as answer:
                # What has come, because all of a block may take hours.
                while block := answer.read1(_BLOCK):
                    yield block
                # What is left of the announced length.
                if answer.length:
                    raise UnusableRepository(
                        f"cannot be fetched: it ended {answer.length:,} bytes early"
                    )
        except HTTPError as error:
            error.close()
            if error.code in _GONE:
                raise Missing from None
            raise UnusableRepository(f"cannot be fetched: HTTP {error.code}") from error
        except (OSError, HTTPException, ValueError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            shown = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
            # A server's own words may be in it.
            line = printable(" ".join(shown.split())[:200])
            raise UnusableRepository(f"cannot be fetched: {line}") from error


def source_of(text: str) -> Source:
    """Return the source that a text names; raises PackagesError."""
    if "://" not in text:
        return Folder(place_of(text))
    shown = without_userinfo(text)
    try:
        url = urlsplit(text)
    except ValueError as error:
        raise PackagesError(f"{shown}: not a URL: {error}") from error
    if url.scheme not in ("http", "https") or not url.hostname:
        raise PackagesError(f"{shown}: give a folder, or an http or https URL")
    if "@" in url.netloc:
        raise PackagesError(f"{shown}: a user and a password are not possible here")
    return Web(text)


def place_of(text: str) -> Path:
    """Return the path that a text names, in which `~` is a home; raises PackagesError."""
    if not text:
        raise PackagesError("an empty path; give the name of a folder")
    return Path(os.path.expanduser(text))


def whole(blocks: Iterable[bytes], most: int, what: str = "") -> bytes:
    """Return all bytes of a small file; raises UnusableRepository if it has more than `most`."""
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) > most:
            raise UnusableRepository(f"{what}more than the limit of {most:,} bytes")
    return bytes(data)


def verified(blocks: Iterator[bytes], record: RepomdRecord) -> Iterator[bytes]:
    """Yield the bytes of a file; raises UnusableRepository at its end if its sum is wrong.

    So what was read must be thrown away when it raises. A file is never read beyond its size.
    """
    digest, size = hashlib.new(SUMS[record.sum_kind]), 0
    most = MOST_PACKED if record.size is None else record.size
    for block in blocks:
        size += len(block)
        if size > most:
            raise UnusableRepository(f"{record.path} has more than {most:,} bytes")
        digest.update(block)
        yield block
    if digest.hexdigest() != record.sum:
        raise UnusableRepository(f"{record.path} does not have the {record.sum_kind} of repomd.xml")
