"""The ASGI app: paths, methods, headers. Complete on its own under any ASGI server.

Source: docs/protocol.md#the-endpoints.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mirrorlist.catalog.catalog import MOST_SUGGESTIONS, Catalog
from mirrorlist.errors import QueryError
from mirrorlist.jsonbody import as_json
from mirrorlist.lists.explanation import as_text
from mirrorlist.lists.repositories import Form, Repositories, render
from mirrorlist.lists.reworded import NOTHING_HERE
from mirrorlist.process.jobs import (
    PRESENCE,
    RETRY_SECONDS,
    Abandoned,
    Busy,
    Check,
    Jobs,
    Presence,
    there,
)
from mirrorlist.records.counts import Count, endpoint_index
from mirrorlist.request.client import FORWARDED_FOR, SIGNED, SIGNS
from mirrorlist.request.listkey import ListKey, below_list, key_of
from mirrorlist.request.software import OTHER_SOFTWARE, USER_AGENT, family_of
from mirrorlist.rsync.filter import FilterAnswer, Held, RsyncFilter, busy
from mirrorlist.service import Service
from mirrorlist.web import welcome
from mirrorlist.web.health import ready

Endpoint = Callable[[Request], Awaitable[Response]]

METHODS = ("GET", "HEAD")
# The answer depends on the client's address. RFC 9111 section 5.2.2.7: "a shared cache MUST NOT
# store the response".
_CACHE = {"Cache-Control": "private"}
_NO_STORE = {"Cache-Control": "no-store"}


class App:
    """Answers requests for lists itself, and hands all other paths to starlette's router."""

    def __init__(self, service: Service) -> None:
        """Take the service that makes the answers."""
        self._service = service
        self._others = _make_others(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; the path's ending decides, under any prefix."""
        response: ASGIApp = self._others
        if scope["type"] == "http":
            path: str = scope["path"]
            asked = _asked(self._service, path, scope["query_string"])
            if asked and scope["method"] in METHODS:
                response = self._respond(scope, *asked)
            else:
                response = _method_not_allowed() if asked else response
                # `Service.respond` counts lists; all other answers are counted here.
                send = self._counting(endpoint_index(path), send)
        await response(scope, receive, send)

    def _counting(self, endpoint: int, send: Send) -> Send:
        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._service.slot.add_request(endpoint, message["status"], None)
                if message["status"] == HTTPStatus.INTERNAL_SERVER_ERROR:
                    self._service.slot.add(Count.ERRORS)
            await send(message)

        return counting

    def _respond(self, scope: Scope, is_metalink: bool, query: bytes) -> Response:
        peer, forwarded = _sender(scope)
        is_head, software = scope["method"] == "HEAD", _software(scope)
        answer = self._service.respond(is_metalink, query, peer, forwarded, is_head, software)
        headers = _CACHE if answer.location is None else {**_CACHE, "Location": answer.location}
        if answer.digest:
            headers = {**headers, "Repr-Digest": answer.digest}
        return _plain(answer.body, answer.status, answer.content_type, headers)


def _asked(service: Service, path: str, query: bytes) -> ListKey | None:
    return key_of(path.encode(errors="replace"), query, service.request_paths())


def _sender(scope: Scope) -> tuple[str | None, Sequence[bytes]]:
    """Return the peer's address (None on a Unix socket) and `forwarded` for `Trust.believe`."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    forwarded: Sequence[bytes] = [value for name, value in headers if name == FORWARDED_FOR]
    if not forwarded and any(name in SIGNS for name, _ in headers):
        forwarded = SIGNED
    return scope["client"][0] if scope["client"] else None, forwarded


def _software(scope: Scope) -> int:
    """Return the family of the client's software."""
    agents = [value for name, value in scope["headers"] if name == USER_AGENT]
    return family_of(agents[-1]) if agents else OTHER_SOFTWARE


def _plain(body: bytes, status: int, content_type: str, headers: dict[str, str]) -> Response:
    # Given as a header, because starlette adds a charset to a `media_type` of text.
    return Response(body, status, {"Content-Type": content_type, **headers})


def _method_not_allowed() -> Response:
    headers = {"Allow": ", ".join(METHODS)}
    return PlainTextResponse("Only GET and HEAD are answered here.\n", 405, headers)


class _SlowAnswers:
    """The answers that take longer than a list may: two threads make one each at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._filter = RsyncFilter()
        self._changes = Jobs("rsyncFilter")
        # Explanations and repositories, for people: a few milliseconds each.
        self._people = Jobs("explain")
        self._known = Repositories()

    async def repositories(self, request: Request) -> Response:
        catalog, form = self._service.store.catalog, _form(request)
        body = self._known.kept(catalog, form)
        if body is None:
            try:
                body = await self._people.do(partial(render, catalog, form), _presence(request))
            except (Abandoned, Busy):
                return _come_again(form is Form.TEXT)
            self._known.keep(catalog, form, body)
        headers = {} if form is Form.TEXT else _NO_STORE
        return _plain(body, 200, form.value, headers)

    async def unknown_path(self, request: Request) -> str:
        catalog, path = self._service.store.catalog, request.scope["path"]
        below = below_list(path.encode(errors="replace")).decode(errors="replace")
        if not below or not catalog.request_paths:
            return NOTHING_HERE
        work = partial(_closest_paths, catalog, below)
        try:
            return "\n".join(await self._people.do(work, _presence(request)))
        except (Abandoned, Busy):
            return NOTHING_HERE

    async def explanation(self, request: Request) -> Response:
        work = partial(_explain, self._service, request)
        try:
            return await self._people.do(work, _presence(request))
        except (Abandoned, Busy):
            return _come_again(_as_plain(request))

    async def changes(self, request: Request) -> Response:
        query, held = request.scope["query_string"], _held(request)

        def work(check: Check) -> FilterAnswer:
            return self._filter.answer(self._service.store.catalog, query, held, check)

        try:
            found = await self._changes.do(work, _presence(request))
        except (Abandoned, Busy):
            found = busy(query)
        return Response(found.body, found.status, found.headers)


def _make_others(service: Service) -> ASGIApp:
    slow = _SlowAnswers(service)

    async def live(request: Request) -> Response:
        return PlainTextResponse("OK\n")

    async def is_ready(request: Request) -> Response:
        state = ready(service)
        return _json(state, 200 if state.ready else 503)

    async def greet(request: Request) -> Response:
        # For programs these paths are unknown, as they are for mirrorlist-server.
        if "text/html" not in request.headers.get("accept", ""):
            return await nothing_here(request, HTTPException(404))
        body = welcome.welcome(service.store.catalog, service.status_page)
        return _plain(body, 200, "text/html; charset=utf-8", welcome.HEADERS)

    async def nothing_here(request: Request, error: Exception) -> Response:
        return PlainTextResponse(await slow.unknown_path(request), 404)

    async def method_not_allowed(request: Request, error: Exception) -> Response:
        return _method_not_allowed()

    routes = [
        *(Route(path, greet) for path in welcome.PATHS),
        Route("/health/live", live),
        Route("/health/ready", is_ready),
        *_anywhere("repositories", slow.repositories),
        *_anywhere("explain", slow.explanation),
        *_anywhere("rsyncFilter", slow.changes),
        # MirrorManager takes the path with a slash at its end too.
        *_anywhere("rsyncFilter/", slow.changes),
    ]
    handlers = {404: nothing_here, 405: method_not_allowed}
    app = Starlette(routes=routes, exception_handlers=handlers)
    # starlette would redirect to the Host header's name, which the client wrote.
    app.router.redirect_slashes = False
    return app


def _anywhere(name: str, endpoint: Endpoint) -> list[Route]:
    """Return the routes of a name under any prefix: haproxy and old configurations use several."""
    return [Route(f"/{name}", endpoint), Route(f"/{{prefix:path}}/{name}", endpoint)]


def _held(request: Request) -> Held:
    headers = request.headers
    return Held(headers.get("if-none-match"), headers.get("if-modified-since"))


def _presence(request: Request) -> Callable[[], Presence]:
    """Return the function that says whether the client is there; other servers have none."""
    found: Callable[[], Presence] = request.scope.get(PRESENCE, there)
    return found


def _come_again(as_plain: bool) -> Response:
    headers = {**_NO_STORE, "Retry-After": str(RETRY_SECONDS)}
    text = f"too many wait for such answers: ask again in {RETRY_SECONDS} s"
    if as_plain:
        return _plain(f"# {text}".encode(), 503, "text/plain", headers)
    return _plain(as_json({"error": text}), 503, "application/json", headers)


def _form(request: Request) -> Form:
    wants_json = "application/json" in request.headers.get("accept", "")
    asked = b"format=json" in request.scope["query_string"].split(b"&")
    return Form.JSON if wants_json or asked else Form.TEXT


def _as_plain(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "text/plain" in accept and "json" not in accept


def _explain(service: Service, request: Request, check: Check) -> Response:
    peer, forwarded = _sender(request.scope)
    as_plain = _as_plain(request)
    path, query = request.scope["path"].removesuffix("/explain"), request.scope["query_string"]
    is_metalink, query = _asked(service, path, query) or (None, query)
    try:
        found = service.explain(query, peer, forwarded, is_metalink)
    except QueryError as error:
        status = error.status if error.status >= HTTPStatus.BAD_REQUEST else HTTPStatus.NOT_FOUND
        if as_plain:
            return _plain(str(error).encode(), status, "text/plain", _CACHE)
        return _json({"error": str(error)}, status)
    if as_plain:
        return _plain(as_text(found).encode() + b"\n", 200, "text/plain", _CACHE)
    return _json(found)


def _closest_paths(catalog: Catalog, path: str, check: Check) -> list[str]:
    kind = path[: path.index("/", 1) + 1]
    closest = catalog.closest_paths.find(path, MOST_SUGGESTIONS)
    return [NOTHING_HERE, *(f"# {one}" for one in closest if one.startswith(kind))]


def _json(value: object, status: int = 200) -> Response:
    return _plain(as_json(value), status, "application/json", _NO_STORE)
