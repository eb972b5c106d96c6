"""One connection without a network, on a loop whose clock is a test's: what it does and when."""

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from mirrorlist.service import Service
from mirrorlist.web.capacity import NO_POLICY, Policy
from mirrorlist.web.front import Front
from mirrorlist.web.protocol import MakeProtocol

KEEP_ALIVE = 75
HOST = ("198.51.100.7", 4711)


class Wire(asyncio.Transport):
    """A transport that keeps what is written, and whose client may refuse to read."""

    def __init__(self, peer: tuple[str, int] = HOST) -> None:
        """Take the client's address."""
        super().__init__({"peername": peer, "sockname": ("127.0.0.1", 3000)})
        self.written = b""
        self.unread = 0
        self.client_reads = True
        self.takes = True
        self.ended: list[str] = []
        # A LightConnection has less than the others, and tests look into what it has not.
        self.protocol: Any
        self.loop: asyncio.AbstractEventLoop
        self._is_closing = False

    def set_protocol(self, protocol: Any) -> None:
        """Give what comes to another protocol."""
        self.protocol = protocol

    def get_protocol(self) -> Any:
        """Return who gets what comes."""
        return self.protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or keep for a client that does not read."""
        self.written += data
        if not self.client_reads:
            self.unread += len(data)
            if self.unread > 65536:
                self.protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        """Return what the client has not taken."""
        return self.unread

    def is_closing(self) -> bool:
        """Return whether it was closed."""
        return self._is_closing

    def close(self) -> None:
        """End once all is read."""
        if not self._is_closing:
            self._is_closing = True
            if not self.unread:
                self._end("closed")

    def abort(self) -> None:
        """End at once."""
        self._is_closing = True
        self._end("cut off")

    def can_write_eof(self) -> bool:
        """Return that half of it can be closed."""
        return True

    def write_eof(self) -> None:
        """Close our half."""

    def pause_reading(self) -> None:
        """Take nothing."""
        self.takes = False

    def resume_reading(self) -> None:
        """Take what comes."""
        self.takes = True

    def _end(self, how: str) -> None:
        if not self.ended:
            self.ended.append(how)
            self.loop.call_soon(self.protocol.connection_lost, None)


class Connection:
    """A connection, made by a protocol class, with an app; `app` may be slow or never answer."""

    def __init__(
        self, kind: MakeProtocol, app: Callable[..., Any], wire: Wire | None = None
    ) -> None:
        """Connect."""
        self.loop = asyncio.new_event_loop()
        self.now = 1000.0
        self.loop.time = lambda: self.now  # type: ignore[method-assign]
        config = uvicorn.Config(
            app,
            log_config=None,
            lifespan="off",
            timeout_keep_alive=KEEP_ALIVE,
            ws="none",
            proxy_headers=False,
        )
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"now")]
        self.config = config
        self.wire = wire or Wire()
        self.wire.loop = self.loop
        self.wire.protocol = kind(config, self.state, {}, _loop=self.loop)
        self.protocol.connection_made(self.wire)
        self.turn()

    @property
    def protocol(self) -> Any:
        """Who gets what comes now."""
        return self.wire.protocol

    def turn(self, times: int = 18) -> None:
        """Let the loop do what is due and what comes of it, in this many rounds at most."""
        self.loop.run_until_complete(self._rounds(times))

    async def _rounds(self, most: int) -> None:
        ready = self.loop._ready  # type: ignore[attr-defined]
        for _ in range(most):
            # What is due now, timers too, has its place behind this coroutine.
            if not ready:
                return
            await asyncio.sleep(0)

    def send(self, data: bytes) -> None:
        """Send, unless it has ended or reads nothing."""
        if not self.wire.ended and self.wire.takes:
            self.protocol.data_received(data)
            self.turn()

    def wait(self, seconds: float) -> None:
        """Let so much time go by."""
        self.now += seconds
        self.turn()

    def ends_within(self, seconds: float, drip: bytes, step: float = 0.5) -> float:
        """Send again and again for this long; return when the connection ended, or fail."""
        begun = self.now
        while not self.wire.ended:
            assert self.now - begun <= seconds, (
                f"open after {self.now - begun} s, dripping {drip!r}"
            )
            if drip:
                self.send(drip)
            self.wait(step)
        return self.now - begun

    @property
    def statuses(self) -> list[int]:
        """The statuses of the answers so far."""
        return [int(part[:3]) for part in self.wire.written.split(b"HTTP/1.1 ")[1:]]

    def close(self) -> None:
        """Leave nothing behind."""
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.turn(2)
        self.loop.close()


def light(service: Service, policy: Policy = NO_POLICY) -> MakeProtocol:
    """Return what makes a light connection, with a front of its own."""

    def make(
        config: uvicorn.Config,
        state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop,
    ) -> Any:
        front = Front(service, policy)
        front.begin(config, state, app_state, _loop)
        return front()

    return make


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer, or never, or with much."""
    if scope["path"] == "/slow":
        await receive()
        await receive()
        return
    body = b"x" * (500_000 if scope["path"] == "/large" else 2)
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})
