"""Gets small files from the primary, over HTTP or from a folder, within limits."""

import http.client
import ipaddress
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from snapshot.file.wholefile import read_regular

SECONDS = 20.0
"""How long a server may be silent."""
MOST_SECONDS = 60.0
"""How long one file may take, however slowly it drips."""
_CHUNK = 1 << 16


class FetchError(Exception):
    """A file that cannot be had; the text says why."""


class Tree(Protocol):
    """The primary."""

    def get(self, path: str, most: int) -> bytes:
        """Return a file of at most `most` bytes; raises FetchError."""

    def has(self, path: str) -> bool:
        """Return whether there is a file; raises FetchError if that cannot be told."""


class Folder:
    """A primary on this machine."""

    def __init__(self, root: Path) -> None:
        """Take the folder."""
        self._root = root

    def get(self, path: str, most: int) -> bytes:
        """Return a file of at most `most` bytes; raises FetchError."""
        try:
            return read_regular(self._root / path, most)
        except OSError as error:
            raise FetchError(f"{self._root / path}: {error.strerror}") from error

    def has(self, path: str) -> bool:
        """Return whether there is a file."""
        return (self._root / path).is_file()


class Web:
    """A primary behind an http or https URL."""

    def __init__(self, url: str, agent: str) -> None:
        """Take the URL and what to call this program."""
        self._url = url.rstrip("/")
        self._agent = agent
        self._opener = urllib.request.build_opener(_Redirects())

    def get(self, path: str, most: int) -> bytes:
        """Return a file of at most `most` bytes; raises FetchError."""
        deadline = time.monotonic() + MOST_SECONDS
        data = bytearray()
        with self._open(path, "GET") as answer:
            while chunk := self._read(answer, path):
                data += chunk
                if len(data) > most:
                    raise FetchError(f"{self._at(path)}: more than {most:,} bytes")
                if time.monotonic() > deadline:
                    raise FetchError(f"{self._at(path)}: not whole after {MOST_SECONDS:.0f} s")
        return bytes(data)

    def has(self, path: str) -> bool:
        """Return whether there is a file; raises FetchError if that cannot be told."""
        try:
            self._open(path, "HEAD").close()
        except FetchError as error:
            if isinstance(error.__cause__, urllib.error.HTTPError) and error.__cause__.code in (
                404,
                410,
            ):
                return False
            raise
        return True

    def _at(self, path: str) -> str:
        return f"{self._url}/{quote(path)}"

    def _open(self, path: str, method: str) -> Any:
        headers = {"User-Agent": self._agent, "Cache-Control": "no-cache"}
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


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return " ".join(str(reason).split()) or type(error).__name__


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from the Internet to this machine or to private networks."""

    max_redirections = 5

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """Return the next request; raises URLError for a place that is refused."""
        parts = urlsplit(newurl)
        if parts.scheme not in ("http", "https"):
            raise urllib.error.URLError(f"a redirect to {parts.scheme}: is not followed")
        if not is_inside(urlsplit(req.full_url).hostname) and is_inside(parts.hostname):
            raise urllib.error.URLError(f"a redirect into a private network: {newurl:.100}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def is_inside(host: str | None) -> bool:
    """Whether a name leads to this machine or to a private network."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return any(
        not ipaddress.ip_address(str(one[4][0]).partition("%")[0]).is_global for one in found
    )
