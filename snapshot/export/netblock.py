"""Parses netblocks, and flattens nested prefixes into address ranges.

A lookup in ranges is one bisection, however deeply the prefixes are nested. So an export flattens
them once, and no worker has to compare prefixes during a request.
"""

import ipaddress
from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from snapshot.file.model import Ranges

T = TypeVar("T")
C = TypeVar("C")

_MAPPED = int(ipaddress.IPv6Address("::ffff:0:0"))


class Netblock(NamedTuple):
    """A network: IP version 4 or 6, its first address as an integer, its prefix length."""

    version: int
    first: int
    prefix_length: int

    @property
    def last(self) -> int:
        """The network's last address as an integer."""
        width = 32 if self.version == 4 else 128
        return self.first + (1 << (width - self.prefix_length)) - 1


def parse_netblock(text: str) -> Netblock:
    """Return the network that a text names, host bits masked off; raises ValueError.

    The text is "a network in CIDR form, an address, `a.b.c.d/m.m.m.m`"
    (docs/mirrormanager.md#netblocks-of-hosts). A network of IPv4-mapped IPv6 addresses is returned
    as the IPv4 network, because clients with such addresses count as IPv4 clients.
    """
    if "%" in text:
        raise ValueError("a zone is not allowed in a netblock")
    network = ipaddress.ip_network(text.strip(), strict=False)
    first, length = int(network.network_address), network.prefixlen
    if network.version == 6 and length >= 96 and first >> 32 == _MAPPED >> 32:
        return Netblock(4, first & 0xFFFFFFFF, length - 96)
    return Netblock(network.version, first, length)


def flatten(
    netblocks: Iterable[tuple[Netblock, T]], nothing: C, combine: Callable[[T, C], C]
) -> list[tuple[int, C]]:
    """Return (start, value) ranges of the netblocks of one IP version, sorted by start.

    The value within a netblock is `combine(its value, value around it)`; outside all netblocks it
    is `nothing`. Neighbours with equal values become one range. No netblock may occur twice.
    """
    ranges: list[tuple[int, C]] = []
    around: list[tuple[int, C]] = []  # the (last address, value) of each netblock we are inside

    def close(before: int) -> None:
        while around and around[-1][0] < before:
            last, _ = around.pop()
            _emit(ranges, last + 1, around[-1][1] if around else nothing, nothing)

    for netblock, value in sorted(netblocks, key=lambda item: item[0]):
        close(netblock.first)
        combined = combine(value, around[-1][1] if around else nothing)
        around.append((netblock.last, combined))
        _emit(ranges, netblock.first, combined, nothing)
    close(1 << 129)
    return ranges


def flatten_both(
    netblocks: Mapping[Netblock, T], nothing: C, combine: Callable[[T, C], C]
) -> tuple[list[tuple[int, C]], list[tuple[int, C]]]:
    """Return the flattened ranges of IPv4 and those of IPv6."""
    by_version: dict[int, list[tuple[Netblock, T]]] = {4: [], 6: []}
    for netblock, value in netblocks.items():
        by_version[netblock.version].append((netblock, value))
    ipv4, ipv6 = (flatten(by_version[version], nothing, combine) for version in (4, 6))
    return ipv4, ipv6


def _emit(ranges: list[tuple[int, C]], start: int, value: C, nothing: C) -> None:
    if ranges and ranges[-1][0] == start:
        ranges.pop()
    if value != (ranges[-1][1] if ranges else nothing):
        ranges.append((start, value))


def make_ranges(ranges4: list[tuple[int, int]], ranges6: list[tuple[int, int]]) -> Ranges:
    """Return both families' flattened ranges as the model's columns."""
    # `flatten` ends a netblock at its last address plus 1. After the very last address of IPv4 or
    # IPv6 there is no such address, so that range is dropped.
    ranges4 = [(start, value) for start, value in ranges4 if start < 1 << 32]
    ranges6 = [(start, value) for start, value in ranges6 if start < 1 << 128]
    return Ranges(
        starts4=array("I", (start for start, _ in ranges4)),
        values4=array("I", (value for _, value in ranges4)),
        starts6=[start for start, _ in ranges6],
        values6=array("I", (value for _, value in ranges6)),
    )
