"""Who asks: which address to believe, and for what.

Source: docs/protocol.md#whose-address-counts.
"""

import ipaddress
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from msgspec import Struct

from mirrorlist.errors import BadQuery, OptionError
from mirrorlist.request.address import Address, parse_address
from mirrorlist.request.query import echo

NOBODY = "none"
"""In place of networks: nobody is trusted, not even loopback."""

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

FORWARDED_FOR = b"x-forwarded-for"
SIGNS = frozenset(
    (
        *(b"forwarded", b"via", b"x-real-ip", b"x-forwarded-host", b"x-forwarded-proto"),
        *(b"x-client-ip", b"x-cluster-client-ip", b"true-client-ip", b"cf-connecting-ip"),
        *(b"x-forwarded", b"forwarded-for", b"x-forwarded-by", b"x-forwarded-server"),
        *(b"x-forwarded-port", b"x-forwarded-ssl", b"x-original-forwarded-for"),
        *(b"cf-connecting-ipv6", b"cdn-loop", b"fastly-client-ip", b"x-azure-clientip"),
        *(b"x-appengine-user-ip", b"x-envoy-external-address", b"cloudfront-viewer-address"),
    )
)
"""Headers that say nothing that is believed, but that somebody else asks through this peer."""
SIGNED = [b"\0"]
"""Stands for one of SIGNS where no X-Forwarded-For line is; no header holds this byte."""

# A chain of more proxies is not one that an operator knows, and each entry costs a look.
MOST_ENTRIES = 32
# `[IPv6 with a zone]:65535` is 64 long.
MOST_ENTRY_BYTES = 64

# `[v6]`, `[v6]:port`, `v4:port`; a bare IPv6 address has more than one colon.
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?|([^:]*):\d+")

Network = tuple[int, int, int]

# The address of a client of whom nothing is known: near nobody.
_UNKNOWN = Address(4, 0)
# Who is at the other end of a Unix socket.
_LOCAL = Address(4, 0x7F000001)
# Clients that connect themselves have no end; whoever is forgotten is looked up anew.
_MOST_PEERS = 1024
# The prefix of IPv4-mapped addresses.
_MAPPED_BITS = 96


class Client(Struct, frozen=True):
    """The believed client.

    `near` is the address for the netblock and ASN tiers, `geo` the one for the country; they
    differ when a stranger wishes for another place with `ip=`, and when nothing is known of him.
    `is_ours`: a trusted proxy or loopback asks for itself, and may see everything.
    """

    near: Address
    geo: Address
    source: str
    is_ours: bool = False


NO_CLIENT = Client(_UNKNOWN, _UNKNOWN, "none")
"""For lists that nobody asked for: near nobody, and nowhere."""


class _Peer(Struct, frozen=True):
    """Who is at the other end of a connection."""

    address: Address
    is_proxy: bool
    is_ours: bool


class Trust:
    """The proxies whose X-Forwarded-For is believed."""

    def __init__(self, networks: Sequence[str] = DEFAULT_TRUSTED) -> None:
        """Take networks in CIDR form, or NOBODY alone; raises OptionError for anything else."""
        if NOBODY in networks and len(networks) > 1:
            raise OptionError(f"--trusted-proxy {NOBODY}: stands alone, without networks beside it")
        trusts_nobody = NOBODY in networks
        self._proxies = _Networks(() if trusts_nobody else networks)
        self._ours = _Networks(() if trusts_nobody else [*networks, *LOOPBACK])
        self._peers: dict[str | None, _Peer] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nobody is trusted."""
        return _LOCAL not in self._ours

    def is_proxy(self, peer: str | None) -> bool:
        """Return whether what a peer says of its clients is believed."""
        return (self._peers.get(peer) or self._peer(peer)).is_proxy

    def believe(self, peer: str | None, forwarded: Sequence[bytes], wish: str) -> Client:
        """Return the client behind a connection; raises BadQuery if `wish` is no address.

        `peer` is None on a Unix socket, which only a local proxy can reach. `forwarded` are the
        X-Forwarded-For lines in their order, or SIGNED.
        """
        connected = self._peers.get(peer) or self._peer(peer)
        if not forwarded:
            client = Client(connected.address, connected.address, "peer", connected.is_ours)
        else:
            # Whoever is behind a proxy is a stranger, whatever the proxy says or fails to say.
            client = _behind(connected, forwarded, self._proxies)
        if not wish:
            return client
        wished = parse_address(wish)
        if wished is None:
            raise BadQuery(f"# ip=: not an address: {echo(wish)}")
        # Private hosts are in the near tiers: a stranger must not see those of others.
        near = wished if client.is_ours else client.near
        return Client(near, wished, "ip=", client.is_ours)

    def _peer(self, peer: str | None) -> _Peer:
        """Return who a peer is; remembered, as proxies are few."""
        if len(self._peers) >= _MOST_PEERS:
            self._peers.clear()
        found = self._peers[peer] = self._look_up(peer)
        return found

    def _look_up(self, peer: str | None) -> _Peer:
        if peer is None:
            return _Peer(_LOCAL, _LOCAL in self._proxies, _LOCAL in self._ours)
        found = parse_address(peer)
        if found is None:
            return _Peer(_UNKNOWN, False, False)
        return _Peer(found, found in self._proxies, found in self._ours)


def _behind(peer: _Peer, forwarded: Sequence[bytes], proxies: "_Networks") -> Client:
    """Return the stranger who asks through a peer."""
    if peer.is_proxy:
        if len(forwarded) == 1:
            # Nearly always one proxy has written one address.
            address = parse_address(forwarded[0].decode("latin-1"))
            if address is not None:
                return Client(address, address, "x-forwarded-for")
        if forwarded == SIGNED:
            # He is somewhere behind it: not near what the proxy is near.
            return Client(_UNKNOWN, peer.address, "unknown")
        return _walked(peer, forwarded, proxies)
    return Client(peer.address, peer.address, "peer")


def _walked(peer: _Peer, lines: Sequence[bytes], proxies: "_Networks") -> Client:
    """Return the client by a walk from the right over trusted addresses."""
    believed = None
    for index, entry in enumerate(_entries(lines)):
        if index == MOST_ENTRIES:
            believed = None
            break
        # A list in a header may have empty elements (RFC 9110 section 5.6.1).
        if entry:
            believed = _forwarded_address(entry)
            if believed is None or believed not in proxies:
                break
    if believed is None:
        # It is not the proxy's own request, and must not pass for one: not near what it is near.
        return Client(_UNKNOWN, peer.address, "unknown")
    return Client(believed, believed, "x-forwarded-for")


def _entries(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the entries from the right, and look at no more bytes than are asked for."""
    for line in reversed(lines):
        end = len(line)
        while end >= 0:
            comma = line.rfind(b",", 0, end)
            yield line[comma + 1 : end].strip()
            end = comma


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
    if network.version == 6 and network.prefixlen >= _MAPPED_BITS:
        inner = network.network_address.ipv4_mapped
        if inner is not None:
            # A client of IPv4 is known by that address, whatever family it came by.
            network = ipaddress.ip_network((inner, network.prefixlen - _MAPPED_BITS))
    shift = network.max_prefixlen - network.prefixlen
    return network.version, int(network.network_address) >> shift, shift


def _forwarded_address(entry: bytes) -> Address | None:
    if len(entry) > MOST_ENTRY_BYTES:
        return None
    text = entry.decode("latin-1")
    address = parse_address(text)
    if address is not None:
        return address
    match = _WITH_PORT.fullmatch(text)
    return parse_address(match[1] or match[2] or "") if match else None
