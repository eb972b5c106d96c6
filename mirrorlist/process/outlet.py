"""Writes to a file, pipe, terminal or socket without ever waiting for its reader.

Standard output and standard error are shared with other programs, so they may not be made
non-blocking for all: a pipe or terminal is opened once more instead, for us alone.
"""

import errno
import os
import select
import socket
import stat

_OWN = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# What a kernel or a kind of file says that cannot write "now or not at all".
_CANNOT_TELL = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ESPIPE}


class Outlet:
    """An open file that is written without waiting."""

    def __init__(self, file: int) -> None:
        """Take the number of an open file, which stays open and as it is."""
        self._file = file
        self._socket: socket.socket | None = None
        self._is_own, self._opened = True, -1
        kind = os.fstat(file).st_mode
        if stat.S_ISSOCK(kind):
            self._socket = socket.socket(fileno=os.dup(file))
        elif stat.S_ISFIFO(kind) or os.isatty(file):
            self._open_own()

    def push(self, piece: bytes) -> int:
        """Write now, and return how much; a pipe takes all of PIPE_BUF bytes or nothing.

        Raises BlockingIOError if there is no room, and OSError for all else.
        """
        if self._socket:
            return self._socket.send(piece, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        # On a disk a write takes its time, but depends on no other program.
        return os.write(self._file, piece) if self._is_own else self._push_shared(piece)

    def close(self) -> None:
        """Close what was opened here, and leave the file alone."""
        if self._socket:
            self._socket.close()
        if self._opened >= 0:
            os.close(self._opened)
            self._opened = -1

    def _open_own(self) -> None:
        try:
            self._file = self._opened = os.open(f"/proc/self/fd/{self._file}", _OWN)
        except OSError:
            # Another user's, as in many containers, or nobody reads it at all.
            self._is_own = False

    def _push_shared(self, piece: bytes) -> int:
        try:
            return os.pwritev(self._file, [piece], -1, os.RWF_NOWAIT)
        except OSError as error:
            if error.errno not in _CANNOT_TELL:
                raise
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        if not poll.poll(0):
            raise BlockingIOError(errno.EAGAIN, "nobody reads it")
        # Only if another program takes the last page of a pipe at this very moment, this waits.
        return os.write(self._file, piece)
