"""The tables that client addresses are looked up in: netblocks of hosts, countries of netblocks.

The rules are those of docs/mirrormanager.md#where-clients-are.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from snapshot.export.countries import Countries
from snapshot.export.coverage import check_width, widest_host
from snapshot.export.hosts import HostTable
from snapshot.export.leftout import LeftOutRows
from snapshot.export.names import MOST_ADDRESSES, MOST_NAMES, Resolved, resolve
from snapshot.export.netblock import Netblock, flatten_both, make_ranges, parse_netblock
from snapshot.export.rows import Rows
from snapshot.file.model import KnownName, NetblockHosts, Ranges
from snapshot.file.text import trimmed

_DNS_NAME = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,62}\.?"
)

Chain = tuple[NetblockHosts, ...]


class HostNetblocks(NamedTuple):
    """Ranges of addresses, the chains they point at, and the DNS names with their addresses.

    A chain has the netblocks around an address, longest prefix first. A range's value is the index
    of its chain plus 1; 0 is no chain.
    """

    chains: list[Chain]
    ranges: Ranges
    names: dict[str, KnownName]


class _Named(NamedTuple):
    """Netblocks with their hosts, and for each host its DNS names with the ids of their rows."""

    netblocks: dict[Netblock, set[int]]
    names: dict[int, dict[str, list[int]]]


def host_netblocks(
    rows: Rows,
    host_table: HostTable,
    left_out: LeftOutRows,
    *,
    read: int = 0,
    known: Mapping[str, KnownName] | None = None,
    allow_wide: bool = False,
) -> HostNetblocks:
    """Return the netblocks of active hosts, prepared for a lookup by address.

    `known` are earlier DNS answers, `read` is the time of this export (seconds since 1970); if
    `known` is None, no name is looked up. Wide netblocks are left out unless `allow_wide`.
    """
    netblocks, names = _named(rows, host_table, left_out, allow_wide)
    resolved = _resolved(names, known, read, left_out)
    for host, of_host in names.items():
        for name in of_host:
            for address in resolved.known[name].addresses if name in resolved.known else ():
                # The last known addresses come from the published file, which may be damaged.
                with suppress(ValueError):
                    netblocks[parse_netblock(address)].add(host)
    if widest := widest_host(netblocks, host_table.hosts):
        left_out.note(widest)
    chains, ranges = _chains(netblocks)
    return HostNetblocks(chains, ranges, resolved.known)


def _named(rows: Rows, host_table: HostTable, left_out: LeftOutRows, allow_wide: bool) -> _Named:
    found = _Named(defaultdict(set), defaultdict(lambda: defaultdict(list)))
    for row in sorted(rows.netblocks, key=lambda row: row.id):
        host = None if row.host_id is None else host_table.host_index.get(row.host_id)
        text = _text(row.netblock)
        if host is None:
            left_out.add("host_netblock", row.id, "no usable host")
        elif host_table.hosts[host].inactive:
            continue
        elif _DNS_NAME.fullmatch(text):
            found.names[host][text].append(row.id)
        else:
            with left_out.row("host_netblock", row.id):
                netblock = _netblock(text)
                check_width(netblock, text, allow_wide)
                found.netblocks[netblock].add(host)
    return found


def _resolved(
    names: dict[int, dict[str, list[int]]],
    known: Mapping[str, KnownName] | None,
    read: int,
    left_out: LeftOutRows,
) -> Resolved:
    """Look up the names of hosts, given with the ids of their rows; reports names that fail."""
    first = {host: [*of_host][:MOST_NAMES] for host, of_host in names.items()}
    resolved = Resolved({}, (), ()) if known is None else resolve(first, known, read)
    if note := resolved.note():
        left_out.note(note)
    if note := _cut_short(resolved):
        left_out.note(note)
    for host, of_host in names.items():
        for name, ids in of_host.items():
            if name in resolved.known:
                continue
            if known is None:
                why = "the name is not looked up (--no-dns)"
            elif name in first[host]:
                why = "the name does not resolve"
            else:
                why = f"the host has more than {MOST_NAMES} DNS names"
            for id in ids:
                left_out.add("host_netblock", id, why)
    return resolved


def _cut_short(resolved: Resolved) -> str | None:
    """Return a line about names that may have more addresses than the limit, or None."""
    full = sorted(
        name for name, one in resolved.known.items() if len(one.addresses) >= MOST_ADDRESSES
    )
    if not full:
        return None
    shown = ", ".join(full[:3])
    return f"no more than {MOST_ADDRESSES} addresses of a DNS name are taken: {shown}"


def country_ranges(
    rows: Rows, left_out: LeftOutRows, countries: Countries, allow_wide: bool = False
) -> Ranges:
    """Return ranges whose value is a country as 16 bits: the first letter in the high byte."""
    named: dict[Netblock, int] = {}
    for row in sorted(rows.netblock_countries, key=lambda row: row.id):
        with left_out.row("netblock_country", row.id):
            text = _text(row.netblock)
            netblock = _netblock(text)
            country = _text(row.country).upper()
            if not re.fullmatch("[A-Z0-9]{2}", country):
                raise ValueError("not a country of two letters")
            country = countries.parse(country)
            check_width(netblock, text, allow_wide, of_country=True)
            if netblock in named:
                raise ValueError("the same netblock as an earlier one")
            named[netblock] = ord(country[0]) << 8 | ord(country[1])
    # "The longest prefix wins" (docs/mirrormanager.md#countries-of-netblocks): the value of the
    # netblock around it is ignored.
    return make_ranges(*flatten_both(named, 0, lambda value, _: value))


def _text(value: object) -> str:
    return trimmed(value) if isinstance(value, str) else ""


def _netblock(text: str) -> Netblock:
    try:
        return parse_netblock(text)
    except ValueError as error:
        raise ValueError("not a netblock, an address or a DNS name") from error


def _chains(named: dict[Netblock, set[int]]) -> tuple[list[Chain], Ranges]:
    places: dict[Chain, int] = {}
    nothing: Chain = ()

    def combine(value: NetblockHosts, around: Chain) -> Chain:
        return (value, *around)

    def numbered(ranges: list[tuple[int, Chain]]) -> list[tuple[int, int]]:
        return [
            (start, places.setdefault(chain, len(places) + 1) if chain else 0)
            for start, chain in ranges
        ]

    netblocks = {
        netblock: NetblockHosts(netblock.prefix_length, tuple(sorted(hosts)))
        for netblock, hosts in named.items()
    }
    ipv4, ipv6 = flatten_both(netblocks, nothing, combine)
    ranges = make_ranges(numbered(ipv4), numbered(ipv6))
    return list(places), ranges
