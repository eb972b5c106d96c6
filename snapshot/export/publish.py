"""Replaces the published snapshot by a new one that passed the checks, and keeps the last two."""

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
from snapshot.export.opened import Opened
from snapshot.export.required import check_required
from snapshot.file.errors import OutputError, SnapshotError
from snapshot.file.format import HEADER, FileHeader
from snapshot.file.model import KnownName
from snapshot.file.reader import Snapshot
from snapshot.file.writer import check_replaceable, staged

# How long to wait for another export to the same file; an export takes far less.
_LOCK_SECONDS = 60.0
_LOOK_SECONDS = 0.1


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Be the only writer of a snapshot file while the block runs; raises OutputError.

    Half-written files of a writer that was killed are removed.
    """
    # The lock is a file of its own, because each export puts another file in the snapshot's place.
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
    """The snapshot that this process published last: its id, and when its database was read."""

    id: str
    read: int


class Publication(NamedTuple):
    """The snapshot in place, whether its content has changed, and whether it was written now."""

    snapshot: Snapshot
    changed: bool
    written: bool


def publish(
    job: Job, content: bytearray, last: Last | None = None, opened: Opened | None = None
) -> Publication:
    """Write a snapshot file, check it, and put it in place; returns the snapshot in place.

    `last` is what this process published before. If it is the old snapshot, the new one may have an
    earlier time of read: then the clock was set back. After RefusedSnapshot or OutputError the old
    file is unchanged.
    """
    path, opened = job.output, opened or Opened()
    old = opened.open(path, job.key)
    if old is not None and job.refresh and _is_young(old, content, job.refresh):
        check_required(old, job.required)
        return Publication(old, changed=False, written=False)
    with staged(path, content) as written:
        new, inode = Snapshot(written, job.key, old), written.stat().st_ino
        if job.max_loss is not None:
            own = old is not None and last == (old.id, old.read)
            check_publishable(new, old, job.max_loss, own=own)
            check_required(new, job.required)
        changed = old is None or old.id != new.id
        # Checked again just before the replacement: another file may have been put there.
        if not job.foreign:
            check_places(path)
        if old is not None and changed:
            _keep(path)
    opened.add(path, job.key, inode, new)
    return Publication(new, changed, written=True)


def _is_young(old: Snapshot, content: bytearray, refresh: int) -> bool:
    """Whether the old snapshot has the same content, read within `refresh` seconds of this one."""
    new = FileHeader(*HEADER.unpack_from(content))
    return old.id == new.id.hex() and abs(new.read - old.read) < refresh


def last_published(opened: Opened, path: Path, key: bytes | None) -> Snapshot | None:
    """Return the newest snapshot with change times, in place or kept; None if there is none.

    Newer files without change times are skipped: a damaged file or an imported cache never gave
    a cursor to a client.
    """
    for place in _places(path):
        found = opened.open(place, key)
        if found is not None and found.has_change_times:
            return found
    return None


def known_names(opened: Opened, path: Path, key: bytes | None) -> dict[str, KnownName]:
    """Return the DNS answers for netblocks' names that the snapshot in place recorded."""
    found = opened.open(path, key)
    try:
        return found.report.names if found else {}
    except SnapshotError:
        return {}


def _places(path: Path) -> list[Path]:
    """The paths of the published snapshot and of the two kept ones before it."""
    return [path, *(path.with_name(f"{path.name}.{number}") for number in (1, 2))]


def check_places(path: Path) -> None:
    """Raise OutputError if a publication would replace a file that is not a snapshot."""
    for place in _places(path):
        check_replaceable(place)


def _keep(path: Path) -> None:
    """Keep the published file as `.1`, and the former `.1` as `.2`."""
    _, first, second = _places(path)
    new = path.with_name(f".{path.name}.1.part")
    # True after a writer was killed between this step and the replacement.
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
        raise OutputError(
            f"{beside}: not a lock file of mirrorlist, because it is not empty; move it away"
        )
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The holder before may have removed the file between our open() and flock(): then we have
        # locked a file that is no longer in the folder.
        if os.path.samestat(os.fstat(handle), os.stat(beside)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None
