"""HTTP on one connection: uvicorn's protocol with limits on size, number and time.

Stock uvicorn takes 50 MB of headers, queues requests without end, waits for ever for the end of
a half-sent one, and never gives up on a client that reads nothing. Source of the limits:
docs/protocol.md#limits.

A connection is in one of these states, and has one deadline in each of them. Only what the first
column says sets it; bytes that begin no request, such as CRLF, and those that are thrown away
move nothing.

| the state | begins with | its deadline | then |
|---|---|---|---|
| nothing asked | the connection; a PROXY header belongs to it | HEAD_SECONDS | closed |
| in a head | a first byte, or the end of the answer before it | HEAD_SECONDS | 408 |
| answering | the start of its answer by the app | ANSWER_SECONDS | cut off |
| idle | the end of the last answer | keep-alive | closed; if unread, cut off |
| lingering | a refusal or a last answer, written | LINGER_SECONDS | cut off |
| lingering, unread | the same, not yet taken by the client | ANSWER_SECONDS | cut off |
| closing | our close, while the client does not read | ANSWER_SECONDS | cut off |

What waits behind an answer under way (heads that are read, a refusal, bytes that are not parsed
yet) waits in the state of that answer.
"""

import asyncio
import socket
from collections.abc import Callable
from http import HTTPStatus
from itertools import chain
from typing import Any, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from mirrorlist.process.jobs import MOST_SECONDS, PRESENCE, Presence
from mirrorlist.web.capacity import NO_POLICY, Policy, make_room
from mirrorlist.web.deadline import Deadline
from mirrorlist.web.transports import GONE, GONE_FLOW, Flow, LastTransport

MAX_TARGET_BYTES = 8 * 1024
# Each line counts with its name, value, colon, blank and line end.
MAX_HEADER_BYTES = 16 * 1024
MAX_HEADER_LINES = 64
# Requests of a connection that are read and not answered yet, the one under way included.
MOST_WAITING = 32
# From the first byte of a request (or the start of the connection) to the end of its headers.
HEAD_SECONDS = 10.0
# From there until the answer has left this process.
ANSWER_SECONDS = MOST_SECONDS
# How long to read on, and throw away, what a refused client still sends: closing at once would
# make the kernel reset the connection, and the refusal would be lost with it.
LINGER_SECONDS = 1.0
# The peer of a connection that ended before its address could be asked for: trusted by nobody.
UNKNOWN_CLIENT = ("unknown", 0)

_LINE_EXTRA = len(b": \r\n")
_HEAD_END = b"\r\n\r\n"
# A piece holds the end of a head that was begun in the piece before, and one more at most.
_ENOUGH = MOST_WAITING - 2
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


def announces_body(name: bytes, value: bytes) -> bool:
    """Return whether a header, its name in lower case, says that a body follows."""
    if name == b"content-length":
        # The parser takes digits only; a length of 0 is no body.
        return value.strip(b" \t0") != b""
    return name == b"transfer-encoding"


