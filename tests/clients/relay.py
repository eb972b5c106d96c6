"""A loopback relay before the server under test: passes bytes on, and keeps them.

It works on bytes and not on HTTP messages, so what a client gets is what the server sent:
status line, headers, framing, even a reset.
"""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.clients.recording import Exchange, parse_exchanges


@dataclass(frozen=True, slots=True)
class _Connection:
    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)


class Relay(socketserver.ThreadingTCPServer):
    """Listens on a free loopback port and relays each connection to another one."""

    daemon_threads = True

    def __init__(self, upstream_port: int, host: str = "127.0.0.1") -> None:
        """Listen before the server on `upstream_port`; connections come once it serves."""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, 0), _Handler)
        self.upstream = (host, upstream_port)
        self.connections: list[_Connection] = []

    @property
    def port(self) -> int:
        """The port that clients use."""
        return int(self.server_address[1])

    def exchanges(self) -> list[Exchange]:
        """Every request with its answer, connection after connection."""
        return [
            exchange
            for connection in list(self.connections)
            for exchange in parse_exchanges(bytes(connection.sent), bytes(connection.received))
        ]

    def forget(self) -> None:
        """Drop what was recorded, so that the next test counts from nothing."""
        self.connections.clear()


class _Handler(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        connection = _Connection()
        self.server.connections.append(connection)
        with socket.create_connection(self.server.upstream, timeout=30) as upstream:
            upward = threading.Thread(
                target=_pump, args=(self.request, upstream, connection.sent), daemon=True
            )
            upward.start()
            _pump(upstream, self.request, connection.received)
            upward.join(30)


def _pump(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    """Pass bytes on until the source ends; kept before they are sent, so never behind."""
    with suppress(OSError):
        while data := source.recv(65536):
            kept += data
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def run_relay(upstream_port: int, host: str = "127.0.0.1") -> Iterator[Relay]:
    """Run a relay in a thread of its own until the block ends."""
    with Relay(upstream_port, host) as relay:
        thread = threading.Thread(target=relay.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            relay.shutdown()
            thread.join()
