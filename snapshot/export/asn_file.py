"""An ASN file for a program that exports repeatedly: read again only if the file has changed."""

import time
from pathlib import Path

from snapshot.export.asn import AsnNetblocks, read_asn_netblocks
from snapshot.export.leftout import LeftOutRows
from snapshot.file.changes import FileState, state_of

# A file that is written twice within a tick of the file system's clock keeps its time.
_TICK_SECONDS = 2.0


class AsnFile:
    """An ASN file and the networks read from it last, some bytes a network."""

    def __init__(self, path: Path) -> None:
        """Take its path; reads nothing yet."""
        self.path = path
        self._state: FileState = None
        self._netblocks = AsnNetblocks()
        self._left_out = LeftOutRows()

    def read(self, left_out: LeftOutRows) -> AsnNetblocks:
        """Return its networks and report its bad lines; raises DataFileError."""
        state = state_of(self.path)
        if state is None or state != self._state:
            self._state, self._left_out = None, LeftOutRows()
            self._netblocks = read_asn_netblocks(self.path, self._left_out)
            if state is not None and time.time() - state[1] / 1e9 > _TICK_SECONDS:
                self._state = state
        left_out.add_all(self._left_out)
        return self._netblocks
