"""What the connections of a worker share, and the way between their light and their full form."""

import asyncio
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from mirrorlist.service import Service
from mirrorlist.web.capacity import Policy, make_room
from mirrorlist.web.fast import FastProtocol, head_of
from mirrorlist.web.light import LightConnection
from mirrorlist.web.shapes import Recogniser, Request
from mirrorlist.web.sweep import Sweep
from mirrorlist.web.turn import Turn

MOST_MISSES = 8
"""A connection with this many requests in a row that are not recognised stays with the full
protocol."""


class Front:
    """Makes the connections of a worker; uvicorn calls it as if it were a protocol class."""

    loop: asyncio.AbstractEventLoop
    turn: Turn
    keep_alive_seconds: float
    is_ending = False
    """Whether the server has stopped to accept: whatever connects now is closed."""

    def __init__(self, service: Service, policy: Policy) -> None:
        """Take who answers, and what all connections have in common."""
        self._service = service
        self.policy = policy
        self.recognise = Recogniser(service.request_paths).recognise

    def begin(
        self,
        config: uvicorn.Config,
        state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Take what uvicorn gives each connection; to be called once the loop runs."""
        self.loop, self.turn = loop, Turn(loop)
        self.keep_alive_seconds = config.timeout_keep_alive
        self._state = state
        self._connections: set[Any] = state.connections
        self._of_uvicorn = {
            "config": config,
            "server_state": state,
            "app_state": app_state,
            "_loop": loop,
        }
        Sweep(loop, self._connections)

    def __call__(self, **of_uvicorn: object) -> LightConnection:
        """Return a new connection, as uvicorn asks for one."""
        return LightConnection(self)

    def open(self, connection: LightConnection) -> None:
        """Count a connection among all, and make room for it."""
        self._connections.add(connection)
        if self.is_ending:
            self.loop.call_soon(connection.shutdown)
        elif len(self._connections) > self.policy.most_connections:
            make_room(self._connections, self.policy.most_connections, connection)

    def leave(self, connection: LightConnection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)

    def make_way(self) -> None:
        """End some connections: the process has no descriptor left for a newer one."""
        make_room(self._connections, len(self._connections) - 1)

    def make_full(self, light: LightConnection) -> FastProtocol:
        """Return a full protocol that takes the place of a light connection."""
        self.leave(light)
        full = FastProtocol(
            **self._of_uvicorn, policy=self.policy, service=self._service, front=self
        )
        if self.is_ending:
            self.loop.call_soon(full.shutdown)
        return full

    def take_back(self, full: FastProtocol) -> None:
        """Make a connection light again that is idle in the full protocol."""
        if full.misses >= MOST_MISSES:
            return
        light = LightConnection(self)
        light.transport, light.peer = full.transport, full.client[0] if full.client else None
        light.misses, light.is_asked = full.misses, True
        light.waits_since, light.deadline = full.waits_since, full.deadline
        full.transport.set_protocol(light)
        full.retire()
        self.open(light)

    def answer(self, request: Request, peer: str | None) -> list[bytes]:
        """Return the answer to a request, in pieces."""
        (is_metalink, query), (keep_alive, software) = request.key, request.shape
        found = self._service.respond(is_metalink, query, peer, request.forwarded, False, software)
        state = self._state
        state.total_requests += 1
        date = state.default_headers[0][1]
        return [head_of(found, keep_alive, date), *found.pieces]
