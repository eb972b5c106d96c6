"""Unpacks a log as it is read, all of its frames: what is cut short or foreign is an error.

Python's reader of xz files ends silently before a frame that it does not know.
"""

import gzip
import lzma
from collections.abc import Callable
from io import BufferedReader, RawIOBase
from typing import IO, Any, cast

from snapshot.packed import GZIP, XZ, ZSTD, Decompressor, zstd

_PIECE = 1 << 16
# The largest window of `xz -9` needs 65 MiB.
_XZ_MEMORY = 512 << 20
# pzstd begins with a frame that is skipped: RFC 8878, 3.1.2, with any last four bits.
_SKIPPED = b"\x2a\x4d\x18"


def unpacked(file: BufferedReader) -> IO[bytes]:
    """Return a file that reads what is in a packed one, or the file itself if it is not packed.

    Reading raises EOFError if it is cut short, and OSError or an error of the library for anything
    else that is not as it was packed; `is_of_zstd` tells whether an error is of zstd's.
    """
    begin = file.peek(len(XZ))
    if begin.startswith(GZIP):
        return cast("IO[bytes]", gzip.open(file))
    if begin.startswith(XZ):
        return _opened(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY), b"\0")
    if begin.startswith(ZSTD) or (begin[1:4] == _SKIPPED and begin[0] >> 4 == 5):
        return _opened(file, zstd().ZstdDecompressor, b"")
    return file


def _opened(file: BufferedReader, make: Callable[[], Decompressor], padding: bytes) -> IO[bytes]:
    return BufferedReader(_Frames(file, make, padding), _PIECE)


class _Frames(RawIOBase):
    """The frames of a file, one behind the other; between them may be bytes of padding."""

    def __init__(
        self, file: BufferedReader, make: Callable[[], Decompressor], padding: bytes
    ) -> None:
        self._file, self._make, self._padding = file, make, padding
        self._frame = make()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        room = memoryview(buffer).cast("B")
        while True:
            data = self._next() if self._frame.eof else self._more()
            if data is None:
                return 0
            found = self._frame.decompress(data, len(room))
            if found:
                room[: len(found)] = found
                return len(found)

    def _more(self) -> bytes:
        """Return what this frame needs to go on."""
        if not self._frame.needs_input:
            return b""
        data = self._file.read(_PIECE)
        if not data:
            raise EOFError("it is cut short")
        return data

    def _next(self) -> bytes | None:
        """Begin the next frame, and return its first bytes; None if there is no further one."""
        data = self._frame.unused_data.lstrip(self._padding)
        while not data and (piece := self._file.read(_PIECE)):
            data = piece.lstrip(self._padding)
        if not data:
            return None
        self._frame = self._make()
        return data
