"""Encodes and decodes the content of each section.

Small things are MessagePack; data that grows with the number of directories or netblocks has a
fixed layout that is read in place, so opening costs the same at any size. Integers are
little-endian. A view that contradicts itself raises ValueError, IndexError or struct.error;
`reader` turns these into MalformedSnapshot.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from snapshot.file.integers import integers, little_endian
from snapshot.file.model import Directory, FileDetail, History, Ranges
from snapshot.file.nametable import verify_text

# No host set, no category: the directory is in no category.
NO_HOST_SET = 0xFFFFFFFF
NO_CATEGORY = 0xFFFF
READABLE = 1
# Names a block: a lookup decodes one block, so smaller is faster and larger is more compact.
NAMES_PER_BLOCK = 16

# What a reader takes, so that few bytes cannot stand for many: a path that a system could open, and
# eight times the names of a block.
MAX_NAME_BYTES = 4096
MAX_NAMES_PER_BLOCK = 128

_ADDRESS6 = 16
_HASH_BYTES = {"md5": 16, "sha1": 20, "sha256": 32, "sha512": 64}

FileDetails = dict[str, tuple[FileDetail, ...]]
_file_details_decoder = msgspec.msgpack.Decoder(FileDetails)


def pack_host_sets(host_sets: Sequence[int], hosts: int) -> bytes:
    """Return bit sets of equal width, one bit a host, least significant bit first."""
    width = -(-hosts // 8)
    packed = b"".join(host_set.to_bytes(width, "little") for host_set in host_sets)
    return struct.pack("<II", len(host_sets), width) + packed


class HostSets:
    """The stored bit sets, read in place."""

    def __init__(self, view: memoryview) -> None:
        self.count: int
        self.count, self._width = struct.unpack_from("<II", view)
        self._bits = view[8:]
        if len(self._bits) != self.count * self._width:
            raise ValueError("the bit sets have the wrong length")

    def verify(self, hosts: int, directories: int) -> None:
        """Raise ValueError unless there are as many bits as hosts.

        Without hosts, host sets take no bytes, so only the directories bound their number.
        """
        if self._width != -(-hosts // 8) or (not hosts and self.count > directories + 1):
            raise ValueError("another number of hosts or directories")

    def __getitem__(self, index: int) -> int:
        """Return a host set as an integer whose bit i is the host of index i."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        start = index * self._width
        return int.from_bytes(self._bits[start : start + self._width], "little")


def pack_directories(directories: Sequence[Directory]) -> bytes:
    """Return the columns ctime, host set, category, flags of directories."""
    ctimes, host_sets, categories, flags = array("q"), array("I"), array("H"), bytearray()
    for directory in directories:
        ctimes.append(directory.ctime)
        host_sets.append(NO_HOST_SET if directory.host_set is None else directory.host_set)
        categories.append(NO_CATEGORY if directory.category is None else directory.category)
        flags.append(READABLE if directory.readable else 0)
    columns = [little_endian(column) for column in (ctimes, host_sets, categories)]
    return b"".join([struct.pack("<Q", len(directories)), *columns, flags])


class Directories:
    """The stored columns of directories, read in place."""

    def __init__(self, view: memoryview) -> None:
        self.count: int
        (self.count,) = struct.unpack_from("<Q", view)
        n = self.count
        if len(view) != 8 + n * (8 + 4 + 2 + 1):
            raise ValueError("the columns have the wrong length")
        self.ctimes = integers(view[8 : 8 + 8 * n], "q")
        self.host_sets = integers(view[8 + 8 * n : 8 + 12 * n], "I")
        self.categories = integers(view[8 + 12 * n : 8 + 14 * n], "H")
        self._flags = view[8 + 14 * n :]

    def get(self, index: int, name: str) -> Directory:
        """Return one directory, given its name from the name table."""
        category, host_set = self.place_of(index)
        return Directory(
            name=name,
            category=category,
            host_set=host_set,
            readable=bool(self._flags[index] & READABLE),
            ctime=self.ctimes[index],
        )

    def place_of(self, index: int) -> tuple[int | None, int | None]:
        """Return the category and the host set of one directory."""
        host_set, category = self.host_sets[index], self.categories[index]
        return (
            None if category == NO_CATEGORY else category,
            None if host_set == NO_HOST_SET else host_set,
        )

    def all(self, names: Iterable[str]) -> list[Directory]:
        """Return every directory, given all names from the name table."""
        columns = (self.categories, self.host_sets, self._flags, self.ctimes)
        return [
            Directory(
                name,
                None if category == NO_CATEGORY else category,
                None if host_set == NO_HOST_SET else host_set,
                bool(flags & READABLE),
                ctime,
            )
            for name, category, host_set, flags, ctime in zip(names, *columns, strict=True)
        ]


def pack_history(history: History) -> bytes:
    """Return the moments in rising order, how many directories have each, and which."""
    having: dict[int, list[int]] = {}
    for directory, moment in enumerate(history.moments):
        if moment:
            having.setdefault(moment, []).append(directory)
    moments = sorted(having)
    directories = array("I", [one for moment in moments for one in having[moment]])
    return b"".join(
        [
            struct.pack("<qqII", history.since, history.cursor, len(moments), len(directories)),
            little_endian(array("q", moments)),
            little_endian(array("I", [len(having[moment]) for moment in moments])),
            little_endian(directories),
        ]
    )


