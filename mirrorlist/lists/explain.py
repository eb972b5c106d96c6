"""Why these mirrors: each host of an answer with its tier, each other host with the reason.

Takes the plan that the answer is made of, and draws its hosts by the same functions.
"""

from collections.abc import Sequence
from random import Random

from msgspec import structs

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.urls import Path
from mirrorlist.errors import NotFound
from mirrorlist.lists.empty import protocols_asked, why_nothing
from mirrorlist.lists.explanation import ClientSeen, Excluded, Explanation, Listed, SnapshotUsed
from mirrorlist.lists.place import Place
from mirrorlist.lists.plan import Plan
from mirrorlist.lists.selection import Offer, Situation, draw, offer
from mirrorlist.request.client import Client
from mirrorlist.request.query import Query
from snapshot.file.model import Host
from snapshot.file.reasons import Reason, is_of_country, opening, sentence, switched_off

# Behind a longer path each host is shown with its first URL alone.
MOST_PATH = 512


def explain(plan: Plan, client: Client, place: Place, rng: Random, now: float) -> Explanation:
    """Return an answer with its reasons: with the same chance the hosts are those that are sent."""
    catalog, target = plan.catalog, plan.target
    situation = plan.situation(client, place)
    found = offer(situation)
    return Explanation(
        snapshot=SnapshotUsed(catalog.id, catalog.age(now)),
        client=_client_seen(client, place),
        directory=target.name,
        file=target.file,
        hosts=_listed(draw(found, catalog.weights, rng), found, target.path, catalog),
        excluded=_excluded(situation, found),
        error=None if found.parts else str(why_nothing(situation)),
    )


def plan_any(query: Query, catalog: Catalog, minimum: int) -> Plan:
    """Plan the metalink of a query, or its mirrorlist if there are no checksums for one.

    For a question that does not say which of the two it means, as `/explain` and `ask`. Raises
    QueryError where the answer would be an error.
    """
    try:
        return Plan(structs.replace(query, metalink=True), catalog, minimum)
    except NotFound:
        return Plan(structs.replace(query, metalink=False), catalog, minimum)


def _listed(hosts: Sequence[int], found: Offer, path: Path, catalog: Catalog) -> list[Listed]:
    # What a client thinks up is not repeated for each URL.
    most = 1 if len(path.encoded) > MOST_PATH else None
    tiers = found.tiers
    return [
        Listed(
            catalog.hosts[host].id,
            catalog.hosts[host].name,
            tiers[host],
            [path.behind(url) for url in found.urls[host][:most]],
            catalog.hosts[host].country,
        )
        for host in hosts
    ]


def _client_seen(client: Client, place: Place) -> ClientSeen:
    # For which networks of others the database has a country is nothing to ask out one by one.
    is_own = client.is_ours or client.source != "ip=" or client.near == client.geo
    return ClientSeen(
        address=str(client.geo),
        source=client.source,
        country=place.country,
        country_source=place.country_source if is_own else "by ip=",
        continent=place.continent,
        asn=place.asn,
    )


def _excluded(situation: Situation, found: Offer) -> list[Excluded]:
    chosen = found.tiers
    sees_all = situation.client.is_ours
    reason = _reason if sees_all else _public_reason
    return [
        _make_excluded(host, *reason(index, host, situation, found))
        for index, host in enumerate(situation.catalog.hosts)
        if index not in chosen and (sees_all or _is_public(index, host, situation.catalog))
    ]


def _is_public(index: int, host: Host, catalog: Catalog) -> bool:
    """Return whether a host could stand in some list that strangers get.

    Which others there are, and what is switched off by whom, is no business of theirs.
    """
    return (
        not host.private
        and not host.inactive
        and any(catalog.urls(category, index) for category in range(len(catalog.categories)))
    )


def _make_excluded(host: Host, code: Reason, detail: object) -> Excluded:
    country = (host.country or "no country") if is_of_country(code) else ""
    reason = opening(code, country) + sentence(code, detail)
    return Excluded(host.id, host.name, reason, country, code)


def _public_reason(
    index: int, host: Host, situation: Situation, found: Offer
) -> tuple[Reason, object]:
    """The reason for a stranger: what a host has beside its public URLs is not said."""
    catalog, category = situation.catalog, situation.target.category
    if not catalog.urls(category, index):
        return Reason.NO_CATEGORY, catalog.categories[category].name
    return _reason(index, host, situation, found)


def _reason(index: int, host: Host, situation: Situation, found: Offer) -> tuple[Reason, object]:
    """The first rule on the way from the database to the list that stops a host."""
    catalog, target = situation.catalog, situation.target
    if host.inactive:
        return Reason.INACTIVE, switched_off(host.inactive)
    if not catalog.carries_category(target.category, index):
        return Reason.NO_CATEGORY, catalog.categories[target.category].name
    if not catalog.urls(target.category, index):
        return Reason.NO_PUBLIC_URL, ""
    if index not in target.carriers:
        return Reason.NOT_UP_TO_DATE, ""
    if index not in situation.urls:
        return Reason.NO_FITTING_URL, protocols_asked(situation.query)
    return _not_offered(host, situation, found)


def _not_offered(host: Host, situation: Situation, found: Offer) -> tuple[Reason, object]:
    if host.private:
        return Reason.PRIVATE, ""
    if host.countries_allowed and situation.place.country not in host.countries_allowed:
        return Reason.OTHER_COUNTRIES, ", ".join(host.countries_allowed)
    if found.asked_found:
        return Reason.COUNTRY_NOT_ASKED, ""
    return Reason.ENOUGH_NEARER, situation.enough
