"""How much of the Internet netblocks cover: what is too wide, and which host has the most.

Who may edit one host writes its netblocks, and the clients in them get this host first, a private
one too; so nobody gets everybody's clients by one row.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from snapshot.export.netblock import Netblock, parse_netblock
from snapshot.file.model import Host

# MirrorManager's form allows its mirror admins no shorter prefix since 2017.
WIDEST_OF_HOST = {4: 16, 6: 32}
# What registries give out at once; a row of this table is an administrator's, not a mirror admin's.
WIDEST_OF_COUNTRY = {4: 8, 6: 12}
# A site may give all its own addresses to a country: fc00::/7 (RFC 4193) is not the Internet.
_UNIQUE_LOCAL = (0xFC << 120, (0xFE << 120) - 1)
# Hosts are named from as many addresses on as sixteen of the widest netblocks have.
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
    """Say which host's netblocks cover the most addresses; None if nobody's cover many."""
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
    """How many addresses of the Internet netblocks have together."""
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
