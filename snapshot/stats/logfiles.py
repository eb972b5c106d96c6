"""Reads logs in blocks of whole lines: plain, gzip, xz or zstd, by how a file begins."""

import hashlib
import lzma
import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

from msgspec import Struct

from snapshot.file.errors import LogError
from snapshot.file.wholefile import open_regular
from snapshot.packed import is_of_zstd
from snapshot.stats.unpacking import unpacked

BLOCK_BYTES = 4 << 20
"""About as much is in a block: its lines find room in a processor's caches."""
_FIRST_BYTES = 1 << 16
MOST_LINE = 1 << 20
"""A longer line is not one of a log."""


class Block(Struct, frozen=True):
    """Whole lines of a log; `end` is how many bytes of the log, uncompressed, end with it."""

    data: bytes
    end: int
    digest: str
    """The SHA-256 of the log up to the end of the block, if it ends where a cut was asked for."""


def first_line(path: Path) -> str:
    """Return the digest of a log's first line; raises LogError."""
    with closing(_pieces(path, _FIRST_BYTES)) as pieces:
        line, feed, _ = next(pieces, b"").partition(b"\n")
    return hashlib.sha256(line + feed).hexdigest()


def blocks(path: Path, cuts: Iterable[int], size: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yield a log's blocks, which end at each of the cuts, and the rest without a line feed.

    The last block has the digest of all whole lines. Raises LogError.
    """
    wanted = sorted({*cuts})
    with closing(_pieces(path, size)) as pieces:
        yield from _blocks(pieces, wanted)


def _blocks(pieces: Iterable[bytes], cuts: list[int]) -> Iterator[Block]:
    digest, end = hashlib.sha256(), 0
    for data in pieces:
        for piece in _cut(data, end, cuts):
            end += len(piece)
            if piece.endswith(b"\n"):
                digest.update(piece)
            yield Block(piece, end, digest.hexdigest())


def _cut(data: bytes, start: int, cuts: list[int]) -> Iterator[bytes]:
    at = 0
    for cut in (one - start for one in cuts if 0 < one - start < len(data)):
        yield data[at:cut]
        at = cut
    yield data[at:]


def _pieces(path: Path, size: int) -> Generator[bytes]:
    """Yield about as many bytes at a time, each up to the end of a line."""
    with _opened(path) as file:
        rest = b""
        try:
            while chunk := file.read(size):
                end = chunk.rfind(b"\n") + 1
                if end:
                    # One copy: a log is large.
                    yield b"".join((rest, memoryview(chunk)[:end]))
                    rest = chunk[end:]
                else:
                    rest += chunk
                if len(rest) > MOST_LINE:
                    raise LogError(f"{path}: not a log: a line of more than {MOST_LINE:,} bytes")
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise LogError(f"{path}: cannot be unpacked: {_why(error)}") from error
        except Exception as error:
            if not is_of_zstd(error):
                raise
            raise LogError(f"{path}: cannot be unpacked: {error}") from error
        if rest:
            yield rest


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or "cut short"


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = open_regular(path)
    except OSError as error:
        raise LogError(f"{path}: cannot be read: {error.strerror}") from error
    with file, unpacked(file) as opened:
        yield opened
