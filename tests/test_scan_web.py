"""Metadata from a web server that misbehaves: it is reported, and never ends a scan."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from snapshot import fetching
from snapshot.scan import reading
from snapshot.scan.reading import WebFiles
from tests.command import PLAIN
from tests.forked import template
from tests.scanned import CATEGORY, TOML, Primary, contents, database

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"
LONG = HEAD + b"Content-Length: 9\r\n\r\n"


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Answer one request with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            connection = listener.accept()[0]
            # The client may leave before the end.
            with connection, suppress(OSError):
                connection.recv(1 << 16)
                connection.sendall(answer)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            thread.join()


def fetched(answer: bytes) -> bytes:
    """Return the file that a server sends in this way."""
    with answering(answer) as base, WebFiles(base, "pub/a b").opened([]) as get:
        return get("x#y")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        pytest.param(b"garbage\r\n\r\n", "not of HTTP", id="garbage"),
        pytest.param(HEAD + CHUNKED, "not of HTTP", id="chunk"),
        pytest.param(LONG + b"abc", "it ended 6 bytes early", id="cut short"),
        pytest.param(b"", "without response", id="nothing"),
        pytest.param(HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n", "not of HTTP", id="long line"),
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
            "not allowed",
            id="to a file",
        ),
    ],
)
def test_a_wrong_answer(answer: bytes, why: str) -> None:
    """It is an OSError, which a scan reports."""
    with pytest.raises(OSError, match=why):
        fetched(answer)


def test_what_comes_before_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect whose own body has no end is given up; one to another kind of server as well."""
    monkeypatch.setattr(fetching, "MOST_HEAD_BYTES", 10_000)
    moved = b"HTTP/1.1 302 Found\r\nLocation: %b\r\n\r\n"
    with pytest.raises(OSError, match="more than 10,000 bytes before a file"):
        fetched(moved % b"/b" + bytes(99_999))
    with pytest.raises(OSError, match="unknown url type: ftp"):
        fetched(moved % b"ftp://127.0.0.1/a")


def test_a_whole_answer() -> None:
    """It is the file."""
    assert fetched(LONG + b"123456789") == b"123456789"


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is too large, or too slow, is not waited for."""
    monkeypatch.setattr(reading, "_WHOLE_SECONDS", -1)
    with pytest.raises(OSError, match="not all of it in -1 s"):
        fetched(LONG + b"123456789")
    monkeypatch.setattr(reading, "_MOST_BYTES", 8)
    with pytest.raises(OSError, match="more than the limit of 8 bytes"):
        fetched(LONG + b"123456789")


def test_the_end_while_servers_are_silent(tmp_path: Path) -> None:
    """SIGTERM ends a scan that waits for several files, at once and without a change."""
    primary, url = Primary(tmp_path), database(tmp_path)
    for number in (8, 9):
        primary.repository(f"{number}/Everything/x86_64")
    listed, before = primary.write_list(), contents(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        config = tmp_path / "scan.toml"
        config.write_text(TOML.replace('"directory"', f'"rsync"\nchecksum_base = "{base}"'))
        words = ["scan", "--database", url, "--config", str(config), "--category", CATEGORY]
        command = ["mirrorlist", *words, "--list", str(listed)]
        with open(os.devnull, "wb") as nowhere:
            program = template().start(command, PLAIN, tmp_path, (nowhere, nowhere))
        asked = [listener.accept()[0] for _ in range(2)]
        program.send_signal(signal.SIGTERM)
        # A thread would wait for 30 s.
        assert program.wait(25) == 128 + signal.SIGTERM
        for one in asked:
            one.close()
    assert contents(url) == before
