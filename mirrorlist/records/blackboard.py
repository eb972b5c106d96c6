"""What each process writes about itself for the others to read, in memory that they share.

A notice has one writer, the process whose slot it is in; any process reads it at any time. Neither
waits for the other, and there is no lock that a fork or a kill could leave closed. A notice is
replaced as a whole; what is to be added up belongs to `counts`.
"""

CELL_BYTES = 8
MOST_NOTICE_BYTES = 4096
"""How many bytes a process may write about itself."""

NOTICE_CELLS = 2 + MOST_NOTICE_BYTES // CELL_BYTES
"""How many cells of memory a notice takes: a version, a length, the text."""

_VERSION, _LENGTH, _TEXT = range(3)
# A write takes microseconds: a version that stays odd is of a writer that died.
_MOST_READS = 100


class Notice:
    """A text in shared memory that one process writes and all may read.

    It is a seqlock: its version is odd while a write is in progress, and each write ends with
    the next even one. A reader that finds the same even version before and after its copy has a
    whole text; another one copies again. So the writer never waits for a reader. If it dies in
    the middle of a write, readers get an empty text until its successor writes.
    """

    def __init__(self, cells: memoryview) -> None:
        """Take NOTICE_CELLS cells of 8 bytes each, into which no other process writes."""
        self._cells = cells

    def write(self, text: bytes) -> None:
        """Replace the text; raises ValueError for one of more than MOST_NOTICE_BYTES."""
        if len(text) > MOST_NOTICE_BYTES:
            raise ValueError(f"a notice of {len(text)} bytes, the limit is {MOST_NOTICE_BYTES}")
        cells = self._cells
        version = cells[_VERSION] | 1
        cells[_VERSION] = version
        cells[_LENGTH] = len(text)
        cells[_TEXT:].cast("B")[: len(text)] = text
        cells[_VERSION] = version + 1

    def read(self) -> bytes:
        """Return the whole text; it is empty if the writer never wrote, or died over it."""
        cells = self._cells
        for _ in range(_MOST_READS):
            version, length = cells[_VERSION], cells[_LENGTH]
            text = bytes(cells[_TEXT:].cast("B")[: min(length, MOST_NOTICE_BYTES)])
            if version % 2 == 0 and version == cells[_VERSION]:
                return text
        return b""
