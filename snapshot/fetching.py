"""Fetches files by HTTP from a server that may be slow, endless or broken, with urllib's proxies.

Imported when a file is fetched, because urllib.request takes a tenth of a second.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from io import BufferedReader, RawIOBase
from typing import Any, cast
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

SILENT_SECONDS = 30
"""How long a server may send nothing."""
GRACE_SECONDS = 60
"""For how long all bytes may come slower than SLOWEST; the time in which nobody reads is free."""
SLOWEST = 1000
"""Bytes a second; librepo and dnf give up at the same speed."""
MOST_HEAD_BYTES = 1 << 20
"""How much may come before a body: interim answers, heads, and what a redirect has with it."""


@contextmanager
def opened(url: str) -> Iterator["Answer"]:
    """Give an answer of 2xx; raises OSError, HTTPException or ValueError, also when it is read."""
    with _opener().open(url, timeout=SILENT_SECONDS) as found:
        answer = cast("Answer", found)
        answer.patience.most = None
        yield answer


class _Patience(RawIOBase):
    """What comes from a socket, until there is too much of it or it comes too slowly."""

    def __init__(self, raw: RawIOBase) -> None:
        self._raw, self._waited, self._size = raw, 0.0, 0
        self.most: int | None = MOST_HEAD_BYTES

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what there is; after an error, nothing more can be read."""
        try:
            return self._readinto(buffer)
        except OSError:
            # urllib closes no answer that fails in a redirect.
            self._raw.close()
            raise

    def _readinto(self, buffer: Any) -> int | None:
        begun = time.monotonic()
        count: int | None = self._raw.readinto(buffer)
        self._waited += time.monotonic() - begun
        self._size += count or 0
        if self._waited > GRACE_SECONDS and self._size < SLOWEST * self._waited:
            raise TimeoutError(f"it is slower than {SLOWEST:,} bytes a second")
        if self.most is not None and self._size > self.most:
            raise OSError(f"more than {self.most:,} bytes before a file")
        return count

    def close(self) -> None:
        """Close the socket's file."""
        self._raw.close()
        super().close()


class Answer(HTTPResponse):
    """An answer that is read with patience, and not without end."""

    def __init__(self, *some: Any, **more: Any) -> None:
        """Take what HTTPResponse takes."""
        super().__init__(*some, **more)
        self.patience = _Patience(self.fp.detach())
        self.fp = BufferedReader(self.patience)


class _Plain(HTTPConnection):
    response_class = Answer


class _Secure(HTTPSConnection):
    response_class = Answer


class _Http(HTTPHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_Plain, req)


class _Https(HTTPSHandler):
    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_Secure, req)


def _opener() -> OpenerDirector:
    """Return what follows redirects to http and https alone; urllib's own goes to ftp as well."""
    opener = OpenerDirector()
    for kind in (
        *(ProxyHandler, UnknownHandler, HTTPDefaultErrorHandler, HTTPRedirectHandler),
        *(HTTPErrorProcessor, _Http, _Https),
    ):
        opener.add_handler(kind())
    return opener
