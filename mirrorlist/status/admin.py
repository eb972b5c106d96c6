"""The admin listener: a few pages for operators and programs, apart from the public port.

starlette finds the page, and uvicorn answers in a thread with an event loop of its own. The pages
are functions; they are called in that thread, one at a time. One that takes long can be awaited.
"""

import asyncio
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from mirrorlist.errors import StartError
from mirrorlist.jsonbody import as_json_of_any_text
from mirrorlist.process.threads import Threads
from mirrorlist.settings.defaults import NOWHERE
from mirrorlist.web.bodied import BodiedProtocol, announced_bytes
from mirrorlist.web.capacity import Policy, most_connections
from mirrorlist.web.config import make_config
from mirrorlist.web.listener import BACKLOG, host_and_port, listen, shown_of
from mirrorlist.web.protocol import LimitedProtocol

_STOP_SECONDS = 2.0
_KEEP_ALIVE_SECONDS = 5
_MOST_CONNECTIONS = 256
# In each round of its loop asyncio accepts this many connections. It takes some rounds to hand them
# over and to close those that give way: all that is within the reserve of descriptors.
_ACCEPTED_AT_ONCE = 4
_log = logging.getLogger(__name__)


class Reply(NamedTuple):
    """An answer of the admin listener."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


def json_reply(value: object, status: int = 200) -> Reply:
    """Return a value as a page of one line of JSON."""
    return Reply(status, as_json_of_any_text(value) + b"\n", "application/json")


class Asked(NamedTuple):
    """A request that may have a body; `length` is the body's, None if it is not announced."""

    query: bytes
    body: bytes
    headers: Mapping[str, str]
    length: int | None


Hooks = Mapping[str, Callable[[Asked], Reply]]
"""What answers a POST whose query or body matters, by path."""
Routes = Mapping[tuple[str, str], Callable[[], Reply]]
"""Pages by method and path; a page that answers GET answers HEAD too.

A client that says it takes HTML gets the page with `.html` behind its path, if there is one.
"""
Page = Callable[[], Reply | Awaitable[Reply]]
AnyRoutes = Mapping[tuple[str, str], Page]
"""The same; other pages are answered while one of them is awaited."""
_NO_HOOKS: Hooks = MappingProxyType({})


def open_admin(
    given: str | None,
    default: str,
    say: Callable[[str], None],
    lost: str = "health and metrics",
) -> socket.socket | None:
    """Listen on the address that was given, or on the default; `none` is no listener.

    If a given address cannot be used, StartError is raised; if the default cannot be used, there is
    one warning that names what is `lost`, and no listener.
    """
    if given == NOWHERE:
        return None
    host, port = host_and_port(given or default, "--admin")
    try:
        return listen(host, port, "--admin")
    except StartError as error:
        if given:
            raise
        say(f"warning: no {lost}: {error}")
        return None


class Admin:
    """Answers requests on a socket that listens, from a thread of its own."""

    def __init__(
        self,
        listener: socket.socket,
        pages: AnyRoutes | Starlette,
        hooks: Hooks = _NO_HOOKS,
        more: Sequence[Route] = (),
        protocol: type[LimitedProtocol] | None = None,
    ) -> None:
        """Take the socket, closed at the end, the pages or an app of them, hooks, more routes.

        `protocol` is another kind of connection than the one that is enough for the hooks.
        """
        self.address = shown_of(listener)
        self._listener = listener
        self._app = pages if isinstance(pages, Starlette) else make_app(pages, hooks, more)
        self._protocol = protocol or (BodiedProtocol if hooks else LimitedProtocol)
        self._server: _AdminServer | None = None
        self._is_stopping, self._ended = False, threading.Event()

    def start(self, threads: Threads, name: str = "admin") -> None:
        """Begin to answer, in a thread of this name."""
        threads.go_on(name, self._run)

    def stop(self) -> None:
        """Close the socket and all connections."""
        self._is_stopping = True
        if self._server:
            self._server.end()
            if self._server.started:
                self._ended.wait(_STOP_SECONDS)

    def _run(self) -> bool:
        """Answer until the stop; after an error the next call begins with a new event loop."""
        self._server = server = _AdminServer(self._config(), self._listener)
        # Checked after the server is set, because `stop` sets its flag before it ends the server.
        if self._is_stopping:
            server.end()
        server.run(sockets=[self._listener])
        self._ended.set()
        return True

    def _config(self) -> uvicorn.Config:
        policy = Policy(min(_MOST_CONNECTIONS, most_connections()))
        return make_config(
            self._app,
            partial(self._protocol, policy=policy),
            loop="asyncio",
            date_header=False,
            backlog=_ACCEPTED_AT_ONCE,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )


