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
from mirrorlist.request.defaults import DEFAULT_TRUSTED, LOOPBACK
from mirrorlist.request.query import echo

NOBODY = "none"
"""Stands in place of networks: no proxy is trusted, not even loopback."""

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
"""Headers that only proxies write: their values are not believed, but that they are there is.

A peer that sends one of them asks for a client, not for itself.
"""
SIGNED = (b"\0",)
"""Stands for any of SIGNS without an X-Forwarded-For line; no header can hold this byte."""

# No operator has a longer chain of proxies, and each entry costs time.
MOST_ENTRIES = 32
# The longest entry that makes sense is `[IPv6 with a zone]:65535`.
MOST_ENTRY_BYTES = 64

# `[v6]`, `[v6]:port`, `v4:port`; a bare IPv6 address has more than one colon.
_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d+)?|([^:]*):\d+")

Network = tuple[int, int, int]

# The address of an unknown client, 0.0.0.0: no netblock, ASN or country holds it.
_UNKNOWN = Address(4, 0)
# The peer of a Unix socket is on this machine: 127.0.0.1.
_LOCAL = Address(4, 0x7F000001)
# Clients that connect directly are unlimited in number, so the cache is cleared when it is full.
_MOST_PEERS = 1024
# The prefix of IPv4-mapped addresses.
_MAPPED_BITS = 96


class Client(Struct, frozen=True):
    """The believed client.

    `near` is the address for the netblock and ASN tiers, `geo` the address for the country. They
    differ when a stranger sends `ip=`, and for an unknown client behind a proxy. `is_ours` says
    that a trusted proxy or loopback asks for itself, and may see everything.
    """

    near: Address
    geo: Address
    source: str
    is_ours: bool = False


UNKNOWN_SOURCE = "unknown"
"""The source of a client behind a proxy that does not tell its address."""

UNKNOWN_CLIENT = Client(_UNKNOWN, _UNKNOWN, UNKNOWN_SOURCE)
"""Stands for the client of a request that was not understood."""

NO_CLIENT = Client(_UNKNOWN, _UNKNOWN, "none")
"""For lists without a client (trials of a snapshot, internal errors): near no host, nowhere."""


class _Peer(Struct, frozen=True):
    """The other end of a connection."""

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
        """Whether no proxy and no loopback is trusted."""
        return _LOCAL not in self._ours

    def is_proxy(self, peer: str | None) -> bool:
        """Return whether a peer is a trusted proxy."""
        return (self._peers.get(peer) or self._peer(peer)).is_proxy

    def believe(self, peer: str | None, forwarded: Sequence[bytes], wish: str) -> Client:
        """Return the client behind a connection; raises BadQuery if `wish` is not an address.

        `wish` is the value of ip=. `peer` is None on a Unix socket, which only a local proxy can
        reach. `forwarded` are the X-Forwarded-For lines in their order, or SIGNED.
        """
        connected = self._peers.get(peer) or self._peer(peer)
        address = None
        if len(forwarded) == 1 and connected.is_proxy:
            # The usual case: one proxy has written one address, and it need not be walked over.
            # Even a trusted address is the client then: "If all are trusted, the left-most is the
            # client."
            address = parse_address(forwarded[0].decode("latin-1"))
        if address is not None:
            client = Client(address, address, "x-forwarded-for")
        elif not forwarded:
            client = Client(connected.address, connected.address, "peer", connected.is_ours)
        else:
            # "A client is *ours* if it is a trusted proxy or loopback that asks for itself": with
            # an X-Forwarded-For line, even an empty one, the client is a stranger.
            client = _behind(connected, forwarded, self._proxies)
        if not wish:
            return client
        wished = parse_address(wish)
        if wished is None:
            raise BadQuery(f"# ip=: not an address: {echo(wish)}")
        # "`ip=` is a wish, not an identity": private hosts are in the near tiers, and a stranger
        # could see those of any network by naming its address.
        near = wished if client.is_ours else client.near
        return Client(near, wished, "ip=", client.is_ours)

    def _peer(self, peer: str | None) -> _Peer:
        """Return what is known of a peer; remembered, because most peers are a few proxies."""
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
        if forwarded == SIGNED:
            # "A client is also unknown if a trusted proxy sends no X-Forwarded-For line, but
            # another header of rule 4": it is "near no host, and in the country of the proxy".
            return Client(_UNKNOWN, peer.address, UNKNOWN_SOURCE)
        return _walked(peer, forwarded, proxies)
    return Client(peer.address, peer.address, "peer")


def _walked(peer: _Peer, lines: Sequence[bytes], proxies: "_Networks") -> Client:
    """Return the client: the first address from the right that is not a trusted proxy's.

    Each proxy adds the address that it saw at the right, so all left of the first untrusted address
    may be the client's own invention.
    """
    believed = None
    for index, entry in enumerate(_entries(lines)):
        if index == MOST_ENTRIES:
            believed = None
            break
        # "A recipient MUST parse and ignore a reasonable number of empty list elements"
        # (RFC 9110 section 5.6.1.2).
        if entry:
            believed = _forwarded_address(entry)
            if believed is None or believed not in proxies:
                break
    if believed is None:
        # Not the proxy's own request: by the proxy's address it would see the private hosts that
        # are near the proxy.
        return Client(_UNKNOWN, peer.address, UNKNOWN_SOURCE)
    return Client(believed, believed, "x-forwarded-for")


def _entries(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the entries from the right; bytes left of the last one that is taken are not read."""
    for line in reversed(lines):
        end = len(line)
        while end >= 0:
            comma = line.rfind(b",", 0, end)
            yield line[comma + 1 : end].strip()
            end = comma


class _Networks:
    """A set of networks, kept as ranges that neither overlap nor touch."""

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
        # Starts and ends take turns, so behind an odd number of them the address is in a range.
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
            # Clients with IPv4-mapped addresses are known by their IPv4 address, so such a network
            # stands for the IPv4 network.
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
