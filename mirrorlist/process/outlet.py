"""Writes to a file, pipe, terminal or socket without ever waiting for its reader.

Standard output and standard error are shared with other programs, and O_NONBLOCK would change them
for all of these. So a pipe or terminal is opened a second time, for this process alone.
"""

import errno
import os
import select
import socket
import stat

_OWN = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# The errors of kernels and kinds of files that do not know RWF_NOWAIT.
_CANNOT_TELL = {errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.ESPIPE}


class Outlet:
    """An open file that is written without waiting."""

    def __init__(self, file: int) -> None:
        """Take the number of an open file, which is left open and unchanged."""
        self._file = file
        self._socket: socket.socket | None = None
        self._is_own, self._opened = True, -1
        kind = os.fstat(file).st_mode
        if stat.S_ISSOCK(kind):
            self._socket = socket.socket(fileno=os.dup(file))
        elif stat.S_ISFIFO(kind) or os.isatty(file):
            self._open_own()

    def push(self, piece: bytes) -> int:
        """Write at once, and return how many bytes; a pipe takes all of PIPE_BUF bytes or nothing.

        Raises BlockingIOError if there is no room, and OSError for everything else.
        """
        if self._socket:
            return self._socket.send(piece, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        # Writing to a disk may take a moment, but it never waits for another program.
        return os.write(self._file, piece) if self._is_own else self._push_shared(piece)

    def close(self) -> None:
        """Close the files that were opened here, and leave the given one open."""
        if self._socket:
            self._socket.close()
        if self._opened >= 0:
            os.close(self._opened)
            self._opened = -1

    def _open_own(self) -> None:
        try:
            self._file = self._opened = os.open(f"/proc/self/fd/{self._file}", _OWN)
        except OSError:
            # The file belongs to another user, as in many containers, or the pipe has no reader.
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
        # poll() says that a page is free. This waits only if another program takes the last page
        # of the pipe just now.
        return os.write(self._file, piece)
