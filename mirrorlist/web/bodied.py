"""Connections whose requests may have a small body: of the admin listener, for signed hooks.

A body must be announced by its length. One that is too long, or comes in chunks, is not read: the
app sees the headers and an empty body, and the connection ends after the answer.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from mirrorlist.web.head import announces_body
from mirrorlist.web.protocol import LimitedProtocol

MAX_BODY_BYTES = 8 * 1024
"""As long as the longest request target, because a body has the fields of a query."""


def announced_bytes(headers: list[tuple[bytes, bytes]]) -> int | None:
    """Return how long a body will be; None if its headers do not say it in one number."""
    told = [value for name, value in headers if announces_body(name, value)]
    if not told:
        return 0
    is_number = len(told) == 1 and told[0].strip(b" \t").isdigit() and len(told[0]) < 20
    return int(told[0]) if is_number else None


class BodiedProtocol(LimitedProtocol):
    """A connection that keeps the bodies of its requests, up to the limit."""

    most_bytes = MAX_BODY_BYTES
    """The limit, for a kind of connection that has another."""
    _is_kept = False

    def _drops_body(self) -> bool:
        length = announced_bytes(self.headers)
        self._is_kept = length is not None and 0 < length <= self.most_bytes
        return super()._drops_body() and not self._is_kept

    def on_body(self, body: bytes) -> None:
        """Keep a piece of a body for the app."""
        if self._is_kept:
            HttpToolsProtocol.on_body(self, body)

    def eof_received(self) -> bool:  # type: ignore[override]
        """End the connection of a client that ends within a body, for which an answer waits."""
        is_within = self._running is not None and self._running.more_body
        return super().eof_received() and not is_within
