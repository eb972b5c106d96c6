"""Sizes and SHA-256 sums of single files, such as packages: two sections, read in place.

`file_sums` has 43 bytes a file and stays in the file. `file_index`, which is in memory, says where
in it the files of a *bucket* are, and has a digest of each bucket: a bucket with other bytes gives
no answer. A path is looked up by 64 bits of its BLAKE2b: the first bits are the number of its
bucket, and the last 56 stand in the bucket. At the end of `file_index` is a map of the few files
that have no place in a bucket: several paths with the same 64 bits, and files of 4 GiB and more.
"""

import hashlib
import struct
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

import msgspec

from snapshot.file.errors import DamagedSums
from snapshot.file.filerange import FileRange
from snapshot.file.integers import integers, little_endian
from snapshot.file.model import FileSum, PackedSums

INDEX, SUMS = "file_index", "file_sums"
"""The names of the two sections."""
STATE_BYTES = 16
# What stands in memory and what in the file: a bucket has 64 to 128 files, so it is about 4 KiB.
FILES_A_BUCKET = 128
_LEAST_BITS, _MOST_BITS = 8, 24
_KEY, _REST, _SIZE, _SUM = 8, 7, 4, 32
FILE_BYTES = _REST + _SIZE + _SUM
_DIGEST = 8
_HEADER = struct.Struct(f"<{STATE_BYTES}sQII")
_LARGE = 1 << 32
MOST_NAMED_BYTES = 1 << 20
"""How large the map of paths may be: about 7,000 files of 4 GiB and more."""
# At most what a file has in the map beside its path: three lengths, a size and a sum.
_NAMED_EXTRA = 5 + 1 + 9 + 2 + 32

Key = Callable[[bytes], bytes]


class Packed(NamedTuple):
    """Two sections, and how many paths are left out: sources differ, or there is no room."""

    sections: PackedSums
    left_out: int


Files = Iterable[tuple[str, FileSum]]
"""Paths without outer slashes, and what is known of each; a path may come several times."""


def path_key(path: bytes) -> bytes:
    """Return the eight bytes that stand for a path."""
    return hashlib.blake2b(path, digest_size=_KEY).digest()


def pack_file_sums(state: bytes, files: Callable[[], Files], key: Key = path_key) -> Packed:
    """Return the sections of files; `state` says from what they were made, in 16 bytes.

    The files are asked for again if there is one that has no place in a bucket. Meanwhile, each
    takes 44 bytes of memory, and what Python adds to them. A path with several sums or sizes is
    left out, because any of them may be wrong.
    """
    records, doubtful = [], set()
    for path, one in files():
        name = key(path.encode())
        if one.size < _LARGE:
            records.append(name + one.size.to_bytes(_SIZE, "little") + one.sha256)
        else:
            doubtful.add(name)
    records.sort()
    doubtful |= _doubtful(records)
    beside = _by_path(files(), key, doubtful) if doubtful else {}
    named = {path: one for path, (one, *more) in sorted(beside.items()) if not more}
    fitting = _fitting(named)
    left_out = len(beside) - len(fitting)
    return Packed(_packed(state, _kept(records, doubtful), fitting), left_out)


def _by_path(files: Files, key: Key, keys: set[bytes]) -> dict[str, set[FileSum]]:
    """Return all that is said of the files with some keys."""
    found: dict[str, set[FileSum]] = defaultdict(set)
    for path, one in files:
        if key(path.encode()) in keys:
            found[path].add(one)
    return found


def _fitting(named: Mapping[str, FileSum]) -> dict[str, FileSum]:
    """Return as many files as fit into the map, which is decoded to memory."""
    found, room = {}, MOST_NAMED_BYTES
    for path, one in named.items():
        room -= len(path.encode()) + _NAMED_EXTRA
        if room < 0:
            break
        found[path] = one
    return found


def _doubtful(records: list[bytes]) -> set[bytes]:
    """Return the keys of records that differ: of several paths, or of one with several sums."""
    return {
        one[:_KEY]
        for one, other in pairwise(records)
        if one[:_KEY] == other[:_KEY] and one != other
    }


def _kept(records: list[bytes], doubtful: set[bytes]) -> list[bytes]:
    """Return the records, each once, without those of some keys."""
    return [
        one
        for at, one in enumerate(records)
        if (not at or records[at - 1] != one) and one[:_KEY] not in doubtful
    ]


