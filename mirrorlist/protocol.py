"""HTTP on one connection: uvicorn's protocol with limits on size and time.

Stock uvicorn takes 50 MB of headers, waits for ever for the end of a half-sent one, and never gives
up on a client that reads nothing. Source of the limits: behaviour.md section 6 item 7.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from itertools import chain
from typing import cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mirrorlist.jobs import MOST_SECONDS, PRESENCE, Presence

MAX_TARGET_BYTES = 8 * 1024
# Each line counts with its name, value, colon, blank and line end.
MAX_HEADER_BYTES = 16 * 1024
MAX_HEADER_LINES = 64
# From the first byte of a request (or the start of the connection) to the end of its headers.
HEAD_SECONDS = 10.0
# From there until the answer has left this process.
ANSWER_SECONDS = MOST_SECONDS
# How long to read on, and throw away, what a refused client still sends: closing at once would
# make the kernel reset the connection, and the refusal would be lost with it.
LINGER_SECONDS = 1.0

_LINE_EXTRA = len(b": \r\n")
_TEXTS = {
    HTTPStatus.BAD_REQUEST: "This is not a request that HTTP knows.",
    HTTPStatus.REQUEST_TIMEOUT: f"The headers did not end within {HEAD_SECONDS:.0f} s.",
    HTTPStatus.REQUEST_URI_TOO_LONG: f"The request target is longer than {MAX_TARGET_BYTES} bytes.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        f"The headers are more than {MAX_HEADER_LINES} lines or {MAX_HEADER_BYTES} bytes."
    ),
}


class _Stop(Exception):
    """Ends the parser's work within a callback; carries the status of the refusal."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


class _LastTransport(asyncio.Transport):
    """The transport of a connection's last answer: instead of closing, it lingers."""

    def __init__(self, transport: asyncio.Transport, linger: Callable[[], None]) -> None:
        super().__init__()
        self.write = transport.write  # type: ignore[method-assign]
        self.is_closing = transport.is_closing  # type: ignore[method-assign]
        self.close = linger  # type: ignore[method-assign]


