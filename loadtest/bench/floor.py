"""The floor of a measurement: servers that answer fixed bytes, so that only HTTP itself costs time.

    python -m loadtest.bench.floor asgi 20000

Listens on a free port of loopback, and says which.
"""

import asyncio
import socket
import sys
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_KEPT, _LAST = b"", b"connection: close\r\n"


class FixedApp:
    """An ASGI app that answers every request with the same bytes."""

    def __init__(self, size: int) -> None:
        """Take the length of the body."""
        self._body = b"x" * size
        self._headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", str(size).encode()),
        ]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body})


def fixed_protocol(size: int) -> type[asyncio.Protocol]:
    """Return a protocol that answers within the parser's callback, without a task."""
    answers = {
        last: b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n%s\r\n%s"
        % (size, last, b"x" * size)
        for last in (_KEPT, _LAST)
    }

    class FixedProtocol(HttpToolsProtocol):
        def on_message_begin(self) -> None:
            self.url = b""

        def on_header(self, name: bytes, value: bytes) -> None:
            pass

        def on_headers_complete(self) -> None:
            if self.parser.should_keep_alive():
                self.transport.write(answers[_KEPT])
            else:
                self.transport.write(answers[_LAST])
                self.transport.close()

        def on_body(self, body: bytes) -> None:
            pass

        def on_message_complete(self) -> None:
            pass

    return FixedProtocol


def main() -> None:
    """Serve until SIGTERM."""
    kind, size = sys.argv[1], int(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    sys.stdout.write(f"listening on http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(
        FixedApp(size),
        loop="uvloop",
        http=fixed_protocol(size) if kind == "protocol" else "httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
