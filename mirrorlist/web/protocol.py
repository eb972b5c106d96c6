"""HTTP on one connection: uvicorn's protocol with limits on size, number and time.

The limits are in `limits`; the states of a connection, their deadlines and how it ends are the
table at the head of `states`. Here bytes become requests, which are answered in their order.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import httptools

from mirrorlist.web.backlog import HEAD_END, Backlog
from mirrorlist.web.head import HeadMeter, HeadTooLargeError, announces_body
from mirrorlist.web.limits import HEAD_SECONDS, MAX_TARGET_BYTES, MOST_WAITING
from mirrorlist.web.states import State, TimedProtocol

# Parsing stops here: a piece of the backlog completes two requests at most (`Backlog.take`).
_ENOUGH = MOST_WAITING - 2


class LimitedProtocol(TimedProtocol):
    """A connection whose requests are limited; a refusal comes after the answers before it."""

    # The bytes that are not parsed yet; None if all are.
    _backlog: Backlog | None = None

    def __init__(self, *given: Any, **common: Any) -> None:
        """Take the arguments of a TimedProtocol."""
        super().__init__(*given, **common)
        self._meter = HeadMeter()

    def data_received(self, data: bytes) -> None:
        """Parse bytes; after a refusal or a last request, throw them away."""
        if self._is_deaf:
            return
        end = data.find(HEAD_END)
        # The usual case: the bytes are one head or a piece of one, and nothing waits.
        if (end < 0 or end + len(HEAD_END) == len(data)) and not (self._backlog or self.pipeline):
            self._feed(data)
        else:
            self._backlog = self._backlog or Backlog()
            self._backlog.add(data)
            self._go_on()

    def _go_on(self) -> None:
        """Parse the backlog head by head, until enough requests wait."""
        backlog = self._backlog
        if backlog is None:
            return
        for _ in range(MOST_WAITING):
            if self._is_deaf or self.transport.is_closing():
                backlog.clear()
            if not backlog or len(self.pipeline) >= _ENOUGH:
                break
            self._feed(backlog.take())
        if backlog:
            # "32 are read at a time, and further ones" in their turn (docs/protocol.md#limits).
            self.flow.hold()
            # Without an answer under way, whose end would go on with the backlog (FastProtocol
            # answers at once), the loop does so, after other connections.
            if not self.is_answering:
                self.loop.call_soon(self._go_on)
        else:
            self._backlog = None
            self.flow.release()
            self._read_on()
            if self._at_end and not self.is_answering:
                self._close()

    @property
    def is_at_rest(self) -> bool:
        """Whether all that was asked is answered, and nothing else has come or is to be sent."""
        return not self._backlog and super().is_at_rest

    def _read_on(self) -> None:
        if self._backlog:
            self.loop.call_soon(self._go_on)
        elif not self.pipeline:
            self.flow.resume_reading()

    def _feed(self, data: bytes) -> None:
        """Give the parser a piece that ends at most one head, and perhaps the rest of another."""
        self._meter.piece_bytes = len(data)
        try:
            self.parser.feed_data(data)
            if self._meter.is_open:
                self._wait_for_head()
        except httptools.HttpParserUpgrade:
            # RFC 9110 section 7.8: "A server MAY ignore a received Upgrade header field". What
            # follows in the other protocol is not read.
            self._answer_last()
        except (HeadTooLargeError, httptools.HttpParserError) as error:
            self._refuse(_status_of(error))

    def _wait_for_head(self) -> None:
        """Wait for the end of a head that came in pieces, which is rare."""
        if self.state is State.NOTHING_ASKED:
            # The deadline of the connection stays: single bytes win no time.
            self.state = State.IN_HEAD
        elif self.state is State.IDLE:
            self._enter(State.IN_HEAD, HEAD_SECONDS)
        self._meter.end_piece()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep a half-closed connection open until all of its requests are answered."""
        self._at_end = True
        return self.is_answering or bool(self._backlog)

    def on_message_begin(self) -> None:
        """Begin with a request."""
        super().on_message_begin()
        self._meter.begin()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self.url += url
        if len(self.url) > MAX_TARGET_BYTES:
            raise HeadTooLargeError(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer of a body is not a header."""
        # RFC 9112 section 7.1.2: "A recipient MUST NOT merge a received trailer field into the
        # header section unless its corresponding header field definition explicitly permits".
        if self._meter.is_open:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._meter.end(self.headers)
        self._ask_app()

    def _ask_app(self) -> None:
        # A copy, so that trailers, which come later, are never among the headers.
        self.scope["headers"] = list(self.headers)
        super().on_headers_complete()
        # RFC 9112 section 9.3: "A server MUST read the entire request message body or close the
        # connection after sending its response".
        if self._drops_body():
            self._answer_last()

    def _drops_body(self) -> bool:
        """Whether a body follows, which no request of the public port needs."""
        return any(announces_body(name, value) for name, value in self.headers)

    def on_body(self, body: bytes) -> None:
        """Keep nothing of a body."""

    def on_response_complete(self) -> None:
        """Go on with the next request, or with the refusal that waited for this answer."""
        self.server_state.total_requests += 1
        # The last answer: `LastTransport.close` was called before this, and nothing follows.
        if self.state is State.LINGERING:
            return
        if self.transport.is_closing():
            self._close()
        elif self.pipeline:
            # RFC 9112 section 9.3.2: a server "MUST send the corresponding responses in the same
            # order that the requests were received".
            self._start_asgi_task(*self.pipeline.pop())
            self._read_on()
        elif self._refusal is not None:
            self._send_refusal(self._refusal)
        elif self._at_end and not self._backlog:
            self._close()
        else:
            self._wait_for_client()
            self._read_on()

    def _wait_for_client(self) -> None:
        if self._meter.is_open:
            self._enter(State.IN_HEAD, HEAD_SECONDS)
        else:
            self._enter(State.IDLE, self.timeout_keep_alive)

    def _forget_answers(self) -> None:
        super()._forget_answers()
        if self._backlog is not None:
            self._backlog.clear()


def _status_of(error: Exception) -> HTTPStatus:
    """Return the status of a refusal; an error that a callback raised is the parser's context."""
    cause = error.__context__ if isinstance(error, httptools.HttpParserError) else error
    return cause.status if isinstance(cause, HeadTooLargeError) else HTTPStatus.BAD_REQUEST


MakeProtocol = Callable[..., LimitedProtocol]
"""Makes a connection from uvicorn's arguments: a class of this room, or a partial of one."""
