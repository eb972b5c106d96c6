"""How many connections a process holds, and who gives way when there are more."""

import resource
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from mirrorlist.web.capacity import MOST_CONNECTIONS, RESERVE, Policy, make_room, most_connections
from mirrorlist.web.protocol import LimitedProtocol
from mirrorlist.web.states import UNKNOWN_CLIENT
from snapshot.file.writer import encode
from tests.connection import Connection, Wire, app
from tests.live import Server, exchange, request, serve, wait_until
from tests.small_worlds import DIRECTORY, Mirror, small_data

TARGET = f"/mirrorlist?path={DIRECTORY}".encode()


@pytest.mark.parametrize(
    ("soft", "most"),
    [
        pytest.param(resource.RLIM_INFINITY, MOST_CONNECTIONS, id="no limit"),
        pytest.param(1 << 20, MOST_CONNECTIONS, id="a large one"),
        pytest.param(1024, 1024 - RESERVE, id="the usual one"),
        pytest.param(80, 40, id="80"),
        pytest.param(44, 11, id="hardly any"),
        pytest.param(3, 1, id="less than it needs itself"),
    ],
)
def test_most_connections(monkeypatch: pytest.MonkeyPatch, soft: int, most: int) -> None:
    """A process leaves a reserve of its descriptors free."""
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, soft))
    assert most_connections() == most


@dataclass(eq=False)
class Held:
    """A connection as far as it matters here."""

    waits_since: float
    is_answering: bool = False
    is_cut: bool = False

    def give_way(self) -> None:
        """End."""
        self.is_cut = True


def test_who_gives_way() -> None:
    """Those go that have waited longest for their client; who waits for us goes last."""
    held = [Held(since, since % 2 == 0) for since in range(8)]
    newcomer = Held(99)
    make_room([*held, newcomer], 6, newcomer)
    assert [one.waits_since for one in held if one.is_cut] == [1, 3, 5]
    make_room([*held, newcomer], 6, newcomer)
    assert sum(one.is_cut for one in held) == 3
    make_room([*held, newcomer], 3, newcomer)
    assert [one.waits_since for one in held if not one.is_cut] == [4, 6]
    make_room([*held, newcomer], 1, newcomer)
    assert not newcomer.is_cut


def test_a_newcomer_is_never_the_one() -> None:
    """Even where everybody else waits for an answer, one of them gives way."""
    held = [Held(since, True) for since in range(3)]
    newcomer = Held(99)
    make_room([*held, newcomer], 3, newcomer)
    assert [one.is_cut for one in (*held, newcomer)] == [True, False, False, False]


def test_it_is_counted() -> None:
    """Each connection that gives way is counted once, and no answer is written to it."""
    gone: list[int] = []
    make = partial(LimitedProtocol, policy=Policy(1, gave_way=lambda: gone.append(1)))
    first = Connection(make, app)
    first.send(b"GET /x HTTP/1.1\r\n")
    second = make(first.protocol.config, first.state, {}, _loop=first.loop)
    second_wire = Wire()
    second_wire.protocol, second_wire.loop = second, first.loop
    second.connection_made(second_wire)
    first.turn()
    assert first.wire.ended == ["cut off"]
    assert first.wire.written == b""
    assert not second_wire.ended
    assert gone == [1]
    first.close()


def test_each_gives_way_once() -> None:
    """A connection that was ended is not ended again where the next ones come before it is gone."""
    gone: list[int] = []
    make = partial(LimitedProtocol, policy=Policy(1, gave_way=lambda: gone.append(1)))
    first = Connection(make, app)
    for count in range(1, 4):
        wire = Wire()
        wire.loop = first.loop
        wire.protocol = make(first.protocol.config, first.state, {}, _loop=first.loop)
        wire.protocol.connection_made(wire)
        assert len(gone) == count
    first.turn()
    assert len(first.state.connections) == 1
    first.close()


class _Socket:
    def __init__(self, family: socket.AddressFamily) -> None:
        self.family = family

    def getpeername(self) -> tuple[str, int]:
        raise OSError("not connected")

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 3000


