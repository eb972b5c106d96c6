"""A log of any bytes, and servers that answer anything: lines that count, never a traceback."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from threading import enumerate as enumerate_threads

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.replay import sides
from mirrorlist.replay.deadlines import Deadlines
from mirrorlist.replay.log import MOST_LINE_BYTES, requests_of, texts_of
from mirrorlist.replay.meaning import SeenAnswer, parse
from mirrorlist.replay.request import Request
from mirrorlist.replay.sides import ServerSide
from tests.command import run
from tests.factories import export_tables, world

GOOD = b"IP: 192.0.2.5; DATE: 2026-11-21; COUNTRY: DE; REPO: linux-40; ARCH: x86_64"
REQUEST = Request("log", "/mirrorlist", "repo=linux-40&arch=x86_64", "192.0.2.5")


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(GOOD.replace(b".5", b".\xff"), id="an address that is not UTF-8"),
        pytest.param(GOOD.replace(b".5", b".\xe2\x82\xac"), id="an address that is not Latin-1"),
        pytest.param(GOOD.replace(b".5", b".\xc3\xa9"), id="an address that is not ASCII"),
        pytest.param(GOOD.replace(b".5", b".\0"), id="NUL in an address"),
        pytest.param(GOOD.replace(b".5", b".\r"), id="CR in an address"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0" * 99, id="NUL"),
        pytest.param(b"\x1f\x8b\x08\0\0\0\0\0", id="gzip"),
        pytest.param(b"192.0.2.5 /metalink?\xff", id="a target that is not UTF-8"),
        pytest.param(GOOD + b"x" * MOST_LINE_BYTES, id="a line over the limit"),
    ],
)
def test_lines_that_are_no_request(line: bytes) -> None:
    """Whatever cannot be asked is a line that is no list request."""
    ((_, first), (number, second)) = requests_of(texts_of([line, GOOD]))
    assert first is None
    assert (number, second and second.forwarded) == (2, "192.0.2.5")


@pytest.mark.parametrize(
    ("line", "query"),
    [
        pytest.param(GOOD.replace(b"linux", b"\xff"), "repo=%EF%BF%BD-40&arch=x86_64", id="UTF-8"),
        pytest.param(GOOD.replace(b"linux", b"\0\x1b"), "repo=%00%1B-40&arch=x86_64", id="NUL"),
    ],
)
def test_odd_values(line: bytes, query: str) -> None:
    """Odd bytes in what was asked for are asked for, percent-encoded."""
    ((_, request),) = requests_of(texts_of([line]))
    assert request is not None
    assert request.query == query


@given(st.lists(st.binary(max_size=200) | st.just(GOOD), max_size=20))
def test_any_bytes(lines: list[bytes]) -> None:
    """Each line of random bytes is one line of the count, and what is asked can be sent."""
    found = list(requests_of(texts_of(lines)))
    assert [number for number, _ in found] == list(range(1, len(lines) + 1))
    for _, request in found:
        if request is not None:
            assert f"{request.target} {request.forwarded}".isascii()


@given(
    st.text(st.characters(), max_size=99),
    st.sampled_from(
        ["IP: {}; DATE: ; COUNTRY: ; REPO: {}; ARCH: {}", "192.0.2.5 /metalink?{}", "{}"]
    ),
)
def test_any_text(text: str, form: str) -> None:
    """The same for text, surrogates included, at each place of a line."""
    ((_, request),) = requests_of([form.replace("{}", text)])
    assert request is None or f"{request.target} {request.forwarded}".isascii()


TYPES = ["application/metalink+xml", "text/plain", "", None]
XML = (
    '<metalink xmlns="http://www.metalinker.org/" pubdate="{}"><files><file name="{}">'
    '<resources><url protocol="{}" preference="{}">{}</url></resources></file></files></metalink>'
)


@given(
    st.integers(0, 999),
    st.sampled_from(TYPES),
    st.text(max_size=99) | st.from_regex(r"https?://\[.{0,9}") | st.sampled_from(
        ["9" * 5000, "http://[", "Fri, 32 Foo 99999 99:99:99 GMT", "x:\n" * 9, "-1e9"]),
    st.sampled_from(["{}", "# repo = a arch = b \n{}\n", XML, "<a>" * 9000 + "{}"]),
)  # fmt: skip
def test_any_answer(status: int, kind: str | None, text: str, form: str) -> None:
    """An answer of any text has a meaning."""
    parse(SeenAnswer(status, kind, None, form.replace("{}", text)))
    parse(SeenAnswer(status, kind, text, ""))


@contextmanager
def _server(answer: bytes, drip: bytes = b"") -> Iterator[str]:
    """A server that sends one and the same to each connection, and drips bytes after it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def speak(one: socket.socket) -> None:
        with closing(one):
            try:
                one.recv(65536)
                one.sendall(answer)
                while drip:
                    one.sendall(drip)
                    time.sleep(0.02)
            except OSError:
                pass

    def serve() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            Thread(target=speak, args=(one,), daemon=True).start()

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@pytest.mark.parametrize(
    ("answer", "drip", "status"),
    [
        pytest.param(OK + b"\r\n\xff\xfe\0", b"", 200, id="not UTF-8"),
        pytest.param(OK + b"\r\n" + b"x" * 5000, b"", 0, id="more than the limit"),
        pytest.param(OK + b"Content-Length: 5000\r\n\r\n" + b"x" * 5000, b"", 0, id="and says so"),
        pytest.param(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"", 0, id="bad chunks"),
        pytest.param(OK + b"\r\n", b"x", 0, id="a body that drips"),
        pytest.param(OK, b"X: y\r\n", 0, id="headers without an end"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 C\r\n\r\n", 0, id="100"),
        pytest.param(b"HTTP/9.9 -1 \xff\r\n\r\n", b"", 0, id="no HTTP"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: http://[\xff\r\n\r\n", b"", 302, id="URL"),
    ],
)
def test_servers(monkeypatch: pytest.MonkeyPatch, answer: bytes, drip: bytes, status: int) -> None:
    """What a server answers has limits of size and of time as a whole; beyond them is no answer."""
    monkeypatch.setattr(sides, "MOST_BODY_BYTES", 4096)
    with _server(OK + b"Content-Length: 2\r\n\r\n{}") as good:
        side = ServerSide(good)
        side._connection().close()
    with _server(answer, drip) as url:
        side = _moved(side, url)
        found = side.ask(REQUEST)
        assert found.status == status
        parse(found)
        side._connection().close()


def _moved(side: ServerSide, url: str) -> ServerSide:
    """The same side elsewhere, and in a hurry."""
    moved = ServerSide.__new__(ServerSide)
    moved.__dict__ |= side.__dict__
    moved.__dict__ |= {
        "_host": url.removeprefix("http://"),
        "_mine": type(side._mine)(),
        "_deadlines": Deadlines(0.3),
    }
    return moved


@pytest.mark.system
def test_the_command(tmp_path: Path) -> None:
    """The review's line, with junk around it, is counted among those that are no request."""
    export_tables(tmp_path, world())
    log = tmp_path / "log"
    bad = GOOD.replace(b".5", b".\xff")
    log.write_bytes(b"\n".join([GOOD, bad, b"\0", b"x" * 20_000_000, GOOD, b"\xff\xfe"]))
    against = ("--against", tmp_path / "mm.snap") * 2
    done = run("replay", "--log", log, *against, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"requests":2,' in done.stdout
    assert '"lines_skipped":4,' in done.stdout


def test_its_thread_ends_with_it() -> None:
    """Nobody looks after connections once nobody asks."""
    before = set(enumerate_threads())
    deadlines = Deadlines(1)
    (thread,) = set(enumerate_threads()) - before
    del deadlines
    thread.join(10)
    assert not thread.is_alive()
