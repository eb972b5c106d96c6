"""What is fetched for an import, from servers that are slow, endless or broken on purpose."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import repeat
from threading import Thread

import pytest

from snapshot import fetching
from snapshot.file.errors import UnusableRepository
from snapshot.packages.sources import Missing, Web, whole

_HEAD = b"HTTP/1.1 200 OK\r\n"
_ENOUGH = 5_000_000


@contextmanager
def serving(first: bytes, *more: bytes) -> Iterator[str]:
    """Answer each request with some bytes, then with `more` until the client leaves."""

    def answer() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                clients.append(client)
                with client, suppress(OSError):
                    client.recv(4096)
                    client.sendall(first)
                    for one in repeat(more[0]) if more else ():
                        client.sendall(one)

    clients: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))
    thread = Thread(target=answer)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        # The last client may still wait, in the frames of an error that is looked at.
        for one in (listener, *clients):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def fetched(url: str) -> bytes:
    """Return a small file of a server."""
    return whole(Web(url).blocks("a"), _ENOUGH)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Content-Length: 3\r\n", b"abcd"),
        (b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n"),
    ],
)
def test_a_file(head: bytes, body: bytes) -> None:
    """A body of a known length, and one in chunks, is what was sent."""
    with serving(b"HTTP/1.1 100 Continue\r\n\r\n" + _HEAD + head + b"\r\n" + body) as url:
        assert fetched(url) == b"abc"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (_HEAD + b"Content-Length: 9\r\n\r\nabc", "it ended 6 bytes early"),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc", "IncompleteRead"),
        (_HEAD + b"Transfer-Encoding: chunked\r\n\r\nxy\r\nabc", "IncompleteRead"),
        (b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/a\r\n\r\n", "unknown url type: ftp"),
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "HTTP 302"),
        (b"HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n", "HTTP 302"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP 304"),
        (b"220 an FTP server\r\n", "220 an FTP server"),
        (b"", "closed connection"),
    ],
)
def test_refused(answer: bytes, words: str) -> None:
    """An answer that is cut short, leads elsewhere or is not of HTTP is an error in one line."""
    with serving(answer) as url, pytest.raises(UnusableRepository, match=words) as caught:
        fetched(url)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [404, 410])
def test_missing(status: int) -> None:
    """A server may say that a file is not there."""
    with serving(f"HTTP/1.1 {status} No\r\n\r\n".encode()) as url, pytest.raises(Missing):
        fetched(url)


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n", bytes(9999)),
    ],
)
def test_no_end_before_the_file(monkeypatch: pytest.MonkeyPatch, first: bytes, more: bytes) -> None:
    """Interim answers without end, and a redirect with a body without end, are given up."""
    monkeypatch.setattr(fetching, "MOST_HEAD_BYTES", 100_000)
    words = "more than 100,000 bytes before a file"
    with serving(first, more) as url, pytest.raises(UnusableRepository, match=words):
        fetched(url)


def test_a_body_may_be_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for what comes before the file."""
    monkeypatch.setattr(fetching, "MOST_HEAD_BYTES", 100_000)
    with serving(_HEAD + b"\r\n" + bytes(300_000)) as url:
        assert fetched(url) == bytes(300_000)


@pytest.mark.parametrize("first", [b"", _HEAD, _HEAD + b"\r\n"])
def test_too_slow(monkeypatch: pytest.MonkeyPatch, first: bytes) -> None:
    """A server that sends a byte now and then, for ever, is given up."""
    monkeypatch.setattr(fetching, "GRACE_SECONDS", -1)
    monkeypatch.setattr(fetching, "SLOWEST", 10**12)
    words = "it is slower than 1,000,000,000,000 bytes a second"
    with serving(first, b"x") as url, pytest.raises(UnusableRepository, match=words):
        fetched(url)


def test_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends nothing any more is given up."""
    monkeypatch.setattr(fetching, "SILENT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnusableRepository, match="timed out"):
            fetched(url)
