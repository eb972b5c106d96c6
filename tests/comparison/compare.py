"""Whether an answer says what is expected: each field, and the links tier by tier."""

from dataclasses import dataclass, fields, replace
from itertools import groupby

from tests.comparison.expected import Expected, HostLinks
from tests.comparison.meaning import Link, Meaning


@dataclass(frozen=True)
class Difference:
    """One field in which an answer is not what is expected."""

    field: str
    expected: object
    found: object


# Links are walked, and a redirect leads to any host of the first tier.
_BY_TIERS = ("links", "location")


def compare(expected: Expected, found: Meaning) -> list[Difference]:
    """Return where one answer differs; its order may be any that the tiers allow."""
    wanted = expected.meaning
    # The order of countries in the heading is free.
    differences = [
        Difference(field.name, _loose(wanted, field.name), _loose(found, field.name))
        for field in fields(Meaning)
        if field.name not in _BY_TIERS and _loose(wanted, field.name) != _loose(found, field.name)
    ]
    if found.broken or found.error is not None or wanted.error is not None:
        return differences
    if wanted.status == 302 or found.status == 302:
        return differences + _location(expected, found)
    return differences + _links(expected, found)


def _loose(meaning: Meaning, name: str) -> object:
    value: object = getattr(meaning, name)
    return sorted(meaning.countries) if name == "countries" else value


def _location(expected: Expected, found: Meaning) -> list[Difference]:
    first = {links[0].url for links in expected.tiers[0]} if expected.tiers else {None}
    if found.location in first:
        return []
    return [Difference("location", sorted(map(str, first)), found.location)]


def _links(expected: Expected, found: Meaning) -> list[Difference]:
    wanted = {links for tier in expected.tiers for links in tier}
    order = _order(found.links, wanted)
    missing, extra = wanted - set(order), set(order) - wanted
    if missing or extra:
        return [Difference("hosts", _shown(missing), _shown(extra))]
    if len(order) != len(wanted):
        return [Difference("hosts", len(wanted), len(order))]
    return _tiers(expected, order) + _preferences(found.links, order)


def _order(links: tuple[Link, ...], wanted: set[HostLinks]) -> list[HostLinks]:
    """Group an answer's links by host: by preference, or in a text list as we know the hosts."""
    if links and links[0].attributes:
        groups = groupby(links, key=lambda link: dict(link.attributes).get("preference"))
        return [tuple(map(_without_preference, group)) for _, group in groups]
    by_first = {host[0]: host for host in wanted}
    order, start = [], 0
    while start < len(links):
        host = by_first.get(links[start], ())
        whole = links[start : start + len(host)] == host
        order.append(host if host and whole else (links[start],))
        start += len(order[-1])
    return order


def _without_preference(link: Link) -> Link:
    kept = tuple(item for item in link.attributes if item[0] != "preference")
    return replace(link, attributes=kept)


def _tiers(expected: Expected, order: list[HostLinks]) -> list[Difference]:
    start = 0
    for number, tier in enumerate(expected.tiers):
        run = set(order[start : start + len(tier)])
        if run != tier:
            return [Difference(f"tier {number}", _shown(tier - run), _shown(run - tier))]
        start += len(tier)
    return []


def _preferences(links: tuple[Link, ...], order: list[HostLinks]) -> list[Difference]:
    found = [dict(link.attributes).get("preference") for link in links]
    wanted = [str(max(100 - place, 1)) for place, host in enumerate(order) for _ in host]
    if found in ([None] * len(links), wanted):
        return []
    return [Difference("preference", wanted, found)]


def _shown(hosts: set[HostLinks] | frozenset[HostLinks]) -> list[str]:
    return sorted(" ".join(link.url for link in links) for links in hosts)
