"""Known differences in what a request means: the same question in mirrorlist-server's words.

Each function returns a request whose answer by mirrorlist-server must be our answer to the
original. So a difference of this kind is not ignored but checked against another answer.
"""

import re
from collections.abc import Callable
from urllib.parse import unquote

from msgspec.structs import replace

from mirrorlist.replay.compare import Rewritten
from mirrorlist.replay.request import Request
from mirrorlist.request.address import parse_address
from mirrorlist.request.client import Trust
from mirrorlist.request.commas import elements
from mirrorlist.request.query import FORM_BLANK

Rewrite = Callable[[Request], Rewritten | None]

# Values that can be written in a query string without percent-encoding.
_LITERAL = re.compile(r"[!-~]*")
_NOT_LITERAL = set('&=#%<>"+')


def decoded(request: Request) -> Rewritten | None:
    """Return the request with its values decoded, where they can be written literally."""
    changed = request
    for name, value in request.parameters:
        text = unquote(value or "")
        plain = _LITERAL.fullmatch(text) and not _NOT_LITERAL & set(text.replace("+", ""))
        if value is not None and text != value and plain:
            changed = changed.having(name, text)
    return changed_to(request, changed)


def countries_in_capitals(request: Request) -> Rewritten | None:
    """Return the request with its countries in capitals."""
    return having(request, "country", (request.value("country") or "").upper())


def lists_without_blanks(request: Request) -> Rewritten | None:
    """Return the request without the empty elements and the blanks of country= and protocol=."""
    changed = request
    for name in ("country", "protocol"):
        value = request.value(name) or ""
        named = ",".join(elements(value, FORM_BLANK))
        if named != value:
            # An empty protocol= allows no protocol; a missing protocol= allows all.
            changed = changed.having(name, named or (None if name == "country" else ""))
    return changed_to(request, changed)


def protocols_in_lower_case(request: Request) -> Rewritten | None:
    """Return the request with its protocols in lower case."""
    return having(request, "protocol", (request.value("protocol") or "").lower())


def believed(request: Request) -> Rewritten | None:
    """Return the request with only the address that we believe in X-Forwarded-For."""
    if request.forwarded is None or request.value("ip"):
        return None
    found = believed_of(request.forwarded)
    changed = replace(request, forwarded=found)
    return changed_to(request, changed)


def believed_of(forwarded: str) -> str | None:
    """Return the address that our server believes in an X-Forwarded-For line, or None.

    With the server's own code and default proxies: docs/protocol.md#whose-address-counts.
    """
    client = Trust().believe("127.0.0.1", [forwarded.encode("latin-1", "replace")], "")
    if client.source != "x-forwarded-for":
        return None
    # A line with the address alone is kept as it is written.
    return forwarded if parse_address(forwarded) == client.geo else str(client.geo)


def without_near_tiers(request: Request) -> Rewritten | None:
    """Return a stranger's request with `ip=`, without the tiers that `ip=` does not move."""
    if request.forwarded is None or not request.value("ip"):
        return None
    if request.value("netblock") is None:
        return Rewritten(replace(request, query=f"{request.query}&netblock=0"))
    return having(request, "netblock", "0")


def by_ipv4(request: Request) -> Rewritten | None:
    """Return the request with the IPv4 address within its mapped, 6to4 or Teredo address."""
    address = parse_address(request.client)
    if address is None or ":" not in request.client or address.tunnelled.version == 6:
        return None
    inner = str(address.tunnelled)
    if request.value("ip"):
        return having(request, "ip", inner)
    return Rewritten(replace(request, forwarded=inner))


def having(request: Request, name: str, value: str) -> Rewritten | None:
    """Return the request with another value of a parameter, or None if the value is the same."""
    if value == (request.value(name) or ""):
        return None
    return Rewritten(request.having(name, value))


def changed_to(request: Request, changed: Request) -> Rewritten | None:
    """Return the changed request, or None if it is the same."""
    return None if changed == request else Rewritten(changed)
