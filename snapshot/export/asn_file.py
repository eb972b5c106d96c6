"""Keeps an ASN file in memory for a program that exports repeatedly; reads it when it changed."""

import time
from pathlib import Path

from snapshot.export.asn import read_asn_netblocks
from snapshot.export.asn_netblocks import AsnNetblocks
from snapshot.export.leftout import LeftOutRows
from snapshot.file.changes import FileState, file_state

# Two writes within one tick of the file system's clock leave the same time. So the state of a file
# that is younger than this is not trusted, and the file is read again.
_TICK_SECONDS = 2.0


class AsnFile:
    """An ASN file, and the networks that were last read from it."""

    def __init__(self, path: Path) -> None:
        """Take its path; reads nothing yet."""
        self.path = path
        self._state: FileState | None = None
        self._netblocks = AsnNetblocks()
        self._left_out = LeftOutRows()

    def read(self, left_out: LeftOutRows) -> AsnNetblocks:
        """Return its networks and report its bad lines; raises DataFileError."""
        state = file_state(self.path)
        if state is None or state != self._state:
            self._state, self._left_out = None, LeftOutRows()
            self._netblocks = read_asn_netblocks(self.path, self._left_out)
            if state is not None and time.time() - state.modified / 1e9 > _TICK_SECONDS:
                self._state = state
        left_out.add_all(self._left_out)
        return self._netblocks
