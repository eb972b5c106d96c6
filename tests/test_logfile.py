"""Where lines of a log go: they stay whole on a full disk, in a pipe, and beside others."""

import os
import resource
import select
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirrorlist.records import logfile
from mirrorlist.records.logfile import LogFile
from tests.command import run_program
from tests.live import ROOT

LINE = b"a line of thirty-two characters\n"
MANY = 1000


@contextmanager
def limited(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a log may be."""
    return tmp_path / "requests.log"


@pytest.fixture
def pipe(path: Path) -> Path:
    """A named pipe that nobody reads."""
    os.mkfifo(path)
    return path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who reads a pipe is not waited for."""
    monkeypatch.setattr(logfile, "PATIENCE_SECONDS", 0.0)


def read(pipe: Path) -> bytes:
    """Return what is in a pipe."""
    with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        return file.read() or b""


def test_appends(path: Path) -> None:
    """Lines are appended to what is there."""
    path.write_bytes(b"before\n")
    file = LogFile(str(path))
    assert file.append(LINE * 3) == (len(LINE) * 3, None)
    assert file.append(LINE) == (len(LINE), None)
    assert path.read_bytes() == b"before\n" + LINE * 4


def test_is_made(path: Path) -> None:
    """A new log is there at once; everybody can read it and its owner write it."""
    LogFile(str(path))
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o644 & ~mask


def test_several_stay_whole(path: Path) -> None:
    """Batches of several writers are never mixed, not even those longer than a pipe's piece."""
    files = [LogFile(str(path)) for _ in range(4)]
    batches = [bytes([letter]) * 9999 + b"\n" for letter in b"abcd"]

    def write(number: int) -> None:
        for _ in range(50):
            assert files[number].append(batches[number]) == (10000, None)

    with ThreadPoolExecutor() as pool:
        list(pool.map(write, range(4)))
    lines = path.read_bytes().splitlines(keepends=True)
    assert sorted(lines) == sorted(batches * 50)


@pytest.mark.parametrize("room", [0, 1, len(LINE) - 1, len(LINE), len(LINE) + 1])
def test_a_full_disk_gets_whole_lines(path: Path, room: int) -> None:
    """What has room is written up to a line's end, and goes on there when room comes back."""
    path.write_bytes(LINE)
    file = LogFile(str(path))
    with limited(len(LINE) + room):
        size, error = file.append(LINE * 3)
        assert error is not None
        assert size == room // len(LINE) * len(LINE)
        assert path.read_bytes() == LINE * (1 + room // len(LINE))
    assert file.append(LINE) == (len(LINE), None)
    assert path.read_bytes() == LINE * (2 + room // len(LINE))


def test_nobody_else_can_lock_it(path: Path) -> None:
    """A reader that locks the file, in every way there is, delays no line."""
    file = LogFile(str(path))
    file.append(LINE)
    code = (
        "import fcntl, sys; file = open(sys.argv[1]); fcntl.flock(file, fcntl.LOCK_EX);"
        "fcntl.lockf(file, fcntl.LOCK_SH); print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout
        assert reader.stdout.readline() == b"locked\n"
        with ThreadPoolExecutor() as pool:
            assert pool.submit(file.append, LINE).result(5) == (len(LINE), None)
        reader.communicate()


STOPPED = """
import fcntl, os, signal, sys
from mirrorlist.records.logfile import LogFile
file = LogFile(sys.argv[1])
begun, told = os.pipe()
if not (child := os.fork()):
    fcntl.lockf(file._lock, fcntl.LOCK_EX)
    os.write(told, b"locked")
    signal.pause()
os.read(begun, 6)
print(file.append(b"a line\\n"))
os.kill(child, 9)
"""


def test_a_stopped_worker_stops_no_other(path: Path) -> None:
    """One who was stopped while it has the lock is waited for a second, then passed over."""
    assert run_program(STOPPED, path).stdout == "(7, None)\n"


def test_reopens(path: Path) -> None:
    """After a rename, lines go to the renamed file until the path is reopened."""
    file, old = LogFile(str(path)), path.with_suffix(".1")
    file.append(b"1\n")
    path.rename(old)
    file.append(b"2\n")
    file.reopen()
    file.append(b"3\n")
    assert (old.read_bytes(), path.read_bytes()) == (b"1\n2\n", b"3\n")


def test_keeps_the_old_one(path: Path) -> None:
    """If the new file cannot be opened, the old one is still written."""
    file = LogFile(str(path))
    file.append(b"1\n")
    path.rename(path.with_suffix(".1"))
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        file.reopen()
    assert file.append(b"2\n") == (2, None)
    assert path.with_suffix(".1").read_bytes() == b"1\n2\n"


def test_holds_no_file_before_it_writes(path: Path) -> None:
    """A check that a log can be written does not keep the rotated file open."""
    file = LogFile(str(path))
    path.rename(path.with_suffix(".1"))
    assert file.append(LINE) == (len(LINE), None)
    assert path.read_bytes() == LINE


def test_a_pipe_without_a_reader(pipe: Path, impatient: None) -> None:
    """A pipe that nobody reads takes what it can hold, as whole lines; later it takes more."""
    # Neither a page nor what is left of the pipe may end with a line by chance.
    file, line = LogFile(str(pipe)), LINE[1:]
    assert select.PIPE_BUF % len(line)
    file.append(b"first\n")
    size, error = file.append(line * 10_000)
    assert error is not None
    assert error.strerror == "nobody reads it"
    assert 0 < size < len(line) * 10_000
    assert read(pipe) == b"first\n" + line * (size // len(line))
    assert file.append(LINE) == (len(LINE), None)
    assert read(pipe) == LINE


def test_a_slow_reader_gets_all(pipe: Path) -> None:
    """A reader who is slower than the writer gets each line."""
    file = LogFile(str(pipe))
    file.reopen()
    with ThreadPoolExecutor() as pool, pipe.open("rb", buffering=0) as reader:
        appended = pool.submit(file.append, LINE * MANY * 10)
        received = b""
        while len(received) < len(LINE) * MANY * 10:
            received += reader.read(4096)
        assert appended.result() == (len(LINE) * MANY * 10, None)
    assert received == LINE * MANY * 10


def test_pieces_of_a_pipe_stay_whole(pipe: Path) -> None:
    """Lines of several writers of one pipe are never mixed."""
    files = [LogFile(str(pipe)) for _ in range(2)]
    lines = [bytes([letter]) * 99 + b"\n" for letter in b"ab"]
    files[0].reopen()
    with ThreadPoolExecutor() as pool, pipe.open("rb", buffering=0) as reader:
        done = [pool.submit(files[n].append, lines[n] * MANY) for n in range(2)]
        received = b""
        while len(received) < 2 * 100 * MANY:
            received += reader.read(65536)
        assert [one.result()[1] for one in done] == [None, None]
    assert sorted(received.splitlines(keepends=True)) == [lines[0]] * MANY + [lines[1]] * MANY


# Standard output is a stream, even where a shell has led it into a file.
SHORT = """
import resource, sys
from mirrorlist.records.logfile import LogFile
line, file = b"0123456789\\n", LogFile("-")
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), before[1]))
sizes = [file.append(line * 3)[0], file.append(line)[0]]
resource.setrlimit(resource.RLIMIT_FSIZE, before)
print(*sizes, file.append(b"next\\n")[0], file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("room", "whole"), [(0, 0), (5, 11), (11, 11), (12, 22), (31, 33)], ids=str
)
def test_a_line_that_was_begun_is_ended(path: Path, room: int, whole: int) -> None:
    """A stream that took the beginning of a line gets its end before anything else."""
    with path.open("wb") as output:
        command = [sys.executable, "-c", SHORT, str(room)]
        done = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, check=True, cwd=ROOT)
    assert done.stderr.split() == [str(whole).encode(), b"0", b"5"]
    assert path.read_bytes() == b"0123456789\n" * (whole // 11) + b"next\n"


def test_standard_output(tmp_path: Path) -> None:
    """A hyphen is standard output, which stays as it is for others who write to it."""
    code = (
        "import os; from mirrorlist.records.logfile import LogFile\n"
        "file = LogFile('-'); file.reopen();"
        "print(file.name, file.append(b'line\\n'), os.get_blocking(1), flush=True); os.close(1);"
        "file.append(b'last\\n')"
    )
    assert run_program(code).stdout == "line\nstandard output (5, None) True\nlast\n"


@pytest.mark.parametrize("name", ["", "missing/requests.log", "."])
def test_unwritable(tmp_path: Path, name: str) -> None:
    """A file that cannot be opened is refused at once."""
    with pytest.raises(OSError, match=r"No such file|Is a directory"):
        LogFile(str(tmp_path / name) if name else "")
