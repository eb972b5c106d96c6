"""A trailer of a body is not a header: on the public listener through either door, and on admin."""

import socket
from collections.abc import Iterator

import pytest

from mirrorlist.process.threads import Threads
from mirrorlist.status.admin import Admin, Reply
from mirrorlist.web.listener import listen
from tests.factories import export_tables, world
from tests.live import Server, read_to_end, serve

STRANGER = b"X-Forwarded-For: 198.51.100.77\r\n"
TRAILERS = {
    "an address near a private host": b"X-Forwarded-For: 192.0.2.5\r\n",
    "junk": b"X-Forwarded-For: junk\r\n",
    "several": b"X: y\r\nx-forwarded-for: 192.0.2.5\r\nX-Forwarded-For: 10.0.0.1\r\n",
    "none": b"",
}
PATHS = {
    "explain": b"/explain?repo=linux-40&arch=x86_64",
    "metalink": b"/metalink?repo=linux-40&arch=x86_64",
    "mirrorlist": b"/mirrorlist?repo=linux-40&arch=x86_64&ip=192.0.2.5",
}


@pytest.fixture(scope="module", params=["fast", "asgi"])
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Server]:
    """The small world, whose private host 6 is near 192.0.2.0/24."""
    folder = tmp_path_factory.mktemp("trailers")
    export_tables(folder, world())
    with serve(folder / "mm.snap", folder, "--door", request.param) as server:
        yield server


def _sent(path: bytes, *headers: bytes, trailer: bytes, chunk: bytes = b"") -> list[bytes]:
    head = b"GET %b HTTP/1.1\r\nHost: a\r\n%bTransfer-Encoding: chunked\r\n\r\n"
    return [head % (path, b"".join(headers)), chunk + b"0\r\n", trailer + b"\r\n"]


def _ask(port: int, pieces: list[bytes]) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return read_to_end(connection)


@pytest.mark.parametrize("chunk", [b"", b"3\r\nabc\r\n"], ids=["no chunk", "a chunk"])
@pytest.mark.parametrize("is_whole", [True, False], ids=["in one piece", "in pieces"])
@pytest.mark.parametrize("trailer", TRAILERS.values(), ids=TRAILERS)
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_nobody_is_believed_for_a_trailer(
    server: Server, path: bytes, trailer: bytes, is_whole: bool, chunk: bytes
) -> None:
    """Whatever a trailer says, the client is the one whom the proxy's header names."""
    pieces = _sent(path, STRANGER, trailer=trailer, chunk=chunk)
    answer = _ask(server.port, [b"".join(pieces)] if is_whole else pieces)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"host6" not in answer
    assert b'"id":6' not in answer
    if path == PATHS["explain"]:
        assert b'"address":"198.51.100.77"' in answer


@pytest.fixture
def admin() -> Iterator[int]:
    """The port of an admin listener with a page."""
    listener = listen("127.0.0.1", 0)
    port: int = listener.getsockname()[1]
    page = ("GET", "/page"), lambda: Reply(200, b"plain")
    html = ("GET", "/page.html"), lambda: Reply(200, b"<p>")
    started = Admin(listener, dict((page, html)))
    started.start(Threads(print))
    yield port
    started.stop()


@pytest.mark.parametrize("is_whole", [True, False], ids=["in one piece", "in pieces"])
def test_admin(admin: int, is_whole: bool) -> None:
    """A trailer does not choose a page of the admin listener either."""
    pieces = _sent(b"/page", trailer=b"Accept: text/html\r\n")
    answer = _ask(admin, [b"".join(pieces)] if is_whole else pieces)
    assert answer.endswith(b"plain")


def test_a_flood_of_trailers(server: Server) -> None:
    """Trailers without end are thrown away, and the connection ends with its answer."""
    pieces = _sent(PATHS["explain"], STRANGER, trailer=b"")[:2]
    answer = _ask(server.port, [*pieces, *[b"X: y\r\n" * 100] * 5])
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.startswith(b"HTTP/1.1 200 ")
