"""A network that is lost: a relay on loopback that ends each connection in its middle."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class _Cut(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, upstream_port: int, passed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream_port = upstream_port
        self.passed = passed


class _Handler(socketserver.BaseRequestHandler):
    server: _Cut

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.upstream_port)) as upstream:
            upward = threading.Thread(target=_pass_on, args=(self.request, upstream), daemon=True)
            upward.start()
            _pass_on(upstream, self.request, self.server.passed)
            for end in (upstream, self.request):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            upward.join()


def _pass_on(source: socket.socket, target: socket.socket, left: int = 1 << 40) -> None:
    """Pass bytes on until the source ends or this many have passed."""
    with suppress(OSError):
        while left and (data := source.recv(min(left, 1 << 16))):
            target.sendall(data)
            left -= len(data)


@contextmanager
def run_cut(upstream_port: int, passed: int) -> Iterator[int]:
    """Relay until the block ends; no connection gets more bytes than `passed`; yields the port."""
    with _Cut(upstream_port, passed) as cut:
        thread = threading.Thread(target=cut.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield int(cut.server_address[1])
        finally:
            cut.shutdown()
            thread.join()
