"""The tiers: which hosts are offered, and in which order.

Source: docs/protocol.md#which-hosts-in-which-order. Reading order: `_STEPS` at the end is the rule,
a row for each tier; a row's functions say when the tier is consulted and which hosts it names;
`offer` walks the rows, without chance; `draw` draws the order within each part of an offer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import chain
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

    # Enum's own is a function in Python, and each answer is counted by its tier.
    __hash__ = str.__hash__


class Situation(Struct, frozen=True):
    """Everything that decides about one client's list, except chance."""

    query: Query
    client: Client
    place: Place
    target: Target
    catalog: Catalog
    minimum: int

    @property
    def urls(self) -> Mapping[int, Sequence[Url]]:
        """The URLs under which each host would be listed; a host without any is not among them.

        docs/protocol.md#the-urls-of-a-host: "mirrorlist without `protocol`: one URL for each host,
        the first that is https, http or ftp", and "metalink without `protocol`: all URLs, rsync
        too".
        """
        query = self.query
        if query.metalink:
            only = None
        elif query.redirect:
            # A client that follows a redirect speaks http and https; it may know nothing else.
            only = REDIRECT_PROTOCOLS
        else:
            only = DEFAULT_PROTOCOLS if query.wish.protocols is None else None
        return self.catalog.listed(self.target.category, self.protocols, only)

    def usable_among(self, urls: Mapping[int, Sequence[Url]]) -> Mapping[int, Sequence[Url]]:
        """Return which of the hosts with `urls` count as found and as enough.

        These are the hosts with a URL that most clients can use.

        docs/protocol.md#which-hosts-in-which-order: "In a metalink without `protocol=` a host that
        has only rsync is listed but not counted, because dnf and zypper ignore it."
        """
        # Such hosts as the only near ones would give dnf a metalink that it cannot use
        # (docs/clients.md#urls-of-rsync-in-a-metalink).
        if self.query.metalink and self.protocols is None:
            return self.catalog.listed(self.target.category, None, DEFAULT_PROTOCOLS)
        return urls

    @property
    def enough(self) -> int:
        """This many usable hosts make the global tier needless."""
        # "fewer than `--minimum` (5) hosts so far, or no host at all": with --minimum 0 a list
        # without near hosts would be empty.
        return max(1, self.minimum)

    @property
    def protocols(self) -> frozenset[str] | None:
        """The protocols asked for, None for all; without rsync if a list cannot show its path."""
        return writable(self.query.wish.protocols, self.target.path)

    @property
    def barred(self) -> frozenset[int]:
        """The hosts that may not be offered to clients of this country."""
        # "offered to all clients in the netblock and ASN tiers, and elsewhere only to clients from
        # these countries" (docs/protocol.md#which-hosts-in-which-order): so only the tiers of
        # countries ask this.
        return self.catalog.surroundings(self.place.country)[1]


class Part(Struct, frozen=True):
    """Hosts of one tier whose order is left to chance: weighted by bandwidth, or shuffled."""

    tier: Tier
    hosts: tuple[int, ...]
    by_bandwidth: bool


