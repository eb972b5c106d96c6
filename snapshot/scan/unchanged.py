"""What the last scan of a category saw: if nothing has changed since, a scan ends at once.

It stands in a table of our own in the database, so it is written with the rows it speaks of, and
goes back with them when a backup is restored.
"""

import zlib
from collections.abc import Mapping

import msgspec
from msgspec import Struct

from snapshot.link import Link
from snapshot.scan.statements import MARK, READ_STATE

_FORMAT = 1
# The values of MARK, at the end of a mark.
_COUNTS = 7
_FIELDS = ("serial", "mark", "digest", "due", "packed")


Entry = tuple[str, int, int]
"""A file: its name, its size in bytes, its time in seconds since 1970."""

Sums = dict[str, str]
"""Sums of a file by their kinds."""


class Read(Struct, array_like=True):
    """What was read of a file: its size and time in the inventory, and the sums by file name.

    `timestamp` and `length` are those of metadata; 0 for a checksum file.
    """

    size: int
    time: int
    sums: dict[str, Sums]
    timestamp: int = 0
    length: int = 0


class Seen(Struct, array_like=True):
    """A directory as it was listed; `changed` is its ctime in nanoseconds, 0 if not settled."""

    changed: int
    modified: int
    readable: bool
    names: list[str]
    packages: int
    pages: int
    files: list[Entry]


class State(Struct, array_like=True):
    """What was seen: `stamp` of the list file, files that were read, directories of a tree.

    `pending` are files that could not be read: while it has any, nothing is called unchanged.
    """

    stamp: str = ""
    read: dict[str, Read] = {}
    seen: dict[str, Seen] = {}
    pending: list[str] = []
    problems: list[str] = []


class Last(Struct):
    """The row of the last scan; `mark` is of the database, the configuration and the options."""

    serial: int = 0
    mark: str = ""
    digest: str = ""
    due: int | None = None
    packed: bytes = b""

    def state(self) -> State:
        """Return what was seen; nothing if another version of this program wrote it."""
        return unpacked(self.packed)

    def holds(self, mark: str, digest: str, now: float) -> bool:
        """Whether a scan would write nothing."""
        return (
            self.digest != ""
            and (self.mark, self.digest) == (mark, digest)
            and (self.due is None or now <= self.due)
        )


def read_last(link: Link, category: int) -> Last:
    """Return what the last scan left."""
    rows = link.query(READ_STATE, {"category": category})
    if not rows:
        return Last()
    try:
        return msgspec.convert(dict(zip(_FIELDS, rows[0], strict=True)), Last)
    except msgspec.ValidationError:
        # Somebody else has written this row, such as with a NULL: it says nothing.
        return Last()


def make_mark(link: Link, category: int, about: Mapping[str, object]) -> str:
    """Return a text that changes when something else than the primary calls for a scan."""
    counts = link.query(MARK, {"category": category})[0]
    return " ".join(map(str, (_FORMAT, *about.values(), *counts)))


def has_same_task(mark: str, other: str) -> bool:
    """Whether two marks differ in nothing but the numbers of rows."""
    return mark.rsplit(" ", _COUNTS)[0] == other.rsplit(" ", _COUNTS)[0]


def packed(state: State) -> bytes:
    """Return a state as the database keeps it."""
    return bytes([_FORMAT]) + zlib.compress(msgspec.msgpack.encode(state), 1)


def unpacked(data: bytes) -> State:
    """Return what `packed` made; an empty state of anything else."""
    if data[:1] != bytes([_FORMAT]):
        return State()
    try:
        return msgspec.msgpack.decode(zlib.decompress(data[1:]), type=State)
    except (zlib.error, msgspec.DecodeError):
        return State()
