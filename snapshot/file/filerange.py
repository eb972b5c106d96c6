"""A section that is not copied to memory: it stays in the file, and is read where it is asked for.

It is read and not mapped: a map of a file that somebody cuts short ends the process by SIGBUS. What
is read may be other bytes than those that were verified when the file was opened, if somebody wrote
into the file since. So the reader compares it with a digest that is in memory.
"""

import os
import weakref
from collections.abc import Iterator

_CHUNK_BYTES = 1 << 20


class FileRange:
    """A part of an open file; forked processes may share it, because it has no position."""

    def __init__(self, handle: int, offset: int, length: int) -> None:
        """Take a part of a file, with a handle of its own that lives as long as this object."""
        self.offset, self.length = offset, length
        self._handle = os.dup(handle)
        weakref.finalize(self, os.close, self._handle)

    def read(self, start: int, length: int) -> bytes:
        """Return some bytes of the part, fewer if the file has become shorter; raises OSError."""
        return os.pread(self._handle, length, self.offset + start)

    def chunks(self) -> Iterator[bytes]:
        """Yield all bytes of the part, up to a MiB at a time; raises OSError."""
        at = 0
        while at < self.length and (data := self.read(at, min(_CHUNK_BYTES, self.length - at))):
            yield data
            at += len(data)
