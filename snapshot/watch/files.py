"""Sees that data files have changed and are at rest again."""

from collections.abc import Sequence
from pathlib import Path

from snapshot.file.changes import FileState, state_of


class DataFiles:
    """Data files, and what they were like when they were last reported."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Take them as they are now, which is nothing to report."""
        self._reported: dict[Path, FileState] = {file: state_of(file) for file in files}
        self._before = dict(self._reported)

    def changed(self) -> list[Path]:
        """Return those that differ from what was reported, and are as they were at the last call.

        A file that is just being written waits for the next call; each change is told once.
        """
        now = {file: state_of(file) for file in self._reported}
        found = [
            file
            for file, state in now.items()
            if state == self._before[file] and state != self._reported[file]
        ]
        self._before = now
        self._reported |= {file: now[file] for file in found}
        return found
