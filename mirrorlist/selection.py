"""The tiers: which hosts are offered, in which order, and why a host is not.

Source: behaviour.md section 3 and section 6 items 4, 5 and 8. Reading order: `_STEPS` is the
rule; each step's function names the candidates; `select` walks the steps.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from random import Random

from msgspec import Struct

from mirrorlist.catalog import Catalog
from mirrorlist.client import Client
from mirrorlist.place import Place
from mirrorlist.query import Query
from mirrorlist.shuffle import shuffled, weighted
from mirrorlist.target import Target
from mirrorlist.urls import PLAIN_PROTOCOLS, REDIRECT_PROTOCOLS, Url, first, offered

GLOBAL = "GLOBAL"


class Tier(StrEnum):
    """One step of the order."""

    NETBLOCK = "netblock"
    ASN = "ASN"
    COUNTRY_ASKED = "country asked"
    CONTINENT_ASKED = "continent asked"
    COUNTRY = "country"
    CONTINENT = "continent"
    GLOBAL = "global"


class Situation(Struct, frozen=True):
    """Everything that decides about one answer, but chance."""

    query: Query
    client: Client
    place: Place
    target: Target
    catalog: Catalog
    minimum: int

    def urls(self, host: int) -> Sequence[Url]:
        """Return the URLs under which a host would be listed; none leaves it out."""
        query = self.query
        urls = offered(self.catalog.urls(self.target.category, host), query.protocols)
        if query.metalink:
            return urls
        if query.redirect:
            return first(urls, REDIRECT_PROTOCOLS)
        return first(urls, PLAIN_PROTOCOLS) if query.protocols is None else urls

    def survives(self, host: int) -> bool:
        """Return whether a host is left after the protocol filter."""
        urls = self.catalog.urls(self.target.category, host)
        return bool(offered(urls, self.query.protocols))

    def allowed(self, hosts: Iterable[int]) -> tuple[int, ...]:
        """Return the hosts that may be offered to clients of this country."""
        records, country = self.catalog.hosts, self.place.country
        return tuple(
            host
            for host in hosts
            if not records[host].countries_allowed or country in records[host].countries_allowed
        )


class Chosen(Struct, frozen=True):
    """A host of the answer and the first tier that it is in."""

    host: int
    tier: Tier
    urls: Sequence[Url]


class Selection(Struct, frozen=True):
    """The hosts of an answer in order, and what its heading says was used.

    `netblock`: the netblock tier had a host; `asn`: the ASN if a listed host has it;
    `countries`: those that had hosts in a tier of countries, and `GLOBAL` if it was consulted;
    `asked_found`: country= found a host, so nothing was added after it.
    """

    chosen: list[Chosen]
    netblock: bool
    asn: int | None
    countries: list[str]
    asked_found: bool = False


class _Progress(Struct):
    """What the steps so far have found: hosts by tier in order, countries for the heading."""

    found: dict[Tier, list[int]]
    countries: list[str]

    def asked_found(self) -> bool:
        """Return whether country= found a host, in its countries or on their continents."""
        return bool(self.found.get(Tier.COUNTRY_ASKED) or self.found.get(Tier.CONTINENT_ASKED))


# Candidates by what the heading may name: a country. Other tiers leave that empty.
Groups = list[tuple[str, tuple[int, ...]]]


class _Step(Struct, frozen=True):
    tier: Tier
    applies: Callable[[Situation, _Progress], bool]
    candidates: Callable[[Situation], Groups]
    order: Callable[[Groups, Situation, Random], list[int]]


def select(situation: Situation, rng: Random) -> Selection:
    """Walk the tiers; a host stands in the first tier that has it."""
    progress = _Progress({}, [])
    for step in _STEPS:
        if step.applies(situation, progress):
            groups = step.candidates(situation)
            progress.found[step.tier] = step.order(groups, situation, rng)
            progress.countries += [country for country, _ in groups if country]
    chosen = _first_tiers(situation, progress)
    by_asn = {*progress.found.get(Tier.ASN, ())}
    return Selection(
        chosen=chosen,
        netblock=bool(progress.found.get(Tier.NETBLOCK)),
        asn=situation.place.asn if any(one.host in by_asn for one in chosen) else None,
        countries=list(dict.fromkeys(progress.countries)),
        asked_found=progress.asked_found(),
    )


def _near(situation: Situation, progress: _Progress) -> bool:
    return situation.query.near and not situation.query.countries


def _asked(situation: Situation, progress: _Progress) -> bool:
    return bool(situation.query.countries)


def _asked_in_vain(situation: Situation, progress: _Progress) -> bool:
    return bool(situation.query.countries) and not progress.found[Tier.COUNTRY_ASKED]


def _own(situation: Situation, progress: _Progress) -> bool:
    return not progress.asked_found()


def _too_few(situation: Situation, progress: _Progress) -> bool:
    if progress.asked_found():
        return False
    hosts = {host for found in progress.found.values() for host in found}
    return sum(map(situation.survives, hosts)) < situation.minimum


def _by_netblock(situation: Situation) -> Groups:
    # A tunnelled client may be known by its literal address; only else by its IPv4 one.
    catalog, near = situation.catalog, situation.client.near
    carriers = situation.target.carriers.hosts
    for address in dict.fromkeys((near, near.tunnelled)):
        named = (netblock.hosts for netblock in catalog.netblocks(address))
        carrying = (tuple(host for host in hosts if host in carriers) for hosts in named)
        groups = [("", hosts) for hosts in carrying if hosts]
        if groups:
            return groups
    return []


def _by_asn(situation: Situation) -> Groups:
    asn, hosts = situation.place.asn, situation.catalog.hosts
    if asn is None:
        return []
    carriers = sorted(situation.target.carriers.hosts)
    return [("", tuple(host for host in carriers if asn in hosts[host].asns))]


def _by_countries(situation: Situation, countries: Iterable[str]) -> Groups:
    carriers = situation.target.carriers
    groups = []
    for country in countries:
        hosts = carriers.public if country == GLOBAL else carriers.by_country.get(country, ())
        hosts = situation.allowed(hosts)
        if hosts:
            groups.append((country, hosts))
    return groups


def _by_country_asked(situation: Situation) -> Groups:
    return _by_countries(situation, situation.query.countries)


def _by_continent_asked(situation: Situation) -> Groups:
    asked = situation.query.countries
    around = [other for country in asked for other in situation.catalog.neighbours(country)]
    return _by_countries(situation, dict.fromkeys(around))


def _by_country(situation: Situation) -> Groups:
    return _by_countries(situation, [situation.place.country])


def _by_continent(situation: Situation) -> Groups:
    return _by_countries(situation, situation.catalog.neighbours(situation.place.country))


def _by_nothing(situation: Situation) -> Groups:
    # Consulted, so it stands in the heading, even if it adds nobody.
    return [(GLOBAL, situation.allowed(situation.target.carriers.public))]


def _group_by_group(groups: Groups, situation: Situation, rng: Random) -> list[int]:
    return [host for _, hosts in groups for host in shuffled(hosts, rng)]


def _by_bandwidth(groups: Groups, situation: Situation, rng: Random) -> list[int]:
    hosts = dict.fromkeys(host for _, hosts in groups for host in hosts)
    return weighted(hosts, situation.catalog.weights, rng)


_STEPS = (
    _Step(Tier.NETBLOCK, _near, _by_netblock, _group_by_group),
    _Step(Tier.ASN, _near, _by_asn, _group_by_group),
    _Step(Tier.COUNTRY_ASKED, _asked, _by_country_asked, _by_bandwidth),
    _Step(Tier.CONTINENT_ASKED, _asked_in_vain, _by_continent_asked, _by_bandwidth),
    _Step(Tier.COUNTRY, _own, _by_country, _by_bandwidth),
    _Step(Tier.CONTINENT, _own, _by_continent, _by_bandwidth),
    _Step(Tier.GLOBAL, _too_few, _by_nothing, _by_bandwidth),
)


def _first_tiers(situation: Situation, progress: _Progress) -> list[Chosen]:
    chosen, seen = [], set()
    for tier, hosts in progress.found.items():
        for host in hosts:
            if host not in seen:
                seen.add(host)
                urls = situation.urls(host)
                if urls:
                    chosen.append(Chosen(host, tier, urls))
    return chosen
