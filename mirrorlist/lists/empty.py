"""Why a list is empty: said with 404, as an empty list tells nobody why."""

from mirrorlist.errors import NotFound
from mirrorlist.lists.selection import Situation
from mirrorlist.request.query import Query, echo


def why_nothing(situation: Situation) -> NotFound:
    """Return the error for a list without hosts: what all public hosts of a directory lack.

    Private hosts are not spoken of: a directory that these alone carry is carried by nobody.
    """
    name, public = echo(situation.target.name), situation.target.carriers.public
    if not public:
        return NotFound(f"error: no active host carries {name}")
    if any(host in situation.urls for host in public):
        country = echo(situation.place.country)
        return NotFound(f"error: no host has {name} for clients from {country}")
    return NotFound(f"error: no host has a URL of {name} {protocols_asked(situation.query)}")


def protocols_asked(query: Query) -> str:
    """Return what a URL must be to stand in a list, as a part of a sentence about one."""
    if query.redirect and not query.metalink:
        also = "" if query.wish.protocols is None else f" and {_named(query)}"
        return f"with protocol http or https, which a redirect needs{also}"
    if query.wish.protocols is not None:
        return f"with {_named(query)}"
    return "with protocol https, http or ftp"


def _named(query: Query) -> str:
    if not query.wish.protocols:
        return "one of no protocols (protocol=)"
    return f"protocol {echo(query.protocol_text)} (protocol=)"
