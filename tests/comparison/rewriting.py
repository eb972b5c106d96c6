"""Known differences that only these data show: the same question in mirrorlist-server's words.

What holds for any data is in mirrorlist.replay.rewriting.
"""

import re
from collections.abc import Callable

from msgspec.structs import replace

from mirrorlist.replay.compare import Change, Rewritten
from mirrorlist.replay.meaning import Meaning
from mirrorlist.replay.request import Request
from mirrorlist.replay.rewriting import Rewrite, believed_of, having
from tests.comparison import network
from tests.comparison.data import ALLOWED, ASN_HOSTS


def without_near_tiers(request: Request) -> Rewritten | None:
    """Return the request of a stranger who is near nobody, with the near tiers switched off."""
    stranger = request.forwarded and believed_of(request.forwarded)
    if not request.value("ip") or stranger not in network.CLIENT4.values():
        return None
    if request.value("netblock") is None:
        return Rewritten(replace(request, query=f"{request.query}&netblock=0"))
    return having(request, "netblock", "0")


def stand_in(kind: str, back: Callable[[str, str], tuple[Change, ...]]) -> Rewrite:
    """Return a rewriting of a client to one whom mirrorlist-server sees as we see the first."""
    addresses = network.STAND_INS[kind]

    def rewrite(request: Request) -> Rewritten | None:
        client = request.client
        other = addresses.get(client)
        if other is None:
            return None
        if request.value("ip"):
            return Rewritten(request.having("ip", other), back(client, other))
        return Rewritten(replace(request, forwarded=other), back(client, other))

    return rewrite


def logged_as_asked(client: str, other: str) -> tuple[Change, ...]:
    """Return that the log names the client himself."""
    return ((f"IP: {other};", f"IP: {client};"),)


def logged_as_ipv4(client: str, other: str) -> tuple[Change, ...]:
    """Return that the log names a mapped client by the IPv4 address, others as they are."""
    return () if client.startswith("::ffff:") else logged_as_asked(client, other)


def of_the_peer_asn(client: str, other: str) -> tuple[Change, ...]:
    """Return that the heading names the peer ASN."""
    return (*logged_as_asked(client, other), ("64500", "64501"))


def logged_from_kosovo(client: str, other: str) -> tuple[Change, ...]:
    """Return that the log names the client's own country."""
    return (*logged_as_asked(client, other), ("COUNTRY: ES;", "COUNTRY: XK;"))


def asked_of_spain(request: Request) -> Rewritten | None:
    """Return the request with ES for XK in country=: both are in Europe, and without a host."""
    value = request.value("country") or ""
    named = ["ES" if code == "XK" else code for code in value.split(",")]
    return having(request, "country", ",".join(named))


def to_twin(directory: str, twin: Callable[[Request], str]) -> Rewrite:
    """Return a rewriting to another directory, in which mirrorlist-server has our hosts."""
    below = re.compile(rf"(pub/linux/{re.escape(directory)})(?=/|$)")

    def rewrite(request: Request) -> Rewritten | None:
        path = request.value("path") or ""
        match = below.match(path)
        if match is None:
            return None
        other = f"pub/linux/{twin(request)}"
        changed = request.having("path", below.sub(other, path))
        short = other.removeprefix("pub/linux/")
        # The inner category's URLs end with its own name.
        return Rewritten(changed, ((other, match[1]), (f"/{short}/", f"/{directory}/")))

    return rewrite


def twin_of_limited(request: Request) -> str:
    """Return the directory without the hosts that do not allow the client's country."""
    country = network.country_of(request.client)
    for name, countries in ALLOWED.items():
        if country in countries:
            return f"limited-{name}"
    return "limited-none"


def asn_of_nobody(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Take an ASN out of the heading that no listed host has."""
    if theirs.heading is None or theirs.heading.asn is None:
        return theirs
    hosts = {f"{name}.example" for name in ASN_HOSTS.get(theirs.heading.asn, ())}
    if hosts & theirs.hosts:
        return theirs
    return replace(theirs, heading=replace(theirs.heading, asn=None))
