"""Reads the top-level fields of a cache file one by one, so that the file is never all in memory.

The whole file is one protobuf message. Its frame, a tag and a length for each field, is parsed here
(https://protobuf.dev/programming-guides/encoding/); the protobuf library parses each field's value.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from snapshot.file.errors import CacheError
from snapshot.file.wholefile import open_regular

# Protobuf limits a message to 2 GiB, and the whole file is one message.
MAX_FILE_BYTES = (1 << 31) - 1
# One field is one directory with its hosts or files: some kilobytes at Fedora. A parsed field may
# take 25 times its bytes in memory.
MAX_FIELD_BYTES = 4 << 20
MAX_FIELD_NUMBER = 64
_BLOCK_BYTES = 256 << 10
_VARINT, _BYTES = 0, 2

Field = tuple[int, bytes | int, int, int]


def fields(path: Path) -> Iterator[Field]:
    """Yield each field of a cache file: its number, its value, its end, and the file's size.

    Raises CacheError if the file is not a cache, is cut short, or has changed during the read.
    """
    try:
        with open_regular(path) as file:
            before = os.fstat(file.fileno())
            _check_size(path, before)
            reader = _Reader(path, file, before.st_size)
            while not reader.at_end():
                yield reader.field()
            after = os.fstat(file.fileno())
    except OSError as error:
        raise CacheError(f"{path}: cannot be read: {error.strerror}") from error
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        # "The exporter writes over the file in place, so a reader can meet half of it."
        # (docs/mirrormanager.md#the-cache-file) The rest of `FileState` is left out on purpose:
        # an open file keeps its inode, and a new mode while it is read does no harm.
        raise CacheError(f"{path}: was written while it was read; try again when it is done")


def _check_size(path: Path, found: os.stat_result) -> None:
    if found.st_size == 0:
        raise CacheError(f"{path}: empty: its exporter may still be running")
    if found.st_size > MAX_FILE_BYTES:
        raise CacheError(f"{path}: not a mirrorlist cache: more than 2 GiB, which none can have")


class _Reader:
    """Reads a file in blocks, because two reads for each field would be half of the time.

    Not by mmap: another program may cut the file short, which would end this process.
    """

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self._path = path
        self._file = file
        self._size = size
        # Where the block begins in the file, and how much of it is used.
        self._start = self._used = 0
        self._block = b""

    @property
    def _place(self) -> int:
        return self._start + self._used

    def at_end(self) -> bool:
        return self._place >= self._size

    def field(self) -> Field:
        start = self._place
        tag = self._varint()
        number, kind = tag >> 3, tag & 7
        if not 0 < number <= MAX_FIELD_NUMBER or kind not in (_VARINT, _BYTES):
            raise CacheError(
                f"{self._path}: not a mirrorlist cache: no field of one begins at byte {start}"
            )
        value = self._varint() if kind == _VARINT else self._bytes(start)
        return number, value, self._place, self._size

    def _bytes(self, start: int) -> bytes:
        length = self._varint()
        if length > MAX_FIELD_BYTES:
            raise CacheError(
                f"{self._path}: not a mirrorlist cache: a field of {length:,} bytes at {start}"
            )
        self._need(length)
        begin = self._used
        self._used += length
        return self._block[begin : self._used]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            self._need(1)
            byte = self._block[self._used]
            self._used += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
            if shift > 63:
                raise CacheError(
                    f"{self._path}: not a mirrorlist cache: no number at byte {self._place}"
                )

    def _need(self, count: int) -> None:
        """Have the next bytes in the block; raises CacheError if the file ends before."""
        if self._used + count <= len(self._block):
            return
        self._start, rest = self._place, self._block[self._used :]
        wanted = min(max(count, _BLOCK_BYTES), self._size - self._start)
        self._block, self._used = rest + self._file.read(wanted - len(rest)), 0
        if len(self._block) < count:
            raise CacheError(f"{self._path}: cut short: it ends within a field; copy it again")
