"""The limits of a connection on a live server: at the limit, and one past it."""

import select
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrorlist.web.head import MAX_OPEN_BYTES
from mirrorlist.web.limits import MAX_HEADER_BYTES, MAX_HEADER_LINES, MAX_TARGET_BYTES
from snapshot.file.writer import encode
from tests.live import Server, exchange, read_to_end, serve, wait_until
from tests.small_worlds import DIRECTORY, Mirror, small_data

TARGET = f"/mirrorlist?path={DIRECTORY}".encode()
REQUEST = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % TARGET
_CLOSE = b"Connection: close"


@pytest.fixture(scope="module", params=["fast", "asgi"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Server]:
    """A server with one mirror, whose lists go through either door."""
    folder = tmp_path_factory.mktemp("protocol")
    (folder / "mm.snap").write_bytes(encode(small_data((Mirror(),), {})))
    with serve(folder / "mm.snap", folder, "--door", request.param) as server:
        yield server


def _sent(target: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([b"GET " + target + b" HTTP/1.1", _CLOSE, *lines, b"", b""])


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 414)])
def test_limit_of_the_target(server: Server, more: int, status: int) -> None:
    """A request target may have 8 KiB, and not one byte more."""
    target = TARGET + b"&x="
    target += b"y" * (MAX_TARGET_BYTES - len(target) + more)
    assert exchange(server.port, _sent(target)).status == status


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 431)])
def test_limit_of_header_lines(server: Server, more: int, status: int) -> None:
    """A request may have 64 header lines, and not one more."""
    lines = [b"X: y"] * (MAX_HEADER_LINES - 1 + more)
    assert exchange(server.port, _sent(TARGET, *lines)).status == status


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 431)])
def test_limit_of_header_bytes(server: Server, more: int, status: int) -> None:
    """The headers may have 16 KiB with their line ends, and not one byte more."""
    left = MAX_HEADER_BYTES - len(_CLOSE) - len(b"\r\n") - len(b"X: \r\n")
    assert exchange(server.port, _sent(TARGET, b"X: " + b"y" * (left + more))).status == status


def test_endless_header_line(server: Server) -> None:
    """A header line that never ends is refused once it is over the limits."""
    sent = b"GET / HTTP/1.1\r\nX: " + b"y" * MAX_OPEN_BYTES
    assert exchange(server.port, sent).status == 431


def test_refusal_after_the_answers(server: Server) -> None:
    """Good requests before a bad one on a connection are answered first."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(REQUEST * 3 + b"bad\r\n\r\n")
        parts = read_to_end(connection).split(b"HTTP/1.1 ")[1:]
    assert [part[:3] for part in parts] == [b"200", b"200", b"200", b"400"]


def test_half_closed(server: Server) -> None:
    """A client that closes its half after a request still gets the whole answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(REQUEST)
        connection.shutdown(socket.SHUT_WR)
        received = read_to_end(connection)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b"https://host1.example/top/dir/\n")


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        pytest.param(REQUEST * 3, [200] * 3, id="three requests"),
        pytest.param(REQUEST * 10, [200] * 10, id="ten requests"),
        pytest.param(REQUEST * 3 + b"bad\r\n\r\n", [200] * 3 + [400], id="a bad one last"),
        pytest.param(REQUEST + b"GET /x HT", [200], id="an unfinished one last"),
    ],
)
def test_half_closed_after_several(server: Server, sent: bytes, statuses: list[int]) -> None:
    """All that was asked before the client closed its half is answered, in order."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        parts = read_to_end(connection).split(b"HTTP/1.1 ")[1:]
    assert [int(part[:3]) for part in parts] == statuses


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param((b"Content-Length: 5",), id="a body of known length"),
        pytest.param((b"Transfer-Encoding: chunked",), id="a chunked body"),
    ],
)
def test_a_body_ends_the_connection(server: Server, lines: tuple[bytes, ...]) -> None:
    """A request with a body is answered at once, and nobody waits for the body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"\r\n".join([b"GET %s HTTP/1.1" % TARGET, *lines, b"", b""]))
        received = read_to_end(connection)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in received.lower()