class _Gone(asyncio.Transport):
    """The transport of a connection that has ended."""

    def is_closing(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def close(self) -> None:
        pass

    def abort(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


_GONE = _Gone()
_GONE_FLOW = FlowControl(_GONE)


class LimitedProtocol(HttpToolsProtocol):
    """A connection whose requests are limited; a refusal comes after the answers before it."""

    refused: Callable[[int], None] = staticmethod(lambda status: None)
    """Gets the status of each refusal, to count it; set on a subclass."""

    _refusal: HTTPStatus | None = None
    _lingers = False
    _in_head = True
    _at_end = False
    _completed = False
    _running: RequestResponseCycle | None = None
    _head_bytes: int = 0
    _target_bytes: int = 0
    _received: int = 0
    _timer: asyncio.TimerHandle | None = None
    _deadline: float | None = None
    _then: Callable[[], object] = staticmethod(lambda: None)
    _head_waits = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self._wait(HEAD_SECONDS, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer and no answer behind, whatever ended the connection."""
        self._wait(None)
        if self._timer is not None:
            self._timer.cancel()
        self._forget_answers()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._let_go()

    def _let_go(self) -> None:
        """Refer to nothing that refers to this: thousands of circles a second are much garbage."""
        self._then = LimitedProtocol._then
        self._timer = None
        self.transport, self.flow, self.cycle = _GONE, _GONE_FLOW, None  # type: ignore[assignment]
        self._running = None
        self.scope = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Parse what came; after a refusal, throw it away."""
        if self._refusal is not None or self._lingers:
            return
        self._unset_keepalive_if_required()
        self._completed = False
        self._received = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Answered as if it had not asked; what follows in the other protocol is not read.
            self._answer_last()
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(cause.status if isinstance(cause, _Stop) else HTTPStatus.BAD_REQUEST)
        else:
            self._count_unfinished(len(data))

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep a half-closed connection open until what was asked on it is answered."""
        self._at_end = True
        return self._is_busy()

    def on_message_begin(self) -> None:
        """Begin to count and to wait for a request's headers."""
        super().on_message_begin()
        self._begin_head()

    def _begin_head(self) -> None:
        self._head_bytes = self._target_bytes = 0
        if not self._in_head:
            self._in_head, self._head_waits = True, False

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self._target_bytes += len(url)
        if self._target_bytes > MAX_TARGET_BYTES:
            raise _Stop(HTTPStatus.REQUEST_URI_TOO_LONG)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer of a body, which counts with them."""
        super().on_header(name, value)
        # Those of a head are counted at its end: until then its raw bytes are.
        if not self._in_head:
            self._count_headers()

    def _count_headers(self) -> None:
        lines = len(self.headers)
        if self._received + self._head_bytes <= MAX_HEADER_BYTES and lines <= MAX_HEADER_LINES:
            return
        size = sum(map(len, chain.from_iterable(self.headers))) + _LINE_EXTRA * lines
        if lines > MAX_HEADER_LINES or size > MAX_HEADER_BYTES:
            raise _Stop(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._count_headers()
        super().on_headers_complete()
        self._in_head = False
        self._completed = True
        self._wait(ANSWER_SECONDS, self._cut_off)
        # No request here needs a body, so nobody waits for the end of one.
        if any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers):
            self._answer_last()

    def on_response_complete(self) -> None:
        """Go on with the next request, or with the refusal that waited for this answer."""
        if self._lingers:
            self.server_state.total_requests += 1
            return
        if self._refusal is not None and not self.pipeline:
            self._send_refusal(self._refusal)
            return
        super().on_response_complete()
        if self._at_end and not self._is_busy():
            self.transport.close()
        if self.transport.is_closing():
            self._close()
        elif not self._is_busy() and not self._in_head:
            self._wait(None)

    def timeout_keep_alive_handler(self) -> None:
        """End an idle connection; one that never read its last answer is not waited for."""
        if self.transport.get_write_buffer_size():
            self._cut_off()
        else:
            super().timeout_keep_alive_handler()

    def _count_unfinished(self, received: int) -> None:
        # The parser keeps an unfinished line to itself, so the raw bytes of a head are counted
        # too, in every piece that holds no end of a head.
        if not self._in_head:
            return
        if not self._head_waits:
            # Only now, as nearly every head comes whole.
            self._head_waits = True
            self._wait(HEAD_SECONDS, self._head_is_late)
        if not self._completed:
            self._head_bytes += received
            if self._head_bytes > MAX_TARGET_BYTES + MAX_HEADER_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _head_is_late(self) -> None:
        begun = self._target_bytes + self._head_bytes
        if begun:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus) -> None:
        self._refusal = status
        if self._is_busy():
            self._wait(ANSWER_SECONDS, self._cut_off)
        else:
            self._send_refusal(status)

    def _close(self) -> None:
        # Written, but perhaps not read: a client that never does is not waited for.
        self.transport.close()
        self._wait(ANSWER_SECONDS, self._cut_off)

    def _cut_off(self) -> None:
        self._forget_answers()
        self.transport.abort()

    def _forget_answers(self) -> None:
        # Those that wait would else be written to a connection that is gone.
        self.pipeline.clear()
        if self._running is not None:
            self._running.disconnected = True

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        cast(dict[str, object], cycle.scope)[PRESENCE] = self._presence
        super()._start_asgi_task(cycle, app)

    def _presence(self) -> Presence:
        """Return how the client's connection is; any thread may ask."""
        if self.transport.is_closing():
            return Presence.GONE
        return Presence.SILENT if self._at_end else Presence.THERE

    def _is_busy(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _send_refusal(self, status: HTTPStatus) -> None:
        if self.transport.is_closing():
            return
        self.refused(status.value)
        body = _TEXTS[status].encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "content-type: text/plain\r\n"
            f"content-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self._linger()

    def _answer_last(self) -> None:
        """Make the newest request's answer the connection's last, which lingers too."""
        self.cycle.keep_alive = False
        self.cycle.transport = _LastTransport(self.transport, self._linger)

    def _linger(self) -> None:
        """Say that nothing more comes, and wait a little for the client to say the same."""
        self._lingers = True
        self._forget_answers()
        self.flow.resume_reading()
        if self._at_end:
            self.transport.close()
            return
        unsent = self.transport.get_write_buffer_size()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._wait(ANSWER_SECONDS if unsent else LINGER_SECONDS, self._cut_off)

    def _wait(self, seconds: float | None, then: Callable[[], object] = lambda: None) -> None:
        """Do something if nothing else is waited for until then; None waits for nothing."""
        if seconds is None:
            self._deadline = None
            return
        self._deadline, self._then = self.loop.time() + seconds, then
        # A timer that fires too early looks again: most of them are moved on before they do.
        if self._timer is None or self._timer.when() > self._deadline:
            self._look_at(self._deadline)

    def _look_at(self, time: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(time, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self.loop.time() < self._deadline:
            self._look_at(self._deadline)
        else:
            self._deadline = None
            self._then()
