"""Reads which networks belong to which ASN: `prefix ASN` lines or an ASN mmdb."""

import socket
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address
from pathlib import Path

from snapshot.export.leftout import LeftOutRows
from snapshot.export.netblock import Netblock, flatten_both, make_ranges
from snapshot.file.errors import DataFileError
from snapshot.file.mmdb import Mmdb, is_mmdb, read_mmdb
from snapshot.file.mmdb_values import DamagedMmdb
from snapshot.file.model import Ranges
from snapshot.file.wholefile import MOST_DATA_BYTES, lines_of, open_regular

# Long enough for an AS set of a thousand members.
_MOST_LINE_BYTES = 1 << 14
# A file of the wrong kind has only bad lines: the first ones are reported, the others counted.
_MOST_REPORTED = 20
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
        family.packed += packed
        family.prefix_lengths.append(prefix_length)
        family.asns.append(asn)
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

    def needed(self, needed: set[int]) -> Iterator[tuple[Netblock, int]]:
        """Yield the networks of needed ASNs, and other ASNs' networks within them as ASN 0."""
        starts, lasts = _outermost(
            self._netblock(index) for index, asn in enumerate(self.asns) if asn in needed
        )
        # The sentinel in front spares a special case for an index before the first start.
        lasts.append(-1)
        for index, address in enumerate(self._addresses()):
            if address <= lasts[bisect_right(starts, address) - 1]:
                asn = self.asns[index]
                yield self._netblock(index), asn if asn in needed else 0

    def _addresses(self) -> Iterable[int]:
        if self.version == 4:
            addresses = array("I", bytes(self.packed))
            if sys.byteorder == "little":
                addresses.byteswap()
            return addresses
        offsets = range(0, len(self.packed), 16)
        return (int.from_bytes(self.packed[at : at + 16], "big") for at in offsets)

    def _netblock(self, index: int) -> Netblock:
        width = 4 if self.version == 4 else 16
        address = int.from_bytes(self.packed[index * width : (index + 1) * width], "big")
        prefix_length = self.prefix_lengths[index]
        shift = width * 8 - prefix_length
        return Netblock(self.version, address >> shift << shift, prefix_length)


def _outermost(netblocks: Iterable[Netblock]) -> tuple[list[int], list[int]]:
    """The first and the last addresses of the networks that lie in no other network, sorted."""
    starts: list[int] = []
    lasts: list[int] = []
    for netblock in sorted(netblocks):
        if not lasts or netblock.first > lasts[-1]:
            starts.append(netblock.first)
            lasts.append(netblock.last)
    return starts, lasts


def read_asn_netblocks(path: Path, left_out: LeftOutRows) -> AsnNetblocks:
    """Read a whole file; raises DataFileError if it cannot be read or has no usable line."""
    netblocks = AsnNetblocks()
    try:
        if is_mmdb(path):
            _read_mmdb(path, netblocks)
        else:
            _read_lines(path, netblocks, left_out)
    except DamagedMmdb as error:
        raise DataFileError(f"{path}: damaged: {error}; fetch it again") from error
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise DataFileError(f"{path}: cannot be read: {why}") from error
    if not netblocks:
        raise DataFileError(f"{path}: no line of the form PREFIX ASN in it, such as 192.0.2.0/24 1")
    return netblocks


def check_readable(path: Path) -> None:
    """Raise DataFileError if a file cannot be opened for reading."""
    try:
        open_regular(path, MOST_DATA_BYTES).close()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise DataFileError(f"{path}: cannot be read: {why}") from error


def _read_mmdb(path: Path, netblocks: AsnNetblocks) -> None:
    mmdb = Mmdb(read_mmdb(path))
    # Each record is decoded once: there are far fewer records than networks.
    asns = {index: _asn_of(mmdb.value(index)) for index in mmdb.records}
    for version, address, prefix_length, index in mmdb.networks():
        asn = asns[index]
        if asn is not None:
            packed = address.to_bytes(4 if version == 4 else 16, "big")
            netblocks.add(packed, prefix_length, asn)


def _asn_of(record: object) -> int | None:
    asn = record.get("autonomous_system_number") if isinstance(record, dict) else None
    if asn is not None and (type(asn) is not int or not 0 <= asn < 1 << 32):
        raise DamagedMmdb("a record's autonomous_system_number is not an ASN")
    return asn


def _read_lines(path: Path, netblocks: AsnNetblocks, left_out: LeftOutRows) -> None:
    bad = 0
    with open_regular(path, MOST_DATA_BYTES) as file:
        for number, line in enumerate(lines_of(file, _MOST_LINE_BYTES, whole=True), 1):
            fields = line.decode("ascii", "replace").split()
            if not fields or fields[0].startswith("#"):
                continue
            try:
                prefix, origin = _columns(fields)
                packed, prefix_length = _network(prefix)
                asn = _number(origin)
            except (ValueError, OSError, IndexError):
                bad += 1
                if bad <= _MOST_REPORTED:
                    left_out.add("asn file", number, "not a line PREFIX ASN")
                continue
            netblocks.add(packed, prefix_length, asn)
    if bad > _MOST_REPORTED:
        left_out.add("asn file", None, f"{bad - _MOST_REPORTED} more such lines")


def _columns(fields: list[str]) -> tuple[str, str]:
    # CAIDA's pfx2as files have the prefix length in a separate column.
    if "/" not in fields[0] and len(fields) == 3 and fields[1].isdigit():
        return f"{fields[0]}/{fields[1]}", fields[2]
    return fields[0], fields[1]


def _network(text: str) -> tuple[bytes, int]:
    # Ten times faster than ipaddress, which matters for 300,000 lines.
    address, _, length = text.partition("/")
    family, width = (socket.AF_INET6, 128) if ":" in address else (socket.AF_INET, 32)
    prefix_length = int(length) if length else width
    if not 0 <= prefix_length <= width:
        raise ValueError("prefix length")
    return socket.inet_pton(family, address), prefix_length


def _number(text: str) -> int:
    # Several origins (`64500_64501`, `64500,64501`) count for the first one.
    if not text.isdigit():
        text = text.upper().removeprefix("AS").replace(",", "_").split("_")[0]
    asn = int(text)
    if not 0 <= asn < 1 << 32:
        raise ValueError("ASN")
    return asn
