"""The states of a connection: each of them has one deadline, and an end.

Only the events of the second column set the deadline. Bytes that begin no request, such as CRLF,
and bytes that are thrown away do not move it. The seconds are in `limits`.

| the state | begins with | its deadline | then |
|---|---|---|---|
| nothing asked | the connection; a PROXY header belongs to it | HEAD_SECONDS | closed |
| in a head, the first | a first byte | that of the connection stays | 408 |
| in a head, a later one | a first byte, or the end of the answer before it | HEAD_SECONDS | 408 |
| answering | the start of its answer by the app | ANSWER_SECONDS | cut off |
| idle | the end of the last answer | keep-alive | closed |
| lingering | a refusal or a last answer, written | LINGER_SECONDS | cut off |
| lingering, unread | the same, not yet taken by the client | ANSWER_SECONDS | cut off |
| closing | our close, while the client does not read | ANSWER_SECONDS | cut off |

In every state a client that has not taken all of its answers is cut off at the deadline. A head
that comes whole, and a list that FastProtocol answers at once, pass without a state. Heads, a
refusal and unparsed bytes that wait behind an answer under way wait in the state of that answer.
When the server stops, uvicorn closes connections without a state of their own: the deadline stays.
"""

import asyncio
import socket
from enum import Enum
from http import HTTPStatus
from typing import Any, cast

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mirrorlist.process.jobs import PRESENCE, Presence
from mirrorlist.web.capacity import NO_POLICY, Policy, make_room
from mirrorlist.web.deadline import Deadline
from mirrorlist.web.limits import ANSWER_SECONDS, HEAD_SECONDS, LINGER_SECONDS
from mirrorlist.web.refusals import TEXTS, refusal
from mirrorlist.web.transports import GONE, GONE_FLOW, Flow, LastTransport

# The peer of a connection that ended before its address could be asked for: trusted by nobody.
UNKNOWN_CLIENT = ("unknown", 0)


class State(Enum):
    """The state of a connection: a row of the table above, or ended."""

    NOTHING_ASKED = "nothing asked"
    IN_HEAD = "in a head"
    ANSWERING = "answering"
    IDLE = "idle"
    LINGERING = "lingering"
    CLOSING = "closing"
    ENDED = "ended"


