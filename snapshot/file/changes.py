"""Waits for files to change, however they do: written in place, renamed over, on any file system.

A look once a second costs next to nothing, and sees changes that inotify does not: those made by
another machine on NFS, and files that are created.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

LOOK_SECONDS = 1.0
_MOUNTS = Path("/proc/self/mountinfo")


class FileState(NamedTuple):
    """What tells a file from the one before it; times in nanoseconds since 1970.

    `changed` is its ctime, because a file may become readable.
    """

    inode: int
    size: int
    modified: int
    changed: int


def changes(
    files: Sequence[Path],
    seconds: float = LOOK_SECONDS,
    *,
    asked: Callable[[], bool] = lambda: False,
) -> Iterator[None]:
    """Yield at once, and then whenever any of the files has changed and is at rest again.

    A file at rest looks the same twice, `seconds` apart. If `asked` returns true, the next yield
    comes without a change.
    """
    seen = _look(files)
    yield
    before = seen
    while True:
        time.sleep(seconds)
        now = _look(files)
        if asked() or (now == before and now != seen):
            seen = now
            yield
        before = now


def mounted(files: Sequence[Path]) -> list[Path]:
    """Return the files that are mount points themselves, as in `podman run -v FILE:FILE`.

    If such a file is replaced on the host, the container goes on seeing the old file.
    """
    try:
        points = {line.split(" ")[4] for line in _MOUNTS.read_text().splitlines()}
    except OSError:
        return []
    return [file for file in files if str(file.resolve()) in points]


def file_state(file: Path) -> FileState | None:
    """Return the state of a file now, or None without a file; another value means a change."""
    try:
        found = file.stat()
    except OSError:
        return None
    return FileState(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def is_nameless(file: Path) -> bool:
    """Return whether a file was removed or replaced, and is still here, as a mount of its own."""
    try:
        return file.stat().st_nlink == 0
    except OSError:
        return False


def _look(files: Sequence[Path]) -> list[FileState | None]:
    return [file_state(file) for file in files]
