"""The fast door beside the app: the same bytes, in the same order, and what goes round it."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.common.processes import pss_bytes
from snapshot.file.writer import encode
from tests.command import assert_refused, run
from tests.factories import export_tables, world
from tests.live import Server, read_to_end, serve
from tests.small_worlds import DIRECTORY, FILE, Mirror, small_data

LIST = b"/mirrorlist?repo=linux-40&arch=x86_64"
METALINK = b"/metalink?repo=linux-40&arch=x86_64"
HOST = b"Host: a\r\n"
LAST = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two servers of the small world with one seed: lists by the door, and by the app."""
    folder = tmp_path_factory.mktemp("door")
    export_tables(folder, world())
    for name in ("fast", "asgi"):
        (folder / name).mkdir()
    snapshot = folder / "mm.snap"
    with (
        serve(snapshot, folder / "fast", "--seed", 1) as fast,
        serve(snapshot, folder / "asgi", "--seed", 1, "--door", "asgi") as asgi,
    ):
        yield fast, asgi


def ask(server: Server, sent: bytes) -> bytes:
    """Send bytes and return what comes until the end, without what the clock decides."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
        received = read_to_end(connection)
    return re.sub(rb'(\r\ndate: |pubdate=")[^\r"]*', rb"\1", received)


def asked_in_one_second(servers: tuple[Server, Server], sent: bytes) -> list[bytes]:
    """Ask both servers, again until they answer within one second of the clock.

    An explanation tells the snapshot's age in seconds.
    """
    while True:
        second = int(time.time())
        answers = [ask(server, sent) for server in servers]
        if int(time.time()) == second:
            return answers


def get(target: bytes, *lines: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    """Return a request."""
    return b"".join((method, b" ", target, b" HTTP/", version, b"\r\n", HOST, *lines, b"\r\n"))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(get(LIST), id="text list"),
        pytest.param(get(METALINK), id="metalink"),
        pytest.param(get(LIST, method=b"HEAD"), id="HEAD"),
        pytest.param(get(LIST, version=b"1.0"), id="HTTP/1.0"),
        pytest.param(get(LIST, b"Connection: keep-alive\r\n", version=b"1.0"), id="1.0 kept"),
        pytest.param(get(LIST, b"Connection: close\r\n"), id="close"),
        pytest.param(get(LIST + b"&redirect=1"), id="redirect"),
        pytest.param(get(b"/mirrorlist?repo=x&arch=y"), id="404"),
        pytest.param(get(b"/metalink"), id="no query"),
        pytest.param(get(b"/mirrorlist?"), id="empty query"),
        pytest.param(get(b"/mirrorlist?repo=%00&arch=y"), id="400"),
        pytest.param(get(b"/a/b/c/metalink?path=pub/linux"), id="prefix"),
        pytest.param(get(b"http://other.example" + LIST), id="absolute"),
        pytest.param(get(b"/%6dirrorlist?repo=x&arch=y"), id="escaped path"),
        pytest.param(get(b"/x\xe4/mirrorlist?repo=x&arch=y"), id="path not ASCII"),
        pytest.param(get(LIST + b"#fragment"), id="fragment"),
        pytest.param(get(LIST, method=b"POST"), id="POST"),
        pytest.param(get(LIST, method=b"OPTIONS"), id="OPTIONS"),
        pytest.param(get(LIST, b"Content-Length: 3\r\n") + b"abc", id="body"),
        pytest.param(get(LIST, b"Expect: 100-continue\r\n"), id="expect"),
        pytest.param(get(LIST, b"Upgrade: h2c\r\nConnection: upgrade\r\n"), id="upgrade"),
        pytest.param(get(LIST, b"X-Forwarded-For: 192.0.2.7\r\n"), id="near"),
        pytest.param(
            get(LIST, b"X-Forwarded-For: 192.0.2.7\r\nx-forwarded-for: 10.0.0.1\r\n"),
            id="two lines",
        ),
        pytest.param(get(LIST, b"X-Forwarded-For: \xff\xfe\r\n"), id="junk header"),
        pytest.param(get(b"/mirrorlists?repo=x"), id="another path"),
        pytest.param(get(b"/explain?" + LIST.partition(b"?")[2]), id="explain"),
    ],
)
def test_the_same_bytes(servers: tuple[Server, Server], sent: bytes) -> None:
    """Whatever is asked, the door gives what the app gives, head and all."""
    fast, asgi = asked_in_one_second(servers, sent + LAST)
    assert fast == asgi
    assert fast.startswith(b"HTTP/1.1 ")


def test_many_in_one_piece(servers: tuple[Server, Server]) -> None:
    """Lists and others, pipelined, are answered in the order in which they were asked."""
    others = get(b"/repositories"), get(b"/health/live"), get(LIST, method=b"HEAD")
    sent = b"".join(get(LIST) + other + get(METALINK) for other in others) * 20
    fast, asgi = (ask(server, sent + LAST) for server in servers)
    assert fast == asgi
    assert fast.count(b"HTTP/1.1 200 OK") == 9 * 20 + 1


def test_a_client_that_does_not_read(servers: tuple[Server, Server]) -> None:
    """However many lists are asked for in one piece, all come once the client reads."""
    fast, _ = servers
    with socket.create_connection(("127.0.0.1", fast.port), timeout=10) as connection:
        connection.sendall(get(METALINK) * 3000 + LAST)
        received = read_to_end(connection)
    assert received.count(b"HTTP/1.1 200 OK") == 3001
    assert received.count(b"</metalink>\n") == 3000


def test_what_is_not_read_is_not_kept(tmp_path: Path) -> None:
    """A client that asks for 100 MB of lists in one piece and reads none takes no such memory."""
    (tmp_path / "mm.snap").write_bytes(encode(small_data(tuple([Mirror()] * 400), {})))
    target = f"/metalink?path={DIRECTORY}/{FILE}".encode()
    with serve(tmp_path / "mm.snap", tmp_path) as server:
        size = len(ask(server, get(target, b"Connection: close\r\n")))
        before = pss_bytes(server.process.pid)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(get(target) * (100_000_000 // size))
            # Another one is answered after all that was sent has been looked at.
            assert ask(server, LAST).startswith(b"HTTP/1.1 200")
            assert pss_bytes(server.process.pid) - before < 30_000_000


def test_an_unknown_door(tmp_path: Path) -> None:
    """Another door than the two is refused."""
    export_tables(tmp_path, world())
    done = run("serve", "--snapshot", tmp_path / "mm.snap", "--port", "0", "--door", "back")
    assert_refused(done, 2, "--door back: not one of fast, asgi")
