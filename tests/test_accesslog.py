"""The request log: how lines are collected, written, lost, counted, and when it is reopened."""

import http.client
import json
import os
import re
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec
import pytest

from mirrorlist.errors import StartError
from mirrorlist.records import accesslog, logfile
from mirrorlist.records.accesslog import MOST_QUEUED, AccessLog
from snapshot.file.writer import encode
from tests.command import assert_refused, run, run_program
from tests.live import Server, exchange, request, serve, take_log, wait_until
from tests.logged import ENTRY, LINE, NOW
from tests.small_worlds import DIRECTORY, Mirror, small_data

ROOM = 4 * len(LINE)
CANNOT, BEYOND = "warning: {}: the request log cannot be written:", "beyond 0 MiB lines are lost"
WHOLE = re.compile(
    rb"IP: 127\.0\.0\.1; DATE: [0-9-]{10}; COUNTRY: N/A; REPO: (\w+); ARCH: x86_64\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a log may be."""
    return tmp_path / "requests.log"


@pytest.fixture
def told() -> list[str]:
    """What the operator is told."""
    return []


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue has room for four lines, and nobody waits for a reader."""
    monkeypatch.setattr(accesslog, "MOST_QUEUED", ROOM)
    monkeypatch.setattr(accesslog, "_BATCH_BYTES", ROOM // 2)
    monkeypatch.setattr(logfile, "PATIENCE_SECONDS", 0.0)


@contextmanager
def started(log: AccessLog) -> Iterator[AccessLog]:
    """Start a log, and close it at the end."""
    log.start()
    try:
        yield log
    finally:
        log.close()


def test_is_written_by_a_flush(path: Path) -> None:
    """Lines wait for a flush, then stand in the file in their order; both are counted."""
    path.write_bytes(LINE)
    log = AccessLog(str(path))
    other = msgspec.structs.replace(ENTRY, repo="other")
    log.write(ENTRY, NOW)
    log.write(other, NOW)
    assert (log.queued, log.written, log.lost) == (2 * len(LINE) - 2, 0, 0)
    log.flush()
    assert (log.queued, log.written, log.lost) == (0, 2, 0)
    assert path.read_bytes() == LINE + LINE + LINE.replace(b"rawhide", b"other")


def test_is_written_each_second(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once started, lines are written time and again though nobody asks for it."""
    monkeypatch.setattr(accesslog, "_FLUSH_SECONDS", 0.01)
    with started(AccessLog(str(path))) as log:
        for count in (1, 2):
            log.write(ENTRY, NOW)
            wait_until("the line is there", lambda: path.read_bytes() == LINE * count)  # noqa: B023
        wait_until("none waits", lambda: log.queued == 0)


def test_much_is_written_earlier(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large batch is written before its second is over, and no line is lost or doubled."""
    monkeypatch.setattr(accesslog, "_FLUSH_SECONDS", 60.0)
    with started(AccessLog(str(path))) as log:
        for _ in range(10_000):
            log.write(ENTRY, NOW)
        wait_until("a part is there", lambda: log.written > 0)
    assert path.read_bytes() == LINE * 10_000
    assert (log.written, log.lost, log.queued) == (10_000, 0, 0)


def test_the_end_writes_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits at the end is written, started or not; what comes later is lost."""
    monkeypatch.setattr(accesslog, "_FLUSH_SECONDS", 60.0)
    for start in (lambda log: None, AccessLog.start):
        log = AccessLog(str(path))
        start(log)
        log.write(ENTRY, NOW)
        log.close()
        log.write(ENTRY, NOW)
        assert (log.written, log.lost) == (1, 1)
    assert path.read_bytes() == LINE * 2


def test_several_threads_of_one_log(path: Path) -> None:
    """Lines that are collected while others are written are neither lost nor doubled."""
    log, end = AccessLog(str(path)), threading.Event()

    def flush() -> None:
        while not end.is_set():
            log.flush()

    thread = threading.Thread(target=flush)
    thread.start()
    for _ in range(20_000):
        log.write(ENTRY, NOW)
    end.set()
    thread.join()
    log.close()
    assert path.read_bytes() == LINE * 20_000
    assert (log.written, log.queued) == (20_000, 0)


def test_a_full_disk(little_room: None, told: list[str]) -> None:
    """On a full disk lines wait while there is room, then are lost; it is told once."""
    log = AccessLog("/dev/full", tell=told.append)
    for count in range(10):
        log.write(ENTRY, NOW)
        log.flush()
        assert log.queued == min(count + 1, 4) * len(LINE)
        assert log._wishes.empty(), "it is tried again each second, not for each line"
    assert (log.written, log.lost) == (0, 6)
    assert told == [
        f"{CANNOT.format('/dev/full')} No space left on device; {BEYOND}",
    ]
    log.close()
    assert log.lost == 10
    assert told[1:] == [
        "warning: /dev/full: at the stop, lines of the request log are lost: 4",
    ]


def test_an_outage_that_ends(path: Path, little_room: None, told: list[str]) -> None:
    """When a pipe is read again what waited is written, and the end of the outage is told."""
    os.mkfifo(path)
    log = AccessLog(str(path), tell=told.append)
    size = 0
    while log.queued < ROOM:
        log.write(ENTRY, NOW)
        log.flush()
        size += 1
    log.write(ENTRY, NOW)
    log.write(ENTRY, NOW)
    log.flush()
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        assert reader.read() == LINE * (size - 4)
        log.flush()
        log.flush()
        assert reader.read() == LINE * 4
    assert (log.written, log.lost, log.queued) == (size, 2, 0)
    assert told == [
        f"{CANNOT.format(path)} nobody reads it; {BEYOND}",
        f"{path}: the request log is written again; lines lost: 2",
    ]


def test_too_many_lines(path: Path, little_room: None, told: list[str]) -> None:
    """Lines that come faster than they are written are lost, counted and told once."""
    log = AccessLog(str(path), tell=told.append)
    for _ in range(10):
        log.write(ENTRY, NOW)
    assert log.lost == 6
    log.flush()
    log.write(ENTRY, NOW)
    log.flush()
    log.flush()
    assert path.read_bytes() == LINE * 5
    assert told == [
        f"{CANNOT.format(path)} lines come faster than it takes them; {BEYOND}",
        f"{path}: the request log is written again; lines lost: 6",
    ]


def test_memory_is_bounded() -> None:
    """A log that cannot be written holds no more than it says, but for its last line."""
    log = AccessLog("/dev/full", tell=lambda text: None)
    count = MOST_QUEUED // len(LINE) + 2
    for _ in range(count):
        log.write(ENTRY, NOW)
    assert MOST_QUEUED <= log.queued < MOST_QUEUED + len(LINE)
    assert log.lost == count - -(-MOST_QUEUED // len(LINE))


def test_is_opened_anew(path: Path) -> None:
    """What was logged before the wish is in the old file, all else in the new one."""
    old = path.with_suffix(".1")
    with started(AccessLog(str(path))) as log:
        log.write(ENTRY, NOW)
        path.rename(old)
        log.reopen()
        wait_until("the file is opened again", path.exists)
        log.write(ENTRY, NOW)
    assert (old.read_bytes(), path.read_bytes()) == (LINE, LINE)


def test_cannot_be_opened_anew(path: Path, told: list[str]) -> None:
    """If the file cannot be reopened, the server writes the old one and says so in one line."""
    old = path.with_suffix(".1")
    with started(AccessLog(str(path), tell=told.append)) as log:
        path.rename(old)
        path.mkdir()
        log.reopen()
        wait_until("it is told", lambda: bool(told))
        log.write(ENTRY, NOW)
    assert old.read_bytes() == LINE
    (line,) = told
    assert line.startswith(f"warning: {path}: the request log cannot be opened again: Is a dir")
    assert line.endswith("; the old file is still written")


def test_cannot_be_told(path: Path) -> None:
    """If nobody can be told of an outage, the log goes on."""

    def tell(text: str) -> None:
        raise BrokenPipeError

    os.mkfifo(path)
    log = AccessLog("/dev/full", tell=tell)
    log.write(ENTRY, NOW)
    log.flush()
    assert log.queued == len(LINE)


@pytest.mark.parametrize("name", ["", "missing/requests.log", "."])
def test_unwritable(tmp_path: Path, name: str) -> None:
    """A log that cannot be written stops the start, by name."""
    path = str(tmp_path / name) if name else ""
    with pytest.raises(StartError, match="the log cannot be written") as error:
        AccessLog(path)
    assert str(error.value).startswith(f"{path}: ")
    assert error.value.exit_code == 1


@pytest.mark.parametrize(
    "content", [b"precious\n", b"\x7fELF\x00\x01", b"SQLite format 3\x00" + bytes(99), b"64496 x\n"]
)
def test_a_foreign_file_gets_no_lines(path: Path, content: bytes) -> None:
    """What is somebody's file, and not a log, stops the start by its name and stays as it is."""
    path.write_bytes(content)
    with pytest.raises(StartError, match="it is not a request log") as error:
        AccessLog(str(path))
    assert str(error.value).startswith(f"{path}: ")
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        LINE,
        b'{"time":"2026-11-21T00:00:00Z"}\n',
        b"cut in half\n" + LINE,
        LINE + b"IP: 19",
        LINE + b"\xff noise\n",
        bytes(100_000) + LINE,
        b"\n",
    ],
)
def test_a_log_gets_more_lines(path: Path, content: bytes) -> None:
    """An empty file, and a log of either format that is spoilt somewhere, is written on."""
    path.write_bytes(content)
    log = AccessLog(str(path))
    log.write(ENTRY, NOW)
    log.flush()
    assert path.read_bytes() == content + LINE


def test_standard_output() -> None:
    """A hyphen is standard output; trouble is told on standard error."""
    code = (
        "from mirrorlist.records.accesslog import AccessLog;"
        "from tests.logged import ENTRY, NOW;"
        "log = AccessLog('-'); log.write(ENTRY, NOW); log.close();"
        "log = AccessLog('/dev/full'); log.write(ENTRY, NOW); log.flush()"
    )
    done = run_program(code)
    assert done.stdout == LINE.decode()
    assert done.stderr == (
        "mirrorlist: warning: /dev/full: the request log cannot be written: No space left on"
        " device; beyond 8 MiB lines are lost\n"
    )


@pytest.mark.parametrize(
    ("option", "says"),
    [
        pytest.param("--log-format", "not one of classic, json", id="format"),
        pytest.param("--log-addresses", "not one of full, cut, none", id="addresses"),
    ],
)
def test_options_are_looked_at(tmp_path: Path, option: str, says: str) -> None:
    """A wrong value stops the start, even without a log."""
    done = run("serve", "--snapshot", tmp_path / "mm.snap", option, "odd")
    assert_refused(done, 2, f"{option} odd: {says}")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot with one mirror."""
    path = tmp_path_factory.mktemp("log") / "mm.snap"
    path.write_bytes(encode(small_data((Mirror(),), {})))
    return path


def ask(server: Server, names: Iterable[str]) -> None:
    """Ask on one connection for a list that is logged under each name."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with closing(connection):
        for name in names:
            connection.request("GET", f"/mirrorlist?path={DIRECTORY}&repo={name}&arch=x86_64")
            response = connection.getresponse()
            assert response.status == 200
            response.read()


def logged(text: bytes) -> list[str]:
    """Return the names that a log shows, each of whose lines must be whole."""
    matches = [WHOLE.fullmatch(line) for line in text.splitlines(keepends=True)]
    assert all(matches), text
    return [match[1].decode() for match in matches if match]


def numbered(letter: str, count: int) -> list[str]:
    """Return names that differ."""
    return [f"{letter}{number}" for number in range(count)]


@pytest.mark.parametrize("door", ["fast", "asgi"])
def test_head_is_no_line(snapshot: Path, tmp_path: Path, path: Path, door: str) -> None:
    """A request for the head alone is answered and no line of the log, at either door."""
    target = f"/mirrorlist?path={DIRECTORY}&repo={{}}&arch=x86_64"
    with serve(snapshot, tmp_path, "--log", path, "--door", door) as server:
        asked = request(target.format("head").encode(), "HEAD")
        assert exchange(server.port, asked).status == 200
        ask(server, ["get"])
        assert server.end() == 0
    assert logged(path.read_bytes()) == ["get"]


@pytest.mark.system
def test_kill_leaves_what_was_flushed(snapshot: Path, tmp_path: Path, path: Path) -> None:
    """Lines are written within about a second by themselves, so kill -9 loses only later ones."""
    with serve(snapshot, tmp_path, "--log", path) as server:
        ask(server, numbered("a", 10))
        wait_until("the lines are there", lambda: path.read_bytes().count(b"\n") == 10, 5)
        (worker,) = server.workers()
        os.kill(worker, signal.SIGKILL)
        ask(server, numbered("b", 3))
        assert server.end() == 0
    assert logged(path.read_bytes()) == [*numbered("a", 10), *numbered("b", 3)]


@pytest.mark.system
def test_rotation_under_load(snapshot: Path, tmp_path: Path, path: Path) -> None:
    """However often the log is rotated while two workers answer, each line is there, once.

    What was answered before SIGTERM is in the log after it, whichever worker answered.
    """
    with (
        serve(snapshot, tmp_path, "--workers", 2, "--log", path) as server,
        ThreadPoolExecutor() as pool,
    ):
        asked = [pool.submit(ask, server, numbered(letter, 300)) for letter in "abcd"]
        rotated: list[Path] = []
        while len(rotated) < 5 or not all(one.done() for one in asked):
            rotated.append(path.rename(tmp_path / f"requests.{len(rotated)}"))
            server.process.send_signal(signal.SIGUSR2)
            wait_until("the log is opened again", path.exists)
        for one in asked:
            one.result()
        ask(server, numbered("e", 300))
        assert server.end() == 0
    found = [name for log in (*rotated, path) for name in logged(log.read_bytes())]
    assert sorted(found) == sorted(f"{letter}{n}" for letter in "abcde" for n in range(300))


def test_a_rotated_log_is_held_by_nobody(snapshot: Path, tmp_path: Path, path: Path) -> None:
    """After a rotation no process has the old file open, which could never be freed.

    It has what was answered before, as JSON with cut addresses if serve is told so.
    """
    old = path.with_suffix(".taken")
    options = ("--log", path, "--log-format", "json", "--log-addresses", "cut")
    with serve(snapshot, tmp_path, *options) as server:
        ask(server, ["a"])
        line = json.loads(take_log(server, path))
        # A worker opens the new file before it closes the old one.
        wait_until("the new file is held", lambda: str(path) in _held_files(server))
        wait_until("the old one is not", lambda: str(old) not in _held_files(server))
    assert line.pop("time").endswith("Z")
    assert line == {"address": "127.0.0.0", "country": "N/A", "repo": "a", "arch": "x86_64"}


def _held_files(server: Server) -> set[str]:
    """Return what the supervisor and its workers have open."""
    found = set()
    for process in (server.process.pid, *server.workers()):
        for file in Path(f"/proc/{process}/fd").iterdir():
            # It may be closed meanwhile.
            with suppress(FileNotFoundError):
                found.add(os.readlink(file))
    return found


@pytest.mark.system
def test_answers_whatever_the_log_does(snapshot: Path, tmp_path: Path, path: Path) -> None:
    """With a pipe that nobody reads all is answered, and the stop is 0."""
    os.mkfifo(path)
    with serve(snapshot, tmp_path, "--log", path) as server:
        # More than a pipe holds.
        ask(server, numbered("n" * 100, 400))
        ask(server, numbered("n" * 100, 400))
        assert server.end() == 0
        told = server.output.read_text()
    assert told.count("cannot be written") == 1
    assert "at the stop, lines of the request log are lost: " in told


def test_without_a_log(snapshot: Path, tmp_path: Path) -> None:
    """SIGUSR2 changes nothing where there is no log."""
    with serve(snapshot, tmp_path) as server:
        ask(server, ["a"])
        workers = server.workers()
        server.process.send_signal(signal.SIGUSR2)
        ask(server, ["a"])
        assert server.workers() == workers
        assert server.end() == 0
