"""The names of directories in bytes: sorted, front-coded in blocks, found by bisection.

It is one of the sections' layouts, like those in `sections`.
"""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

from snapshot.file.integers import integers, little_endian
from snapshot.file.text import refuse_control

# Names a block: a lookup decodes one block, so smaller is faster and larger is more compact.
NAMES_PER_BLOCK = 16
# A reader's limits, so that few bytes cannot expand to many: the length of a path that a system
# could open, and eight times the names of a block.
MAX_NAME_BYTES = 4096
MAX_NAMES_PER_BLOCK = 128
_ONE_BYTE = 0x7F


def pack_names(names: Sequence[bytes]) -> bytes:
    """Return sorted names front-coded in blocks: the first whole, each next by what differs."""
    blocks, offsets, previous = bytearray(), array("I"), b""
    for index, name in enumerate(names):
        if index % NAMES_PER_BLOCK == 0:
            offsets.append(len(blocks))
            previous = b""
        shared = _shared_prefix(previous, name)
        blocks += _varint(shared) + _varint(len(name) - shared) + name[shared:]
        previous = name
    return struct.pack("<II", len(names), NAMES_PER_BLOCK) + little_endian(offsets) + bytes(blocks)


class Names:
    """The stored, sorted names, decoded a block at a time."""

    def __init__(self, view: memoryview) -> None:
        self.count: int
        self._per_block: int
        self.count, self._per_block = struct.unpack_from("<II", view)
        if self.count and not 0 < self._per_block <= MAX_NAMES_PER_BLOCK:
            raise ValueError("a block of too many names, or of none")
        blocks = -(-self.count // self._per_block) if self.count else 0
        self._offsets = integers(view[8 : 8 + 4 * blocks], "I")
        self._blocks = view[8 + 4 * blocks :]
        if len(self._offsets) != blocks:
            raise ValueError("the blocks' offsets are cut short")

    def __getitem__(self, index: int) -> bytes:
        """Return the name of an index."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        block, at = divmod(index, self._per_block)
        return self._block(block, at + 1)[at]

    def find(self, name: bytes) -> int | None:
        """Return the index of a name, or None: one bisection and one block, about 3 us."""
        number = bisect_right(self._firsts, name) - 1
        if number < 0:
            return None
        at = _place(self._blocks, self._offsets[number], self._in_block(number), name)
        return None if at is None else number * self._per_block + at

    def take_over(self, before: "Names") -> None:
        """Take what was decoded of equal names."""
        self._firsts = before._firsts

    @cached_property
    def _firsts(self) -> list[bytes]:
        return [self._block(number, 1)[0] for number in range(len(self._offsets))]

    def verify(self) -> None:
        """Raise ValueError unless every name is text, and sorted: about 0.8 us a name."""
        data, at, last = bytes(self._blocks), 0, b""
        for block, offset in enumerate(self._offsets):
            if offset != at:
                raise ValueError("a block is out of place")
            names, at = _decoded(data, at, self._in_block(block))
            # The empty name of the root comes first, before any name that is compared with it.
            if (block and names[0] <= last) or sorted(set(names)) != names:
                raise ValueError("names are not sorted")
            last = names[-1]
            verify_text(b"/".join(names).decode())
        if at != len(data):
            raise ValueError("bytes follow the last name")

    def all(self) -> list[bytes]:
        """Return every name, in order."""
        return [name for b in range(len(self._offsets)) for name in self._block(b, self.count)]

    def _block(self, block: int, most: int) -> list[bytes]:
        return _decoded(self._blocks, self._offsets[block], min(most, self._in_block(block)))[0]

    def _in_block(self, block: int) -> int:
        return min(self._per_block, self.count - block * self._per_block)


def _decoded(data: bytes | memoryview, at: int, count: int) -> tuple[list[bytes], int]:
    """Return the first `count` names of a block, and where they end."""
    name, names = b"", []
    for _ in range(count):
        # Inlined: nearly all numbers have one byte, and a call for each would double the time.
        shared, length = data[at], data[at + 1]
        at += 2
        if shared > _ONE_BYTE or length > _ONE_BYTE:
            shared, at = _read_varint(data, at - 2)
            length, at = _read_varint(data, at)
        end = at + length
        if shared > len(name) or end > len(data) or shared + length > MAX_NAME_BYTES:
            raise ValueError("a name is out of bounds")
        name = name[:shared] + bytes(data[at:end])
        at = end
        names.append(name)
    return names, at


def _place(data: memoryview, at: int, count: int, sought: bytes) -> int | None:
    """Return the place of a name among the first `count` of a block, None if it is not there.

    Only the bytes that may differ are compared: no name is put together.
    """
    # How many bytes the name before begins with that are those of the sought one.
    same = 0
    for place in range(count):
        # Inlined, as in `_decoded`, for the same reason.
        shared, length = data[at], data[at + 1]
        at += 2
        if shared > _ONE_BYTE or length > _ONE_BYTE:
            shared, at = _read_varint(data, at - 2)
            length, at = _read_varint(data, at)
        # A name that shares more with the name before differs where that one does.
        if shared <= same:
            same, left = shared, len(sought) - shared
            # Most neighbours differ in their first byte: `Packages/q`, `Packages/r`.
            if not (length and left and data[at] != sought[shared]):
                mine, rest = data[at : at + length], sought[shared:]
                if mine == rest:
                    return place
                same += _same_bytes(mine, rest)
        at += length
    return None


def _same_bytes(one: bytes | memoryview, other: bytes) -> int:
    """Return how many bytes two texts have in common before they differ."""
    count = min(len(one), len(other))
    # Their numbers differ from the bit on in which the bytes do.
    differing = int.from_bytes(one[:count], "big") ^ int.from_bytes(other[:count], "big")
    return count - (differing.bit_length() + 7) // 8


def verify_text(text: str) -> None:
    """Raise ValueError if a text has characters that cannot stand in a list."""
    if not (text.isascii() and text.isprintable()):
        refuse_control(text, "a text")


def _shared_prefix(one: bytes, other: bytes) -> int:
    length = min(len(one), len(other))
    for at in range(length):
        if one[at] != other[at]:
            return at
    return length


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(view: bytes | memoryview, position: int) -> tuple[int, int]:
    byte = view[position]
    if byte < 0x80:
        return byte, position + 1
    value = shift = 0
    while True:
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 28:
            raise ValueError("a length is out of bounds")
