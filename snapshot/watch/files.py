"""Detects data files that have changed and are written completely."""

from collections.abc import Sequence
from pathlib import Path

from snapshot.file.changes import FileState, file_state


class DataFiles:
    """Data files, each with its state when it was last reported."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Take the files; their present state counts as reported."""
        self._reported: dict[Path, FileState | None] = {file: file_state(file) for file in files}
        self._before = dict(self._reported)

    def changed(self) -> list[Path]:
        """Return the files that differ from the reported state and rest since the last call.

        A file that is still being written is returned by a later call. Each change is reported
        once.
        """
        now = {file: file_state(file) for file in self._reported}
        found = [
            file
            for file, state in now.items()
            if state == self._before[file] and state != self._reported[file]
        ]
        self._before = now
        self._reported |= {file: now[file] for file in found}
        return found
