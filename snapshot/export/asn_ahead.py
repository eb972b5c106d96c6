"""Reads an ASN file in another process, while this one reads the rows."""

import os
import pickle
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from snapshot.export.asn_file import AsnFile
from snapshot.export.asn_netblocks import AsnNetblocks
from snapshot.export.leftout import LeftOutRows


class AsnFileAhead(AsnFile):
    """An ASN file whose read can be begun before it is needed.

    Python's threads would share one core, and a cache file keeps that one busy. Only for a process
    without threads, because it forks.
    """

    def __init__(self, path: Path) -> None:
        """Take its path; reads nothing yet. `process` is the one that reads, or 0."""
        super().__init__(path)
        self.process = self._reading = 0

    def begin(self) -> None:
        """Begin to read the file for the next `read`."""
        self._reading, writing = os.pipe()
        self.process = os.fork()
        if not self.process:
            _become(self, writing)
        os.close(writing)

    def read(self, left_out: LeftOutRows) -> AsnNetblocks:
        """Return its networks and report its bad lines, as AsnFile does."""
        if self.process:
            self._collect()
        return super().read(left_out)

    def _collect(self) -> None:
        with os.fdopen(self._reading, "rb") as pipe:
            found = pipe.read()
        os.waitpid(self.process, 0)
        self.process = 0
        # Without a result the file is read here, which says what is wrong with it. A pickle is safe
        # here, because nobody but the process that was forked above can write to this pipe.
        with suppress(EOFError, pickle.UnpicklingError):
            self._state, self._netblocks, self._left_out = pickle.loads(found)


def _become(file: AsnFileAhead, writing: int) -> NoReturn:
    try:
        file.process = 0
        file.read(LeftOutRows())
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump((file._state, file._netblocks, file._left_out), pipe)
    finally:
        # Never return, and say nothing: above here is a copy of the parent's code.
        os._exit(0)
