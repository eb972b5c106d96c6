"""Who asks: which address to believe, and for what.

Source: behaviour.md sections 2 and 6, items 3 and 13.
"""

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Sequence

from msgspec import Struct

from mirrorlist.address import Address, parse_address
from mirrorlist.errors import BadQuery, OptionError
from mirrorlist.query import echo

LOOPBACK = ("127.0.0.0/8", "::1/128")
DEFAULT_TRUSTED = (
    *LOOPBACK,
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
)

# `[v6]`, `[v6]:port`, `v4:port`; a bare IPv6 address has more than one colon.
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?|([^:]*):\d+")

Network = tuple[int, int, int]

# For a peer that no server should name: in no network, so trusted by nobody.
_NOBODY = Address(4, 0)
# Clients that connect themselves have no end; whoever is forgotten is looked up anew.
_MOST_PEERS = 1024


class Client(Struct, frozen=True):
    """The believed client.

    `near` is the address for the netblock and ASN tiers, `geo` the one for the country; they
    differ when a stranger wishes for another place with `ip=`. `is_ours`: a trusted proxy or
    loopback asks, and may see everything. `country` is what GeoIP says.
    """

    near: Address
    geo: Address
    source: str
    is_ours: bool = False
    country: str | None = None
    country_source: str = "none"


class Trust:
    """The proxies whose X-Forwarded-For is believed."""

    def __init__(self, networks: Sequence[str] = DEFAULT_TRUSTED) -> None:
        """Take networks in CIDR form; raises OptionError for one that is none."""
        self._proxies = _Networks(networks)
        self._ours = _Networks([*networks, *LOOPBACK])
        self._peers: dict[str | None, tuple[Address, bool]] = {}

    def believe(self, peer: str | None, forwarded: Sequence[bytes], wish: str) -> Client:
        """Return the client behind a connection; raises BadQuery if `wish` is no address.

        `peer` is None on a Unix socket, which only a local proxy can reach.
        """
        asker, source = self._asker(peer, forwarded)
        is_ours = asker in self._ours
        if not wish:
            return Client(asker, asker, source, is_ours)
        wished = parse_address(wish)
        if wished is None:
            raise BadQuery(f"# ip=: not an address: {echo(wish)}")
        # Private hosts are in the near tiers: a stranger must not see those of others.
        near = wished if is_ours else asker
        return Client(near, wished, "ip=", is_ours)

    def _asker(self, peer: str | None, forwarded: Sequence[bytes]) -> tuple[Address, str]:
        connected, is_proxy = self._peers.get(peer) or self._peer(peer)
        if not is_proxy or not forwarded:
            return connected, "peer"
        if len(forwarded) == 1:
            # Nearly always one proxy has written one address.
            address = parse_address(forwarded[0].decode("latin-1"))
            if address is not None:
                return address, "x-forwarded-for"
        # A list in a header may have empty elements (RFC 9110 section 5.6.1).
        listed = b",".join(forwarded).decode("latin-1").split(",")
        believed = None
        for entry in reversed(listed):
            entry = entry.strip()
            if entry:
                believed = _forwarded_address(entry)
                if believed is None:
                    return connected, "peer"
                if believed not in self._proxies:
                    break
        return (connected, "peer") if believed is None else (believed, "x-forwarded-for")

    def _peer(self, peer: str | None) -> tuple[Address, bool]:
        """Return a peer's address and whether it is a proxy; remembered, as proxies are few."""
        address = parse_address(peer or "127.0.0.1") or _NOBODY
        if len(self._peers) >= _MOST_PEERS:
            self._peers.clear()
        found = self._peers[peer] = address, address in self._proxies
        return found


class _Networks:
    """Networks, as ranges that neither overlap nor touch, to look an address up in."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._bounds: dict[int, list[int]] = {4: [], 6: []}
        for version, bounds in self._bounds.items():
            ranges = sorted(
                (prefix << shift, (prefix + 1) << shift)
                for one, prefix, shift in map(_network, networks)
                if one == version
            )
            for start, end in ranges:
                if bounds and start <= bounds[-1]:
                    bounds[-1] = max(bounds[-1], end)
                else:
                    bounds += (start, end)

    def __contains__(self, address: Address) -> bool:
        # Starts and ends take turns, so an odd place is behind a start.
        return bisect_right(self._bounds[address.version], address.value) % 2 == 1


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise OptionError(
            f"--trusted-proxy {text}: not a network; give it as 192.0.2.0/24 or 2001:db8::/32"
        ) from error
    shift = network.max_prefixlen - network.prefixlen
    return network.version, int(network.network_address) >> shift, shift


def _forwarded_address(entry: str) -> Address | None:
    address = parse_address(entry)
    if address is not None:
        return address
    match = _WITH_PORT.fullmatch(entry)
    return parse_address(match[1] or match[2] or "") if match else None
