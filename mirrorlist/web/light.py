"""A connection in light form: its lists are answered without a parser, a task or a timer.

A connection is light while nothing out of the ordinary comes. A request that is recognised
(`shapes`) is staged, and answered at the end of this turn of the event loop (`turn`). Anything else
goes to the full protocol (`fast`), and the connection with it; the connection becomes light again
once it is idle there. Its states and their times are rows of the table in `states`; `sweep` looks
at the deadlines.
"""

import asyncio
from typing import TYPE_CHECKING

from uvicorn.protocols.utils import get_remote_addr

from mirrorlist.web.limits import ANSWER_SECONDS, HEAD_SECONDS
from mirrorlist.web.shapes import Request
from mirrorlist.web.states import UNKNOWN_CLIENT, State, is_unix
from mirrorlist.web.transports import GONE

if TYPE_CHECKING:
    from mirrorlist.web.front import Front


class LightConnection(asyncio.Protocol):
    """A connection on which nothing but plain requests for lists has come of late."""

    __slots__ = (
        "_first",
        "_front",
        "_is_paused",
        "deadline",
        "is_asked",
        "is_cut",
        "misses",
        "peer",
        "staged",
        "transport",
        "waits_since",
    )

    def __init__(self, front: "Front") -> None:
        """Belong to a front, without a transport yet."""
        self._front = front
        self._is_paused = self.is_cut = self.is_asked = False
        self.transport: asyncio.Transport = GONE
        self.peer: str | None = None
        self.staged: Request | None = None
        # Requests in a row that were not recognised.
        self.misses = 0
        # What to do once there is a transport.
        self._first: First | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for ever."""
        self.transport = transport
        client = get_remote_addr(transport)
        if client is None and not is_unix(transport):
            client = UNKNOWN_CLIENT
        self.peer = client[0] if client else None
        self.wait(HEAD_SECONDS)
        self._front.open(self)
        if self._first is not None:
            # At once: what the loop reads comes after it.
            self._first.do(self)
            self._first = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave nothing behind that refers to this."""
        self._front.leave(self)
        self.transport, self.staged, self.is_cut = GONE, None, True

    def begin_with(self, first: "First") -> None:
        """Take what to do once there is a transport."""
        self._first = first

    def wait(self, seconds: float) -> None:
        """Begin a state that lasts for this many seconds at most."""
        self.waits_since = self._front.loop.time()
        self.deadline = self.waits_since + seconds

    @property
    def is_answering(self) -> bool:
        """Whether the client waits for an answer."""
        return self.staged is not None

    @property
    def state(self) -> State:
        """The row of the table in `states`; there is no row for a request that is staged."""
        if self.is_cut:
            return State.ENDED
        if self.transport.is_closing():
            return State.CLOSING
        return State.IDLE if self.is_asked else State.NOTHING_ASKED

    def data_received(self, data: bytes) -> None:
        """Stage a request that is recognised; hand over anything else."""
        front = self._front
        if self.staged is not None:
            front.turn.end()
            if self.transport.is_closing():
                # Behind the last request nothing is looked at.
                return
        request = None if self._is_paused else front.recognise(data)
        if request is None:
            self._hand_over(data)
        else:
            self.staged = request
            front.turn.stage(self)

    def eof_received(self) -> None:
        """Answer the staged request; the transport closes itself then."""
        if self.staged is not None:
            self._front.turn.end()

    def pause_writing(self) -> None:
        """Note that the client does not read: the full protocol takes what it asks meanwhile."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Note that it reads again."""
        self._is_paused = False

    def answer(self) -> None:
        """Answer the staged request, unless the connection has ended meanwhile."""
        request, self.staged = self.staged, None
        if request is None or self.transport.is_closing():
            return
        self.transport.writelines(self._front.answer(request, self.peer))
        self.misses = 0
        if request.shape.keep_alive:
            self.stay()
        else:
            self.close()

    def stay(self) -> None:
        """Wait for the next request."""
        # `wait`, written out: it is called for each list.
        front, self.is_asked = self._front, True
        self.waits_since = now = front.loop.time()
        self.deadline = now + front.keep_alive_seconds

    def close(self) -> None:
        """Close once all is written: a client that never reads it is not waited for."""
        self.transport.close()
        self.wait(ANSWER_SECONDS)

    def shutdown(self) -> None:
        """End in order, because the server ends; uvicorn calls it."""
        if self.staged is not None:
            self._front.turn.end()
        self.close()

    def give_way(self) -> None:
        """End, because a newer connection needs the room."""
        self._front.policy.gave_way()
        self.cut_off()

    def expire(self) -> None:
        """Do what the last column of the table in `states` says."""
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.cut_off()
        else:
            self.close()

    def cut_off(self) -> None:
        """End at once."""
        self.is_cut = True
        self.transport.abort()

    def _hand_over(self, data: bytes) -> None:
        transport, state = self.transport, self.state
        full = self._front.make_full(self)
        transport.set_protocol(full)
        full.connection_made(transport)
        full.take_over(state, self.waits_since, self.deadline)
        full.misses = self.misses + 1
        if self._is_paused:
            full.pause_writing()
        self.transport = GONE
        full.data_received(data)


class First:
    """What was done with a connection before it had a transport, and what is left to do."""

    def __init__(
        self, data: bytes = b"", unsent: bytes = b"", keep_alive: bool | None = None
    ) -> None:
        """Take bytes that were read, or the rest of an answer and whether the connection stays."""
        self._data, self._unsent, self._keep_alive = data, unsent, keep_alive

    def do(self, connection: LightConnection) -> None:
        """Go on where the entrance stopped."""
        if self._unsent:
            connection.transport.write(self._unsent)
        if self._keep_alive is not None:
            if self._keep_alive:
                connection.stay()
            else:
                connection.close()
        elif self._data:
            connection.data_received(self._data)
