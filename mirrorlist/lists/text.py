"""The mirrorlist as text: a comment that says how the hosts were found, then a URL a line.

Source: docs/protocol.md#the-text-list, and for clients docs/clients.md#the-text-list.
"""

from collections.abc import Sequence

from mirrorlist.catalog.roster import GLOBAL
from mirrorlist.lists.selection import Offer
from mirrorlist.request.query import MAX_ECHO, Query, echo

CONTENT_TYPE = "text/plain"


def used(found: Offer) -> bytes:
    """Return the part of the heading that says what was used, with a blank at its end."""
    parts = []
    if found.netblock:
        parts.append("Using preferred netblock ")
    if found.asn is not None:
        parts.append(f"Using ASN {found.asn} ")
    if names := ["global" if one == GLOBAL else one for one in _echoes(found.countries)]:
        parts.append(f"country = {' country = '.join(names)} ")
    return "".join(parts).encode()


def _echoes(texts: Sequence[str]) -> Sequence[str]:
    """Return of each text the part that an answer may repeat."""
    # Nearly always these are the codes of countries: one look at all of them is enough.
    whole = "".join(texts)
    is_plain = whole.isalnum() and whole.isascii() and len(whole) <= MAX_ECHO
    return texts if is_plain else [echo(text) for text in texts]


def after_heading(query: Query, read: int) -> bytes:
    """Return the end of the heading, and with time= a second comment; without a last line feed."""
    protocol = "" if query.wish.protocols is None else f"protocol = {echo(query.protocol_text)}"
    time = f"\n# database creation time: {read}" if query.time else ""
    return f"{protocol}{time}".encode()


def render_error(text: str) -> bytes:
    """Return an error as bare text, without a line feed, as mirrorlist-server does."""
    return text.encode()