@pytest.mark.parametrize(
    ("family", "client"),
    [(socket.AF_INET, UNKNOWN_CLIENT), (socket.AF_INET6, UNKNOWN_CLIENT), (socket.AF_UNIX, None)],
)
def test_a_peer_whose_address_is_gone(
    family: socket.AddressFamily, client: tuple[str, int] | None
) -> None:
    """Only a Unix socket's peer, which has no address, passes for one of the machine itself."""
    wire = Wire()
    wire._extra = {"socket": _Socket(family)}  # type: ignore[attr-defined]
    connection = Connection(LimitedProtocol, app, wire)
    assert connection.protocol.client == client
    connection.close()


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (80, 80))
from mirrorlist.cli import main
sys.argv[0] = "mirrorlist"
main()
"""


@pytest.fixture
def scarce(tmp_path: Path) -> Iterator[Server]:
    """A server, admin listener included, with 80 descriptors a process."""
    (tmp_path / "mm.snap").write_bytes(encode(small_data((Mirror(),), {})))
    command = (sys.executable, "-c", LIMITED, "serve")
    with serve(tmp_path / "mm.snap", tmp_path, "--admin", "127.0.0.1:0", command=command) as server:
        yield server


# What an attacker holds connections with.
HOLDS = {
    "silence": b"",
    "line ends": b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
    "unfinished heads": b"GET / HTTP/1.1\r\nX: y",
    "idle after a list": b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % TARGET,
    "bodies that never come": b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n",
}


@pytest.mark.system
@pytest.mark.parametrize("sent", HOLDS.values(), ids=HOLDS)
def test_honest_clients_while_all_is_held(scarce: Server, sent: bytes) -> None:
    """With 80 descriptors every honest client is answered while somebody holds all he can."""
    stop = threading.Event()
    attacker = threading.Thread(target=_hold, args=(scarce.port, sent, stop))
    attacker.start()
    try:
        time.sleep(0.5)
        for _ in range(200):
            assert exchange(scarce.port, request(TARGET)).status == 200
    finally:
        stop.set()
        attacker.join()


def _hold(port: int, sent: bytes, stop: threading.Event) -> None:
    """Hold 400 connections, and drip on each; reopen those that end, 200 a second."""
    held: list[socket.socket] = []
    with ExitStack() as stack:
        while not stop.is_set():
            while len(held) < 400:
                try:
                    one = socket.create_connection(("127.0.0.1", port), timeout=5)
                    stack.callback(one.close)
                    one.sendall(sent)
                    one.setblocking(False)
                except OSError:
                    break
                held.append(one)
                if len(held) > 60:
                    time.sleep(0.005)
                if stop.is_set():
                    return
            held = [one for one in held if _is_held(one)]
            time.sleep(0.05)


def _is_held(connection: socket.socket) -> bool:
    try:
        connection.send(b"\r\n")
        return connection.recv(1 << 16) != b""
    except BlockingIOError:
        return True
    except OSError:
        connection.close()
        return False


@pytest.mark.system
def test_the_admin_listener_too(scarce: Server) -> None:
    """A client that holds all connections of the admin listener does not keep a monitor out."""
    said = "metrics on http://127.0.0.1:"
    wait_until("it says where", lambda: said in scarce.output.read_text())
    printed = scarce.output.read_text()
    port = int(printed.partition(said)[2].partition("/")[0])
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
        for _ in range(5):
            assert exchange(port, request(b"/health/live")).status == 200
        for _ in range(120):
            held = socket.create_connection(("127.0.0.1", scarce.port), timeout=5)
            # The kernel keeps a silent connection to itself for a while (`entrance`).
            stack.enter_context(held).sendall(b"G")
        assert exchange(scarce.port, request(TARGET)).status == 200
        page = exchange(port, request(b"/metrics")).body.decode()
        count = page.rpartition("\nmirrorlist_connections_gave_way_total ")[2].partition("\n")[0]
        # There is room for some 40 of the 120. How many of the rest have ended by now depends on
        # how busy the machine is: 78 to 81.
        assert float(count) >= 60
