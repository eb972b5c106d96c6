"""Why a list is empty: the text of a 404, because an empty list would say nothing to anybody.

Source: docs/protocol.md#errors.
"""

from mirrorlist.errors import NotFound
from mirrorlist.lists.situation import Situation
from mirrorlist.request.query import Query, echo


def why_nothing(situation: Situation) -> NotFound:
    """Return the error for a list without hosts: it says what all public hosts of a directory lack.

    "no host has it, or only private hosts, of which a stranger learns nothing".
    """
    name, public = echo(situation.target.name), situation.target.carriers.public
    if not public:
        return NotFound(f"error: no active host carries {name}")
    if public & situation.urls.hosts:
        country = echo(situation.place.country)
        return NotFound(f"error: no host has {name} for clients from {country}")
    return NotFound(f"error: no host has a URL of {name} {protocols_asked(situation.query)}")


def protocols_asked(query: Query) -> str:
    """Return what a URL must have to stand in a list: the end of the sentence "has no URL ..."."""
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
