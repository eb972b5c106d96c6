"""Which directories a host category has up to date: sets of ids, equal ones as one object."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

# Directories of a part of a category: with half or twice as many it takes as long.
_PART = 256

# Python 3.11 does not know `array[int]`.
if TYPE_CHECKING:
    _Array = array[int]
else:
    _Array = array


class Directories(_Array):
    """The ids of a host category's directories, sorted; equal sets are one object.

    It remembers which of the directories of a category it has, because a watch asks for the same
    at its next export.
    """

    _found: tuple[bytes, bytes] | None = None

    def flags(self, asked: "Asked") -> bytes:
        """Return for each directory that is asked for whether it is in this set."""
        if self._found is None or self._found[0] != asked.key:
            self._found = asked.key, asked.flags_of(self)
        return self._found[1]


class Asked:
    """The directories of a category, for which each set is asked.

    Two sets nearly always have the same of most parts of the category, also if they differ
    elsewhere. So the flags of a part are remembered by what a set has there.
    """

    def __init__(self, directories: Sequence[int]) -> None:
        """Take the ids, sorted."""
        self.key = array("q", directories).tobytes()
        self._parts: list[tuple[Sequence[int], dict[tuple[str, bytes], bytes]]] = [
            (directories[at : at + _PART], {}) for at in range(0, len(directories), _PART)
        ]

    def flags_of(self, ids: Directories) -> bytes:
        """Return the flags of a set."""
        found, begin, kind = [], 0, ids.typecode
        for part, known in self._parts:
            end = bisect_right(ids, part[-1], begin)
            own = ids[begin:end]
            begin, key = end, (kind, own.tobytes())
            flags = known.get(key)
            if flags is None:
                flags = known[key] = bytes(map({*own}.__contains__, part))
            found.append(flags)
        return b"".join(found)


class Carried(NamedTuple):
    """The rows of host_category_dir that are up to date: sorted directory ids by host category.

    `rows` counts all of them. `unnamed` of them have no directory, and `first_unnamed` is the
    lowest id of these.
    """

    directories: Mapping[int, Directories]
    rows: int
    unnamed: int = 0
    first_unnamed: int | None = None


class Shared:
    """Makes sets of directories, equal ones as one object: the hosts of a subtree often agree."""

    def __init__(self, known: Iterable[Directories] = ()) -> None:
        """Take sets that are there already."""
        self._known: dict[bytes, Directories] = {one.tobytes(): one for one in known}

    def of(self, ids: Sequence[int]) -> Directories:
        """Return the set of these ids."""
        made = _sorted(ids)
        return self._known.setdefault(made.tobytes(), made)

    def of_bytes(self, data: bytes) -> Directories:
        """Return the set of what SETS gave."""
        ids = array("q", data)
        # The network's order of bytes is the other one than that of all usual machines.
        if not _IS_BIG_ENDIAN:
            ids.byteswap()
        return self.of(ids)


_IS_BIG_ENDIAN = array("H", [1]).tobytes() == b"\0\1"


def _sorted(ids: Iterable[int]) -> Directories:
    ordered = sorted(ids)
    # Four bytes an id, as in the database's INTEGER; eight in a database that was widened.
    fits = not ordered or (ordered[0] >= -(1 << 31) and ordered[-1] < 1 << 31)
    return Directories("i" if fits else "q", ordered)
