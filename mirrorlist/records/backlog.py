"""The files of a spool that wait for a collector: how many, how large, how old."""

import os
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from snapshot.stats.spool import files as files_of


class Backlog(Struct, frozen=True):
    """The files that wait; `oldest` is when the first was begun, in seconds since 1970, UTC."""

    files: int
    size: int
    oldest: int | None = None

    def is_over(self, limit: "Backlog") -> bool:
        """Return whether there are more files, or more bytes, than in a limit."""
        return self.files > limit.files or self.size > limit.size


def look_at_spool(folder: Path) -> Backlog:
    """Return what waits in a folder now; raises OSError."""
    files, size, oldest = 0, 0, None
    for path in files_of(folder):
        try:
            size += os.stat(path).st_size
        except FileNotFoundError:
            # A collector has it.
            continue
        files += 1
        if oldest is None:
            oldest = int(path.name.partition("-")[0])
    return Backlog(files, size, oldest)


def backlog_of(folder: Path) -> Backlog | None:
    """Return what waits in a folder now, or None if it cannot be read."""
    with suppress(OSError):
        return look_at_spool(folder)
    return None
