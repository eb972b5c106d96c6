"""The request log that MirrorManager's statistics read: one line a resolved request.

Source: behaviour.md section 5, last paragraph.
"""

import os
from datetime import UTC, datetime

from mirrorlist.answer import LogEntry
from mirrorlist.errors import StartError
from mirrorlist.query import echo

STANDARD_OUTPUT = "-"


class AccessLog:
    """Appends lines to a file, whole, so that several workers can share it."""

    def __init__(self, path: str) -> None:
        """Open a file for appending, or standard output for `-`; raises StartError."""
        self.lost = 0
        try:
            self._file = (
                os.dup(1)
                if path == STANDARD_OUTPUT
                else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            )
        except OSError as error:
            raise StartError(f"{path}: the log cannot be written: {error.strerror}") from error

    def write(self, entry: LogEntry, now: float) -> None:
        """Append an entry's line; a full disk loses the line, never the answer."""
        try:
            os.write(self._file, format_line(entry, now))
        except OSError:
            self.lost += 1


def format_line(entry: LogEntry, now: float) -> bytes:
    """Return an entry's line; `now` is in seconds since 1970, UTC."""
    date = datetime.fromtimestamp(now, UTC).date()
    return (
        f"IP: {entry.address}; DATE: {date}; COUNTRY: {entry.country};"
        # Beside path= a repository's name is whatever the client wrote.
        f" REPO: {echo(entry.repo)}; ARCH: {echo(entry.arch)}\n"
    ).encode()