class Offer(Struct, frozen=True):
    """All that chance does not decide: the parts in order, each host in one of them, with its URLs.

    `nearer` is how many usable hosts the tiers before the global one have. `asked_found` says that
    country= found a host, so the client's own country and the world were not consulted.

    The rest is for the heading of a text list: `netblock` says that the netblock tier had a host;
    `asn` is the client's ASN if a listed host has it; `countries` are those that had hosts in a
    tier of countries, and `GLOBAL` if that tier was consulted.
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


_ASKED = (Tier.COUNTRY_ASKED, Tier.CONTINENT_ASKED)

# The candidates of a tier. The first of each pair is the country that the heading names for them:
# "It names a country if the country has hosts in a tier of countries"
# (docs/protocol.md#the-text-list). The first is empty in the netblock and ASN tiers.
Groups = list[tuple[str, tuple[int, ...]]]


class _Progress(Struct):
    """What the steps so far have found; only `usable` hosts count.

    `found` are the groups of each tier, `parts` the hosts of them that are listed, and `seen` these
    hosts together. `nearer` is how many usable hosts the tiers before the global one have.
    `asked_found` says that country= found a host, in its countries or on their continents.
    """

    urls: Mapping[int, Sequence[Url]]
    usable: Mapping[int, Sequence[Url]]
    found: dict[Tier, Groups] = {}
    parts: list[Part] = []
    seen: set[int] = set()
    nearer: int = 0
    asked_found: bool = False

    def add(self, step: "_Step", groups: Groups) -> None:
        """Put each host of a step that has a URL into the first part that names it.

        "A host is listed once, in its first tier" (docs/protocol.md#which-hosts-in-which-order).
        """
        self.found[step.tier] = groups
        named: Iterable[Iterable[int]] = [hosts for _, hosts in groups]
        if step.by_bandwidth:
            # Several countries are drawn as one part. Groups of netblocks stay apart: "longest
            # prefix first, equal ones shuffled".
            named = [chain.from_iterable(named)]
        for hosts in named:
            self._list(step, hosts)
        # No tier comes before these two, because a client that names a country gets no near hosts.
        if step.tier in _ASKED:
            self.asked_found = self.nearer > 0

    def _list(self, step: "_Step", hosts: Iterable[int]) -> None:
        urls, usable, seen = self.urls, self.usable, self.seen
        listed = tuple([host for host in hosts if host in urls and host not in seen])
        if not listed:
            return
        before = len(seen)
        seen.update(listed)
        if len(seen) < before + len(listed):
            # GLOBAL beside a country names a host twice.
            listed = tuple(dict.fromkeys(listed))
        self.parts.append(Part(step.tier, listed, step.by_bandwidth))
        # Usable hosts have a URL in the list, so all of them are among the listed ones.
        if step.tier is not Tier.GLOBAL:
            self.nearer += len(listed if usable is urls else [*filter(usable.__contains__, listed)])


class _Step(Struct, frozen=True):
    """A row of the rule: a tier, when it is consulted, whom it names, and how these are drawn."""

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
    """Offer all public hosts in stored order, in one part and without tiers: nothing to draw."""
    # "If making an answer fails, the client gets the public hosts in stored order"
    # (docs/protocol.md#internal-errors). Allowed countries are still kept.
    urls = situation.urls
    public = _without(situation.target.carriers.public, situation.barred)
    hosts = tuple([host for host in public if host in urls])
    parts = [Part(Tier.GLOBAL, hosts, by_bandwidth=False)] if hosts else []
    return Offer(parts, urls, nearer=0, netblock=False, asn=None, countries=[GLOBAL])


def near_offer(situation: Situation) -> Offer:
    """Walk the netblock and ASN tiers alone: for nearly all clients these have no host."""
    return _offer(situation, _STEPS[:_NEAR_STEPS])


def geo_offer(situation: Situation) -> Offer:
    """Walk the tiers of countries alone: the same for all clients of a country."""
    return _offer(situation, _STEPS[_NEAR_STEPS:])


def _offer(situation: Situation, steps: Sequence[_Step]) -> Offer:
    urls = situation.urls
    progress = _Progress(urls, situation.usable_among(urls))
    for step in steps:
        # `applies` sees what the nearer tiers found: the rows must be walked in order.
        if step.applies(situation, progress):
            progress.add(step, step.candidates(situation))
    found = progress.found
    countries = [country for groups in found.values() for country, _ in groups if country]
    listed = chain.from_iterable([hosts for _, hosts in found.get(Tier.ASN, ())])
    return Offer(
        parts=progress.parts,
        urls=urls,
        nearer=progress.nearer,
        # Also if its hosts have no URL for this list: so does mirrorlist-server's heading.
        netblock=bool(found.get(Tier.NETBLOCK)),
        # "`Using ASN N ` if a listed host has the ASN" (docs/protocol.md#the-text-list).
        asn=situation.place.asn if any(host in urls for host in listed) else None,
        countries=list(dict.fromkeys(countries)),
        asked_found=progress.asked_found,
    )


# When a tier is consulted: the column "when" of docs/protocol.md#which-hosts-in-which-order.


def _near(situation: Situation, progress: _Progress) -> bool:
    # A client that names a country asks for the hosts there, not for those nearby.
    return situation.query.wish.near and not situation.query.wish.countries


def _asked(situation: Situation, progress: _Progress) -> bool:
    return bool(situation.query.wish.countries)


def _asked_in_vain(situation: Situation, progress: _Progress) -> bool:
    # "and no host found in those countries": the continent stands in for them.
    return bool(situation.query.wish.countries) and not progress.asked_found


def _own(situation: Situation, progress: _Progress) -> bool:
    # "nothing found by `country=`": once it found a host, the list ends with what was asked for,
    # however short the list is.
    return not progress.asked_found


def _too_few(situation: Situation, progress: _Progress) -> bool:
    return not progress.asked_found and progress.nearer < situation.enough


# Which hosts a tier names: the column "hosts" of the same table.


def _by_netblock(situation: Situation) -> Groups:
    # A host may have named the literal address of a 6to4 or Teredo client; only where nobody did
    # that, the IPv4 address within it counts (docs/protocol.md#whose-address-counts).
    catalog, near = situation.catalog, situation.client.near
    carriers = situation.target.carriers
    for address in dict.fromkeys((near, near.tunnelled)):
        named = (netblock.hosts for netblock in catalog.netblocks(address))
        # `in carriers`, not in the public ones: this is where private hosts are offered.
        carrying = (tuple(host for host in hosts if host in carriers) for hosts in named)
        groups = [("", hosts) for hosts in carrying if hosts]
        if groups:
            return groups
    return []


def _by_asn(situation: Situation) -> Groups:
    # Of all carriers as well: private hosts are offered to clients of their ASNs.
    asn, carriers = situation.place.asn, situation.target.carriers
    if asn is None:
        return []
    return [("", tuple(host for host in situation.catalog.of_asn(asn) if host in carriers))]


def _by_countries(situation: Situation, countries: Iterable[str]) -> Groups:
    carriers = situation.target.carriers
    found = carriers.by_country
    # A country without hosts is not named in the heading.
    groups = [
        (country, found.get(country, carriers.public))
        for country in countries
        if country in found or (country == GLOBAL and carriers.public)
    ]
    return _offerable(situation, groups)


def _offerable(situation: Situation, groups: Groups) -> Groups:
    """Return groups without the hosts that are for clients of other countries."""
    barred = situation.barred
    if not barred or all(map(barred.isdisjoint, [hosts for _, hosts in groups])):
        return groups
    return [(country, left) for country, hosts in groups if (left := _without(hosts, barred))]


def _without(hosts: tuple[int, ...], barred: frozenset[int]) -> tuple[int, ...]:
    if barred.isdisjoint(hosts):
        return hosts
    return tuple([host for host in hosts if host not in barred])


def _by_country_asked(situation: Situation) -> Groups:
    return _by_countries(situation, situation.query.wish.countries)


def _by_continent_asked(situation: Situation) -> Groups:
    # "the other countries of their continents", in the order asked for; each of them once.
    # Only countries that have hosts are walked: they are few.
    carrying, continents = situation.target.carriers.by_continent, situation.catalog.continents
    around = [
        other
        for country in situation.query.wish.countries
        for other in carrying.get(continents.get(country, ""), ())
        if other != country
    ]
    return _by_countries(situation, dict.fromkeys(around))


def _by_country(situation: Situation) -> Groups:
    return _by_countries(situation, [situation.place.country])


def _by_continent(situation: Situation) -> Groups:
    own, carrying = situation.place, situation.target.carriers.by_continent
    around, hosts = carrying.get(own.continent or "", ()), situation.target.carriers.by_country
    return _offerable(
        situation, [(country, hosts[country]) for country in around if country != own.country]
    )


def _by_nothing(situation: Situation) -> Groups:
    # "It has `country = global ` if the global tier was consulted"
    # (docs/protocol.md#the-text-list), even if that tier adds no host; so the group is there
    # without hosts too.
    return [(GLOBAL, _without(situation.target.carriers.public, situation.barred))]


# `by_bandwidth` is "weighted" in the table; near hosts are shuffled, as mirrorlist-server does it.
_STEPS = (
    _Step(Tier.NETBLOCK, _near, _by_netblock, by_bandwidth=False),
    _Step(Tier.ASN, _near, _by_asn, by_bandwidth=False),
    _Step(Tier.COUNTRY_ASKED, _asked, _by_country_asked, by_bandwidth=True),
    _Step(Tier.CONTINENT_ASKED, _asked_in_vain, _by_continent_asked, by_bandwidth=True),
    _Step(Tier.COUNTRY, _own, _by_country, by_bandwidth=True),
    _Step(Tier.CONTINENT, _own, _by_continent, by_bandwidth=True),
    _Step(Tier.GLOBAL, _too_few, _by_nothing, by_bandwidth=True),
)
# The rows of the netblock and ASN tiers; all behind them are tiers of countries.
_NEAR_STEPS = 2
