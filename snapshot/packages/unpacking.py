"""Unpacks a file of repodata as it comes, within limits; its kind is told by its first bytes."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator

from snapshot.file.errors import UnusableRepository
from snapshot.packed import BZIP2, GZIP, XZ, ZSTD, Decompressor, is_of_zstd, zstd

_BLOCK = 1 << 18
MOST_MEMBERS = 100_000
"""Of how many packed files, one after the other, a file may consist: to begin one takes time."""
# `xz -9` needs 65 MiB to unpack.
_XZ_MEMORY = 128 << 20
_PRIMARY = "primary.xml"


def unpacked(blocks: Iterator[bytes], most: int, name: str = _PRIMARY) -> Iterator[bytes]:
    """Yield what is in a file, in blocks of at most 256 KiB; raises UnusableRepository.

    A file that unpacks to more than `most` bytes is refused, and read no further.
    """
    size = waiting = 0
    small: list[bytes] = []
    for block in _unpacked(blocks, name):
        size += len(block)
        if size > most:
            raise UnusableRepository(f"{name} unpacks to more than {most:,} bytes")
        # A block a byte would be costly for those who join it to what they have of a package.
        if waiting + len(block) > _BLOCK:
            yield b"".join(small)
            small, waiting = [], 0
        small.append(block)
        waiting += len(block)
    yield b"".join(small)


def _unpacked(blocks: Iterator[bytes], name: str) -> Iterator[bytes]:
    first = b""
    while len(first) < len(XZ) and (block := next(blocks, b"")):
        first += block
    make = _maker(first)
    if make is None:
        yield first
        yield from blocks
        return
    unpacker, members = make(), 1
    data = first
    while True:
        yield from _member(unpacker, data, name)
        data = unpacker.unused_data if unpacker.eof else b""
        data = data or next(blocks, b"")
        if not data:
            break
        if unpacker.eof:
            members += 1
            if members > MOST_MEMBERS:
                raise UnusableRepository(f"{name} has more than {MOST_MEMBERS:,} parts")
            unpacker = make()
    if not unpacker.eof:
        raise UnusableRepository(f"{name} is cut short")


def _member(unpacker: Decompressor, data: bytes, name: str) -> Iterator[bytes]:
    """Yield what a block of one member unpacks to."""
    try:
        while True:
            if block := unpacker.decompress(data, _BLOCK):
                yield block
            data = b""
            if unpacker.eof or unpacker.needs_input:
                return
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise UnusableRepository(f"{name} cannot be unpacked: {error}") from error
    except Exception as error:
        # The error of zstd, whose module is loaded for its files alone.
        if not is_of_zstd(error):
            raise
        raise UnusableRepository(f"{name} cannot be unpacked: {error}") from error


def _maker(first: bytes) -> Callable[[], Decompressor] | None:
    """Return what makes the decompressor of a file; None for a file that is not packed."""
    if first.startswith(GZIP):
        return _Gzip
    if first.startswith(XZ):
        return lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)
    if first.startswith(BZIP2):
        return bz2.BZ2Decompressor
    if first.startswith(ZSTD):
        # It refuses files with a window above 128 MiB.
        decompressor: Callable[[], Decompressor] = zstd().ZstdDecompressor
        return decompressor
    return None


class _Gzip:
    """zlib's decompressor with the manners of the others."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=31)
        self._rest = b""
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        # Zeros may fill up the last block of a tape, or of a file.
        return self._zlib.unused_data.lstrip(b"\0")

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        block = self._zlib.decompress(self._rest + data, max_length)
        self._rest = self._zlib.unconsumed_tail
        self.needs_input = not self._rest and len(block) < max_length
        return block
