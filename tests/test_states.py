"""Every state of a connection has an end, whatever comes on it."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mirrorlist.web.fast import FastProtocol
from mirrorlist.web.limits import ANSWER_SECONDS, HEAD_SECONDS, LINGER_SECONDS
from mirrorlist.web.protocol import LimitedProtocol, MakeProtocol
from mirrorlist.web.proxied import ProxiedFastProtocol
from mirrorlist.web.states import State
from mirrorlist.web.sweep import Sweep
from tests.connection import KEEP_ALIVE, Connection, Wire, app, light
from tests.factories import export_tables, world
from tests.in_process import make_service

APP = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
LIST = b"GET /mirrorlist?repo=linux-40&arch=x86_64 HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
# How often something drips in while a connection has one deadline.
DROPS = 20

DRIPS = {
    "nothing": b"",
    "CRLF": b"\r\n",
    "LF": b"\n",
    "CR": b"\r",
    "many CRLF": b"\r\n" * 500,
}
# These begin something, or go on with it: what they begin has its own end.
BEGINNINGS = {"a letter": b"G", "a header": b"X: y\r\n", "junk": b"\0", "a chunk": b"1\r\na\r\n"}


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, MakeProtocol]:
    """The protocol classes by the listeners that use them."""
    service = make_service(export_tables(tmp_path_factory.mktemp("deadlines"), world())[0])
    fast = partial(FastProtocol, service=service)
    is_proxy = service.trust.is_proxy
    proxied = partial(ProxiedFastProtocol, service=service, is_proxy=is_proxy)
    return {
        "light": light(service),
        "fast": fast,
        "asgi or admin": LimitedProtocol,
        "proxied": proxied,
    }


@pytest.fixture(params=["light", "fast", "asgi or admin", "proxied"])
def connect(
    kinds: dict[str, MakeProtocol], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Connection]]:
    """Connect with one of the classes."""
    opened: list[Connection] = []

    def one(*sent: bytes, reads: bool = True, peer: str = "198.51.100.7") -> Connection:
        wire = Wire((peer, 4711))
        wire.client_reads = reads
        opened.append(Connection(kinds[request.param], app, wire))
        for piece in sent:
            opened[-1].send(piece)
        return opened[-1]

    yield one
    for connection in opened:
        connection.close()


# What brings a connection into a state, whether the client reads, and how long it may last.
STATES = {
    "nothing asked": ((), True, HEAD_SECONDS),
    "nothing but line ends": ((b"\r\n\n\r\n",), True, HEAD_SECONDS),
    "in a first head": ((b"GET / HTTP/1.1\r\nX",), True, HEAD_SECONDS + LINGER_SECONDS),
    "in a later head": ((APP, b"GET / HTTP/1.1\r\nX"), True, HEAD_SECONDS + LINGER_SECONDS),
    "in a head after a list": ((LIST, b"GET"), True, HEAD_SECONDS + LINGER_SECONDS),
    "idle after a list": ((LIST,), True, KEEP_ALIVE),
    "idle after the app": ((APP,), True, KEEP_ALIVE),
    "idle after many": ((APP + LIST + APP,), True, KEEP_ALIVE),
    "idle, a list unread": ((LIST,), False, KEEP_ALIVE),
    "idle, the app's answer unread": ((APP,), False, KEEP_ALIVE),
    "answering": ((SLOW,), True, ANSWER_SECONDS),
    "answering, a list waits": ((SLOW + LIST,), True, ANSWER_SECONDS),
    "answering, in the next head": ((SLOW, b"GET / HT"), True, ANSWER_SECONDS),
    "answering, a refusal waits": ((SLOW + b"bad\r\n\r\n",), True, ANSWER_SECONDS),
    "answering what is not read": ((LARGE, LARGE), False, ANSWER_SECONDS),
    "in a body": (
        (b"POST /slow HTTP/1.1\r\nContent-Length: 9\r\n\r\n",),
        True,
        ANSWER_SECONDS,
    ),
    "in a chunked body": (
        (b"POST /slow HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",),
        True,
        ANSWER_SECONDS,
    ),
    "lingering after a refusal": ((b"bad\r\n\r\n",), True, LINGER_SECONDS),
    "lingering, the refusal unread": ((b"bad\r\n\r\n",), False, ANSWER_SECONDS),
    "lingering after a body": (
        (b"POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n",),
        True,
        LINGER_SECONDS,
    ),
    "closing, unread": (
        (b"GET /x HTTP/1.1\r\nConnection: close\r\n\r\n",),
        False,
        ANSWER_SECONDS,
    ),
    "closing after a list, unread": (
        (LIST.replace(b"Host: a", b"Connection: close"),),
        False,
        ANSWER_SECONDS,
    ),
    "lingering after an upgrade": (
        (b"GET /x HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",),
        True,
        LINGER_SECONDS,
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_nothing_moves_a_deadline(connect: Callable[..., Connection], state: str) -> None:
    """Bytes that begin no request neither put a deadline off nor take it away, in any state."""
    sent, reads, seconds = STATES[state]
    step = seconds / DROPS
    for name, drip in DRIPS.items():
        lasted = connect(*sent, reads=reads).ends_within(seconds + 2 * step, drip, step)
        assert drip or lasted > seconds - 2 * step, name


@pytest.mark.parametrize("state", STATES)
def test_what_is_begun_has_an_end(connect: Callable[..., Connection], state: str) -> None:
    """Whatever else drips in, a connection ends a head's time after its state at the latest."""
    sent, reads, seconds = STATES[state]
    more = HEAD_SECONDS + ANSWER_SECONDS + LINGER_SECONDS
    for drip in BEGINNINGS.values():
        connect(*sent, reads=reads).ends_within(seconds + more, drip, seconds / DROPS)