def test_a_body_that_comes_late(server: Server) -> None:
    """A body sent while its answer is on the way does not make the connection lose the answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(b"POST /metalink HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        select.select([connection], [], [], 5)
        for piece in (b"a", b"bc", b"d"):
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        received = read_to_end(connection)
    assert received.startswith(b"HTTP/1.1 405 ")


def test_endless_trailers(server: Server) -> None:
    """Trailers of a chunked body count with the headers, and are never collected."""
    head = b"GET %s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" % TARGET
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(head + b"X: y\r\n" * 200)
        assert read_to_end(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket"])
def test_an_upgrade_is_not_taken(server: Server, protocol: bytes) -> None:
    """A client that offers another protocol is answered in the one it speaks."""
    answer = exchange(
        server.port,
        b"\r\n".join(
            [
                b"GET %s HTTP/1.1" % TARGET,
                b"Connection: Upgrade, HTTP2-Settings",
                b"Upgrade: " + protocol,
                b"",
                b"",
            ]
        ),
    )
    assert answer.status == 200


def test_byte_by_byte(server: Server) -> None:
    """A request may come in pieces as small as a byte."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(len(REQUEST)):
            connection.sendall(REQUEST[place : place + 1])
        connection.shutdown(socket.SHUT_WR)
        assert read_to_end(connection).startswith(b"HTTP/1.1 200 ")


# What a server does whose limits of time are short; the limits themselves are data.
SHORT = """
import sys
from mirrorlist.web import light, protocol, states, sweep
light.HEAD_SECONDS = protocol.HEAD_SECONDS = states.HEAD_SECONDS = 0.3
light.ANSWER_SECONDS = states.ANSWER_SECONDS = 0.5
sweep.SWEEP_SECONDS = 0.1
from mirrorlist.cli import main
sys.argv[0] = "mirrorlist"
main()
"""


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits 0.3 s for headers and 0.5 s for an answer to be read."""
    folder = tmp_path_factory.mktemp("hasty")
    mirrors = tuple(Mirror() for _ in range(400))
    (folder / "mm.snap").write_bytes(encode(small_data(mirrors, {})))
    with serve(
        folder / "mm.snap", folder, command=(sys.executable, "-c", SHORT, "serve")
    ) as server:
        yield server


def test_late_headers(hasty: Server) -> None:
    """Headers that do not end in time are 408, though bytes keep coming."""
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(4):
            connection.sendall(b"X: y\r\n")
            time.sleep(0.05)
        assert read_to_end(connection).startswith(b"HTTP/1.1 408 ")


def test_late_headers_of_a_second_request(hasty: Server) -> None:
    """Each request of a connection has its own time."""
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=5) as connection:
        connection.sendall(REQUEST)
        time.sleep(0.4)
        connection.sendall(REQUEST + b"GET / HT")
        received = read_to_end(connection)
    assert received.count(b"HTTP/1.1 200 ") == 2
    assert b"HTTP/1.1 408 " in received


def test_not_a_byte(hasty: Server) -> None:
    """A connection on which nothing is asked is closed without a word."""
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=5) as connection:
        assert read_to_end(connection) == b""


def test_a_client_that_never_reads(hasty: Server) -> None:
    """A client that asks and asks and reads nothing is cut off; others are answered meanwhile."""
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=5) as connection:
        connection.settimeout(0.2)
        assert _is_full(connection)
        assert exchange(hasty.port, _sent(TARGET)).status == 200
        wait_until("the connection is cut off", lambda: _is_cut(connection), 5)


def _is_full(connection: socket.socket) -> bool:
    """Send until nothing more is taken."""
    try:
        for _ in range(100_000):
            connection.sendall(REQUEST * 50)
    except (TimeoutError, ConnectionError):
        # On a busy machine it may be cut off by then.
        return True
    return False


def _is_cut(connection: socket.socket) -> bool:
    try:
        connection.sendall(b"x")
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def test_a_stop_ends_idle_connections(tmp_path: Path) -> None:
    """SIGTERM closes connections that wait for their next request, without waiting for them."""
    (tmp_path / "mm.snap").write_bytes(encode(small_data((Mirror(),), {})))
    with (
        serve(tmp_path / "mm.snap", tmp_path) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection,
    ):
        connection.sendall(REQUEST)
        assert connection.recv(8) == b"HTTP/1.1"
        # Fails if it has not stopped before the longest wait for an answer under way.
        assert server.end() == 0
        assert read_to_end(connection).endswith(b"/top/dir/\n")


def test_a_large_piece_of_many_requests(server: Server) -> None:
    """Many requests in one piece are many small heads, not one that is over the limits."""
    count = 1500
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(REQUEST * count)
        connection.shutdown(socket.SHUT_WR)
        assert read_to_end(connection).count(b"HTTP/1.1 200 ") == count
