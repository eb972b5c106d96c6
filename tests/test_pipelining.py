"""Requests that wait on one connection: how many, in which order, and what they may not do."""

import asyncio
import random
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.web.fast import FastProtocol
from mirrorlist.web.limits import MOST_WAITING
from mirrorlist.web.protocol import LimitedProtocol, MakeProtocol
from tests.connection import Connection, light
from tests.examples import examples
from tests.factories import export_tables, world
from tests.in_process import make_service

LIST = b"GET /mirrorlist?repo=linux-40&arch=x86_64 HTTP/1.1\r\nHost: a\r\n\r\n"
READ_BYTES = 256_000


class Counting:
    """An app that answers with the path, after some turns of the loop, and reads like some do."""

    def __init__(self, turns: int = 0) -> None:
        """Take how many turns an answer takes."""
        self.turns = turns
        self.headers: list[list[tuple[bytes, bytes]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        await receive()
        for _ in range(self.turns):
            await asyncio.sleep(0)
        self.headers.append(list(scope["headers"]))
        body = scope["path"].encode()
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module", params=["light", "fast", "asgi or admin"])
def kind(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> MakeProtocol:
    """The protocol classes by the listeners that use them."""
    if request.param == "asgi or admin":
        return LimitedProtocol
    service = make_service(export_tables(tmp_path_factory.mktemp("pipelining"), world())[0])
    return light(service) if request.param == "light" else partial(FastProtocol, service=service)


def waiting(connection: Connection) -> int:
    """Return how many requests are parsed and not answered."""
    # A light connection has no pipeline.
    pipeline: deque[object] = getattr(connection.protocol, "pipeline", deque())
    return len(pipeline) + bool(connection.protocol.is_answering)


def pour(connection: Connection, data: bytes, sizes: Iterator[int]) -> tuple[int, int]:
    """Send all in reads of these sizes; return the most requests and bytes that waited."""
    most = kept = at = 0
    while at < len(data) or waiting(connection):
        if connection.wire.takes and at < len(data):
            piece = data[at : at + next(sizes)]
            at += len(piece)
            connection.protocol.data_received(piece)
        # Each turn of the loop is looked at, as a test that waits for all would see nothing.
        most = max(most, waiting(connection))
        kept = max(kept, len(getattr(connection.protocol, "_backlog", None) or ()))
        connection.turn(1)
        assert not connection.wire.ended
    connection.turn()
    return most, kept


def always(size: int) -> Iterator[int]:
    """Yield a size for ever."""
    while True:
        yield size


@pytest.mark.parametrize("size", [16, 1000, READ_BYTES])
@pytest.mark.parametrize("turns", [0, 2])
def test_so_many_may_wait(kind: MakeProtocol, size: int, turns: int) -> None:
    """Of thousands of requests 32 are there at a time; all are answered, in their order."""
    count = 2000 if size == READ_BYTES and not turns else 300
    connection = Connection(kind, Counting(turns))
    sent = b"".join(b"GET /%d HTTP/1.1\r\n\r\n" % number for number in range(count))
    most, kept = pour(connection, sent, always(size))
    assert most <= MOST_WAITING
    assert kept <= READ_BYTES
    # Fails if one at a time is taken, which would be slow.
    assert size < READ_BYTES or most > MOST_WAITING / 2
    found = [part.rpartition(b"\r\n\r\n/")[2] for part in _answers(connection)]
    assert found == [b"%d" % number for number in range(count)]
    connection.close()


def _answers(connection: Connection) -> list[bytes]:
    return connection.wire.written.split(b"HTTP/1.1 200 OK\r\n")[1:]


def test_lists_take_turns_with_other_connections(kind: MakeProtocol) -> None:
    """However many lists come in one read, the loop goes round after 32 of them."""
    connection = Connection(kind, Counting())
    connection.protocol.data_received(LIST * 1000)
    assert len(_answers(connection)) <= MOST_WAITING
    connection.turn(1)
    # The clock of this test goes round some times in a turn.
    assert len(_answers(connection)) <= 6 * MOST_WAITING
    connection.turn(8000)
    assert len(_answers(connection)) == 1000
    assert connection.wire.takes
    connection.close()


@examples(60)
@given(st.integers(0, 2**32), st.lists(st.sampled_from("lapc"), min_size=1, max_size=120))
def test_whatever_the_pieces(seed: int, asked: list[str]) -> None:
    """However bytes are split, the same requests are answered in the same order."""
    pieces = random.Random(seed)
    kinds = {
        "l": LIST,
        "a": b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
        "p": b"POST /p HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
        "c": b"\r\n\n\r\nGET /c HTTP/1.1\r\n\r\n",
    }
    connection = Connection(LimitedProtocol, Counting(1))
    sent = b"".join(kinds[one] for one in asked)
    sizes = (pieces.choice((1, 2, 3, 5, 50, 500, 5000)) for _ in iter(int, 1))
    most, _ = pour(connection, sent, sizes)
    found = "".join(part.rpartition(b"\r\n\r\n/")[2].decode()[0] for part in _answers(connection))
    assert found == "".join(asked).replace("l", "m")
    assert most <= MOST_WAITING
    connection.close()


@pytest.mark.parametrize("length", [b"0", b"00", b"0 ", b" 0", b"0\t", b"0000000000000000000"])
@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST", b"OPTIONS"])
def test_a_length_of_zero_is_no_body(kind: MakeProtocol, method: bytes, length: bytes) -> None:
    """A request that says that its body has 0 bytes has none: the connection goes on."""
    connection = Connection(kind, Counting())
    for target in (b"/x", b"/mirrorlist?repo=linux-40&arch=x86_64"):
        one = b"%b %b HTTP/1.1\r\nContent-Length: %b\r\n\r\n" % (method, target, length)
        connection.send(one * 2)
        connection.send(one)
    assert connection.statuses == [200] * 6
    assert b"connection: close" not in connection.wire.written
    assert not connection.wire.ended
    connection.close()


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(b"Content-Length: 1\r\n", id="1"),
        pytest.param(b"Content-Length: 01\r\n", id="01"),
        pytest.param(b"Content-Length: 10\r\n", id="10"),
        pytest.param(b"Transfer-Encoding: chunked\r\n", id="chunked"),
    ],
)
def test_a_body_is_the_last_that_is_looked_at(kind: MakeProtocol, lines: bytes) -> None:
    """What comes behind the head of a request with a body is thrown away, whatever it is."""
    app = Counting()
    connection = Connection(kind, app)
    head = b"GET /mirrorlist?repo=linux-40&arch=x86_64 HTTP/1.1\r\n%b\r\n" % lines
    connection.protocol.data_received(head + b"0\r\nX-Forwarded-For: 192.0.2.5\r\n\r\n" + LIST)
    connection.send(LIST)
    assert connection.statuses == [200]
    assert b"connection: close" in connection.wire.written
    assert [len(headers) for headers in app.headers] == [1]
    connection.close()


@pytest.mark.parametrize("kind_of_trailer", [b"X-Forwarded-For", b"Content-Length", b"Host"])
def test_what_comes_later_is_not_among_the_headers(
    kind: MakeProtocol, kind_of_trailer: bytes
) -> None:
    """A header that the parser tells of after the head is not one, and its list is a copy."""
    connection = Connection(kind, Counting(3))
    connection.protocol.data_received(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
    scope = connection.protocol.scope
    connection.protocol.on_header(kind_of_trailer, b"192.0.2.5")
    assert connection.protocol.headers == [(b"host", b"a")]
    connection.protocol.headers.append((kind_of_trailer.lower(), b"192.0.2.5"))
    assert scope["headers"] == [(b"host", b"a")]
    connection.turn()
    connection.close()


def test_a_refusal_waits_its_turn(kind: MakeProtocol) -> None:
    """Junk behind many requests is refused after all of them are answered, and only once."""
    connection = Connection(kind, Counting(1))
    connection.send(b"GET /x HTTP/1.1\r\n\r\n" * 200 + b"junk\r\n\r\n" + LIST)
    connection.turn(3000)
    assert connection.statuses == [200] * 200 + [400]
    connection.close()


def test_a_connection_that_goes_takes_its_requests_along(kind: MakeProtocol) -> None:
    """When a connection ends, what waited on it is let go, and nothing is parsed or written."""
    app = Counting(5)
    connection = Connection(kind, app)
    connection.protocol.data_received(b"GET /x HTTP/1.1\r\n\r\n" * 5000)
    connection.wire.abort()
    connection.turn(50)
    assert not connection.protocol._backlog
    assert not connection.protocol.pipeline
    assert len(app.headers) <= 1
    assert connection.wire.written == b""
    connection.close()


def test_a_half_closed_connection_is_answered_to_the_end(
    kind: MakeProtocol, tmp_path: Path
) -> None:
    """All that came before the client closed its half is answered, then the connection ends."""
    connection = Connection(kind, Counting(1))
    sent = (LIST + b"GET /x HTTP/1.1\r\n\r\n") * 100
    pour(connection, sent, always(READ_BYTES))
    connection.protocol.data_received(LIST * 100)
    assert connection.protocol.eof_received()
    connection.turn(3000)
    assert connection.statuses == [200] * 300
    assert connection.wire.ended == ["closed"]
    connection.close()


def test_what_waits_behind_an_answer_of_the_app_is_answered_too(kind: MakeProtocol) -> None:
    """A client that closed its half gets all, also where the app's answer is not the last."""
    connection = Connection(kind, Counting(3))
    connection.protocol.data_received(
        LIST * (MOST_WAITING - 1) + b"GET /x HTTP/1.1\r\n\r\n" + LIST * 9
    )
    assert connection.protocol.eof_received()
    connection.turn(1000)
    assert connection.statuses == [200] * (MOST_WAITING + 9)
    assert connection.wire.ended == ["closed"]
    connection.close()


def test_nothing_is_answered_on_a_connection_that_closes(kind: MakeProtocol) -> None:
    """When the server stops, requests that are not parsed yet are thrown away."""
    connection = Connection(kind, Counting())
    connection.protocol.data_received(LIST * 1000)
    connection.wire.close()
    connection.turn(1)
    connection.turn(100)
    assert len(_answers(connection)) <= MOST_WAITING
    connection.close()
