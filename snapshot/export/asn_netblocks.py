"""All networks of an ASN file in a few bytes each, and the ranges of those that hosts need."""

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv6Address
from itertools import compress

from snapshot.export.asn_lines import Networks, PlainNetworks
from snapshot.export.netblock import Netblock, flatten_both, make_ranges
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
        netblocks = dict(self._ipv4.needed(needed))
        netblocks.update(self._ipv6.needed(needed))
        # "The longest prefix wins" (docs/mirrormanager.md#networks-of-asns): the value of the
        # network around it is ignored.
        return make_ranges(*flatten_both(netblocks, 0, lambda value, _: value))


class _Family:
    """The networks of one IP version, as columns in the order of the file."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.packed = bytearray()
        self.prefix_lengths = bytearray()
        self.asns = array("I")
        self._width = 32 if version == 4 else 128

    def add(self, networks: Networks) -> None:
        """Add networks behind those that are here."""
        self.packed += networks.packed
        self.prefix_lengths += networks.prefix_lengths
        self.asns += networks.asns

    def needed(self, needed: set[int]) -> Iterator[tuple[Netblock, int]]:
        """Yield the networks of needed ASNs, and other ASNs' networks within them as ASN 0."""
        addresses = self._addresses()
        found = compress(range(len(addresses)), map(needed.__contains__, self.asns))
        outermost = _outermost(self._netblocks(addresses, found))
        # In the order of the file, because the last of two equal networks counts.
        indexes = sorted(_within(addresses, outermost))
        asns = map(self.asns.__getitem__, indexes)
        for netblock, asn in zip(self._netblocks(addresses, indexes), asns, strict=True):
            yield netblock, asn if asn in needed else 0

    def _addresses(self) -> Sequence[int]:
        if self.version == 4:
            return struct.unpack(f">{len(self.asns)}I", self.packed)
        halves = struct.unpack(f">{2 * len(self.asns)}Q", self.packed)
        return [high << 64 | low for high, low in zip(halves[::2], halves[1::2], strict=True)]

    def _netblocks(self, addresses: Sequence[int], indexes: Iterable[int]) -> Iterator[Netblock]:
        version, width, prefix_lengths = self.version, self._width, self.prefix_lengths
        for index in indexes:
            host_bits = width - (prefix_length := prefix_lengths[index])
            yield Netblock(version, addresses[index] >> host_bits << host_bits, prefix_length)


def _within(addresses: Sequence[int], netblocks: Iterable[Netblock]) -> Iterator[int]:
    """Yield the index of each address that is in one of some networks."""
    order = sorted(range(len(addresses)), key=addresses.__getitem__)
    rising = sorted(addresses)
    for netblock in netblocks:
        begin = bisect_left(rising, netblock.first)
        yield from order[begin : bisect_right(rising, netblock.last, begin)]


def _outermost(netblocks: Iterable[Netblock]) -> Iterator[Netblock]:
    """Yield the networks that lie in no other network, sorted."""
    last = -1
    for netblock in sorted(netblocks):
        if netblock.first > last:
            last = netblock.last
            yield netblock
