"""Known differences where mirrorlist-server counts hosts that its answer cannot show.

Our server counts only hosts with a usable URL, so it goes on to further tiers, or says that no host
has what is asked for. Each function leaves an answer of theirs unchanged unless that explains it.
"""

import re

from msgspec.structs import replace

from mirrorlist.catalog.urls import RSYNC
from mirrorlist.lists.defaults import DEFAULT_MINIMUM
from mirrorlist.replay.meaning import Heading, Meaning
from mirrorlist.replay.request import Request

_NOTHING = re.compile(r"error: no host has (?:a URL of \S+ with .*|\S+ for clients from \S+)")


def nothing(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Take our 404 with a reason for their empty list, or for their redirect to nowhere."""
    if ours.status == 404 and _NOTHING.fullmatch(ours.error or "") and _is_empty(request, theirs):
        return replace(ours, log=theirs.log)
    return theirs


def more_hosts(request: Request, theirs: Meaning, ours: Meaning) -> Meaning:
    """Add the hosts of our further tiers where theirs shows too few that clients can use."""
    if _is_empty(request, theirs) and theirs.status == 404:
        return ours if ours.status == 302 and ours.redirects else theirs
    missing = ours.hosts - theirs.hosts
    if not missing or not theirs.hosts < ours.hosts or not _is_too_few(request, theirs):
        return theirs
    added = ours.tiers[len(ours.tiers) - _last_tiers(ours, missing) :]
    if frozenset().union(*added) != missing:
        return theirs
    return replace(
        theirs,
        links={**theirs.links, **{name: ours.links[name] for name in missing}},
        tiers=(*theirs.tiers, *added),
        preferences=ours.preferences,
        heading=_with_countries(theirs.heading, ours.heading),
    )


def _is_empty(request: Request, theirs: Meaning) -> bool:
    if theirs.status == 404:
        return request.value("redirect") is not None and not theirs.error
    return theirs.status == 200 and theirs.error is None and not theirs.links


def _is_too_few(request: Request, theirs: Meaning) -> bool:
    """Tell whether theirs shows no host that was found, or fewer hosts than are enough."""
    usable = theirs.hosts
    if request.is_metalink and request.value("protocol") is None:
        usable = frozenset(
            name
            for name, links in theirs.links.items()
            if any(link.protocol != RSYNC for link in links)
        )
    return not usable if request.value("country") else len(usable) < DEFAULT_MINIMUM


def _last_tiers(ours: Meaning, hosts: frozenset[str]) -> int:
    """Return how many of the last tiers have no other hosts than the given ones."""
    count = 0
    while count < len(ours.tiers) and ours.tiers[-count - 1] <= hosts:
        count += 1
    return count


def _with_countries(theirs: Heading | None, ours: Heading | None) -> Heading | None:
    """Replace the countries in their heading by ours, if ours has them all."""
    if theirs is None or ours is None or not {*theirs.countries} <= {*ours.countries}:
        return theirs
    return replace(theirs, countries=ours.countries)