class HistoryTable:
    """The stored history; the moments of all directories are put together when asked for."""

    def __init__(self, view: memoryview) -> None:
        self.since: int
        self.cursor: int
        self.since, self.cursor, m, n = struct.unpack_from("<qqII", view)
        if len(view) != 24 + 12 * m + 4 * n:
            raise ValueError("the columns have the wrong length")
        self._moments = integers(view[24 : 24 + 8 * m], "q")
        self._counts = integers(view[24 + 8 * m : 24 + 12 * m], "I")
        self.directories = integers(view[24 + 12 * m :], "I")
        if sum(self._counts) != n:
            raise ValueError("another number of directories")

    def history(self, directories: int) -> History:
        """Return the history of this many directories."""
        moments, at = array("q", bytes(8 * directories)), 0
        for moment, count in zip(self._moments, self._counts, strict=True):
            for directory in self.directories[at : at + count]:
                moments[directory] = moment
            at += count
        return History(self.since, self.cursor, moments)


def pack_file_details(file_details: dict[int, FileDetails]) -> bytes:
    """Return an index of directories, then a MessagePack map of file details for each."""
    index, maps = array("I"), bytearray()
    for directory, files in sorted(file_details.items()):
        index.extend((directory, len(maps)))
        maps += msgspec.msgpack.encode(dict(sorted(files.items())))
    return struct.pack("<Q", len(file_details)) + little_endian(index) + bytes(maps)


class FileDetailTable:
    """The stored file details; a directory's map is decoded when it is asked for."""

    def __init__(self, view: memoryview) -> None:
        self.count: int
        (self.count,) = struct.unpack_from("<Q", view)
        if len(view) < 8 + 8 * self.count:
            raise ValueError("the index is cut short")
        index = integers(view[8 : 8 + 8 * self.count], "I")
        self._numbers, self._offsets = index[::2], index[1::2]
        self._maps = view[8 + 8 * self.count :]

    def get(self, directory: int) -> FileDetails:
        """Return the files of a directory with their details, newest first."""
        at = bisect_left(self._numbers, directory)
        if at == self.count or self._numbers[at] != directory:
            return {}
        start = self._offsets[at]
        end = self._offsets[at + 1] if at + 1 < self.count else len(self._maps)
        return _file_details_decoder.decode(self._maps[start:end])

    def verify(self, directories: int) -> None:
        """Raise ValueError, or an error of decoding, if any file's details cannot be used.

        Takes about 3 us a directory that has details.
        """
        numbers, offsets = list(self._numbers), list(self._offsets)
        if sorted(set(numbers)) != numbers or (numbers and numbers[-1] >= directories):
            raise ValueError("a directory that does not exist")
        # Otherwise a few bytes could be the details of many directories.
        if sorted(set(offsets)) != offsets or offsets[:1] not in ([], [0]):
            raise ValueError("details are out of place")
        for start, end in pairwise([*offsets, len(self._maps)]):
            for name, versions in _file_details_decoder.decode(self._maps[start:end]).items():
                verify_text(name)
                _verify_versions(versions)

    def directories(self) -> Iterable[int]:
        """Return the indexes of the directories that have file details, rising."""
        return self._numbers


def _verify_versions(versions: Sequence[FileDetail]) -> None:
    for one in versions:
        for kind, length in _HASH_BYTES.items():
            if len(getattr(one, kind)) not in (0, length):
                raise ValueError(f"a {kind} of another length")
        if one.timestamp < 0 or one.size < 0:
            raise ValueError("a number below 0")


def pack_ranges(ranges: Ranges) -> bytes:
    """Return both families' columns: IPv4 starts and values, IPv6 starts and values."""
    starts6 = b"".join(start.to_bytes(_ADDRESS6, "big") for start in ranges.starts6)
    return b"".join(
        [
            struct.pack("<II", len(ranges.starts4), len(ranges.starts6)),
            little_endian(array("I", ranges.starts4)),
            little_endian(array("I", ranges.values4)),
            little_endian(array("I", ranges.values6)),
            starts6,
        ]
    )


def unpack_ranges(view: memoryview) -> Ranges:
    """Return ranges as arrays of their own: 8 bytes an IPv4 range, about 50 an IPv6 one."""
    count4, count6 = struct.unpack_from("<II", view)
    if len(view) != 8 + 8 * count4 + (4 + _ADDRESS6) * count6:
        raise ValueError("the columns have the wrong length")
    ends = [8, 8 + 4 * count4, 8 + 8 * count4, 8 + 8 * count4 + 4 * count6]
    starts6 = view[ends[3] :]
    return Ranges(
        starts4=array("I", integers(view[ends[0] : ends[1]], "I")),
        values4=array("I", integers(view[ends[1] : ends[2]], "I")),
        values6=array("I", integers(view[ends[2] : ends[3]], "I")),
        starts6=[
            int.from_bytes(starts6[at : at + _ADDRESS6], "big")
            for at in range(0, len(starts6), _ADDRESS6)
        ],
    )