class LimitedProtocol(HttpToolsProtocol):
    """A connection whose requests are limited; a refusal comes after the answers before it."""

    is_cut = False

    _refusal: HTTPStatus | None = None
    # Nothing that comes is looked at any more: a refusal or the last answer is decided.
    _is_deaf = False
    _lingers = False
    _in_head = False
    _at_end = False
    _completed = False
    _running: RequestResponseCycle | None = None
    _head_bytes: int = 0
    _target_bytes: int = 0
    _received: int = 0
    # Whether the deadline is that of the head; the first one has that of the connection.
    _head_waits = True
    # What has come and is not parsed yet, from a place on.
    _rest: bytes = b""
    _at = 0
    _deadline: Deadline

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        policy: Policy = NO_POLICY,
    ) -> None:
        """Take what uvicorn gives each connection, and what its listener's have in common."""
        super().__init__(config, server_state, app_state, _loop)
        self.policy = policy

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)
        self._deadline = Deadline(self.loop, self._expire, HEAD_SECONDS)
        if self.client is None and not _is_unix(transport):
            self.client = UNKNOWN_CLIENT
        if len(self.connections) > self.policy.most_connections:
            most = self.policy.most_connections
            make_room(self.connections, most, self)  # type: ignore[type-var]

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer and no answer behind, whatever ended the connection."""
        self._deadline.end()
        self._forget_answers()
        super().connection_lost(exc)
        self._let_go()

    def _let_go(self) -> None:
        """Refer to nothing that refers to this: thousands of circles a second are much garbage."""
        self.transport, self.flow, self.cycle = GONE, GONE_FLOW, None  # type: ignore[assignment]
        self._running = None
        # It holds `_presence`, and so this.
        self.scope = None  # type: ignore[assignment]

    @property
    def is_answering(self) -> bool:
        """Whether the client waits for an answer of the app."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    @property
    def waits_since(self) -> float:
        """Since when it is in its state, on the loop's clock."""
        return self._deadline.since

    def give_way(self) -> None:
        """End, as a newer connection needs the room."""
        self.policy.gave_way()
        self._cut_off()

    def data_received(self, data: bytes) -> None:
        """Parse what came; after a refusal, throw it away."""
        if self._is_deaf:
            return
        end = data.find(_HEAD_END)
        # Nearly always it is one head, or the beginning of one.
        if (end < 0 or end + len(_HEAD_END) == len(data)) and not (self._rest or self.pipeline):
            self._feed(data)
        else:
            self._rest, self._at = self._rest[self._at :] + data, 0
            self._go_on()

    def _go_on(self) -> None:
        """Parse what has come, head by head, until enough requests wait or others are due."""
        for _ in range(MOST_WAITING):
            if self._is_deaf or self.transport.is_closing():
                self._at = len(self._rest)
            if self._at >= len(self._rest) or len(self.pipeline) >= _ENOUGH:
                break
            begin, end = self._at, self._rest.find(_HEAD_END, self._at)
            self._at = len(self._rest) if end < 0 else end + len(_HEAD_END)
            self._feed(self._rest[begin : self._at])
        if self._at < len(self._rest):
            self.flow.hold()
            if not self.is_answering:
                self.loop.call_soon(self._go_on)
        elif self._rest:
            self._rest, self._at = b"", 0
            self.flow.release()
            self._read_on()
            if self._at_end and not self.is_answering:
                self._close()

    def _feed(self, data: bytes) -> None:
        """Give the parser a piece with at most one end of a head."""
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
        return self.is_answering or bool(self._rest)

    def on_message_begin(self) -> None:
        """Begin to count and to wait for a request's headers."""
        super().on_message_begin()
        self._begin_head()

    def _begin_head(self) -> None:
        self._head_bytes = self._target_bytes = 0
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        """Take a piece of the request target."""
        self._target_bytes += len(url)
        if self._target_bytes > MAX_TARGET_BYTES:
            raise _Stop(HTTPStatus.REQUEST_URI_TOO_LONG)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; a trailer of a body is not a header."""
        if self._in_head:
            super().on_header(name, value)

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
        # A copy: nothing that comes later may be among what is decided by.
        self.scope["headers"] = list(self.headers)
        super().on_headers_complete()
        self._end_head()
        # No request here needs a body.
        if any(announces_body(name, value) for name, value in self.headers):
            self._answer_last()

    def _end_head(self) -> None:
        self._in_head = self._head_waits = False
        self._completed = True

    def on_body(self, body: bytes) -> None:
        """Keep nothing of a body."""

    def on_response_complete(self) -> None:
        """Go on with the next request, or with the refusal that waited for this answer."""
        self.server_state.total_requests += 1
        if self._lingers:
            return
        if self.transport.is_closing():
            self._close()
        elif self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            self._read_on()
        elif self._refusal is not None:
            self._send_refusal(self._refusal)
        elif self._at_end and not self._rest:
            self._close()
        else:
            self._wait_for_client()
            self._read_on()

    def _read_on(self) -> None:
        if self._rest:
            self.loop.call_soon(self._go_on)
        elif not self.pipeline:
            self.flow.resume_reading()

    def _wait_for_client(self) -> None:
        self._head_waits = self._in_head
        self._deadline.set(HEAD_SECONDS if self._in_head else self.timeout_keep_alive)

    def _count_unfinished(self, received: int) -> None:
        # The parser keeps an unfinished line to itself, so the raw bytes of a head are counted
        # too, in every piece that holds no end of a head.
        if not self._in_head:
            return
        if not (self._head_waits or self.is_answering):
            # Only now, as nearly every head comes whole.
            self._wait_for_client()
        if not self._completed:
            self._head_bytes += received
            if self._head_bytes > MAX_TARGET_BYTES + MAX_HEADER_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _expire(self) -> None:
        """Do what the table above says."""
        transport = self.transport
        is_ending = self._is_deaf or transport.is_closing()
        if is_ending or self.is_answering or transport.get_write_buffer_size():
            self._cut_off()
        elif self._in_head:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self._close()

    def _refuse(self, status: HTTPStatus) -> None:
        self._refusal, self._is_deaf = status, True
        if not self.is_answering:
            self._send_refusal(status)

    def _close(self) -> None:
        # Written, but perhaps not read: a client that never does is not waited for.
        self.transport.close()
        self._deadline.set(ANSWER_SECONDS)

    def _cut_off(self) -> None:
        self.is_cut = True
        self._forget_answers()
        self.transport.abort()

    def _forget_answers(self) -> None:
        # Those that wait would else be written to a connection that is gone.
        self.pipeline.clear()
        self._rest, self._at = b"", 0
        if self._running is not None:
            self._running.disconnected = True

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        cast(dict[str, object], cycle.scope)[PRESENCE] = self._presence
        self._deadline.set(ANSWER_SECONDS)
        super()._start_asgi_task(cycle, app)

    def _presence(self) -> Presence:
        """Return how the client's connection is; any thread may ask."""
        if self.transport.is_closing():
            return Presence.GONE
        return Presence.SILENT if self._at_end else Presence.THERE

    def _send_refusal(self, status: HTTPStatus) -> None:
        if self.transport.is_closing():
            return
        self.policy.refused(status.value)
        body = self._text(status).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            "content-type: text/plain\r\n"
            f"content-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self._linger()

    def _text(self, status: HTTPStatus) -> str:
        return _TEXTS[status]

    def _answer_last(self) -> None:
        """Make the newest request's answer the connection's last, which lingers too."""
        self._is_deaf = True
        # To the app its body is empty: nobody waits for the end of one.
        self.cycle.more_body = False
        self.cycle.message_event.set()
        self.cycle.keep_alive = False
        self.cycle.transport = LastTransport(self.transport, self._linger)

    def _linger(self) -> None:
        """Say that nothing more comes, and wait a little for the client to say the same."""
        self._lingers = self._is_deaf = True
        self._forget_answers()
        self.flow.release()
        self.flow.resume_reading()
        if self._at_end:
            self._close()
            return
        unsent = self.transport.get_write_buffer_size()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._deadline.set(ANSWER_SECONDS if unsent else LINGER_SECONDS)


def _is_unix(transport: asyncio.Transport) -> bool:
    found: socket.socket | None = transport.get_extra_info("socket")
    return found is not None and found.family == socket.AF_UNIX


MakeProtocol = Callable[..., LimitedProtocol]
"""What makes a connection of what uvicorn gives it: a class here, or a partial of one."""
