"""Reads a block of plain `prefix ASN` lines at once: a third of the time of reading them singly.

Nearly all lines of an ASN file are written in the same way. A block with any other line is left to
`snapshot.export.asn`, which reads line by line and is the authority on what a line may be. So this
module refuses whatever it does not know, and a test compares both.
"""

import socket
from array import array
from collections.abc import Iterable
from itertools import compress, repeat
from operator import not_
from typing import NamedTuple

# The bytes of an address, of a prefix length and of an ASN: deleted, they leave what is between.
_INNER = b"0123456789abcdefABCDEF.:"
_BLANKS = bytes.maketrans(b"\t", b" ")
_PARTED = bytes.maketrans(b"/", b" ")
# The sign before the last four bytes of an IPv4 address within IPv6: such a network is IPv4.
_MAPPED = b"\xff\xff"
# A default route is ignored, so it is no plain line.
_LENGTHS4 = {str(length): length for length in range(1, 33)}
_LENGTHS6 = {str(length): length for length in range(1, 129)}


class Networks(NamedTuple):
    """Networks of one IP version, as columns: addresses of 4 or 16 bytes, prefix lengths, ASNs."""

    packed: bytes
    prefix_lengths: bytes
    asns: "array[int]"


class PlainNetworks(NamedTuple):
    """The networks of a block, each version in the order of the lines."""

    ipv4: Networks
    ipv6: Networks


def plain_networks(block: bytes) -> PlainNetworks | None:
    """Return the networks of a block if each of its lines is `ADDRESS/LENGTH ASN`, else None."""
    block = block.translate(_BLANKS)
    count = block.count(b"\n")
    if block.translate(None, _INNER) != b"/ \n" * count:
        return None
    parts = block.translate(_PARTED).decode("ascii").split()
    # Each line has three parts, unless one of them is empty.
    if len(parts) != 3 * count:
        return None
    addresses, lengths, asns = parts[::3], parts[1::3], parts[2::3]
    has_colon = [":" in address for address in addresses]
    has_none = [*map(not_, has_colon)]
    try:
        ipv4, ipv6 = (
            _networks(
                family,
                compress(addresses, chosen),
                map(known.__getitem__, compress(lengths, chosen)),
                map(int, compress(asns, chosen)),
            )
            for family, known, chosen in (
                (socket.AF_INET, _LENGTHS4, has_none),
                (socket.AF_INET6, _LENGTHS6, has_colon),
            )
        )
    except (ValueError, OSError, KeyError, OverflowError):
        return None
    return None if _has_mapped(ipv6.packed) else PlainNetworks(ipv4, ipv6)


def _networks(
    family: int, addresses: Iterable[str], lengths: Iterable[int], asns: Iterable[int]
) -> Networks:
    packed = b"".join(map(socket.inet_pton, repeat(family), addresses))
    return Networks(packed, bytes(lengths), array("I", asns))


def _has_mapped(packed: bytes) -> bool:
    """Whether any IPv6 address may be an IPv4 one: some that are not are refused too."""
    return bytes(10) + _MAPPED in packed
