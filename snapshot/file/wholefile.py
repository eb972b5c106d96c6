"""Reads a file that comes from elsewhere: a regular one, of a size with a limit, never hanging.

What is refused raises OSError whose `strerror` says why, as a missing file does, so each caller
has one error to turn into its own.
"""

import errno
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

# Settings, keys, tables of countries: a hundred times what anybody has.
MOST_TEXT_BYTES = 1 << 20
# Far more than any of the data files out there has.
MOST_DATA_BYTES = 1 << 30
# Files of /proc say that their size is 0.
_GROWTH = 4 << 20


def open_regular(path: Path, most: int | None = None) -> BufferedReader:
    """Open a file for reading if it is a regular one, and of at most so many bytes.

    A pipe would wait for its writer, a device may never end.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if most is not None and found.st_size > most:
            raise OSError(errno.EFBIG, f"{found.st_size:,} bytes, more than the limit of {most:,}")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path, most: int) -> bytes:
    """Return the whole of a regular file of at most so many bytes."""
    with open_regular(path, most) as file:
        return read_open(file, most)


def read_open(file: BufferedReader, most: int) -> bytes:
    """Return what an open file has from its place on, though it may grow meanwhile."""
    data = bytearray()
    # Files of /proc have bytes, and say that their size is 0.
    while chunk := file.read(max(1 << 16, os.fstat(file.fileno()).st_size - len(data) + 1)):
        data += chunk
        if len(data) > most:
            raise OSError(errno.EFBIG, f"more than the limit of {most:,} bytes")
    return bytes(data)


def lines_of(file: BufferedReader, most: int, *, whole: bool = False) -> Iterator[bytes]:
    """Yield each line without its line feed; of a longer one its first `most` bytes.

    A `whole` file has about the size that it has now: one that is written to faster than it is
    read would have no end, and raises OSError.
    """
    rest, read = b"", 0
    limit = 2 * os.fstat(file.fileno()).st_size + _GROWTH if whole else None
    while chunk := file.read1(1 << 20):
        read += len(chunk)
        if limit is not None and read > limit:
            raise OSError(errno.EFBIG, "it grows while it is read")
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[:most]
        for line in lines:
            yield line[:most]
    if rest:
        yield rest


def read_text(path: Path, most: int = MOST_TEXT_BYTES) -> str:
    """Return a small file's text; raises ValueError too, if it is not UTF-8."""
    return read_regular(path, most).decode("utf-8")
