"""Light connections: what they do at once, what they hand over, and how they end."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mirrorlist.records.counts import Counts
from mirrorlist.service import Service
from mirrorlist.web.capacity import Policy
from mirrorlist.web.fast import FastProtocol
from mirrorlist.web.front import MOST_MISSES
from mirrorlist.web.light import First, LightConnection
from mirrorlist.web.limits import ANSWER_SECONDS, HEAD_SECONDS
from mirrorlist.web.states import UNKNOWN_CLIENT, State
from mirrorlist.web.sweep import SWEEP_SECONDS
from snapshot.file.reader import Snapshot
from tests.connection import HOST, KEEP_ALIVE, Connection, Wire, app, light
from tests.factories import export_tables, world
from tests.in_process import FlushedLog, make_service

HEAD = b"GET /mirrorlist?repo=%b&arch=x86_64 HTTP/1.1\r\nHost: a\r\n%b\r\n"
LIST = HEAD % (b"linux-40", b"")
LAST = HEAD % (b"linux-40", b"Connection: close\r\n")
UNKNOWN = HEAD % (b"no", b"")
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
HALF = b"GET /mirr"


@pytest.fixture
def counts() -> Counts:
    """Counts of one worker."""
    return Counts(1)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The small world."""
    return export_tables(tmp_path_factory.mktemp("light"), world())[0]


@pytest.fixture
def service(snapshot: Snapshot, tmp_path: Path, counts: Counts) -> Service:
    """A service of the small world that counts and logs."""
    service = make_service(snapshot)
    service.slot = counts.claim()
    service.log = FlushedLog(str(tmp_path / "requests.log"))
    return service


@pytest.fixture
def connection(service: Service) -> Iterator[Connection]:
    """A light connection."""
    made = Connection(light(service), app)
    yield made
    made.close()


def front_of(connection: Connection) -> Any:
    """Return the front of a connection."""
    return connection.protocol._front


def another(connection: Connection) -> tuple[Any, Wire]:
    """Return a second connection of the same front."""
    wire = Wire()
    wire.loop, wire.protocol = connection.loop, front_of(connection)()
    wire.protocol.connection_made(wire)
    return wire.protocol, wire


def is_light(connection: Connection) -> bool:
    """Return whether a connection is light."""
    return type(connection.protocol) is LightConnection


def test_a_request_waits_for_the_end_of_the_turn(connection: Connection) -> None:
    """What came is staged, and answered when the loop comes to it."""
    connection.protocol.data_received(LIST)
    assert connection.wire.written == b""
    assert connection.protocol.is_answering
    connection.turn(1)
    assert connection.statuses == [200]
    assert not connection.protocol.is_answering


def test_a_second_request_while_the_first_is_staged(connection: Connection) -> None:
    """Both are answered, in their order."""
    connection.protocol.data_received(LIST)
    connection.protocol.data_received(UNKNOWN)
    connection.turn(1)
    assert connection.statuses == [200, 404]
    assert is_light(connection)


@pytest.mark.parametrize("more", [LIST, HALF, LIVE, b"junk\r\n\r\n"])
def test_nothing_is_looked_at_behind_the_last(connection: Connection, more: bytes) -> None:
    """After `Connection: close` nothing that comes is answered, even in the same turn."""
    connection.protocol.data_received(LAST)
    connection.protocol.data_received(more)
    connection.turn()
    assert connection.statuses == [200]
    assert connection.wire.ended == ["closed"]


def test_two_requests_in_a_piece(connection: Connection) -> None:
    """The full protocol takes them, and the connection is light again."""
    connection.send(LIST + UNKNOWN)
    assert connection.statuses == [200, 404]
    assert is_light(connection)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(LIST, 200, id="a list"),
        pytest.param(UNKNOWN, 404, id="an unknown repository"),
        pytest.param(HEAD % (b"%00", b""), 400, id="a bad request"),
        pytest.param(LIST.replace(b"&arch", b"&redirect=1&arch"), 302, id="a redirect"),
        pytest.param(HEAD % (b"linux-40", b"X-Forwarded-For: 192.0.2.5\r\n"), 200, id="near"),
    ],
)
def test_answered_in_the_light_way(
    connection: Connection, service: Service, counts: Counts, sent: bytes, status: int
) -> None:
    """Errors and redirects are answered without the full protocol, counted and logged."""
    front_of(connection).make_full = None
    connection.send(sent)
    assert connection.statuses == [status]
    assert connection.state.total_requests == 1
    (((endpoint, counted, _), number),) = counts.totals().requests.items()
    assert (endpoint, counted, number) == ("mirrorlist", str(status), 1)
    assert service.log
    # A request without a list has no line.
    assert service.log.written == (status in (200, 302))


