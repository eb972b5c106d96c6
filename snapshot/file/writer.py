"""Writes a snapshot: encodes its sections, and puts the complete file in place at once."""

import errno
import os
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import msgspec

from snapshot.file import sections
from snapshot.file.errors import OutputError
from snapshot.file.filesums import INDEX, SUMS
from snapshot.file.format import MAGIC, FileSection, pack
from snapshot.file.model import PackedSums, SnapshotData
from snapshot.file.nametable import pack_names

# Readable for all, because readers are other users: rsync, a container's user, a person.
MODE = 0o644
_INSTEAD = "move it away or choose another --output (export and import-cache: --force replaces it)"


def encode(data: SnapshotData, built: int | None = None, key: bytes | None = None) -> bytearray:
    """Return the bytes of a snapshot file; equal data gives equal sections and an equal id."""
    built = int(time.time()) if built is None else built
    return pack([FileSection(*section) for section in _sections(data)], built, data.read, key)


def followed(path: Path) -> Path:
    """Return the target of a symbolic link, because the link shall stay; else the path itself."""
    # os.path, because pathlib raises for a name that is too long.
    return Path(os.path.realpath(path)) if os.path.islink(path) else path


def check_replaceable(path: Path) -> None:
    """Raise OutputError if a file is there that is not a snapshot, and so must not be replaced.

    A damaged or cut snapshot still counts as a snapshot by its first bytes; an empty file holds
    nothing to lose.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            is_file = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            head = file.read(len(MAGIC)) if is_file else b"-"
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(
            f"{path}: not replaced: whether it is a snapshot cannot be read: {error.strerror};"
            f" {_INSTEAD}"
        ) from error
    if not MAGIC.startswith(head):
        raise OutputError(f"{path}: not replaced: it is not a snapshot; {_INSTEAD}")


def check_output(path: Path, inputs: Iterable[Path] = ()) -> None:
    """Raise OutputError if a file cannot be put in this place, or is one of the inputs.

    For use before long work; only the end shows whether the disk has room.
    """
    try:
        if not stat.S_ISDIR(path.parent.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # A device or a pipe would be replaced by a file.
        if path.exists() and not path.is_file():
            raise OutputError(f"{path}: cannot be written: not a regular file")
        if path.exists() and any(_is_same(path, one) for one in inputs):
            raise OutputError(f"{path}: cannot be written: it is also read")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error


def _is_same(path: Path, other: Path) -> bool:
    # A file that cannot be looked at is named by the code that reads it.
    with suppress(OSError):
        return path.samefile(other)
    return False


def replace_file(path: Path, content: bytes | bytearray) -> None:
    """Replace a file by new content, whole or not at all; raises OutputError."""
    with staged(path, content):
        pass


@contextmanager
def staged(path: Path, content: bytes | bytearray) -> Iterator[Path]:
    """Write a file beside `path` and sync it; as the block ends, rename it over `path`.

    The block is given the path of the new file; if the block raises, the new file is removed and
    the old one stays.
    The directory is synced last. If `path` is a symbolic link, all of this is done where it leads.
    Raises OutputError for what the system refuses, in the block too.
    """
    path = followed(path)
    check_output(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(handle, MODE)
            os.fsync(handle)
        yield Path(name)
        os.replace(name, path)
        _sync_directory(path.parent)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@lru_cache(1)
def _packed_names(names: tuple[str, ...]) -> bytes:
    """Return the section of names; a watch seldom has other ones than at its last export."""
    return pack_names([name.encode() for name in names])


def _sections(data: SnapshotData) -> list[tuple[str, bytes, bool]]:
    # `cursor` and `since` change with each export, so the section is not content.
    history = [("history", sections.pack_history(data.history), False)] if data.history else []
    pack_value = msgspec.msgpack.Encoder(order="deterministic").encode
    # Most snapshots have none, and then no section either.
    found = data.request_shapes
    shapes = [("request_shapes", pack_value(found), True)] if found else []
    names = tuple(directory.name for directory in data.directories)
    return [
        ("asn_ranges", sections.pack_ranges(data.asn_ranges), True),
        ("categories", pack_value(data.categories), True),
        ("continents", pack_value(data.continents), True),
        ("country_ranges", sections.pack_ranges(data.country_ranges), True),
        ("directories", sections.pack_directories(data.directories), True),
        ("directory_names", _packed_names(names), True),
        ("file_details", sections.pack_file_details(data.file_details), True),
        ("host_sets", sections.pack_host_sets(data.host_sets, len(data.hosts)), True),
        ("hosts", pack_value(data.hosts), True),
        ("netblock_chains", pack_value(data.netblock_chains), True),
        ("netblock_ranges", sections.pack_ranges(data.netblock_ranges), True),
        ("redirects", pack_value(data.redirects), True),
        ("repositories", pack_value(data.repositories), True),
        # The report does not change an answer, so it is not content.
        ("report", pack_value(data.report), False),
        *history,
        *shapes,
        *_sums(data.file_sums),
        *_newest(data.newest),
    ]


def _sums(packed: PackedSums | None) -> list[tuple[str, bytes, bool]]:
    # Only with `--files`.
    return [(INDEX, packed.places, True), (SUMS, packed.sums, True)] if packed else []


def _newest(found: dict[int, str] | None) -> list[tuple[str, bytes, bool]]:
    # Only with `--newest`.
    if found is None:
        return []
    return [("newest", msgspec.msgpack.encode(dict(sorted(found.items()))), True)]
