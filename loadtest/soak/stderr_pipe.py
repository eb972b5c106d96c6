"""Reads what a server says to standard error; may stop to read, go away, and come back."""

import os
import select
import threading
from contextlib import suppress
from pathlib import Path

_LOOK_SECONDS = 0.05


class StderrPipe:
    """A named pipe for a server's standard error, and its reader."""

    def __init__(self, path: Path) -> None:
        """Make the pipe, and read it from now on."""
        os.mkfifo(path)
        path.chmod(0o666)
        self._path = path
        self._said = b""
        self._reads, self._end = threading.Event(), threading.Event()
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.writer = os.open(path, os.O_WRONLY)
        self._reads.set()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def text(self) -> str:
        """All that was read so far."""
        return self._said.decode(errors="replace")

    def stop(self) -> None:
        """Read no more, and let the pipe be full."""
        self._reads.clear()
        filler = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        with suppress(BlockingIOError):
            while os.write(filler, b"\n" * select.PIPE_BUF):
                pass
        os.close(filler)

    def leave(self) -> None:
        """Let the pipe have no reader."""
        self._reads.clear()
        os.close(self._reader)
        self._reader = -1

    def come_back(self) -> None:
        """Read again."""
        if self._reader < 0:
            self._reader = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        self._reads.set()

    def close(self) -> None:
        """End."""
        self._end.set()
        self._thread.join()
        for file in (self._reader, self.writer):
            if file >= 0:
                os.close(file)

    def _run(self) -> None:
        while not self._end.wait(_LOOK_SECONDS):
            with suppress(OSError):
                while self._reads.is_set() and (piece := os.read(self._reader, 1 << 16)):
                    self._said += piece.replace(b"\n\n", b"")