def test_whose_address_counts(connection: Connection) -> None:
    """It is the one in X-Forwarded-For of a trusted peer, and otherwise the peer's own."""
    wire = Wire(("127.0.0.1", 4711))
    wire.loop, wire.protocol = connection.loop, front_of(connection)()
    wire.protocol.connection_made(wire)
    near = HEAD % (b"linux-40", b"X-Forwarded-For: 192.0.2.5\r\n")
    for one in (connection.wire, wire):
        one.protocol.data_received(near)
        connection.turn(1)
    assert b"host6" not in connection.wire.written
    assert b"host6" in wire.written


@pytest.mark.parametrize("sent", [LIVE, LIST.replace(b"GET", b"HEAD"), LIST + LIST, b"\r\n" + LIST])
def test_light_again(connection: Connection, sent: bytes) -> None:
    """After what the full protocol answered a connection is light again, and its time is kept."""
    connection.send(sent)
    assert is_light(connection)
    assert connection.protocol.state is State.IDLE
    assert connection.protocol.peer == HOST[0]
    assert connection.protocol.deadline == connection.now + KEEP_ALIVE
    connection.send(LIST)
    assert set(connection.statuses) == {200}


def test_what_is_seldom_plain_stays_with_the_full_protocol(connection: Connection) -> None:
    """After some requests in a row that are not recognised, a connection is handed over."""
    for number in range(1, MOST_MISSES + 1):
        connection.send(LIVE)
        assert is_light(connection) is (number < MOST_MISSES)
    connection.send(LIST)
    assert type(connection.protocol) is FastProtocol
    assert connection.statuses == [200] * (MOST_MISSES + 1)


def test_a_plain_request_counts_anew(connection: Connection) -> None:
    """A request that is recognised begins the count of the others again."""
    for _ in range(MOST_MISSES):
        connection.send(LIVE)
        connection.send(LIST)
    assert is_light(connection)


def test_the_client_goes_while_its_request_is_staged(
    connection: Connection, counts: Counts
) -> None:
    """Nothing is answered, counted or logged for a connection that has ended meanwhile."""
    connection.protocol.data_received(LIST)
    connection.wire.abort()
    connection.protocol.connection_lost(None)
    connection.turn()
    assert connection.wire.written == b""
    assert counts.totals().requests == {}
    assert not connection.state.connections


def test_cut_off_while_its_request_is_staged(connection: Connection, counts: Counts) -> None:
    """Nothing is answered or counted for a connection that gave way, and it counts as ended."""
    connection.protocol.data_received(LIST)
    connection.protocol.cut_off()
    assert connection.protocol.is_cut
    assert connection.protocol.state is State.ENDED
    connection.turn()
    assert connection.wire.written == b""
    assert counts.totals().requests == {}


def test_the_client_closes_its_half(connection: Connection) -> None:
    """What was asked before is answered, then the transport closes itself."""
    connection.protocol.data_received(LIST)
    assert not connection.protocol.eof_received()
    assert connection.statuses == [200]


def test_a_stop(connection: Connection) -> None:
    """A stop answers what is staged, and closes connections with or without half a request."""
    idle, idle_wire = another(connection)
    _, half_wire = another(connection)
    half_wire.protocol.data_received(HALF)
    connection.protocol.data_received(LIST)
    for one in [*connection.state.connections]:
        one.shutdown()
    connection.turn()
    assert connection.statuses == [200]
    assert [wire.ended for wire in (connection.wire, idle_wire, half_wire)] == [["closed"]] * 3
    assert idle_wire.written == half_wire.written == b""
    assert idle.state is State.ENDED


@pytest.mark.parametrize(("first", "statuses"), [(LIST, [200]), (LIVE, [200]), (HALF, [])])
def test_after_a_stop(connection: Connection, first: bytes, statuses: list[int]) -> None:
    """A connection that comes after a stop is answered what it asks at once, and closed."""
    front = front_of(connection)
    front.is_ending = True
    made = LightConnection(front)
    made.begin_with(First(first))
    wire = Wire()
    wire.loop, wire.protocol = connection.loop, made
    made.connection_made(wire)
    connection.turn()
    assert wire.ended == ["closed"]
    assert wire.written.count(b"HTTP/1.1 200 OK") == len(statuses)


def test_drips_make_nobody_younger(connection: Connection) -> None:
    """Bytes that begin no request leave a connection its place among those that give way."""
    connection.send(LIST)
    since, deadline = connection.protocol.waits_since, connection.protocol.deadline
    for _ in range(3 * MOST_MISSES):
        connection.wait(1)
        connection.send(b"\r\n")
        assert connection.protocol.waits_since == since
        assert abs(connection.protocol.deadline - deadline) < 0.001