class _AdminServer(uvicorn.Server):
    """uvicorn's server, but its end does not wait for clients: pages are made at once.

    Nor does it wake ten times a second to see whether it shall end, which would cost more than all
    looks of a watch at its database.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket) -> None:
        super().__init__(config)
        self._listener = listener
        self._wake: Callable[[], object] = _nothing

    def end(self) -> None:
        """End from another thread, whether it runs already or not."""
        self.should_exit = True
        # RuntimeError: the loop has ended meanwhile.
        with suppress(RuntimeError):
            self._wake()

    async def main_loop(self) -> None:
        """Answer until it is time to end, then close all connections."""
        # asyncio takes the backlog for the length of the kernel's queue too.
        self._listener.listen(BACKLOG)
        # The headers of each answer, which uvicorn sets at each tick.
        await self.on_tick(0)
        over = asyncio.Event()
        self._wake = partial(asyncio.get_running_loop().call_soon_threadsafe, over.set)
        try:
            # Read after `_wake` is set, because `end` sets it before it wakes.
            if not self.should_exit:
                await over.wait()
        finally:
            for connection in list(self.server_state.connections):
                connection.transport.abort()


def _nothing() -> None:
    """Wake no loop, because none runs yet."""


def make_app(routes: AnyRoutes, hooks: Hooks = _NO_HOOKS, more: Sequence[Route] = ()) -> Starlette:
    """Return the app with these pages, whose methods, HEAD and refusals are starlette's."""
    methods: dict[str, list[str]] = {}
    for method, path in routes:
        methods.setdefault(path, []).append(method)
    known = [Route(path, _endpoint(routes, path), methods=methods[path]) for path in methods]
    known += [Route(path, _hook(hooks[path]), methods=["POST"]) for path in hooks]
    known += more
    if "/status" in methods and "/" not in methods:
        known.append(Route("/", _to_status))
    app = Starlette(routes=known, exception_handlers={HTTPException: _refuse})
    app.router.redirect_slashes = False
    return app


def _endpoint(routes: AnyRoutes, path: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        page = routes[method, path]
        if any("text/html" in one for one in request.headers.getlist("accept")):
            page = routes.get((method, f"{path}.html"), page)
        return await _made(request, page)

    return endpoint


async def _made(request: Request, page: Page) -> Response:
    try:
        reply = page()
        return response(reply if isinstance(reply, Reply) else await reply)
    except ImportError as error:
        # A library that only this page needs is missing.
        _log.error("%s %s: %s", request.method, request.scope["path"], error)
        return response(Reply(500, f"This page cannot be made: {error}.\n".encode()))
    except Exception:
        _log.exception("%s %s", request.method, request.scope["path"])
        return response(Reply(500, b"This page has an error.\n"))


def _hook(answer: Callable[[Asked], Reply]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        length = announced_bytes(request.headers.raw)
        try:
            body = await request.body()
        except ClientDisconnect:
            return response(Reply(400, b"The client has gone.\n"))
        query: bytes = request.scope["query_string"]
        asked = Asked(query, body, request.headers, length)
        return await _made(request, lambda: answer(asked))

    return endpoint


async def _to_status(request: Request) -> Response:
    return response(Reply(302, b"See /status.\n", headers=(("location", "/status"),)))


async def _refuse(request: Request, refusal: Exception) -> Response:
    headers = refusal.headers if isinstance(refusal, HTTPException) else None
    if headers and "Allow" in headers:
        # starlette keeps the methods in a set, which has no order.
        allowed = ", ".join(sorted(headers["Allow"].split(", ")))
        text = f"Only {allowed} is answered here.\n"
        return response(Reply(405, text.encode(), headers=(("allow", allowed),)))
    return response(Reply(404, b"There is nothing here.\n"))


def response(reply: Reply) -> Response:
    """Return an answer as starlette sends it; it may be kept nowhere."""
    # Given as a header, the type stays as it is: starlette would add a charset to text.
    headers = {
        "content-type": reply.content_type,
        "content-length": str(len(reply.body)),
        "cache-control": "no-store",
        **dict(reply.headers),
    }
    return Response(reply.body, reply.status, headers)
