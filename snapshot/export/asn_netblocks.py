"""All networks of an ASN file in a few bytes each, and the ranges of those that hosts need."""

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv6Address
from itertools import chain, compress, count
from operator import ne

from snapshot.export.asn_lines import Networks, PlainNetworks
from snapshot.file.model import Ranges

_MAPPED = IPv6Address("::ffff:0:0").packed[:12]


class AsnNetblocks:
    """All networks of an ASN file with their ASNs, in a few bytes a network.

    All of them are kept, because the file is read at the same time as the database, and only the
    hosts from the database say which ASNs are needed.
    """

    def __init__(self) -> None:
        self._ipv4, self._ipv6 = _Family(4), _Family(6)
        self._last: tuple[set[int], Ranges] | None = None

    def __len__(self) -> int:
        return len(self._ipv4.asns) + len(self._ipv6.asns)

    def add(self, packed: bytes, prefix_length: int, asn: int) -> None:
        """Add a network: an address of it, 4 or 16 bytes, and its prefix length."""
        if packed[:12] == _MAPPED and prefix_length >= 96:
            # Clients with IPv4-mapped addresses are IPv4 clients.
            packed, prefix_length = packed[12:], prefix_length - 96
        if not prefix_length:
            # "A default route says nothing about its addresses and is ignored, by
            # `mirrorlist-server` too." (docs/mirrormanager.md#networks-of-asns)
            return
        family = self._ipv6 if len(packed) == 16 else self._ipv4
        family.add(Networks(packed, bytes([prefix_length]), array("I", [asn])))
        self._last = None

    def add_all(self, networks: PlainNetworks) -> None:
        """Add networks that are neither default routes nor IPv4 ones within IPv6."""
        self._ipv4.add(networks.ipv4)
        self._ipv6.add(networks.ipv6)
        self._last = None

    def ranges(self, needed: set[int]) -> Ranges:
        """Return the ranges of the needed ASNs, without the more specific networks of others.

        The last result is kept, because hosts seldom get another ASN.
        """
        if self._last is None or self._last[0] != needed:
            self._last = needed, self._make_ranges(needed)
        return self._last[1]

    def _make_ranges(self, needed: set[int]) -> Ranges:
        (starts4, values4), (starts6, values6) = (
            family.ranges(needed) for family in (self._ipv4, self._ipv6)
        )
        return Ranges(array("I", starts4), array("I", values4), starts6, array("I", values6))


class _Family:
    """The networks of one IP version, as columns in the order of the file."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.packed = bytearray()
        self.prefix_lengths = bytearray()
        self.asns = array("I")
        width = 32 if version == 4 else 128
        self._end = 1 << width
        # By prefix length.
        self._sizes = [1 << width - length for length in range(width + 1)]
        self._masks = [self._end - size for size in self._sizes]

    def add(self, networks: Networks) -> None:
        """Add networks behind those that are here."""
        self.packed += networks.packed
        self.prefix_lengths += networks.prefix_lengths
        self.asns += networks.asns

    def ranges(self, needed: set[int]) -> tuple[list[int], list[int]]:
        """Return where a range begins and its ASN: a needed one, or 0 for any other."""
        addresses = self._addresses()
        keys = self._keys(addresses, self._of_asns(needed))
        # In the order of the file, because the last of two equal networks counts.
        indexes = sorted(_within(addresses, self._outermost(keys)))
        asns = map(self.asns.__getitem__, indexes)
        found = dict(zip(self._keys(addresses, indexes), asns, strict=True))
        edges = self._edges({key: asn if asn in needed else 0 for key, asn in found.items()})
        # Neighbours with equal ASNs are one range.
        values = [*edges.values()]
        differs = [*map(ne, values, chain([0], values))]
        return [*compress(edges, differs)], [*compress(values, differs)]

    def _of_asns(self, needed: set[int]) -> Iterator[int]:
        return compress(count(), map(needed.__contains__, self.asns))

    def _addresses(self) -> Sequence[int]:
        if self.version == 4:
            return struct.unpack(f">{len(self.asns)}I", self.packed)
        halves = struct.unpack(f">{2 * len(self.asns)}Q", self.packed)
        return [high << 64 | low for high, low in zip(halves[::2], halves[1::2], strict=True)]

    def _keys(self, addresses: Sequence[int], indexes: Iterable[int]) -> list[int]:
        """Return networks as numbers in their order: the first address, then the prefix length."""
        masks, prefix_lengths = self._masks, self.prefix_lengths
        return [
            (addresses[index] & masks[prefix_lengths[index]]) << 8 | prefix_lengths[index]
            for index in indexes
        ]

    def _outermost(self, keys: Iterable[int]) -> Iterator[tuple[int, int]]:
        """Yield the first and the last address of networks that lie in no other, sorted."""
        last = -1
        for key in sorted(keys):
            first = key >> 8
            if first > last:
                last = first + self._sizes[key & 255] - 1
                yield first, last

    def _edges(self, asns: Mapping[int, int]) -> dict[int, int]:
        """Return the ASN from each edge of a network to the next edge, in order.

        "The longest prefix wins" (docs/mirrormanager.md#networks-of-asns), so the ASN of the
        network around it is ignored.
        """
        sizes, edges = self._sizes, dict[int, int]()
        # The networks around the one that we are inside, with their last addresses.
        around: list[tuple[int, int]] = []
        last, asn = self._end, 0
        for key in (*sorted(asns), self._end << 8):
            first = key >> 8
            while last < first:
                edge = last + 1
                last, asn = around.pop()
                edges[edge] = asn
            if first < self._end:
                around.append((last, asn))
                last, asn = first + sizes[key & 255] - 1, asns[key]
                edges[first] = asn
        # Behind the very last address nothing begins.
        edges.pop(self._end, None)
        return edges


def _within(addresses: Sequence[int], networks: Iterable[tuple[int, int]]) -> Iterator[int]:
    """Yield the index of each address that is in one of some networks."""
    rising = sorted(addresses)
    order: Sequence[int] = range(len(rising))
    # A file is usually sorted.
    if rising != [*addresses]:
        order = sorted(order, key=addresses.__getitem__)
    for first, last in networks:
        begin = bisect_left(rising, first)
        yield from order[begin : bisect_right(rising, last, begin)]
