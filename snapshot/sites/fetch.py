"""Gets small files from the primary, over HTTP or from a folder, within limits."""

import http.client
import stat
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote, urlsplit

from snapshot.file.wholefile import read_regular
from snapshot.sites.inside import Inside
from snapshot.sites.names import is_global, look_up

SECONDS = 20.0
"""How long a server may be silent."""
MOST_SECONDS = 60.0
"""How long one file may take, however slowly it drips."""
_CHUNK = 1 << 16


class FetchError(Exception):
    """A file that cannot be had; the text says why."""


class Got(NamedTuple):
    """A file, and its ETag if it has one; no `data` means that it has the ETag that was asked."""

    data: bytes | None
    etag: str | None = None


UNKNOWN_SIZE = -1


class Tree(Protocol):
    """The primary."""

    def get(self, path: str, most: int, etag: str | None = None) -> Got:
        """Return a file of at most `most` bytes; raises FetchError."""

    def size(self, path: str) -> int | None:
        """Return a file's bytes, UNKNOWN_SIZE, or None if it is not there; raises FetchError."""


class Folder:
    """A primary on this machine."""

    def __init__(self, root: Path) -> None:
        """Take the folder."""
        self._root = root

    def get(self, path: str, most: int, etag: str | None = None) -> Got:
        """Return a file of at most `most` bytes; raises FetchError."""
        try:
            return Got(read_regular(self._root / path, most))
        except OSError as error:
            raise FetchError(f"{self._root / path}: {error.strerror}") from error

    def size(self, path: str) -> int | None:
        """Return a file's bytes, or None if it is not there."""
        try:
            found = (self._root / path).stat()
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None


class Web:
    """A primary behind an http or https URL."""

    def __init__(self, url: str, agent: str, inside: Inside | None = None) -> None:
        """Take the URL, what to call this program, and where redirects may lead."""
        self._url = url.rstrip("/")
        self._agent = agent
        self._opener = urllib.request.build_opener(_Redirects(inside or Inside()))

    def get(self, path: str, most: int, etag: str | None = None) -> Got:
        """Return a file of at most `most` bytes; raises FetchError."""
        try:
            return self._whole(path, most, {"If-None-Match": etag} if etag else {})
        except FetchError as error:
            if etag and _status(error) == 304:
                return Got(None, etag)
            raise

    def _whole(self, path: str, most: int, headers: dict[str, str]) -> Got:
        deadline = time.monotonic() + MOST_SECONDS
        data = bytearray()
        with self._open(path, "GET", headers) as answer:
            while chunk := self._read(answer, path):
                data += chunk
                if len(data) > most:
                    raise FetchError(f"{self._at(path)}: more than {most:,} bytes")
                if time.monotonic() > deadline:
                    raise FetchError(f"{self._at(path)}: not whole after {MOST_SECONDS:.0f} s")
        return Got(bytes(data), answer.headers.get("ETag"))

    def size(self, path: str) -> int | None:
        """Return a file's bytes, UNKNOWN_SIZE, or None if it is not there; raises FetchError."""
        try:
            with self._open(path, "HEAD", {}) as answer:
                length: str = answer.headers.get("Content-Length", "")
        except FetchError as error:
            if _status(error) in (404, 410):
                return None
            raise
        return int(length) if length.isdecimal() else UNKNOWN_SIZE

    def _at(self, path: str) -> str:
        return f"{self._url}/{quote(path)}"

    def _open(self, path: str, method: str, more: dict[str, str]) -> Any:
        headers = {"User-Agent": self._agent, "Cache-Control": "no-cache", **more}
        request = urllib.request.Request(self._at(path), headers=headers, method=method)
        try:
            return self._opener.open(request, timeout=SECONDS)
        except urllib.error.HTTPError as error:
            error.close()
            raise FetchError(f"{self._at(path)}: {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise FetchError(f"{self._at(path)}: {_why(error)}") from error

    def _read(self, answer: Any, path: str) -> bytes:
        try:
            chunk: bytes = answer.read1(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise FetchError(f"{self._at(path)}: {_why(error)}") from error
        if not chunk and answer.length:
            raise FetchError(f"{self._at(path)}: cut short")
        return chunk


def _status(error: FetchError) -> int | None:
    cause = error.__cause__
    return cause.code if isinstance(cause, urllib.error.HTTPError) else None


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return " ".join(str(reason).split()) or type(error).__name__


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not to this machine or private networks, unless the file says so."""

    max_redirections = 5

    def __init__(self, inside: Inside) -> None:
        self._inside = inside

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """Return the next request; raises URLError for a place that is refused."""
        parts = urlsplit(newurl)
        if parts.scheme not in ("http", "https"):
            raise urllib.error.URLError(f"a redirect to {parts.scheme}: is not followed")
        if not self._inside.allows(newurl) and is_inside(parts.hostname):
            raise urllib.error.URLError(f"a redirect into a private network: {newurl:.100}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def is_inside(host: str | None) -> bool:
    """Whether a name leads to this machine or to a private network."""
    try:
        return any(not is_global(text) for _, text in look_up(host or ""))
    except OSError:
        return False
