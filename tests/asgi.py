"""Calls the ASGI app with a request line's exact bytes, which no HTTP client would let pass."""

import asyncio
import atexit
from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp

from tests.live import Response

Message = MutableMapping[str, Any]


def call(
    app: ASGIApp,
    target: bytes,
    peer: str | None = "127.0.0.1",
    method: str = "GET",
    headers: Sequence[tuple[bytes, bytes]] = (),
) -> Response:
    """Return the app's answer; a peer of None is a Unix socket's."""
    return _loop().run_until_complete(_call(app, target, peer, method, headers))


def call_at_once(app: ASGIApp, targets: Sequence[bytes]) -> list[Response]:
    """Return the app's answers to requests that all come in the same moment."""

    async def gather() -> list[Response]:
        calls = [_call(app, target, "127.0.0.1", "GET", ()) for target in targets]
        return await asyncio.gather(*calls)

    return _loop().run_until_complete(gather())


async def _call(
    app: ASGIApp,
    target: bytes,
    peer: str | None,
    method: str,
    headers: Sequence[tuple[bytes, bytes]],
) -> Response:
    path, _, query = target.partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path.decode("ascii")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"test"), *headers],
        "client": None if peer is None else (peer, 50000),
        "server": ("127.0.0.1", 3000),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *bodies = sent
    body = b"".join(message.get("body", b"") for message in bodies)
    fields = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    # A server leaves the body of HEAD out; an app may send it.
    return Response(start["status"], fields, b"" if method == "HEAD" else body)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The one loop of all calls: to make one takes longer than most answers."""
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop
