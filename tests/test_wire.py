"""Odd but right HTTP, as old and strange clients send it, to a live server."""

import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse

import pytest

from snapshot.file.writer import encode
from tests.live import Server, exchange, serve
from tests.small_worlds import DIRECTORY, Mirror, small_data

TARGET = f"/mirrorlist?path={DIRECTORY}".encode()
BODY = f"# path = {DIRECTORY} country = global \nhttps://host1.example/top/dir/\n".encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one mirror."""
    folder = tmp_path_factory.mktemp("wire")
    (folder / "mm.snap").write_bytes(encode(small_data((Mirror(),), {})))
    with serve(folder / "mm.snap", folder) as server:
        yield server


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET %s HTTP/1.0\r\n\r\n", id="HTTP/1.0 without Host"),
        pytest.param(b"GET %s HTTP/1.0\r\nConnection: close\r\n\r\n", id="HTTP/1.0, close"),
        pytest.param(
            b"GET http://a.example%s HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n",
            id="absolute form",
        ),
        pytest.param(
            b"GET %s HTTP/1.1\r\nHost: \xff_:99999999\r\nConnection: close\r\n\r\n", id="odd Host"
        ),
        pytest.param(b"GET %s HTTP/1.1\r\nConnection: close\r\n\r\n", id="no Host, no User-Agent"),
        pytest.param(
            b"GET %s HTTP/1.1\r\nHost: a\r\nUser-Agent:\r\nconnection: CLOSE\r\n\r\n",
            id="empty User-Agent",
        ),
        pytest.param(
            b"GET %s HTTP/1.1\r\nHost: a\r\nCache-Control: no-cache\r\nPragma: no-cache\r\n"
            b'If-None-Match: "x"\r\nRange: bytes=0-1\r\nConnection: close\r\n\r\n',
            id="conditions and ranges",
        ),
        pytest.param(
            b"GET %s HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
            id="GET with a body",
        ),
    ],
)
def test_odd_requests(server: Server, sent: bytes) -> None:
    """Each of these requests has the plain answer."""
    answer = exchange(server.port, sent % TARGET)
    assert answer.status == 200
    assert answer.body == BODY


def _read(connection: socket.socket, method: str = "GET") -> bytes:
    response = HTTPResponse(connection, method=method)
    response.begin()
    assert response.status == 200
    assert int(response.headers["Content-Length"]) == len(BODY)
    return response.read()


def test_one_connection_for_many_requests(server: Server) -> None:
    """A connection stays open, and HEAD leaves no body on it."""
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=5)) as connection:
        for method in (b"GET", b"HEAD", b"GET"):
            connection.sendall(b"%s %s HTTP/1.1\r\nHost: a\r\n\r\n" % (method, TARGET))
            expected = b"" if method == b"HEAD" else BODY
            assert _read(connection, method.decode()) == expected


def test_pipelined_requests(server: Server) -> None:
    """Requests sent at once are answered in their order."""
    targets = [b"/health/live", TARGET, b"/nothing", TARGET]
    sent = [b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % target for target in targets]
    sent.append(b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=5)) as connection:
        connection.sendall(b"".join(sent))
        received = b""
        while part := connection.recv(65536):
            received += part
    statuses = [part.split(b" ", 1)[0] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"200", b"404", b"200", b"200"]
    assert received.count(BODY) == 2