@pytest.mark.parametrize("drip", [b"", b"P", b"\r", b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"])
def test_a_proxy_that_does_not_say_whose_it_is(kinds: dict[str, MakeProtocol], drip: bytes) -> None:
    """A PROXY header that does not come, or not to its end, is waited for as a first request."""
    connection = Connection(kinds["proxied"], app, Wire(("127.0.0.1", 4711)))
    connection.ends_within(HEAD_SECONDS + 2 * LINGER_SECONDS, drip)
    connection.close()


def test_requests_do_not_put_off_an_answer(connect: Callable[..., Connection]) -> None:
    """A client that reads nothing and sends further requests does not win time."""
    connection = connect(LARGE, LARGE, reads=False)
    connection.ends_within(ANSWER_SECONDS + 5.0, APP, 5.0)


def test_a_first_head_has_the_time_of_its_connection(connect: Callable[..., Connection]) -> None:
    """A client that says nothing for a while has less time for its first head."""
    connection = connect()
    connection.wait(HEAD_SECONDS - 2)
    connection.send(b"GET / HT")
    connection.ends_within(2 + 2 * LINGER_SECONDS, b"")
    assert connection.statuses == [408]


def test_a_head_that_does_not_end_behind_an_answer(connect: Callable[..., Connection]) -> None:
    """A head that was begun while an answer was under way is refused a head's time after it."""
    connection = connect()
    for piece in (APP, b"GET / HT"):
        connection.protocol.data_received(piece)
    connection.turn()
    assert connection.protocol.state is State.IN_HEAD
    connection.ends_within(HEAD_SECONDS + 2 * LINGER_SECONDS, b"")
    assert connection.statuses == [200, 408]


def test_a_slow_head_behind_an_answer(connect: Callable[..., Connection]) -> None:
    """A head that was begun while an answer was under way has its time from that answer's end."""
    connection = connect(APP, b"GET / HT")
    connection.wait(HEAD_SECONDS - 1)
    connection.send(b"TP/1.1\r\n\r\n")
    assert connection.statuses == [200, 200]
    assert not connection.wire.ended


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        pytest.param(APP + b"bad\r\n\r\n", [200, 400], id="a refusal"),
        pytest.param(b"POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n", [200], id="a last answer"),
    ],
)
def test_no_lingering_for_a_client_that_has_ended(
    connect: Callable[..., Connection], sent: bytes, statuses: list[int]
) -> None:
    """A client that closed its half sends nothing more, so its connection is closed at once."""
    connection = connect()
    connection.protocol.data_received(sent)
    assert connection.protocol.eof_received()
    connection.turn()
    assert connection.statuses == statuses
    assert connection.wire.ended == ["closed"]


def test_the_next_request_begins_anew(connect: Callable[..., Connection]) -> None:
    """A client that asks each minute keeps its connection."""
    connection = connect()
    for _ in range(5):
        connection.send(LIST)
        connection.send(APP)
        connection.wait(KEEP_ALIVE - 5.0)
    assert connection.statuses == [200] * 10
    assert not connection.wire.ended


def test_no_timer_is_left(connect: Callable[..., Connection]) -> None:
    """A connection that has ended leaves nothing on the loop."""
    connection = connect(APP, LIST)
    connection.protocol.eof_received()
    connection.wire.close()
    connection.turn()
    assert connection.wire.ended == ["closed"]
    timers: list[Any] = connection.loop._scheduled  # type: ignore[attr-defined]
    own = [one for one in timers if not isinstance(getattr(one._callback, "__self__", None), Sweep)]
    assert all(timer.cancelled() for timer in own)


def _row(name: str) -> State:
    """Return the state whose row in the table a case belongs to."""
    name = re.sub("^nothing .*", "nothing asked", re.sub("^in a .*head", "in a head", name))
    name = re.sub("^in a .*body", "answering", name)
    (found,) = (state for state in State if name.startswith(state.value))
    return found


@pytest.mark.parametrize("name", STATES)
def test_what_then(connect: Callable[..., Connection], name: str) -> None:
    """At its deadline a connection ends as its row says; it is cut off where it is unread."""
    sent, reads, seconds = STATES[name]
    connection = connect(*sent, reads=reads)
    state, before = connection.protocol.state, connection.statuses
    assert state is _row(name)
    assert connection.protocol.is_answering is (state is State.ANSWERING)
    connection.ends_within(seconds + 2, b"")
    refused = [408] if reads and state is State.IN_HEAD else []
    assert connection.statuses == before + refused
    closed = reads and state in (State.NOTHING_ASKED, State.IDLE)
    assert connection.wire.ended == ["closed" if closed else "cut off"]
    assert connection.protocol.is_cut


def test_no_refusal_behind_what_is_not_read(connect: Callable[..., Connection]) -> None:
    """A client that leaves an answer unread, and a head unfinished, is cut off without a 408."""
    connection = connect(LIST, b"GET", reads=False)
    assert connection.protocol.state is State.IN_HEAD
    connection.ends_within(HEAD_SECONDS + 1, b"")
    assert connection.statuses == [200]
    assert connection.wire.ended == ["cut off"]


def test_the_page_of_states_is_the_code() -> None:
    """Each state of the table at the head of the module is one of these tests."""
    text = Path("mirrorlist/web/states.py").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    names = {row.partition(",")[0] for row in rows[1:]}
    assert names == {state.value for state in State} - {"ended"}
    assert {_row(name).value for name in STATES} == names
