"""The admin listener: a few pages for operators and programs, apart from the public port.

A thread with an event loop of its own, which wakes for requests only. Whoever has pages to show
gives them as functions; they are called in that thread, one at a time.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple

import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.server import ServerState

from mirrorlist.errors import StartError
from mirrorlist.process.threads import Threads
from mirrorlist.settings import NOWHERE
from mirrorlist.web.capacity import Policy, most_connections
from mirrorlist.web.listener import BACKLOG, host_and_port, listen, shown
from mirrorlist.web.protocol import LimitedProtocol

_STOP_SECONDS = 2.0
_KEEP_ALIVE_SECONDS = 5
_MOST_CONNECTIONS = 256
# In each round of its loop asyncio accepts so many, and takes some rounds to tell us of them and to
# close those that give way: all that is within the reserve of descriptors.
_ACCEPTED_AT_ONCE = 4
_log = logging.getLogger(__name__)


class Reply(NamedTuple):
    """What a page is."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


Routes = Mapping[tuple[str, str], Callable[[], Reply]]
"""Pages by method and path; whoever answers GET answers HEAD too.

A client that says it takes HTML gets the page with `.html` behind its path, if there is one.
"""


def open_admin(given: str | None, default: str, say: Callable[[str], None]) -> socket.socket | None:
    """Listen on the address that was given, or on the default; `none` is no listener.

    An address that was given and cannot be had raises StartError; for the default it is one
    warning, and no listener.
    """
    if given == NOWHERE:
        return None
    host, port = host_and_port(given or default, "--admin")
    try:
        return listen(host, port, "--admin")
    except StartError as error:
        if given:
            raise
        say(f"warning: no health and metrics: {error}")
        return None


class Admin:
    """Answers requests on a socket that listens, from a thread of its own."""

    def __init__(self, listener: socket.socket, routes: Routes) -> None:
        """Take the socket, which is closed at the end, and the pages."""
        self.address = shown(*listener.getsockname()[:2])
        self._listener = listener
        self._routes = dict(routes)
        self._paths = {path for _, path in routes}
        self._loop = asyncio.new_event_loop()
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._stopping, self._ended = threading.Event(), threading.Event()

    def start(self, threads: Threads) -> None:
        """Begin to answer."""
        threads.go_on("admin", self._run)

    def stop(self) -> None:
        """Close the socket and all connections."""
        self._stopping.set()
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)
        if self._server:
            self._ended.wait(_STOP_SECONDS)

    def _run(self) -> bool:
        """Answer until the stop; after an error it can be called again."""
        asyncio.set_event_loop(self._loop)
        if self._server is None:
            self._server = self._loop.run_until_complete(self._open())
        if not self._stopping.is_set():
            self._loop.run_forever()
        if self._stopping.is_set():
            self._close(self._server)
        return self._stopping.is_set()

    async def _open(self) -> asyncio.Server:
        # What a client does wrong is its own business.
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        config = uvicorn.Config(
            self._answer,
            interface="asgi3",
            http=LimitedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )
        config.load()

        policy = Policy(min(_MOST_CONNECTIONS, most_connections()))

        def connect() -> asyncio.Protocol:
            return LimitedProtocol(config, self._state, {}, self._loop, policy=policy)

        server = await self._loop.create_server(
            connect, sock=self._listener, backlog=_ACCEPTED_AT_ONCE
        )
        # asyncio takes that for the length of the kernel's queue too.
        self._listener.listen(BACKLOG)
        return server

    def _close(self, server: asyncio.Server) -> None:
        server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        # Once more around, so that what was closed is closed.
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()
        self._ended.set()

    async def _answer(
        self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        if scope["type"] != "http":
            return
        accepted = b",".join([value for name, value in scope["headers"] if name == b"accept"])
        reply, allowed = self._reply(scope["method"], scope["path"], b"text/html" in accepted)
        headers = [
            (b"content-type", reply.content_type.encode()),
            (b"content-length", str(len(reply.body)).encode()),
            (b"cache-control", b"no-store"),
            *([(b"allow", allowed.encode())] if allowed else []),
            *((name.encode(), value.encode()) for name, value in reply.headers),
        ]
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": headers,
                "trailers": False,
            }
        )
        await send({"type": "http.response.body", "body": reply.body, "more_body": False})

    def _reply(self, method: str, path: str, as_html: bool) -> tuple[Reply, str]:
        """Return what is answered and, if the method is wrong, which ones are right."""
        wanted = "GET" if method == "HEAD" else method
        page = self._routes.get((wanted, path))
        if as_html:
            page = self._routes.get((wanted, f"{path}.html"), page)
        if page is not None:
            try:
                return page(), ""
            except Exception:
                _log.exception("%s %s", method, path)
                return Reply(500, b"This page has an error.\n"), ""
        if path == "/" and wanted == "GET" and "/status" in self._paths:
            return Reply(302, b"See /status.\n", headers=(("location", "/status"),)), ""
        if path not in self._paths:
            return Reply(404, b"There is nothing here.\n"), ""
        methods = [one for one, known in self._routes if known == path]
        allowed = ", ".join([*methods, *(["HEAD"] if "GET" in methods else [])])
        return Reply(405, f"Only {allowed} is answered here.\n".encode()), allowed
