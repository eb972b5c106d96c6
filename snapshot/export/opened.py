"""The published snapshots that a process has opened or written, so that each is opened once."""

from pathlib import Path

from snapshot.file.changes import FileState, file_state
from snapshot.file.errors import SnapshotError
from snapshot.file.reader import Snapshot

# The one in place, the two kept ones, and the next one.
_MOST = 4


class Opened:
    """Opens snapshots; a file with the state in which it was opened before is not read again."""

    def __init__(self) -> None:
        """Start with none."""
        self._found: dict[tuple[FileState, bytes | None], Snapshot] = {}

    def open(self, path: Path, key: bytes | None) -> Snapshot | None:
        """Return the snapshot in a place; None if there is no file, or if it is not usable."""
        state = file_state(path)
        found = None if state is None else self._found.get((state, key))
        if found is not None:
            return found
        try:
            found = Snapshot(path, key)
        except SnapshotError:
            return None
        self._add(state, key, found)
        return found

    def add(self, path: Path, key: bytes | None, inode: int, snapshot: Snapshot) -> None:
        """Remember a snapshot that was written, if the file with this inode is in its place."""
        state = file_state(path)
        if state is not None and state.inode == inode:
            self._add(state, key, snapshot)

    def _add(self, state: FileState | None, key: bytes | None, snapshot: Snapshot) -> None:
        if state is not None:
            self._found[state, key] = snapshot
        while len(self._found) > _MOST:
            del self._found[next(iter(self._found))]
