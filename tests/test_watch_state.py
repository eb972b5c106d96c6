"""What a server learns of the watch beside it, also if another program listens there."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from mirrorlist.process.threads import Threads
from mirrorlist.records.counts import Counts
from mirrorlist.records.worker_state import WorkerReport
from mirrorlist.status.admin import Admin, Reply
from mirrorlist.status.admin_process import Observer, pages
from mirrorlist.status.asking import MOST_BYTES
from mirrorlist.status.last_hours import SAMPLE_SECONDS
from mirrorlist.status.watch_state import ask_watch
from mirrorlist.web.listener import listen
from tests.admin_pages import page
from tests.factories import export_tables, world
from tests.in_process import LoadedStore, TableGeo
from tests.status_world import FULL_WATCH, HOSTILE

LATER = SAMPLE_SECONDS + 1
BODY = msgspec.json.encode(FULL_WATCH)
OK = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.fixture
def watch() -> Iterator[tuple[str, int]]:
    """The address of a watch."""
    listener = listen("127.0.0.1", 0)
    reply = Reply(200, BODY, "application/json")
    admin = Admin(listener, {("GET", "/status.json"): lambda: reply})
    admin.start(Threads(print))
    yield listener.getsockname()[:2]
    admin.stop()


def answering(body: bytes) -> Callable[[socket.socket], None]:
    """Return a server that answers each connection with some bytes."""

    def answer(listener: socket.socket) -> None:
        with listener, listener.accept()[0] as connection:
            connection.recv(1 << 16)
            connection.sendall(body)

    return answer


def test_a_watch(watch: tuple[str, int]) -> None:
    """A watch says how it is."""
    assert ask_watch(*watch) == FULL_WATCH


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n", id="another protocol"),
        pytest.param(b"HTTP/1.1 503 No\r\n\r\n" + BODY, id="an error"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n{}", id="another JSON"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n\xff\xfe", id="no text"),
        pytest.param(b'HTTP/1.1 200 OK\r\n\r\n{"x":' + b"[" * 60_000, id="deep"),
        pytest.param(OK + BODY.replace(b'"read":', b'"read":9' + b"0" * 30), id="a large number"),
        pytest.param(OK + BODY.replace(b'"at":', b'"at":1e300,"at":1e300,"x":'), id="no time"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * MOST_BYTES + BODY, id="too much"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 999 + b"\r\n", id="many headers"),
    ],
)
def test_somebody_else(sent: bytes) -> None:
    """Another program at the watch's address is not taken for a watch, and does no harm."""
    listener = listen("127.0.0.1", 0)
    address = listener.getsockname()[:2]
    thread = threading.Thread(target=answering(sent), args=(listener,))
    thread.start()
    assert ask_watch(*address) is None
    thread.join()
    assert ask_watch(*address) is None


def dripping(ended: threading.Event) -> Callable[[socket.socket], None]:
    """Return what answers with a byte now and then, and never comes to an end."""

    def answer(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            while not ended.wait(0.02):
                connection.sendall(b"H")

    return answer


def test_somebody_who_drips() -> None:
    """The time is for the whole answer, not for each of its bytes."""
    ended, listener = threading.Event(), listen("127.0.0.1", 0)
    thread = threading.Thread(target=dripping(ended), args=(listener,))
    thread.start()
    asking = threading.Thread(target=ask_watch, args=(*listener.getsockname()[:2], 0.1))
    asking.start()
    asking.join(10)
    assert not asking.is_alive()
    ended.set()
    thread.join()
    listener.close()


def test_a_watch_that_was_not_heard_of_for_long() -> None:
    """What a watch said is no longer shown when nothing came after it for long."""
    now = [1000.0]
    observer = Observer(Counts(1), ("127.0.0.1", 1), lambda: now[0])
    observer._asked = now[0], FULL_WATCH
    assert observer.watch is FULL_WATCH
    now[0] += 60.0
    assert observer.watch is None


def test_all_of_it(watch: tuple[str, int], tmp_path: Path) -> None:
    """A server's page and its JSON show its own state and the watch's, and remember minutes."""
    store = LoadedStore(export_tables(tmp_path, world())[0])
    counts = Counts(1)
    slot = counts.claim()
    now = store.catalog.read + 10.0
    WorkerReport(slot, store.catalog, TableGeo({}), now)
    observer = Observer(counts, watch)
    found = pages(counts, 900, observer, lambda: now + LATER)
    observer.ask()
    for at in (now, now + 1, now + LATER):
        observer.look(at)
        slot.add_list(0, 200, None, "DE")
    assert len(observer.hours.past().bars) == 1
    shown = page(found, "/status").body.decode()
    assert HOSTILE not in shown
    assert store.catalog.id in shown
    status = msgspec.json.decode(page(found, "/status.json").body)
    assert status["watch"]["changes"]["backlog"] == FULL_WATCH.changes.backlog
    assert status["requests"]["countries"] == {"DE": 3}
    assert (status["ready"]["ready"], status["fresh"]["fresh"]) == (True, True)
    assert status["workers"][0]["snapshot"]["id"] == store.catalog.id


def test_no_watch() -> None:
    """Without --watch-admin no watch is shown; a clock that is set back restarts the history."""
    observer = Observer(Counts(1), None)
    for at in (1000.0, 500.0, 501.0):
        observer.look(at)
    assert observer.watch is None
    assert len(observer.hours.past().bars) == 1
