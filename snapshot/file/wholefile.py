"""Reads a file from elsewhere: only a regular file, of a limited size, and never hanging.

A refused file raises OSError, like a missing file, with the reason in `strerror`; so each caller
turns a single kind of error into its own.
"""

import errno
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

# For settings, keys and tables of countries: a hundred times the size of real ones.
MOST_TEXT_BYTES = 1 << 20
# Far more than any known data file has.
MOST_DATA_BYTES = 1 << 30
# Files of /proc say that their size is 0.
_GROWTH = 4 << 20


def open_regular(path: Path, most: int | None = None) -> BufferedReader:
    """Open a regular file of at most `most` bytes for reading; raises OSError for any other.

    A pipe would wait for its writer, and a device may never end.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(handle)
        _refuse_others(found.st_mode)
        if most is not None and found.st_size > most:
            raise OSError(errno.EFBIG, f"{found.st_size:,} bytes, more than the limit of {most:,}")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def check_regular(path: Path) -> None:
    """Raise the error that `open_regular` would raise, without opening the file.

    A database that this process has open elsewhere must not be opened by hand: "all POSIX advisory
    locks held by the process" on it are released at the close (https://sqlite.org/howtocorrupt.html).
    """
    _refuse_others(os.stat(path).st_mode)
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _refuse_others(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file")


def read_regular(path: Path, most: int) -> bytes:
    """Return the content of a regular file of at most `most` bytes."""
    with open_regular(path, most) as file:
        return read_open(file, most)


def read_open(file: BufferedReader, most: int) -> bytes:
    """Return the rest of an open file, which may grow meanwhile, up to `most` bytes."""
    data = bytearray()
    # Files of /proc have bytes, and say that their size is 0.
    while chunk := file.read(max(1 << 16, os.fstat(file.fileno()).st_size - len(data) + 1)):
        data += chunk
        if len(data) > most:
            raise OSError(errno.EFBIG, f"more than the limit of {most:,} bytes")
    return bytes(data)


def lines_of(file: BufferedReader, most: int, *, whole: bool = False) -> Iterator[bytes]:
    """Yield each line without its line feed; of a line longer than `most` bytes its first ones.

    With `whole`, OSError is raised if the file grows much beyond its size at the start: if a file
    is written faster than it is read, reading would never end.
    """
    for block in blocks_of(file, most, whole=whole):
        for line in block.removesuffix(b"\n").split(b"\n"):
            yield line[:most]


def blocks_of(file: BufferedReader, most: int, *, whole: bool = False) -> Iterator[bytes]:
    """Yield the lines in blocks of about a megabyte, each of whole lines; see `lines_of`."""
    rest, read = b"", 0
    limit = 2 * os.fstat(file.fileno()).st_size + _GROWTH if whole else None
    while chunk := file.read1(1 << 20):
        read += len(chunk)
        if limit is not None and read > limit:
            raise OSError(errno.EFBIG, "it grows while it is read")
        block, feed, rest = (rest + chunk).rpartition(b"\n")
        rest = rest[:most]
        if feed:
            yield block + feed
    if rest:
        yield rest


def read_text(path: Path, most: int = MOST_TEXT_BYTES) -> str:
    """Return a small file's text; raises OSError, or ValueError if it is not UTF-8."""
    return read_regular(path, most).decode("utf-8")
