"""The mirrorlist as text: a comment line that says what was used, then a URL a line.

Source: behaviour.md section 5.
"""

from mirrorlist.query import Query, echo
from mirrorlist.selection import GLOBAL, Selection
from mirrorlist.target import Target

CONTENT_TYPE = "text/plain"


def render_mirrorlist(query: Query, target: Target, selection: Selection, read: int) -> bytes:
    """Return the list; `read` is the time of the database read in seconds since 1970, UTC."""
    lines = [heading(query, target, selection)]
    if query.time:
        lines.append(f"# database creation time: {read}")
    lines += [url.base + target.path for one in selection.chosen for url in one.urls]
    return "\n".join([*lines, ""]).encode()


def heading(query: Query, target: Target, selection: Selection) -> str:
    """Return the first line, without its line feed."""
    parts = [target.heading]
    if selection.netblock:
        parts.append("Using preferred netblock ")
    if selection.asn is not None:
        parts.append(f"Using ASN {selection.asn} ")
    for country in selection.countries:
        parts.append(f"country = {'global' if country == GLOBAL else echo(country)} ")
    if query.protocols is not None:
        parts.append(f"protocol = {echo(query.protocol_text)}")
    return "".join(parts)


def render_error(text: str) -> bytes:
    """Return an error as bare text, without a line feed, as the incumbent does."""
    return text.encode()
