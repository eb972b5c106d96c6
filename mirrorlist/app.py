"""The ASGI app: paths, methods, headers. Complete on its own under any ASGI server.

The only module that knows starlette. Source: behaviour.md section 1 and section 6 items 7, 9, 10.
"""

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mirrorlist.health import ready
from mirrorlist.query import echo
from mirrorlist.service import Service

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
            if path.endswith(("/metalink", "/mirrorlist")):
                response = self._respond(scope, path.endswith("/metalink"))
        await response(scope, receive, send)

    def _respond(self, scope: Scope, is_metalink: bool) -> Response:
        if scope["method"] not in METHODS:
            return _method_not_allowed()
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        peer = scope["client"][0] if scope["client"] else None
        answer = self._service.respond(is_metalink, scope["query_string"], peer, forwarded)
        headers = _CACHE if answer.location is None else {**_CACHE, "Location": answer.location}
        return _plain(answer.body, answer.status, answer.content_type, headers)


def _plain(body: bytes, status: int, content_type: str, headers: dict[str, str]) -> Response:
    # Given as a header, the type stays as it is: starlette would add a charset to text.
    return Response(body, status, {"Content-Type": content_type, **headers})


def _method_not_allowed() -> Response:
    headers = {"Allow": ", ".join(METHODS)}
    return PlainTextResponse("Only GET and HEAD are answered here.\n", 405, headers)


def _make_others(service: Service) -> ASGIApp:
    async def live(request: Request) -> Response:
        return PlainTextResponse("OK\n")

    async def is_ready(request: Request) -> Response:
        return _json(ready(service))

    async def repositories(request: Request) -> Response:
        return _repositories(service, request)

    async def nothing_here(request: Request, error: Exception) -> Response:
        return PlainTextResponse("We don't serve their kind here!", 404)

    async def method_not_allowed(request: Request, error: Exception) -> Response:
        return _method_not_allowed()

    routes = [
        Route("/health/live", live),
        Route("/health/ready", is_ready),
        Route("/repositories", repositories),
        Route("/{prefix:path}/repositories", repositories),
    ]
    handlers = {404: nothing_here, 405: method_not_allowed}
    app = Starlette(routes=routes, exception_handlers=handlers)
    # Its redirect would lead to whatever the client wrote as its Host.
    app.router.redirect_slashes = False
    return app


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


def _json(value: object) -> Response:
    return _plain(
        msgspec.json.encode(value), 200, "application/json", {"Cache-Control": "no-store"}
    )
