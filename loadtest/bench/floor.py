"""The floor of a measurement: servers that answer fixed bytes, so that only HTTP itself costs time.

    python -m loadtest.bench.floor asgi 20000

Listens on a free port of loopback, and says which. `asgi` is an app and `protocol` a protocol class
on uvicorn. `bare` accepts, reads, writes and closes sockets without a transport: the limit of
Python for a connection each.
"""

import asyncio
import socket
import sys
from contextlib import suppress
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_KEPT, _LAST = b"", b"connection: close\r\n"
_READ_BYTES = 16 * 1024


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
    answers = {last: _answer(size, last) for last in (_KEPT, _LAST)}

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


def answer_bare(listener: socket.socket, size: int) -> None:
    """Answer each connection with the same bytes and close it, until the process is ended."""
    answer = _answer(size, _LAST)

    def accept() -> None:
        with suppress(BlockingIOError):
            while True:
                client, _ = listener.accept()
                with client:
                    client.recv(_READ_BYTES)
                    client.send(answer)

    listener.setblocking(False)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
    loop = uvloop.new_event_loop()
    loop.add_reader(listener, accept)
    loop.run_forever()


def _answer(size: int, last: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n%s\r\n"
    return head % (size, last) + b"x" * size


def main() -> None:
    """Serve until SIGTERM."""
    kind, size = sys.argv[1], int(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    sys.stdout.write(f"listening on http://127.0.0.1:{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    if kind == "bare":
        answer_bare(listener, size)
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
