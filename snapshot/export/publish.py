"""Puts a new snapshot in the place of the old one: checked first, the last two kept."""

import errno
import fcntl
import glob
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from snapshot.export.checks import check_publishable
from snapshot.export.job import Job
from snapshot.file.errors import OutputError, SnapshotError
from snapshot.file.format import HEADER, Header
from snapshot.file.model import KnownName
from snapshot.file.reader import Snapshot
from snapshot.file.writer import check_replaceable, staged

# How long to wait for another export to the same file: far longer than one takes.
_LOCK_SECONDS = 60.0
_LOOK_SECONDS = 0.1


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Be the only writer of a snapshot file while the block runs; raises OutputError.

    What a killed writer left half-written beside it is removed.
    """
    # A file of its own: the snapshot itself is another file after each export.
    beside = path.with_name(f".{path.name}.lock")
    handle = _wait_for(beside, path)
    try:
        for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            leftover.unlink(missing_ok=True)
        yield
    finally:
        beside.unlink(missing_ok=True)
        os.close(handle)


@contextmanager
def only_watch(path: Path) -> Iterator[None]:
    """Be the only watch of a snapshot file while the block runs; raises OutputError at once."""
    beside = path.with_name(f".{path.name}.watch")
    try:
        handle = _take(beside)
    except OSError as error:
        raise OutputError(f"{beside}: cannot be written: {error.strerror}") from error
    if handle is None:
        raise OutputError(f"{path}: another watch writes it already; one is enough")
    try:
        yield
    finally:
        beside.unlink(missing_ok=True)
        os.close(handle)


class Last(NamedTuple):
    """What a process published last: its id, and the read of its database (seconds since 1970)."""

    id: str
    read: int


class Published(NamedTuple):
    """The snapshot in place, whether its content is new there, and whether it was written now."""

    snapshot: Snapshot
    changed: bool
    written: bool


def publish(job: Job, content: bytearray, last: Last | None = None) -> Published:
    """Write a snapshot file, check what was written, put it in place; returns what is there.

    `last` is what this process published: if that is the old one, it may be older than it says,
    because the clock was set back. Raises RefusedSnapshot or OutputError, and then the old file is
    as it was.
    """
    path = job.output
    old = _published(path, job.key)
    if old is not None and job.refresh and _is_young(old, content, job.refresh):
        return Published(old, changed=False, written=False)
    with staged(path, content) as written:
        new = Snapshot(written, job.key)
        if job.max_loss is not None:
            own = old is not None and last == (old.id, old.read)
            check_publishable(new, old, job.max_loss, own=own)
        changed = old is None or old.id != new.id
        # As late as can be: somebody may have put another file there meanwhile.
        if not job.foreign:
            check_places(path)
        if old is not None and changed:
            _keep(path)
    return Published(new, changed, written=True)


def _is_young(old: Snapshot, content: bytearray, refresh: int) -> bool:
    """Whether the old one has the same content, and was read not long before or after."""
    new = Header(*HEADER.unpack_from(content))
    return old.id == new.id.hex() and abs(new.read - old.read) < refresh


def last_published(path: Path, key: bytes | None) -> Snapshot | None:
    """Return the newest snapshot with change times of those in place and kept, or None.

    What stood between it and the next one, a damaged file or an imported cache, gave nobody a
    cursor.
    """
    for place in _places(path):
        found = _published(place, key)
        if found is not None and found.has_change_times:
            return found
    return None


def known_names(path: Path, key: bytes | None) -> dict[str, KnownName]:
    """Return what DNS said of the netblocks' names by the snapshot in place."""
    found = _published(path, key)
    try:
        return found.report.names if found else {}
    except SnapshotError:
        return {}


def _published(path: Path, key: bytes | None) -> Snapshot | None:
    """The snapshot in place; None without one, and for one that no server would use either."""
    try:
        return Snapshot(path, key)
    except SnapshotError:
        return None


def _places(path: Path) -> list[Path]:
    """Where a snapshot stands, and where those before it are kept."""
    return [path, *(path.with_name(f"{path.name}.{number}") for number in (1, 2))]


def check_places(path: Path) -> None:
    """Raise OutputError if a publication would replace a file that is not a snapshot."""
    for place in _places(path):
        check_replaceable(place)


def _keep(path: Path) -> None:
    """Keep the published file as `.1`, and what was that as `.2`."""
    _, first, second = _places(path)
    new = path.with_name(f".{path.name}.1.part")
    # A writer that was killed before it put the new one in place has done this already.
    if first.exists() and first.samefile(path):
        return
    try:
        try:
            os.link(path, new)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.EXDEV, errno.EMLINK):
                raise
            shutil.copy2(path, new)
        if first.exists():
            os.replace(first, second)
        os.replace(new, first)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise OutputError(f"{first}: cannot be written: {error.strerror}") from error


def _wait_for(beside: Path, path: Path) -> int:
    """Return the handle of the lock file, locked."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            handle = _take(beside)
        except OSError as error:
            raise OutputError(f"{beside}: cannot be written: {error.strerror}") from error
        if handle is not None:
            return handle
        if time.monotonic() > deadline:
            raise OutputError(
                f"{path}: another export has been writing it for {_LOCK_SECONDS:.0f} s;"
                " try again when it is done"
            )
        time.sleep(_LOOK_SECONDS)


def _take(beside: Path) -> int | None:
    handle = os.open(beside, os.O_RDWR | os.O_CREAT, 0o644)
    if os.fstat(handle).st_size:
        os.close(handle)
        raise OutputError(f"{beside}: it is no lock of ours, as it is not empty; move it away")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it before us may have removed the very file that we locked.
        if os.path.samestat(os.fstat(handle), os.stat(beside)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None
