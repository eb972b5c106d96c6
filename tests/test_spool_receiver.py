"""Spool files by HTTP: with the token they are on the disk before the answer, else nothing is."""

import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from mirrorlist.process.threads import Threads
from mirrorlist.status.spool_receiver import make_receiver, receiver
from snapshot.stats import spool
from snapshot.stats.collecting import collect
from snapshot.stats.spool import MOST_FILE_BYTES
from tests.command import COMMAND, PLAIN, assert_refused, run
from tests.stats_world import batch, batches, hold_all_sums, query, row, sqlite

TOKEN = "a token of some length"
GOOD = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    """A client of a receiver that writes into the folder."""
    return TestClient(make_receiver(tmp_path, TOKEN))


def test_files_that_are_taken(client: TestClient, tmp_path: Path) -> None:
    """Each is there once, also when it is sent again, and a collector takes it."""
    given = batches(1, 3, 5)
    packs = [spool.encode(given[:1]), spool.encode(given[1:]), spool.encode(given[:1])]
    for data in packs:
        assert client.post("/spool", content=data, headers=GOOD).status_code == 204
    names = [one.name for one in tmp_path.iterdir()]
    assert len(names) == 2
    url = sqlite(tmp_path)
    assert collect([tmp_path], url).batches == 3
    hold_all_sums(url, given)


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        pytest.param({}, b"", 401, id="no token"),
        pytest.param({"authorization": "Bearer x"}, b"", 401, id="a wrong token"),
        pytest.param({"authorization": f"Basic {TOKEN}"}, b"", 401, id="another scheme"),
        pytest.param(GOOD, b"", 400, id="nothing"),
        pytest.param(GOOD, spool.encode(batches(2, 1, 5))[:-5], 400, id="cut short"),
        pytest.param(GOOD, bytes(MOST_FILE_BYTES + 1), 413, id="too large"),
    ],
)
def test_what_is_not_taken(
    client: TestClient, tmp_path: Path, headers: dict[str, str], content: bytes, status: int
) -> None:
    """Without the token, damaged or too large: answered with a line, and nothing is written."""
    answer = client.post("/spool", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.text.count("\n") == 1
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("length", [None, MOST_FILE_BYTES + 1])
def test_a_size_that_is_not_announced(
    client: TestClient, tmp_path: Path, length: int | None
) -> None:
    """Without it, or with one that is too large, the body is not read."""
    told = {} if length is None else {"content-length": str(length)}
    answer = client.post("/spool", content=iter([b"x"]), headers={**GOOD, **told})
    assert answer.status_code == (411 if length is None else 413)
    assert [*tmp_path.iterdir()] == []


def test_the_same_file_from_two_at_once(tmp_path: Path) -> None:
    """A sender that tries again while its first upload is written harms neither."""
    (one,) = batches(1, 1, 300)
    data = spool.encode([one])
    errors: list[OSError] = []

    def write() -> None:
        try:
            for _ in range(40):
                spool.write(tmp_path, one.file_name, data)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for each in threads:
        each.start()
    while any(each.is_alive() for each in threads):
        with suppress(FileNotFoundError):
            assert spool.read(tmp_path / one.file_name) == [one]
    assert errors == []
    assert [each.name for each in tmp_path.iterdir()] == [one.file_name]


def test_what_a_killed_writer_leaves(tmp_path: Path) -> None:
    """The next receiver or server removes it, but nothing that is being written."""
    left, new = tmp_path / ".a.spool.00.part", tmp_path / ".b.spool.00.part"
    for each in (left, new, tmp_path / "c.part"):
        each.write_bytes(b"half")
        os.utime(each, (0, 0))
    os.utime(new)
    spool.remove_parts(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [new.name, "c.part"]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The address of a receiver that writes into the folder."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        receiving = receiver(listener, tmp_path, TOKEN)
        receiving.start(Threads(print))
        yield listener.getsockname()
        receiving.stop()


HEAD = b"POST /spool HTTP/1.1\r\nHost: x\r\n"
TOLD = f"Authorization: Bearer {TOKEN}\r\n".encode()
SOME = HEAD + TOLD + b"Content-Length: 500\r\n\r\nabc"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of time that are short, for connections that are made later."""
    for name in ("web.states.HEAD_SECONDS", "status.spool_receiver.BODY_SECONDS"):
        monkeypatch.setattr(f"mirrorlist.{name}", 0.3)
    monkeypatch.setattr("mirrorlist.status.admin._KEEP_ALIVE_SECONDS", 0)


def said(address: tuple[str, int], sent: bytes, ends: bool = False) -> bytes:
    """Send bytes, and return the status of the answer, or nothing, when the connection ends."""
    with socket.create_connection(address) as enemy:
        enemy.settimeout(60)
        with suppress(ConnectionError):
            enemy.sendall(sent)
        if ends:
            enemy.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionError):
            while piece := enemy.recv(1 << 16):
                answer += piece
    return answer[9:12]


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"", b"", id="silent"),
        pytest.param(HEAD, b"408", id="in a head"),
        pytest.param(SOME, b"408", id="in a body"),
    ],
)
def test_clients_that_wait(address: tuple[str, int], sent: bytes, status: bytes) -> None:
    """A client that sends no more is answered or cut off in time."""
    assert said(address, sent) == status


def test_clients_that_send_what_they_should_not(address: tuple[str, int]) -> None:
    """Too long heads, bodies without an end or a size, or without a token, are not waited for."""
    for sent, status in (
        (HEAD + b"X: " + b"a" * 3_000_000, b"431"),
        (HEAD + b"X: a\r\n" * 70 + b"\r\n", b"431"),
        (HEAD + TOLD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", b"411"),
        (HEAD + b"Connection: close\r\nContent-Length: 500\r\n\r\n", b"401"),
    ):
        assert said(address, sent) == status
    assert said(address, SOME, ends=True) == b""


def test_a_sender_among_idle_connections(address: tuple[str, int], tmp_path: Path) -> None:
    """More of them than there is room for keep nobody out."""
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(address))
        data = spool.encode(batches(1, 1, 5))
        request = urllib.request.Request(f"http://{address[0]}:{address[1]}/spool", data, GOOD)
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 204
    assert len([*tmp_path.iterdir()]) == 1


def test_a_disk_that_cannot_take_it(tmp_path: Path) -> None:
    """The sender hears that it has to keep its file."""
    client = TestClient(make_receiver(tmp_path / "missing", TOKEN))
    answer = client.post("/spool", content=spool.encode(batches(1, 1, 1)), headers=GOOD)
    assert answer.status_code == 507
    assert answer.text == "The file cannot be written: No such file or directory.\n"


def test_other_methods(client: TestClient) -> None:
    """Only POST to the one path is answered."""
    assert client.get("/spool").status_code == 405
    assert client.post("/other", headers=GOOD).status_code == 404


def test_the_token_file(tmp_path: Path) -> None:
    """It is required, and must hold a token that cannot be guessed."""
    token, url = tmp_path / "token", sqlite(tmp_path)
    words = ["stats", "collect", tmp_path, "--database", url, "--listen", "127.0.0.1:0"]
    assert_refused(run(*words), 2, "--listen needs --token-file")
    assert_refused(run(*words, "--token-file", token), 2, f"{token}: the token cannot be read")
    token.write_text("short\n")
    assert_refused(run(*words, "--token-file", token), 2, "at least 16 ASCII characters")


@pytest.mark.system
def test_the_command(tmp_path: Path) -> None:
    """It receives, collects until the end, and ends on SIGTERM with 0."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    url, folder = sqlite(tmp_path), tmp_path / "spool"
    words = [*COMMAND, "stats", "collect", str(folder), "--database", url, "--interval", "1"]
    words += ["--listen", "127.0.0.1:0", "--token-file", str(tmp_path / "token"), "--expire"]
    words += ["--admin", "none"]
    given = [batch(1, row()), batch(2, row(arch="aarch64"))]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=PLAIN) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        try:
            address = line.split()[-1]
            for one in given:
                request = urllib.request.Request(address, spool.encode([one]), GOOD)
                with urllib.request.urlopen(request) as answer:
                    assert answer.status == 204
            while not _has(url, 2):
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0, line
        assert "; at the start: " in process.stderr.read()
    hold_all_sums(url, given)


def _has(url: str, count: int) -> bool:
    tables = query(url, "SELECT count(*) FROM sqlite_master WHERE name = 'stat_batch'")
    return tables == [(1,)] and query(url, "SELECT count(*) FROM stat_batch") == [(count,)]
