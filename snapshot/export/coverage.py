"""Measures how much of the Internet netblocks cover: refuses wide ones, names the widest host.

A mirror admin enters the netblocks of a host, and clients within them get the host first, even if
it is private. The limits keep one row from catching the clients of the whole Internet.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from snapshot.export.netblock import Netblock, parse_netblock
from snapshot.file.model import Host

# Since 2017, MirrorManager's form does not let mirror admins enter a shorter prefix.
WIDEST_OF_HOST = {4: 16, 6: 32}
# The largest blocks that regional registries get; only administrators write this table.
WIDEST_OF_COUNTRY = {4: 8, 6: 12}
# A site may give all its own addresses to a country: fc00::/7 (RFC 4193) is not the Internet.
_UNIQUE_LOCAL = (0xFC << 120, (0xFE << 120) - 1)
# A host is named if its netblocks have as many addresses as sixteen of the widest ones.
_MANY = {4: 1 << 20, 6: 1 << 100}
# The addresses that clients on the Internet can have.
_INTERNET = {4: (0, (1 << 32) - 1), 6: (1 << 125, (1 << 126) - 1)}


def check_width(
    netblock: Netblock, text: str, allow_wide: bool, *, of_country: bool = False
) -> None:
    """Raise ValueError if a netblock is too wide for a host, or for a country."""
    widest = (WIDEST_OF_COUNTRY if of_country else WIDEST_OF_HOST)[netblock.version]
    local = of_country and netblock.version == 6 and _is_within(netblock, *_UNIQUE_LOCAL)
    if allow_wide or local or netblock.prefix_length >= widest:
        return
    slip = ", and host bits are set: a typing error?" if _has_host_bits(netblock, text) else ""
    raise ValueError(
        f"a /{netblock.prefix_length} is wider than the widest IPv{netblock.version} netblock"
        f" allowed, /{widest}{slip} (--allow-wide-netblocks takes it)"
    )


def _is_within(netblock: Netblock, first: int, last: int) -> bool:
    return first <= netblock.first and netblock.last <= last


def _has_host_bits(netblock: Netblock, text: str) -> bool:
    return parse_netblock(text.partition("/")[0]).first != netblock.first


def widest_host(named: Mapping[Netblock, Iterable[int]], hosts: Sequence[Host]) -> str | None:
    """Return a note on the host whose netblocks cover the most addresses; None if that is few."""
    blocks: dict[tuple[int, int], list[Netblock]] = defaultdict(list)
    for netblock, indexes in named.items():
        for index in indexes:
            blocks[netblock.version, index].append(netblock)
    most: dict[int, tuple[int, int]] = {}
    for (version, index), of_host in blocks.items():
        count = _addresses(version, of_host)
        if count >= _MANY[version] and count > most.get(version, (0, 0))[0]:
            most[version] = count, index
    parts = [
        f"{_share(version, count)} of IPv{version} by host {hosts[index].id} ({hosts[index].name})"
        for version, (count, index) in sorted(most.items())
    ]
    return f"the netblocks of one host that cover the most: {', '.join(parts)}" if parts else None


def _addresses(version: int, netblocks: Iterable[Netblock]) -> int:
    """Return how many addresses of the Internet netblocks cover together."""
    low, high = _INTERNET[version]
    count, after = 0, low
    for netblock in sorted(netblocks):
        first, last = max(after, netblock.first), min(high, netblock.last)
        if last >= first:
            count, after = count + last - first + 1, last + 1
    return count


def _share(version: int, count: int) -> str:
    low, high = _INTERNET[version]
    return f"{100 * count / (high - low + 1):.3g} %"
