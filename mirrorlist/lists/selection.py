"""The tiers: which hosts are offered, and in which order.

Source: docs/protocol.md#which-hosts-in-which-order. Reading order: `_STEPS` is the
rule; each step's function names the candidates; `offer` walks the steps, and leaves to chance
the order within each part; `draw` draws it.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from enum import StrEnum
from random import Random

from msgspec import Struct

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.roster import GLOBAL
from mirrorlist.catalog.urls import DEFAULT_PROTOCOLS, REDIRECT_PROTOCOLS, Url, writable
from mirrorlist.lists.place import Place
from mirrorlist.lists.shuffle import shuffled, weighted
from mirrorlist.lists.target import Target
from mirrorlist.request.client import Client
from mirrorlist.request.query import Query


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

    @property
    def urls(self) -> Mapping[int, Sequence[Url]]:
        """The URLs under which each host would be listed; one without any is not there."""
        query = self.query
        if query.metalink:
            only = None
        elif query.redirect:
            only = REDIRECT_PROTOCOLS
        else:
            only = DEFAULT_PROTOCOLS if query.wish.protocols is None else None
        return self.catalog.listed(self.target.category, self.protocols, only)

    @property
    def usable(self) -> Container[int]:
        """The hosts that count as found and as enough: listed, with a URL for most clients.

        dnf and zypper pass over rsync in a metalink, which has it unless protocol= says otherwise.
        """
        if self.query.metalink and self.protocols is None:
            return self.catalog.listed(self.target.category, None, DEFAULT_PROTOCOLS)
        return self.urls

    @property
    def enough(self) -> int:
        """So many of these make the global tier needless: always one, as a list is not empty."""
        return max(1, self.minimum)

    @property
    def protocols(self) -> frozenset[str] | None:
        """The protocols asked for, None for all; without rsync if no list can show it the path."""
        return writable(self.query.wish.protocols, self.target.path)

    def allowed(self, hosts: tuple[int, ...]) -> tuple[int, ...]:
        """Return the hosts that may be offered to clients of this country."""
        barred = self.catalog.barred(self.place.country)
        if barred.isdisjoint(hosts):
            return hosts
        return tuple(host for host in hosts if host not in barred)


class Part(Struct, frozen=True):
    """Hosts of one tier whose order is left to chance: by bandwidth, or equally likely."""

    tier: Tier
    hosts: tuple[int, ...]
    by_bandwidth: bool


class Offer(Struct, frozen=True):
    """All that chance does not decide: the parts in order, each host in one, with its URLs.

    `nearer`: how many hosts before the global tier count as enough. What a heading says was used:
    `netblock`: the netblock tier had a host; `asn`: the ASN if a listed host has it; `countries`:
    those that had hosts in a tier of countries, and `GLOBAL` if it was consulted. `asked_found`:
    country= found a host, so nothing was added after it.
    """

    parts: list[Part]
    urls: Mapping[int, Sequence[Url]]
    nearer: int
    netblock: bool
    asn: int | None
    countries: list[str]
    asked_found: bool = False

    @property
    def first(self) -> Tier | None:
        """The first tier that has a host, or None."""
        return self.parts[0].tier if self.parts else None

    @property
    def tiers(self) -> dict[int, Tier]:
        """The tier of each host."""
        return {host: part.tier for part in self.parts for host in part.hosts}


# Candidates by what the heading may name: a country. Other tiers leave that empty.
Groups = list[tuple[str, tuple[int, ...]]]


class _Progress(Struct):
    """What the steps so far have found: groups by tier in order; `usable` hosts count."""

    found: dict[Tier, Groups]
    usable: Container[int]

    def hosts(self, tier: Tier) -> Iterable[int]:
        """Return the hosts of a tier, group by group; none if it was not consulted."""
        return (host for _, hosts in self.found.get(tier, ()) for host in hosts)

    def has(self, *tiers: Tier) -> bool:
        """Return whether some tiers have a host that counts."""
        return any(host in self.usable for tier in tiers for host in self.hosts(tier))

    def asked_found(self) -> bool:
        """Return whether country= found a host, in its countries or on their continents."""
        return self.has(Tier.COUNTRY_ASKED, Tier.CONTINENT_ASKED)

    def nearer(self) -> int:
        """Return how many hosts that count are in the tiers before the global one."""
        tiers = [tier for tier in self.found if tier is not Tier.GLOBAL]
        return len({host for tier in tiers for host in self.hosts(tier) if host in self.usable})


class _Step(Struct, frozen=True):
    tier: Tier
    applies: Callable[[Situation, _Progress], bool]
    candidates: Callable[[Situation], Groups]
    by_bandwidth: bool


def draw(found: Offer, weights: Sequence[int], rng: Random) -> list[int]:
    """Return the hosts of an offer, part after part, each part in an order by chance."""
    return [host for part in found.parts for host in _draw(part, weights, rng)]


def _draw(part: Part, weights: Sequence[int], rng: Random) -> list[int]:
    return weighted(part.hosts, weights, rng) if part.by_bandwidth else shuffled(part.hosts, rng)


def offer(situation: Situation) -> Offer:
    """Walk the tiers."""
    return _offer(situation, _STEPS)


def stored_offer(situation: Situation) -> Offer:
    """Offer all public hosts as they are stored, whatever the tiers are: nothing to draw."""
    urls = situation.urls
    public = situation.allowed(situation.target.carriers.public)
    hosts = tuple([host for host in public if host in urls])
    parts = [Part(Tier.GLOBAL, hosts, by_bandwidth=False)] if hosts else []
    return Offer(parts, urls, nearer=0, netblock=False, asn=None, countries=[GLOBAL])


def near_offer(situation: Situation) -> Offer:
    """Walk the tiers of netblocks and ASNs alone: nearly always nothing."""
    return _offer(situation, _STEPS[:_NEAR_STEPS])


def geo_offer(situation: Situation) -> Offer:
    """Walk the tiers of countries alone, which all clients of a country share."""
    return _offer(situation, _STEPS[_NEAR_STEPS:])


def _offer(situation: Situation, steps: Sequence[_Step]) -> Offer:
    progress = _Progress({}, situation.usable)
    for step in steps:
        if step.applies(situation, progress):
            progress.found[step.tier] = step.candidates(situation)
    parts, urls = _parts(situation, progress)
    countries = [country for groups in progress.found.values() for country, _ in groups if country]
    return Offer(
        parts=parts,
        urls=urls,
        nearer=progress.nearer(),
        netblock=bool(progress.found.get(Tier.NETBLOCK)),
        asn=situation.place.asn if any(h in urls for h in progress.hosts(Tier.ASN)) else None,
        countries=list(dict.fromkeys(countries)),
        asked_found=progress.asked_found(),
    )


def _parts(
    situation: Situation, progress: _Progress
) -> tuple[list[Part], Mapping[int, Sequence[Url]]]:
    """Put each host that has a URL into the first part that has it."""
    parts, urls, seen = [], situation.urls, set[int]()
    for step in _STEPS:
        groups = [hosts for _, hosts in progress.found.get(step.tier, ())]
        if step.by_bandwidth and len(groups) > 1:
            # Countries are drawn together; near groups follow each other, longest prefix first.
            groups = [tuple(dict.fromkeys(host for hosts in groups for host in hosts))]
        for hosts in groups:
            listed = tuple([host for host in hosts if host in urls and host not in seen])
            if listed:
                seen.update(listed)
                parts.append(Part(step.tier, listed, step.by_bandwidth))
    return parts, urls


def _near(situation: Situation, progress: _Progress) -> bool:
    return situation.query.wish.near and not situation.query.wish.countries


def _asked(situation: Situation, progress: _Progress) -> bool:
    return bool(situation.query.wish.countries)


def _asked_in_vain(situation: Situation, progress: _Progress) -> bool:
    return bool(situation.query.wish.countries) and not progress.has(Tier.COUNTRY_ASKED)


def _own(situation: Situation, progress: _Progress) -> bool:
    return not progress.asked_found()


def _too_few(situation: Situation, progress: _Progress) -> bool:
    return not progress.asked_found() and progress.nearer() < situation.enough


def _by_netblock(situation: Situation) -> Groups:
    # A tunnelled client may be known by its literal address; only else by its IPv4 one.
    catalog, near = situation.catalog, situation.client.near
    carriers = situation.target.carriers
    for address in dict.fromkeys((near, near.tunnelled)):
        named = (netblock.hosts for netblock in catalog.netblocks(address))
        carrying = (tuple(host for host in hosts if host in carriers) for hosts in named)
        groups = [("", hosts) for hosts in carrying if hosts]
        if groups:
            return groups
    return []


def _by_asn(situation: Situation) -> Groups:
    asn, carriers = situation.place.asn, situation.target.carriers
    if asn is None:
        return []
    return [("", tuple(host for host in situation.catalog.of_asn(asn) if host in carriers))]


def _by_countries(situation: Situation, countries: Iterable[str]) -> Groups:
    carriers = situation.target.carriers
    groups = []
    for country in countries:
        hosts = carriers.public if country == GLOBAL else carriers.by_country.get(country, ())
        hosts = hosts and situation.allowed(hosts)
        if hosts:
            groups.append((country, hosts))
    return groups


def _by_country_asked(situation: Situation) -> Groups:
    return _by_countries(situation, situation.query.wish.countries)


def _by_continent_asked(situation: Situation) -> Groups:
    asked = situation.query.wish.countries
    around = [other for country in asked for other in situation.catalog.neighbours(country)]
    return _by_countries(situation, dict.fromkeys(around))


def _by_country(situation: Situation) -> Groups:
    return _by_countries(situation, [situation.place.country])


def _by_continent(situation: Situation) -> Groups:
    own, continents = situation.place, situation.catalog.continents
    if own.continent is None:
        return []
    # Of the countries that have hosts, as they are fewer than those of a continent.
    around = sorted(
        country
        for country in situation.target.carriers.by_country
        if country != own.country and continents.get(country) == own.continent
    )
    return _by_countries(situation, around)


def _by_nothing(situation: Situation) -> Groups:
    # Consulted, so it stands in the heading, even if it adds nobody.
    return [(GLOBAL, situation.allowed(situation.target.carriers.public))]


_STEPS = (
    _Step(Tier.NETBLOCK, _near, _by_netblock, by_bandwidth=False),
    _Step(Tier.ASN, _near, _by_asn, by_bandwidth=False),
    _Step(Tier.COUNTRY_ASKED, _asked, _by_country_asked, by_bandwidth=True),
    _Step(Tier.CONTINENT_ASKED, _asked_in_vain, _by_continent_asked, by_bandwidth=True),
    _Step(Tier.COUNTRY, _own, _by_country, by_bandwidth=True),
    _Step(Tier.CONTINENT, _own, _by_continent, by_bandwidth=True),
    _Step(Tier.GLOBAL, _too_few, _by_nothing, by_bandwidth=True),
)
_NEAR_STEPS = 2
