"""Reads an mmdb file from a copy of its bytes, and finds damage in it.

The format is that of https://maxmind.github.io/MaxMind-DB/: a tree of nodes by the bits of an
address, records that the tree points at, metadata at the end; it has no checksum. Everything here
is Python, on bytes in memory: the worst that a damaged file can do is to raise DamagedMmdb, after
work that the file's size bounds.
"""

import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from snapshot.file.mmdb_values import DamagedMmdb, Values
from snapshot.file.wholefile import MOST_DATA_BYTES, open_regular, read_open

MARKER = b"\xab\xcd\xefMaxMind.com"
# The format promises its marker within the last 128 KiB.
_TAIL_BYTES = 128 * 1024
_GAP = 16
_HIGH, _LOW = bytes(byte >> 4 for byte in range(256)), bytes(byte & 15 for byte in range(256))
_IPV4_BITS, _IPV6_BITS = 32, 128
# Three networks lead to the IPv4 tree again, on purpose: ::ffff:0:0/96, 2002::/16 and 2001::/32.
_MOST_ALIASES = 16
# The latest time that `datetime` can express.
_LAST_SECOND = 253_402_300_799


class Metadata(Struct, frozen=True):
    """The metadata in a file; `build_epoch` is in seconds since 1970, UTC."""

    binary_format_major_version: Literal[2]
    node_count: int
    record_size: Literal[24, 28, 32]
    ip_version: Literal[4, 6]
    database_type: str
    build_epoch: Annotated[int, Meta(le=_LAST_SECOND)]