def _packed(state: bytes, records: list[bytes], beside: Mapping[str, object]) -> PackedSums:
    bits = min(max(_LEAST_BITS, (len(records) // FILES_A_BUCKET).bit_length()), _MOST_BITS)
    digests, ends, sums = bytearray(), array("I"), bytearray()
    at, last = 0, 1 << bits
    for bucket in range(1, last + 1):
        begin = at
        first = (bucket << (32 - bits)).to_bytes(5, "big")[1:]
        at = bisect_left(records, first, begin) if bucket < last else len(records)
        data = _columns(records[begin:at])
        digests += _digest(data)
        ends.append(at)
        sums += data
    names = msgspec.msgpack.encode(beside, order="deterministic") if beside else b""
    header = _HEADER.pack(state, len(records), bits, len(names))
    return PackedSums(header + bytes(digests) + little_endian(ends) + names, bytes(sums))


def _columns(records: list[bytes]) -> bytes:
    """Return a bucket: what is left of the keys, then the sizes, then the sums."""
    rests = [one[_KEY - _REST : _KEY] for one in records]
    sizes = [one[_KEY : _KEY + _SIZE] for one in records]
    return b"".join([*rests, *sizes, *[one[_KEY + _SIZE :] for one in records]])


def _bucket(key: bytes, bits: int) -> int:
    return int.from_bytes(key[:4], "big") >> (32 - bits)


def _digest(bucket: bytes) -> bytes:
    return hashlib.blake2b(bucket, digest_size=_DIGEST).digest()


class FileSums:
    """The stored sums, looked up one by one."""

    def __init__(self, index: memoryview, sums: FileRange | None, key: Key = path_key) -> None:
        """Take the two sections, the second only if it has any bytes.

        Raises ValueError, struct.error or an error of decoding if they do not fit.
        """
        self.count: int
        state, self.count, bits, names = _HEADER.unpack_from(index)
        self.state = bytes(state)
        """From what the sums were made."""
        if not _LEAST_BITS <= bits <= _MOST_BITS:
            raise ValueError(f"{bits} bits of buckets")
        ends = _HEADER.size + (_DIGEST << bits)
        beside = ends + (4 << bits)
        if len(index) != beside + names:
            raise ValueError("the columns have the wrong length")
        self.damaged = 0
        """How many lookups found a bucket with other bytes."""
        self._bits, self._sums, self._key = bits, sums, key
        self._digests = index[_HEADER.size : ends]
        self._ends = integers(index[ends:beside], "I")
        self._named = _named(index[beside:])
        length = sums.length if sums else 0
        if length != self.count * FILE_BYTES or self._ends[-1] != self.count:
            raise ValueError("another number of files")
        # At C speed, so that no lookup can point outside.
        if sorted(self._ends) != list(self._ends):
            raise ValueError("buckets that do not rise")

    def packed(self, index: bytes) -> PackedSums | None:
        """Return the two sections, given the first; None if the second is not as it was written."""
        try:
            data = b"".join(self._sums.chunks()) if self._sums else b""
        except OSError:
            return None
        ends = [0, *self._ends]
        buckets = (data[a * FILE_BYTES : b * FILE_BYTES] for a, b in pairwise(ends))
        is_sound = b"".join(map(_digest, buckets)) == self._digests
        return PackedSums(index, data) if is_sound else None

    def find(self, path: str) -> FileSum | None:
        """Return what is known of a file; raises DamagedSums if its bucket is not as written."""
        name = path.encode(errors="replace")
        key = self._key(name)
        found = self._in_bucket(_bucket(key, self._bits), key[_KEY - _REST :])
        return self._named.get(path) if found is None else found

    def _in_bucket(self, bucket: int, rest: bytes) -> FileSum | None:
        begin = self._ends[bucket - 1] if bucket else 0
        count = self._ends[bucket] - begin
        if not count or self._sums is None:
            return None
        data = self._read(self._sums, bucket, begin * FILE_BYTES, count * FILE_BYTES)
        at = next(_places(data[: count * _REST], rest), None)
        if at is None:
            return None
        sizes, sums = count * _REST, count * (_REST + _SIZE)
        size = data[sizes + at * _SIZE : sizes + (at + 1) * _SIZE]
        sha256 = data[sums + at * _SUM : sums + (at + 1) * _SUM]
        return FileSum(int.from_bytes(size, "little"), sha256)

    def _read(self, sums: FileRange, bucket: int, start: int, length: int) -> bytes:
        try:
            data = sums.read(start, length)
        except OSError:
            data = b""
        if _digest(data) != self._digests[bucket * _DIGEST : (bucket + 1) * _DIGEST]:
            self.damaged += 1
            raise DamagedSums("the snapshot was changed since it was opened; export it again")
        return data


def _named(data: memoryview) -> dict[str, FileSum]:
    """Return the files that are known by their whole paths; raises ValueError."""
    if len(data) > MOST_NAMED_BYTES:
        raise ValueError(f"{len(data):,} bytes, more than the limit of {MOST_NAMED_BYTES:,}")
    found = _decoder.decode(data) if len(data) else {}
    if any(one.size < 0 or len(one.sha256) != _SUM for one in found.values()):
        raise ValueError("a size or a sum that cannot be")
    return found


_decoder = msgspec.msgpack.Decoder(dict[str, FileSum])


def _places(rests: bytes, sought: bytes) -> Iterator[int]:
    """Yield the numbers of the entries in a column that are the bytes sought."""
    at = rests.find(sought)
    while at >= 0:
        if at % _REST == 0:
            yield at // _REST
        at = rests.find(sought, at + 1)