def test_it_gives_way(service: Service) -> None:
    """The connection that waited longest is cut off for a newer one, and counted."""
    gone: list[int] = []
    first = Connection(light(service, Policy(2, gave_way=lambda: gone.append(1))), app)
    first.now += 1
    _, second = another(first)
    first.now += 1
    _, third = another(first)
    first.turn()
    assert [wire.ended for wire in (first.wire, second, third)] == [["cut off"], [], []]
    assert gone == [1]
    first.close()


def test_no_descriptor_is_left(connection: Connection) -> None:
    """Those that wait longest make way, even below the most connections that there may be."""
    front = front_of(connection)
    connection.now += 1
    _, second = another(connection)
    front.make_way()
    connection.turn()
    assert [wire.ended for wire in (connection.wire, second)] == [["cut off"], []]
    front.make_way()
    front.make_way()


def test_a_client_that_does_not_read(connection: Connection) -> None:
    """Its next request is the full protocol's until all is read, then it is light again."""
    connection.send(LIST)
    connection.protocol.pause_writing()
    connection.protocol.data_received(LIST)
    assert type(connection.protocol) is FastProtocol
    assert connection.protocol.flow.write_paused
    assert connection.protocol.is_answering
    connection.turn()
    assert not connection.protocol.is_at_rest
    connection.protocol.resume_writing()
    connection.turn()
    connection.send(LIST)
    assert is_light(connection)
    connection.protocol.pause_writing()
    connection.protocol.resume_writing()
    connection.send(LIST)
    assert is_light(connection)


def test_an_answer_that_fills_the_buffer(connection: Connection) -> None:
    """The full protocol keeps a connection whose client has yet to read the last answer."""
    connection.wire.client_reads, connection.wire.unread = False, 65_530
    connection.send(b"\r\n" + LIST)
    assert connection.statuses == [200]
    assert type(connection.protocol) is FastProtocol


class _Socket:
    def __init__(self, family: socket.AddressFamily) -> None:
        self.family = family

    def getpeername(self) -> tuple[str, int]:
        raise OSError("not connected")


@pytest.mark.parametrize(
    ("family", "peer"),
    [
        (socket.AF_INET, UNKNOWN_CLIENT[0]),
        (socket.AF_INET6, UNKNOWN_CLIENT[0]),
        (socket.AF_UNIX, None),
    ],
)
def test_a_peer_whose_address_is_gone(
    service: Service, family: socket.AddressFamily, peer: str | None
) -> None:
    """Only a Unix socket's peer, which has no address, passes for one of the machine itself."""
    wire = Wire()
    wire._extra = {"socket": _Socket(family)}  # type: ignore[attr-defined]
    connection = Connection(light(service), app, wire)
    assert connection.protocol.peer == peer
    connection.close()


@pytest.mark.parametrize(
    ("first", "seconds"),
    [
        pytest.param(First(), HEAD_SECONDS, id="nothing came"),
        pytest.param(First(LIST), KEEP_ALIVE, id="a request came"),
        pytest.param(First(b"", b"rest", True), KEEP_ALIVE, id="answered, to be kept"),
        pytest.param(First(b"", b"", True), KEEP_ALIVE, id="answered whole, to be kept"),
    ],
)
def test_what_came_before_the_transport(
    connection: Connection, first: First, seconds: float
) -> None:
    """A connection of the entrance is in the state that its first request brought it to."""
    made = LightConnection(front_of(connection))
    made.begin_with(first)
    wire = Wire()
    wire.loop, wire.protocol = connection.loop, made
    made.connection_made(wire)
    connection.turn()
    assert made.deadline == connection.now + seconds
    connection.wait(seconds - 0.5)
    assert not wire.ended
    connection.wait(0.5 + SWEEP_SECONDS)
    assert wire.ended == ["closed"]


def test_an_unread_rest_of_the_last_answer(connection: Connection) -> None:
    """What the entrance could not send is sent; a client that reads nothing is cut off."""
    made = LightConnection(front_of(connection))
    made.begin_with(First(b"", b"rest", False))
    wire = Wire()
    wire.client_reads = False
    wire.loop, wire.protocol = connection.loop, made
    made.connection_made(wire)
    assert wire.written == b"rest"
    assert made.state is State.CLOSING
    connection.wait(ANSWER_SECONDS - 0.5)
    assert not wire.ended
    connection.wait(0.5 + SWEEP_SECONDS)
    assert wire.ended == ["cut off"]


def test_an_error_of_one_connection_ends_no_sweep(connection: Connection) -> None:
    """The sweep goes on after an error."""
    said: list[Any] = []
    connection.loop.set_exception_handler(lambda loop, context: said.append(context))
    _, second = another(connection)
    connection.wire.get_write_buffer_size = None  # type: ignore[assignment, method-assign]
    connection.wait(HEAD_SECONDS + 1)
    connection.wire.get_write_buffer_size = lambda: 0  # type: ignore[method-assign]
    connection.wait(SWEEP_SECONDS)
    assert said
    assert connection.wire.ended == second.ended == ["closed"]
