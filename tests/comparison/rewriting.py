"""Known differences in what a request means: the same question in the incumbent's words.

Each function gives a request whose answer by the incumbent must be our answer to the original,
so a difference of this kind is not waved through but checked against another answer.
"""

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from urllib.parse import unquote

from msgspec.structs import replace

from tests.comparison import network
from tests.comparison.compare import Change, Rewritten
from tests.comparison.data import ALLOWED
from tests.comparison.requests import Request

Rewrite = Callable[[Request], Rewritten | None]

# What a literal value can say in a query string.
_LITERAL = re.compile(r"[!-~]*")
_NOT_LITERAL = set('&=#%<>"+')
_TRUSTED = [
    ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128")
]
_FORWARDED = re.compile(r"\[([^\]]*)\](?::\d+)?|([^:]*):\d+")


def decoded(request: Request) -> Rewritten | None:
    """Return the request with its values decoded, where that can be written literally."""
    changed = request
    for name, value in request.parameters:
        text = unquote(value or "")
        plain = _LITERAL.fullmatch(text) and not _NOT_LITERAL & set(text.replace("+", ""))
        if value is not None and text != value and plain:
            changed = changed.having(name, text)
    return _changed(request, changed)


def countries_in_capitals(request: Request) -> Rewritten | None:
    """Return the request with its countries in capitals."""
    return _having(request, "country", (request.value("country") or "").upper())


def countries_without_blanks(request: Request) -> Rewritten | None:
    """Return the request without the empty elements of country=."""
    value = request.value("country") or ""
    named = ",".join(code for code in value.split(",") if code)
    if named == value:
        return None
    return Rewritten(request.having("country", named or None))


def protocols_in_lower_case(request: Request) -> Rewritten | None:
    """Return the request with its protocols in lower case."""
    return _having(request, "protocol", (request.value("protocol") or "").lower())


def believed(request: Request) -> Rewritten | None:
    """Return the request with X-Forwarded-For saying nothing but the address that we believe."""
    if request.forwarded is None or request.value("ip"):
        return None
    found = _believed(request.forwarded)
    changed = replace(request, forwarded=found)
    return _changed(request, changed)


def _believed(forwarded: str) -> str | None:
    for entry in reversed(forwarded.split(",")):
        match = _FORWARDED.fullmatch(entry.strip())
        text = (match[1] or match[2]) if match else entry.strip()
        try:
            address = ip_address(text)
        except ValueError:
            return None
        if not any(address in trusted for trusted in _TRUSTED):
            return text
    return text


def without_near_tiers(request: Request) -> Rewritten | None:
    """Return the request of a stranger who is near nobody, with the near tiers switched off."""
    stranger = request.forwarded and _believed(request.forwarded)
    if not request.value("ip") or stranger not in network.CLIENT4.values():
        return None
    if request.value("netblock") is None:
        return Rewritten(replace(request, query=f"{request.query}&netblock=0"))
    return _having(request, "netblock", "0")


def stand_in(kind: str, back: Callable[[str, str], tuple[Change, ...]]) -> Rewrite:
    """Return a rewriting of a client to one whom the incumbent sees as we see the first."""
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
    return _having(request, "country", ",".join(named))


def to_twin(directory: str, twin: Callable[[Request], str]) -> Rewrite:
    """Return a rewriting to another directory, in which the incumbent has our hosts."""
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


def _having(request: Request, name: str, value: str) -> Rewritten | None:
    if value == (request.value(name) or ""):
        return None
    return Rewritten(request.having(name, value))


def _changed(request: Request, changed: Request) -> Rewritten | None:
    return None if changed == request else Rewritten(changed)
