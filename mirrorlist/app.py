"""The ASGI app: paths, methods, headers. Complete on its own under any ASGI server.

The only module that knows starlette. Source: behaviour.md section 1 and section 6 items 7, 9, 10.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import msgspec
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mirrorlist.client import FORWARDED_FOR, SIGNED, SIGNS
from mirrorlist.counts import Count, endpoint_place
from mirrorlist.errors import QueryError
from mirrorlist.explanation import as_text
from mirrorlist.health import ready
from mirrorlist.jobs import PRESENCE, Abandoned, Busy, Check, Jobs, Presence, there
from mirrorlist.query import echo
from mirrorlist.rsyncfilter import FilterAnswer, Held, RsyncFilter, busy
from mirrorlist.service import Service

Endpoint = Callable[[Request], Awaitable[Response]]

METHODS = ("GET", "HEAD")
# The answer depends on the client's address, so no shared cache may keep it.
_CACHE = {"Cache-Control": "private"}


class App:
    """Answers list requests itself and hands every other path to starlette's router."""

    def __init__(self, service: Service) -> None:
        """Take the service that knows the answers."""
        self._service = service
        self._others = _make_others(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the path's ending decides, under any prefix."""
        response: ASGIApp = self._others
        if scope["type"] == "http":
            path: str = scope["path"]
            is_list = path.endswith(("/metalink", "/mirrorlist"))
            if is_list and scope["method"] in METHODS:
                response = self._respond(scope, path.endswith("/metalink"))
            else:
                response = _method_not_allowed() if is_list else response
                # The service counts lists itself.
                send = self._counting(endpoint_place(path), send)
        await response(scope, receive, send)

    def _counting(self, endpoint: int, send: Send) -> Send:
        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._service.slot.add_request(endpoint, message["status"], None)
                if message["status"] == HTTPStatus.INTERNAL_SERVER_ERROR:
                    self._service.slot.add(Count.ERRORS)
            await send(message)

        return counting

    def _respond(self, scope: Scope, is_metalink: bool) -> Response:
        peer, forwarded = _sender(scope)
        answer = self._service.respond(is_metalink, scope["query_string"], peer, forwarded)
        headers = _CACHE if answer.location is None else {**_CACHE, "Location": answer.location}
        return _plain(answer.body, answer.status, answer.content_type, headers)


def _sender(scope: Scope) -> tuple[str | None, list[bytes]]:
    """The peer's address (None on a Unix socket) and what `Trust.believe` wants of the headers."""
    forwarded = [value for name, value in scope["headers"] if name == FORWARDED_FOR]
    if not forwarded and any(name in SIGNS for name, _ in scope["headers"]):
        forwarded = SIGNED
    return scope["client"][0] if scope["client"] else None, forwarded


def _plain(body: bytes, status: int, content_type: str, headers: dict[str, str]) -> Response:
    # Given as a header, the type stays as it is: starlette would add a charset to text.
    return Response(body, status, {"Content-Type": content_type, **headers})


def _method_not_allowed() -> Response:
    headers = {"Allow": ", ".join(METHODS)}
    return PlainTextResponse("Only GET and HEAD are answered here.\n", 405, headers)


def _make_others(service: Service) -> ASGIApp:
    rsync_filter = RsyncFilter()
    # One at a time beside the loop: a list of all directories takes longer than a client may wait.
    beside = Jobs("rsyncFilter")

    async def live(request: Request) -> Response:
        return PlainTextResponse("OK\n")

    async def is_ready(request: Request) -> Response:
        state = ready(service)
        return _json(state, 200 if state.ready else 503)

    async def repositories(request: Request) -> Response:
        return _repositories(service, request)

    async def explanation(request: Request) -> Response:
        return _explain(service, request)

    async def changes(request: Request) -> Response:
        query, held = request.scope["query_string"], _held(request)

        def work(check: Check) -> FilterAnswer:
            return rsync_filter.answer(service.store.catalog, query, held, check)

        try:
            found = await beside.do(work, _presence(request))
        except (Abandoned, Busy):
            found = busy(query)
        return Response(found.body, found.status, found.headers)

    async def nothing_here(request: Request, error: Exception) -> Response:
        return PlainTextResponse("We don't serve their kind here!", 404)

    async def method_not_allowed(request: Request, error: Exception) -> Response:
        return _method_not_allowed()

    routes = [
        Route("/health/live", live),
        Route("/health/ready", is_ready),
        *_anywhere("repositories", repositories),
        *_anywhere("explain", explanation),
        *_anywhere("rsyncFilter", changes),
        # MirrorManager answers with a slash too.
        *_anywhere("rsyncFilter/", changes),
    ]
    handlers = {404: nothing_here, 405: method_not_allowed}
    app = Starlette(routes=routes, exception_handlers=handlers)
    # Its redirect would lead to whatever the client wrote as its Host.
    app.router.redirect_slashes = False
    return app


def _anywhere(name: str, endpoint: Endpoint) -> list[Route]:
    """Routes for a name under any prefix, as haproxy and old configurations use several."""
    return [Route(f"/{name}", endpoint), Route(f"/{{prefix:path}}/{name}", endpoint)]


def _held(request: Request) -> Held:
    headers = request.headers
    return Held(headers.get("if-none-match"), headers.get("if-modified-since"))


def _presence(request: Request) -> Callable[[], Presence]:
    """Return what says how the connection is; under another server nobody does."""
    found: Callable[[], Presence] = request.scope.get(PRESENCE, there)
    return found


def _explain(service: Service, request: Request) -> Response:
    peer, forwarded = _sender(request.scope)
    accept = request.headers.get("accept", "")
    as_plain = "text/plain" in accept and "json" not in accept
    kind = request.scope["path"].removesuffix("/explain").rpartition("/")[2]
    is_metalink = kind == "metalink" if kind in ("metalink", "mirrorlist") else None
    try:
        found = service.explain(request.scope["query_string"], peer, forwarded, is_metalink)
    except QueryError as error:
        status = error.status if error.status >= HTTPStatus.BAD_REQUEST else HTTPStatus.NOT_FOUND
        if as_plain:
            return _plain(str(error).encode(), status, "text/plain", _CACHE)
        return _json({"error": str(error)}, status)
    if as_plain:
        return _plain(as_text(found).encode() + b"\n", 200, "text/plain", _CACHE)
    return _json(found)


def _repositories(service: Service, request: Request) -> Response:
    catalog = service.store.catalog
    known = catalog.snapshot.repositories
    wants_json = "application/json" in request.headers.get("accept", "")
    if wants_json or request.query_params.get("format") == "json":
        rows = [
            {
                "repo": one.prefix,
                "arch": one.arch,
                "directory": catalog.snapshot.directory(one.directory).name,
                "disabled": one.prefix in catalog.disabled,
            }
            for one in known
        ]
        return _json({"total": len(rows), "repositories": rows})
    lines = [
        f"repo={echo(one.prefix)}&arch={echo(one.arch)}\n"
        for one in known
        if one.prefix not in catalog.disabled
    ]
    return _plain("".join(lines).encode(), 200, "text/plain", {})


def _json(value: object, status: int = 200) -> Response:
    body = orjson.dumps(value, default=msgspec.to_builtins)
    return _plain(body, status, "application/json", {"Cache-Control": "no-store"})
