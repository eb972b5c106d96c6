"""Why these mirrors: each host of an answer with its tier, each other host with the reason.

An explanation is made from the answer's own plan, and draws the hosts by the same functions.
Source: docs/protocol.md#why-these-hosts.
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
from mirrorlist.lists.selection import Offer, draw, offer
from mirrorlist.lists.situation import Situation
from mirrorlist.request.client import Client
from mirrorlist.request.query import Query
from snapshot.file.model import Host
from snapshot.file.reasons import Reason, is_of_country, opening, sentence, switched_off

# Behind a longer path each host is shown with its first URL alone.
MOST_PATH = 512


def explain(plan: Plan, client: Client, place: Place, rng: Random, now: float) -> Explanation:
    """Return an answer with its reasons; the same seed gives the same hosts as in the answer."""
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

    For questions that do not say which of the two they mean: `/explain` and `mirrorlist ask`.
    Raises QueryError where the answer would be an error.
    """
    try:
        return Plan(structs.replace(query, metalink=True), catalog, minimum)
    except NotFound:
        return Plan(structs.replace(query, metalink=False), catalog, minimum)


def _listed(hosts: Sequence[int], found: Offer, path: Path, catalog: Catalog) -> list[Listed]:
    # A path that a client made long is not repeated for each URL.
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
    # A stranger does not learn "whether the country of an `ip=` comes from the database or from
    # GeoIP": else strangers could find out, address by address, which networks the database knows.
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

    "Of the other hosts a stranger sees those that are active, public and have a public URL"; which
    further hosts there are, and who switched them off, is the mirror admins' business.
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
    """Return the reason for a stranger, who learns nothing of a host but its public URLs."""
    # NO_PUBLIC_URL would tell that the host has private URLs in this category.
    catalog, category = situation.catalog, situation.target.category
    if not catalog.urls(category, index):
        return Reason.NO_CATEGORY, catalog.categories[category].name
    return _reason(index, host, situation, found)


def _reason(index: int, host: Host, situation: Situation, found: Offer) -> tuple[Reason, object]:
    """Return the first rule on the way from the database to the list that keeps a host out."""
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
