"""The mirrorlist as text: a comment line that says what was used, then a URL a line.

Source: docs/protocol.md#the-text-list, and for clients docs/clients.md#the-text-list.
"""

from collections.abc import Sequence

from mirrorlist.listing import Kind, Listing, filling, text_template
from mirrorlist.query import Query, echo
from mirrorlist.roster import GLOBAL
from mirrorlist.selection import Offer, Selection
from mirrorlist.target import Target
from snapshot.file.model import Host

CONTENT_TYPE = "text/plain"


def render_mirrorlist(
    query: Query, target: Target, selection: Selection, read: int, hosts: Sequence[Host]
) -> bytes:
    """Return the list; `read` is the time of the database read in seconds since 1970, UTC."""
    template = text_template([Listing(one.urls, hosts[one.host], 0) for one in selection.chosen])
    opening = target.heading.encode(), used(selection), after_heading(query, read)
    return b"".join((*opening, filling(target.path, Kind.TEXT).of(template)))


def used(found: Selection | Offer) -> bytes:
    """Return what the heading says was used, with a blank at its end."""
    parts = []
    if found.netblock:
        parts.append("Using preferred netblock ")
    if found.asn is not None:
        parts.append(f"Using ASN {found.asn} ")
    for country in found.countries:
        parts.append(f"country = {'global' if country == GLOBAL else echo(country)} ")
    return "".join(parts).encode()


def after_heading(query: Query, read: int) -> bytes:
    """Return the end of the heading and the line after it, if there is one, without a line feed."""
    protocol = "" if query.protocols is None else f"protocol = {echo(query.protocol_text)}"
    time = f"\n# database creation time: {read}" if query.time else ""
    return f"{protocol}{time}".encode()


def render_error(text: str) -> bytes:
    """Return an error as bare text, without a line feed, as the incumbent does."""
    return text.encode()