class Mmdb:
    """A file whose tree was verified: each node is reached, each end points at a record."""

    def __init__(self, data: bytes, most_looks: int | None = None) -> None:
        """Take the bytes of a file; raises DamagedMmdb.

        With `most_looks`, only an even sample of about this many ends of nodes is checked in a
        larger tree, and `records` are those of the sample. This is for callers who look addresses
        up by a reader that survives damage, and only want to know that the file is sound.
        """
        self.metadata, end = _metadata(data)
        nodes, size = self.metadata.node_count, self.metadata.record_size
        tree = nodes * size // 4
        if tree + _GAP > end:
            raise DamagedMmdb("its tree is cut short")
        if any(data[tree : tree + _GAP]):
            raise DamagedMmdb("its tree does not end where it says")
        self._records = _columns(data[:tree], size)
        self._values = Values(data, tree + _GAP, end)
        # A tree points at records by a number behind those of the nodes and the gap.
        self._first = nodes + _GAP
        self.records = self._verify(end - tree - _GAP, most_looks)

    def value(self, index: int) -> object:
        """Return the record at a place of `records`; raises DamagedMmdb."""
        return self._values.read(index)

    def networks(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield each network: IP version, first address, prefix length, place of its record.

        IPv4 networks come once, although an IPv6 tree has them under several prefixes.
        """
        nodes, top = self.metadata.node_count, self._bits
        ipv4 = self._ipv4_node()
        waiting, steps = [(0, 0, 0)] if nodes else [], 0
        while waiting:
            node, address, depth = waiting.pop()
            if node < nodes:
                if depth == top or (node == ipv4 and address):
                    continue
                steps += 1
                if steps > 4 * nodes:
                    raise DamagedMmdb("its tree leads in circles")
                bit = address | 1 << (top - depth - 1)
                waiting.append((self._records[2 * node + 1], bit, depth + 1))
                waiting.append((self._records[2 * node], address, depth + 1))
            elif node > nodes:
                yield (*_network(address, depth, top), node - self._first)

    @property
    def _bits(self) -> int:
        return _IPV4_BITS if self.metadata.ip_version == 4 else _IPV6_BITS

    def _ipv4_node(self) -> int | None:
        """Return the node of ::/96, which other prefixes lead to as well; None without one."""
        node = 0
        for _ in range(_IPV6_BITS - _IPV4_BITS):
            if self._bits == _IPV4_BITS or node >= self.metadata.node_count:
                return None
            node = self._records[2 * node]
        return node if node < self.metadata.node_count else None

    def _verify(self, size: int, most: int | None) -> list[int]:
        """Return the places of the records, rising; 60 ns of CPU an end of a node looked at."""
        nodes = self.metadata.node_count
        every = _step(len(self._records), most)
        reached, ends, links = bytearray(nodes), set[int](), 0
        for number in self._records[::every] if every > 1 else self._records:
            if number < nodes:
                reached[number] = 1
                links += 1
            elif number > nodes:
                ends.add(number)
        # A writer numbers only nodes that are in the tree, so a node that is not reached means
        # damage. In a sample, damage shows because many nodes are reached more than once.
        lost = reached.count(0) - 1 if every == 1 else links - reached.count(1) - _MOST_ALIASES
        if nodes and (reached[0] or lost > 0):
            raise DamagedMmdb("its tree does not hang together")
        places = sorted(number - self._first for number in ends)
        # `max` at C speed, so that all ends are checked, however large the tree is.
        last = max(self._records, default=nodes)
        if (places and places[0] < 0) or (last > nodes and last - self._first >= size):
            raise DamagedMmdb("its tree points outside its records")
        return places


def _step(count: int, most: int | None) -> int:
    """Return the distance between the sampled ends: odd, so that left and right ends are seen."""
    step = 1 if most is None else -(-count // most) or 1
    return step | 1


def is_mmdb(path: Path) -> bool:
    """Return whether a file ends like an mmdb; raises OSError."""
    with open_regular(path, MOST_DATA_BYTES) as file:
        file.seek(max(0, file.seek(0, 2) - _TAIL_BYTES))
        return MARKER in file.read(_TAIL_BYTES)


def read_mmdb(path: Path) -> bytes:
    """Return the bytes of an mmdb file; raises OSError, and DamagedMmdb without reading another."""
    if not is_mmdb(path):
        raise DamagedMmdb("it does not end like one")
    with open_regular(path, MOST_DATA_BYTES) as file:
        return read_open(file, MOST_DATA_BYTES)


def _network(address: int, depth: int, top: int) -> tuple[int, int, int]:
    if top == _IPV4_BITS:
        return 4, address, depth
    if address >> _IPV4_BITS == 0 and depth >= _IPV6_BITS - _IPV4_BITS:
        return 4, address, depth - _IPV6_BITS + _IPV4_BITS
    return 6, address, depth


def _metadata(data: bytes) -> tuple[Metadata, int]:
    """Return the metadata, and where the records end at the latest."""
    end = data.rfind(MARKER, max(0, len(data) - _TAIL_BYTES))
    if end < 0:
        raise DamagedMmdb("it does not end like one")
    start = end + len(MARKER)
    try:
        return msgspec.convert(Values(data, start, len(data)).read(0), Metadata), end
    except msgspec.ValidationError as error:
        raise DamagedMmdb(f"its metadata say: {error}") from error


def _columns(tree: bytes, size: int) -> "array[int]":
    """Return both ends of each node, one after the other: whole columns at C speed."""
    width = 8 if size == 28 else 4
    spread = bytearray(len(tree) * 8 // size * 4 if size != 28 else len(tree) // 7 * 8)
    for index, (start, step, table) in enumerate(_LAYOUT[size]):
        column = tree[start::step] if start is not None else None
        if column is not None:
            spread[index::width] = column.translate(table)
    records = array("I", bytes(spread))
    if sys.byteorder == "little":
        records.byteswap()
    return records


# For each byte of a big-endian end in 32 bits: its first offset, the step to the next, and the
# table that translates it; None is a zero byte.
_LAYOUT: dict[int, tuple[tuple[int | None, int, bytes | None], ...]] = {
    24: ((None, 3, None), (0, 3, None), (1, 3, None), (2, 3, None)),
    28: (
        (3, 7, _HIGH),
        (0, 7, None),
        (1, 7, None),
        (2, 7, None),
        (3, 7, _LOW),
        (4, 7, None),
        (5, 7, None),
        (6, 7, None),
    ),
    32: ((0, 4, None), (1, 4, None), (2, 4, None), (3, 4, None)),
}
