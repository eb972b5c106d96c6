"""Finds the value of an address, such as its ASN: one bisection over sorted ranges."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

from mirrorlist.request.address import BITS, Address
from snapshot.file.model import Ranges

_BEYOND = 1 << 128
BLOCK_PREFIX = {4: 16, 6: 32}
"""The prefix lengths of blocks: networks of the size that operators get."""
BLOCK_SHIFT = {version: BITS[version] - length for version, length in BLOCK_PREFIX.items()}
"""How far to the right the value of an address is shifted to get the number of its block."""
BLOCKS4 = 1 << BLOCK_PREFIX[4]
"""How many blocks IPv4 has."""
# Without a look into a dictionary: each client has an address.
_SHIFT4 = BLOCK_SHIFT[4]


class RangeTable:
    """Address ranges of both families, each with a value; 0 stands for an unknown one."""

    def __init__(self, ranges: Ranges) -> None:
        """Take ranges in the order of their starts."""
        self._starts = {4: ranges.starts4, 6: ranges.starts6}
        self._values = {4: ranges.values4, 6: ranges.values6}

    def find(self, address: Address) -> int:
        """Return the value of an address: about 0.5 us, more by the logarithm of the ranges."""
        # A range ends where the next one starts, so only starts are compared.
        index = bisect_right(self._starts[address.version], address.value)
        return self._values[address.version][index - 1] if index else 0


class Edges:
    """Where any of some tables begins and ceases to know something: one bisection for all."""

    def __init__(self, *tables: Ranges) -> None:
        """Take the tables."""
        edges4 = _edges([known for one in tables for known in _known(one.starts4, one.values4)])
        edges6 = _edges([known for one in tables for known in _known(one.starts6, one.values6)])
        # Those of IPv4 are one piece of memory, because a bisection of separate integers waits for
        # each of them. No address is at the end of the last range, so it can be left out.
        self._edges4 = array("L", [edge for edge in edges4 if edge < _BEYOND])
        self._edges6 = edges6
        self._blocks = _blocks(edges4)

    def __contains__(self, address: Address) -> bool:
        """Return whether any table knows something at an address: about 0.2 us."""
        version, value = address
        # Nearly all addresses are in blocks of which nothing is known: one look is enough.
        if version == 4 and not self._blocks[value >> _SHIFT4]:
            return False
        edges = self._edges4 if version == 4 else self._edges6
        # Beginnings and ends take turns, so an odd place is behind a beginning.
        return bisect_right(edges, value) % 2 == 1

    def has_block(self, address: Address) -> bool:
        """Return whether any table knows something at any address of an address's block."""
        version, value = address
        shift = BLOCK_SHIFT[version]
        block = value >> shift
        if version == 4:
            return bool(self._blocks[block])
        first = bisect_right(self._edges6, block << shift)
        return first % 2 == 1 or first < bisect_left(self._edges6, (block + 1) << shift)


def _known(starts: Sequence[int], values: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield where a table knows something: from the first address to before the second one."""
    ends = chain(pairwise(starts), [(starts[-1], _BEYOND)] if starts else [])
    return (span for span, value in zip(ends, values, strict=True) if value)


def _edges(spans: list[tuple[int, int]]) -> list[int]:
    """Return the beginnings and ends of spans, as few as they can be."""
    edges: list[int] = []
    for start, end in sorted(spans):
        if edges and start <= edges[-1]:
            edges[-1] = max(edges[-1], end)
        else:
            edges += (start, end)
    return edges


def _blocks(edges4: Sequence[int]) -> bytes:
    """Return a byte for each block of IPv4: 1 if anything is known of an address in it."""
    blocks = bytearray(BLOCKS4)
    for start, end in zip(edges4[::2], edges4[1::2], strict=True):
        first, last = start >> _SHIFT4, (min(end, 1 << 32) - 1) >> _SHIFT4
        blocks[first : last + 1] = b"\1" * (last + 1 - first)
    return bytes(blocks)