class TimedProtocol(HttpToolsProtocol):
    """A connection that always has a state and a deadline; bytes are read in `protocol`."""

    state = State.NOTHING_ASKED

    # All further bytes are thrown away: a refusal or the last answer is decided.
    _is_deaf = False
    # The refusal that is sent, or waits for the answers before it.
    _refusal: HTTPStatus | None = None
    # Whether the client has closed its half.
    _at_end = False
    # The answer under way; uvicorn's `cycle` is the newest.
    _running: RequestResponseCycle | None = None
    _deadline: Deadline

    def __init__(self, *of_uvicorn: Any, policy: Policy = NO_POLICY, **more: Any) -> None:
        """Take uvicorn's arguments, and the policy of all connections of the listener."""
        super().__init__(*of_uvicorn, **more)
        self.policy = policy

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        super().connection_made(transport)
        self.flow: Flow = Flow(transport)
        self._deadline = Deadline(self.loop, self._expire, HEAD_SECONDS)
        if self.client is None and not is_unix(transport):
            self.client = UNKNOWN_CLIENT
        if len(self.connections) > self.policy.most_connections:
            most = self.policy.most_connections
            make_room(self.connections, most, self)  # type: ignore[type-var]

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer, no answer and no reference cycle behind."""
        self.state = State.ENDED
        self._deadline.end()
        self._forget_answers()
        super().connection_lost(exc)
        self._let_go()

    def _let_go(self) -> None:
        # Drop every reference that forms a cycle: with thousands of connections a second only the
        # garbage collection would free them.
        self.transport, self.flow, self.cycle = GONE, GONE_FLOW, None  # type: ignore[assignment]
        self._running = None
        # The scope holds `_presence`, a method of this object: that is a cycle too.
        self.scope = None  # type: ignore[assignment]

    @property
    def is_answering(self) -> bool:
        """Whether the client waits for an answer of the app."""
        return self.state is State.ANSWERING

    @property
    def is_at_rest(self) -> bool:
        """Whether all that was asked is answered, and nothing else has come or is to be sent."""
        return (
            self.state is State.IDLE
            and not (self._is_deaf or self._at_end or self.pipeline or self.flow.write_paused)
            and not self.transport.is_closing()
        )

    @property
    def deadline(self) -> float:
        """When its state ends at the latest, on the loop's clock."""
        return self._deadline.at

    def take_over(self, state: State, since: float, deadline: float) -> None:
        """Go on from a state of another protocol; both times are on the loop's clock."""
        self.state = state
        self._deadline.set(deadline - self.loop.time())
        self._deadline.since = since

    def retire(self) -> None:
        """Leave the connection to another protocol."""
        self._deadline.end()
        self.connections.discard(self)
        # It refers to this, as uvicorn knows at the end of a connection.
        self.parser = None  # type: ignore[assignment]
        self._let_go()

    @property
    def is_cut(self) -> bool:
        """Whether the connection has ended, even if its transport has not said so yet."""
        return self.state is State.ENDED

    @property
    def waits_since(self) -> float:
        """The time of the loop's clock when its deadline was set."""
        return self._deadline.since

    def give_way(self) -> None:
        """End, because a newer connection needs the room."""
        self.policy.gave_way()
        self._cut_off()

    def _enter(self, state: State, seconds: float) -> None:
        self.state = state
        self._deadline.set(seconds)

    def _expire(self) -> None:
        """Do what the last column of the table says."""
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self._cut_off()
        elif self.state is State.IN_HEAD:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self.state in (State.NOTHING_ASKED, State.IDLE):
            self._close()
        else:
            self._cut_off()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        cast(dict[str, object], cycle.scope)[PRESENCE] = self._presence
        self._enter(State.ANSWERING, ANSWER_SECONDS)
        super()._start_asgi_task(cycle, app)

    def _presence(self) -> Presence:
        """Return whether the client is there; any thread may ask."""
        if self.transport.is_closing():
            return Presence.GONE
        return Presence.SILENT if self._at_end else Presence.THERE

    def _refuse(self, status: HTTPStatus) -> None:
        self._refusal, self._is_deaf = status, True
        if not self.is_answering:
            self._send_refusal(status)

    def _send_refusal(self, status: HTTPStatus) -> None:
        if not self.transport.is_closing():
            self.policy.refused(status.value)
            self.transport.write(refusal(status, self._text(status)))
            self._linger()

    def _text(self, status: HTTPStatus) -> str:
        return TEXTS[status]

    def _answer_last(self) -> None:
        """Make the answer of the newest request the last one, and linger after it."""
        self._is_deaf = True
        # For the app the body is empty, because its end is not waited for.
        self.cycle.more_body = False
        self.cycle.message_event.set()
        self.cycle.keep_alive = False
        self.cycle.transport = LastTransport(self.transport, self._linger)

    def _linger(self) -> None:
        """Close our half of the connection, and wait a little for the client to close the other."""
        # RFC 9112 section 9.6: "If a server performs an immediate close of a TCP connection, there
        # is a significant risk that the client will not be able to read the last HTTP response."
        # So "the server performs a half-close", and "then continues to read from the connection
        # until it receives a corresponding close by the client".
        self._forget_answers()
        self.flow.release()
        self.flow.resume_reading()
        unsent = self.transport.get_write_buffer_size()
        self._enter(State.LINGERING, ANSWER_SECONDS if unsent else LINGER_SECONDS)
        if self._at_end:
            self._close()
        elif self.transport.can_write_eof():
            self.transport.write_eof()

    def _close(self) -> None:
        # asyncio closes when the client has taken all bytes: the deadline ends a client that never
        # does.
        self.transport.close()
        self._enter(State.CLOSING, ANSWER_SECONDS)

    def _cut_off(self) -> None:
        self.state = State.ENDED
        self._forget_answers()
        self.transport.abort()

    def _forget_answers(self) -> None:
        # Otherwise the answers that wait would be written to a connection that is gone.
        self.pipeline.clear()
        if self._running is not None:
            self._running.disconnected = True


def is_unix(transport: asyncio.Transport) -> bool:
    """Return whether a connection came by a Unix socket."""
    found: socket.socket | None = transport.get_extra_info("socket")
    return found is not None and found.family == socket.AF_UNIX
