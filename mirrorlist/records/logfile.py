"""Where lines go: a file that several processes append to, or a pipe that perhaps nobody reads.

Lines stay whole as each batch is one write at the file's end, which the kernel keeps apart from
those of others. On a full disk half a line may have to be taken back, with a lock that only the
processes of one server know: nobody else can hold it, so nobody can stop the log.
"""

import errno
import fcntl
import os
import select
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mirrorlist.process.outlet import Outlet

STANDARD_OUTPUT = "-"
# A pipe may be full for this long before writing is given up for now.
PATIENCE_SECONDS = 1.0
# A worker that was stopped while writing may hold the lock; the others go on without it.
_LOCK_SECONDS, _LOCK_LOOK_SECONDS = 1.0, 0.005
# The statistics may run as another user; the umask or logrotate's `create` narrow this mode.
_MODE = 0o644

# No line of the request log is longer, whatever a client asks for.
_LINE_BYTES = 64 << 10

_FLAGS = os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK

Appended = tuple[int, OSError | None]


class LogFile:
    """Appends whole lines: a reader never sees half a line, though several processes append."""

    def __init__(self, path: str) -> None:
        """Take a path, or `-` for standard output; raises OSError if it cannot be written.

        A path is opened by the first `append` or `reopen`: a supervisor that forks must not keep
        the file that its children have rotated away.
        """
        self._path = path
        self._file = -1
        # The rest of a line whose beginning a stream has taken already.
        self._rest = b""
        self._is_regular = False
        # A file without a name, which forked processes share.
        self._lock = os.memfd_create("mirrorlist-log", os.MFD_CLOEXEC)
        self._outlet: Outlet | None = None
        if path == STANDARD_OUTPUT:
            self._file = os.dup(1)
            self._outlet = Outlet(self._file)
        else:
            os.close(_open(path))

    @property
    def name(self) -> str:
        """The name of the file in messages."""
        return "standard output" if self._path == STANDARD_OUTPUT else self._path

    def reopen(self) -> None:
        """Open the path again; raises OSError, and then the old file stays in use."""
        if self._path != STANDARD_OUTPUT:
            file = _open(self._path)
            self.close()
            self._file, self._rest = file, b""
            self._is_regular = stat.S_ISREG(os.fstat(file).st_mode)

    def close(self) -> None:
        """Close the file, if it is open."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def append(self, lines: bytes) -> Appended:
        """Append whole lines; returns the bytes of the lines that were written, and an error."""
        try:
            if self._file < 0:
                self.reopen()
        except OSError as error:
            return 0, error
        return self._append(lines) if self._is_regular else self._send(lines)

    def _append(self, lines: bytes) -> Appended:
        """Append by one write, as a rule; on a full disk take back the last line if it is cut."""
        left, written = memoryview(lines), 0
        with _locked(self._lock):
            try:
                while written < len(lines):
                    written += os.write(self._file, left[written:])
            except OSError as error:
                whole = lines.rfind(b"\n", 0, written) + 1
                self._take_back(written - whole)
                return whole, error
        return written, None

    def _take_back(self, size: int) -> None:
        with suppress(OSError):
            end = os.lseek(self._file, 0, os.SEEK_CUR)
            # Otherwise a program without this lock has truncated the file or appended to it.
            if size and os.fstat(self._file).st_size == end:
                os.ftruncate(self._file, end - size)

    def _send(self, lines: bytes) -> Appended:
        """Write pieces that are whole lines and that a pipe takes whole or not at all."""
        sent = 0
        try:
            while self._rest:
                self._rest = self._rest[self._push(self._rest) :]
            while sent < len(lines):
                end = lines.rfind(b"\n", sent, sent + select.PIPE_BUF) + 1
                while sent < end:
                    sent += self._push(lines[sent:end])
        except OSError as error:
            is_begun = sent and lines[sent - 1 : sent] != b"\n"
            whole = lines.find(b"\n", sent) + 1 if is_begun else sent
            self._rest += lines[sent:whole]
            return whole, error
        return sent, None

    def _push(self, piece: bytes) -> int:
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        while poll.poll(PATIENCE_SECONDS * 1000):
            # Another worker may have filled the pipe since the poll.
            with suppress(BlockingIOError):
                return self._outlet.push(piece) if self._outlet else os.write(self._file, piece)
        raise OSError(errno.EAGAIN, "nobody reads it")


def first_and_last(path: str) -> tuple[bytes, bytes]:
    """Return the beginnings of a file's first and last line; empty for an empty file.

    Raises OSError. A pipe or a device counts as empty, because reading would take bytes away.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return b"", b""
        # Truncating a file under a writer that does not append leaves zeros in it.
        first = file.read(_LINE_BYTES).lstrip(b"\0\n")
        file.seek(max(0, os.fstat(file.fileno()).st_size - _LINE_BYTES))
        last = file.read(_LINE_BYTES).rstrip(b"\n").rpartition(b"\n")[2].lstrip(b"\0")
    return first, last


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _open(path: str) -> int:
    """Open a file for appending without ever waiting; raises OSError."""
    # A pipe that is opened for reading too needs no other reader yet, and never breaks.
    is_pipe = os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)
    return os.open(path, _FLAGS | (os.O_RDWR if is_pipe else os.O_WRONLY), _MODE)


@contextmanager
def _locked(file: int) -> Iterator[None]:
    deadline = time.monotonic() + _LOCK_SECONDS
    while not (has_lock := _lock(file)) and time.monotonic() < deadline:
        time.sleep(_LOCK_LOOK_SECONDS)
    try:
        yield
    finally:
        if has_lock:
            fcntl.lockf(file, fcntl.LOCK_UN)


def _lock(file: int) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
