"""Everything about client addresses: netblocks of hosts, countries of netblocks, DNS names.

The rules are those of mirrormanager2.md section 2 with behaviour.md section 6 items 5 and 12.
"""

import queue
import re
import socket
import threading
import time
from collections import defaultdict
from typing import NamedTuple

from snapshot.leftout import LeftOutRows
from snapshot.mirrors import Mirrors
from snapshot.model import NetblockHosts, Ranges
from snapshot.netblock import Netblock, flatten_both, make_ranges, parse_netblock
from snapshot.source import NetblockRow, Rows

# Source: behaviour.md section 6 item 12.
DNS_SECONDS = 2.0
_DNS_THREADS = 32
_DNS_NAME = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,62}\.?"
)

Chain = tuple[NetblockHosts, ...]


class HostNetblocks(NamedTuple):
    """Ranges whose value, less one, is the place of a chain: netblocks there, longest first."""

    chains: list[Chain]
    ranges: Ranges


def host_netblocks(
    rows: Rows, mirrors: Mirrors, resolve_dns: bool, left_out: LeftOutRows
) -> HostNetblocks:
    """Return which hosts named the netblocks around an address; active hosts only."""
    named: dict[Netblock, set[int]] = defaultdict(set)
    names: dict[str, list[tuple[NetblockRow, int]]] = defaultdict(list)
    for row in sorted(rows.netblocks):
        host = None if row.host_id is None else mirrors.host_index.get(row.host_id)
        text = _text(row.netblock)
        if host is None:
            left_out.add("host_netblock", row.id, "no usable host")
        elif mirrors.hosts[host].inactive:
            continue
        elif _DNS_NAME.fullmatch(text):
            names[text].append((row, host))
        else:
            with left_out.row("host_netblock", row.id):
                named[_netblock(text)].add(host)
    resolved = resolve(set(names), DNS_SECONDS) if resolve_dns else {}
    for name, users in names.items():
        for row, host in users:
            if not resolved.get(name):
                why = "does not resolve" if resolve_dns else "is not looked up (--no-dns)"
                left_out.add("host_netblock", row.id, f"the name {why}")
            for address in resolved.get(name, ()):
                named[parse_netblock(address)].add(host)
    return _chains(named)


def country_ranges(rows: Rows, left_out: LeftOutRows) -> Ranges:
    """Return ranges whose value is a country's two letters, the first one high."""
    named: dict[Netblock, int] = {}
    for row in sorted(rows.netblock_countries):
        with left_out.row("netblock_country", row.id):
            netblock = _netblock(_text(row.netblock))
            country = _text(row.country).upper()
            if not re.fullmatch("[A-Z0-9]{2}", country):
                raise ValueError("not a country of two letters")
            if netblock in named:
                raise ValueError("the same netblock as an earlier one")
            named[netblock] = ord(country[0]) << 8 | ord(country[1])
    # The innermost netblock decides alone, so what is around it does not matter.
    return make_ranges(*flatten_both(named, 0, lambda value, _: value))


def resolve(names: set[str], seconds: float) -> dict[str, list[str]]:
    """Look up DNS names in parallel; those without an answer in time are not in the result."""
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    answers: queue.SimpleQueue[tuple[str, list[str]]] = queue.SimpleQueue()
    for name in sorted(names):
        waiting.put(name)

    def work() -> None:
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            answers.put((name, _addresses(name)))

    # Daemons: a lookup that hangs must not hold up the end of the process.
    for _ in range(min(_DNS_THREADS, len(names))):
        threading.Thread(target=work, daemon=True).start()
    deadline = time.monotonic() + seconds
    found: dict[str, list[str]] = {}
    try:
        for _ in names:
            name, addresses = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            found[name] = addresses
    except queue.Empty:
        pass
    return found


def _addresses(name: str) -> list[str]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return sorted({str(entry[4][0]).partition("%")[0] for entry in found})


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _netblock(text: str) -> Netblock:
    try:
        return parse_netblock(text)
    except ValueError as error:
        raise ValueError("not a netblock, an address or a DNS name") from error


def _chains(named: dict[Netblock, set[int]]) -> HostNetblocks:
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
    return HostNetblocks(list(places), ranges)
