"""The light way and the app give the same bytes, whatever comes on a connection and however."""

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.service import Service
from mirrorlist.web.app import App
from mirrorlist.web.protocol import LimitedProtocol, MakeProtocol
from tests.connection import Connection, Wire, app, light
from tests.examples import examples
from tests.factories import export_tables, world
from tests.in_process import make_service

FORWARDED = b"X-Forwarded-For: 192.0.2.7\r\n"
LIST = b"/mirrorlist?repo=linux-40&arch=x86_64"
METALINK = b"/metalink?repo=linux-40&arch=x86_64"
# More than any connection here needs to come to rest.
MOST_TURNS = 4000


def get(target: bytes, *lines: bytes, method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    """Return a request."""
    return b"".join((method, b" ", target, b" HTTP/", version, b"\r\nHost: a\r\n", *lines, b"\r\n"))


# The plain ones stand more than once: most connections are to be light for a while.
PIECES = (
    *[get(LIST, FORWARDED), get(METALINK, FORWARDED), get(LIST), get(METALINK)] * 3,
    get(METALINK, b"x-forwarded-for: 198.51.100.1, 10.0.0.1\r\n", b"Via: 1.1 a\r\n"),
    get(LIST, FORWARDED, FORWARDED),
    get(LIST, b"Via: 1.1 a\r\n"),
    get(LIST, b"X-Forwarded-For: junk\r\n"),
    get(b"/mirrorlist?repo=no&arch=x", FORWARDED),
    get(b"/metalink?repo=%00", FORWARDED),
    get(LIST + b"&redirect=1"),
    get(b"http://b" + LIST),
    get(b"/%6dirrorlist?repo=linux-40&arch=x86_64"),
    get(LIST, FORWARDED, b"Connection: close\r\n"),
    get(LIST, version=b"1.0"),
    get(LIST, method=b"HEAD"),
    get(METALINK, method=b"POST"),
    get(LIST, b"Content-Length: 0\r\n"),
    get(LIST, b"Content-Length: 3\r\n") + b"abc",
    get(LIST, b"Transfer-Encoding: chunked\r\n")
    + b"1\r\na\r\n0\r\nX-Forwarded-For: 9.9.9.9\r\n\r\n",
    get(LIST, b"Expect: 100-continue\r\n"),
    get(LIST, b"Connection: upgrade\r\nUpgrade: h2c\r\n"),
    get(b"/repositories"),
    get(b"/nothing"),
    b"\r\n",
    b"\n",
    b"junk\r\n\r\n",
    b"GET /mirr",
    b"GET " + b"x" * 9000,
)
ODD = (b"\0", b"\r", b"\n", b" ", b"\t", b":", b"\xff", b"\r\n", b"\r\n\r\n", b"a", b"GET ")


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> tuple[MakeProtocol, MakeProtocol, Any]:
    """The two ways to answer lists, and the app that both have."""
    snapshot = export_tables(tmp_path_factory.mktemp("sameness"), world())[0]
    # With a seed an answer depends on its request alone.
    service: Service = make_service(snapshot, {"192.0.2.7": "DE", "198.51.100.1": "FR"})
    return light(service), LimitedProtocol, App(service)


class Client:
    """A client of one connection, which sends when it may and reads when it likes."""

    def __init__(self, kind: MakeProtocol, app: Callable[..., Any], peer: str) -> None:
        """Connect."""
        self.wire = Wire((peer, 4711))
        self.connection = Connection(kind, app, self.wire)

    def settle(self) -> None:
        """Let the loop turn until nothing changes."""
        before: object = None
        for _ in range(MOST_TURNS // 20):
            self.connection.turn(20)
            now = len(self.wire.written), self.wire.takes, tuple(self.wire.ended)
            if now == before:
                return
            before = now

    def send(self, data: bytes, turns: int) -> None:
        """Send as soon as the server reads, then let it have some turns."""
        if not self.wire.takes:
            self.settle()
        if not self.wire.ended and not self.wire.is_closing():
            self.connection.protocol.data_received(data)
            self.connection.turn(turns)

    def read(self, does: bool) -> None:
        """Read nothing from now on, or all."""
        self.wire.client_reads = does
        if does and self.wire.unread:
            self.wire.unread = 0
            if self.wire.is_closing():
                self.wire._end("closed")
            else:
                self.connection.protocol.resume_writing()

    def end(self, is_half_closed: bool) -> tuple[bytes, list[str]]:
        """Read all, wait for the rest, and return the answers and how the connection ended."""
        self.read(True)
        self.settle()
        if is_half_closed and not self.wire.is_closing():
            if not self.connection.protocol.eof_received():
                self.wire.close()
            self.settle()
        found = self.wire.written, self.wire.ended
        self.connection.close()
        return found


def _chunks(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at, size = 0, cycle(sizes)
    while at < len(data):
        end = at + next(size)
        yield data[at:end]
        at = end


@examples(25)
@given(
    pieces=st.lists(st.sampled_from(PIECES), min_size=1, max_size=8),
    odd=st.lists(st.tuples(st.floats(0, 1), st.sampled_from(ODD)), max_size=2),
    sizes=st.none() | st.lists(st.sampled_from((1, 2, 7, 60, 150, 10_000)), min_size=1, max_size=6),
    turns=st.lists(st.sampled_from((0, 1, 6)), min_size=1, max_size=5),
    reads=st.lists(st.booleans(), min_size=1, max_size=5),
    peer=st.sampled_from(("127.0.0.1", "198.51.100.1", "::1")),
    is_half_closed=st.booleans(),
)
def test_the_same_bytes(
    ways: tuple[MakeProtocol, MakeProtocol, Any],
    pieces: list[bytes],
    odd: list[tuple[float, bytes]],
    sizes: list[int] | None,
    turns: list[int],
    reads: list[bool],
    peer: str,
    is_half_closed: bool,
) -> None:
    """Split, joined, odd, pipelined or unread: both ways answer alike, and refuse alike."""
    # Without sizes each request comes by itself, so the connection is light most of the time.
    chunks = pieces if sizes is None else [*_chunks(b"".join(pieces), sizes)]
    for place, byte in odd:
        number = int(place * (len(chunks) - 1))
        at = int(place * len(chunks[number]))
        chunks[number] = chunks[number][:at] + byte + chunks[number][at:]
    light_kind, full_kind, app = ways
    found = []
    for kind in (light_kind, full_kind):
        client = Client(kind, app, peer)
        for chunk, some, does in zip(chunks, cycle(turns), cycle(reads), strict=False):
            client.read(does)
            client.send(chunk, some)
        found.append(client.end(is_half_closed))
    assert found[0] == found[1]


def test_it_is_about_the_light_way(ways: tuple[MakeProtocol, MakeProtocol, Any]) -> None:
    """The first of the two ways is light for plain requests: its app is never asked."""
    client = Client(ways[0], app, "127.0.0.1")
    for _ in range(3):
        client.send(get(LIST, FORWARDED), 6)
    written, ended = client.end(is_half_closed=False)
    assert written.count(b"HTTP/1.1 200 OK") == 3
    assert b"host3.example" in written
    assert ended == []
