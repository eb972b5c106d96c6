"""The tiers: which hosts are offered, and in which order.

Source: docs/protocol.md#which-hosts-in-which-order. Reading order: `_STEPS` at the end is the rule,
a row for each tier; a row's functions say when the tier is consulted and which hosts it names;
`offer` walks the rows, without chance; `draw` draws the order within each part of an offer.

The tiers of countries name sets of hosts (`catalog.ranks`): whom they share is one `&` of numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import reduce
from itertools import chain, compress, repeat
from operator import and_, or_
from random import Random

from msgspec import Struct

from mirrorlist.catalog.ranks import Ranks
from mirrorlist.catalog.roster import GLOBAL, Offered
from mirrorlist.catalog.urls import Url
from mirrorlist.lists.shuffle import shuffled, weighted
from mirrorlist.lists.situation import Situation


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


# Python 3.11 takes 0.2 us to find a member of an Enum by its name.
_COUNTRY_ASKED, _CONTINENT_ASKED = Tier.COUNTRY_ASKED, Tier.CONTINENT_ASKED
_ASKED = (_COUNTRY_ASKED, _CONTINENT_ASKED)

# The hosts that a tier of countries names: sets in order, each with the countries that the heading
# names for it: "It names a country if the country has hosts in a tier of countries"
# (docs/protocol.md#the-text-list).
Sets = list[tuple[Sequence[str], int]]
# What the heading names if a set is of hosts everywhere.
_EVERYWHERE = [GLOBAL]


class _Progress(Struct):
    """What the steps so far have found; only `usable` hosts count.

    `parts` are the hosts that are listed, and `left` those that have a URL and are not listed yet.
    `nearer` is how many usable hosts the tiers before the global one have.
    `asked_found` says that country= found a host, in its countries or on their continents.
    """

    urls: Offered
    usable: Offered
    ranks: Ranks
    left: int
    parts: list[Part] = []
    countries: list[str] = []
    netblock: bool = False
    asn: int | None = None
    nearer: int = 0
    asked_found: bool = False

    def add_near(self, tier: Tier, hosts: Sequence[int]) -> None:
        """Put each host of a near tier that has a URL into a part, unless it is in one already."""
        left, bits = self.left, self.ranks.bits
        listed = tuple(dict.fromkeys([host for host in hosts if bits[host] & left]))
        if listed:
            self.parts.append(Part(tier, listed, by_bandwidth=False))
            self._take(self.ranks.of(listed))

    def add(self, tier: Tier, sets: Sets) -> None:
        """Put each host of a tier of countries that has a URL into one part.

        "A host is listed once, in its first tier" (docs/protocol.md#which-hosts-in-which-order).
        """
        listed: tuple[int, ...] = ()
        for names, hosts in sets:
            self.countries += names
            if new := hosts & self.left:
                found = self.ranks.hosts(new)
                # Hosts everywhere are drawn in stored order: the same seed gives the same list.
                listed += tuple(sorted(found)) if names == _EVERYWHERE else found
                self._take(new, is_nearer=tier is not Tier.GLOBAL)
        if listed:
            # Several countries are drawn as one part.
            self.parts.append(Part(tier, listed, by_bandwidth=True))
        # No tier comes before these two, because a client that names a country gets no near hosts.
        if tier in _ASKED:
            self.asked_found = self.nearer > 0

    def _take(self, hosts: int, is_nearer: bool = True) -> None:
        self.left ^= hosts
        if is_nearer:
            self.nearer += (hosts & self.usable.hosts).bit_count()


class _Step(Struct, frozen=True):
    """A row of the rule for countries: a tier, when it is consulted, and whom it names."""

    tier: Tier
    applies: Callable[[Situation, _Progress], bool]
    candidates: Callable[[Situation, int], Sets]


def draw(found: Offer, weights: Sequence[int], rng: Random) -> list[int]:
    """Return the hosts of an offer, part after part, each part in an order by chance."""
    parts = [_draw(part, weights, rng) for part in found.parts]
    return parts[0] if len(parts) == 1 else [*chain.from_iterable(parts)]


def _draw(part: Part, weights: Sequence[int], rng: Random) -> list[int]:
    return weighted(part.hosts, weights, rng) if part.by_bandwidth else shuffled(part.hosts, rng)


def offer(situation: Situation) -> Offer:
    """Walk the tiers."""
    progress = _begin(situation)
    _walk_near(situation, progress)
    _walk_countries(situation, progress)
    return _offer(progress)


def stored_offer(situation: Situation) -> Offer:
    """Offer all public hosts in stored order, in one part and without tiers: nothing to draw."""
    # "If making an answer fails, the client gets the public hosts in stored order"
    # (docs/protocol.md#internal-errors). Allowed countries are still kept.
    urls = situation.urls
    hosts = tuple(sorted(situation.catalog.ranks.hosts(situation.offerable & urls.hosts)))
    parts = [Part(Tier.GLOBAL, hosts, by_bandwidth=False)] if hosts else []
    return Offer(parts, urls, nearer=0, netblock=False, asn=None, countries=[GLOBAL])


def near_offer(situation: Situation) -> Offer:
    """Walk the netblock and ASN tiers alone: for nearly all clients these have no host."""
    progress = _begin(situation)
    _walk_near(situation, progress)
    return _offer(progress)


def geo_offer(situation: Situation) -> Offer:
    """Walk the tiers of countries alone: the same for all clients of a country."""
    if situation.query.wish.countries and (found := _asked_offer(situation)) is not None:
        return found
    progress = _begin(situation)
    _walk_countries(situation, progress)
    return _offer(progress)


def _asked_offer(situation: Situation) -> Offer | None:
    """Return what the first two rows of `_STEPS` lead to, None if they do not end the walk.

    They end the walk of nearly all clients that name countries, and the names may be new in each
    request: so the rows are written out. `countries` of a metalink are empty.
    """
    asked, ranks = situation.query.wish.countries, situation.catalog.ranks
    if GLOBAL in asked:
        return None
    (urls, usable), offerable = situation.urls_and_usable, situation.offerable
    listable = offerable & urls.hosts
    sets = [*map(ranks.of_country.get, asked, repeat(0))]
    found = reduce(or_, sets) & listable
    # Only a text list has a heading.
    names = [] if situation.query.metalink else _named(asked, sets, offerable)
    if nearer := (found & usable.hosts).bit_count():
        parts = [Part(_COUNTRY_ASKED, ranks.hosts(found), True)]
        return Offer(parts, urls, nearer, False, None, names, True)
    if found:
        return None
    hosts: tuple[int, ...] = ()
    for continent in dict.fromkeys(map(situation.catalog.continents.get, asked)):
        if continent in ranks.on_continent:
            around = ranks.on_continent[continent] & listable
            nearer += (around & usable.hosts).bit_count()
            hosts += ranks.hosts(around)
            if not situation.query.metalink:
                names += _named(*ranks.countries_on[continent], offerable)
    if not nearer:
        return None
    parts = [Part(_CONTINENT_ASKED, hosts, True)]
    return Offer(parts, urls, nearer, False, None, [*dict.fromkeys(names)], True)


def _begin(situation: Situation) -> _Progress:
    urls, usable = situation.urls_and_usable
    return _Progress(urls, usable, situation.catalog.ranks, urls.hosts)


def _walk_near(situation: Situation, progress: _Progress) -> None:
    wish, urls = situation.query.wish, progress.urls
    # A client that names a country asks for the hosts there, not for those nearby.
    if not wish.near or wish.countries:
        return
    # Groups of netblocks stay apart: "longest prefix first, equal ones shuffled".
    for hosts in (groups := _by_netblock(situation)):
        progress.add_near(Tier.NETBLOCK, hosts)
    # Also if its hosts have no URL for this list: so does mirrorlist-server's heading.
    progress.netblock = bool(groups)
    of_asn = _by_asn(situation)
    progress.add_near(Tier.ASN, of_asn)
    # "`Using ASN N ` if a listed host has the ASN" (docs/protocol.md#the-text-list).
    progress.asn = situation.place.asn if any(host in urls for host in of_asn) else None


def _walk_countries(situation: Situation, progress: _Progress) -> None:
    offerable = situation.offerable
    for step in _STEPS:
        # `applies` sees what the nearer tiers found: the rows must be walked in order.
        if step.applies(situation, progress):
            progress.add(step.tier, step.candidates(situation, offerable))


def _offer(progress: _Progress) -> Offer:
    return Offer(
        parts=progress.parts,
        urls=progress.urls,
        nearer=progress.nearer,
        netblock=progress.netblock,
        asn=progress.asn,
        countries=list(dict.fromkeys(progress.countries)),
        asked_found=progress.asked_found,
    )


# When a tier is consulted: the column "when" of docs/protocol.md#which-hosts-in-which-order.


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


def _by_netblock(situation: Situation) -> list[tuple[int, ...]]:
    # A host may have named the literal address of a 6to4 or Teredo client; only where nobody did
    # that, the IPv4 address within it counts (docs/protocol.md#whose-address-counts).
    catalog, near = situation.catalog, situation.client.near
    carriers = situation.target.carriers
    for address in dict.fromkeys((near, near.tunnelled)):
        named = (netblock.hosts for netblock in catalog.netblocks(address))
        # `in carriers`, not in the public ones: this is where private hosts are offered.
        carrying = (tuple(host for host in hosts if host in carriers) for hosts in named)
        groups = [hosts for hosts in carrying if hosts]
        if groups:
            return groups
    return []


def _by_asn(situation: Situation) -> list[int]:
    # Of all carriers as well: private hosts are offered to clients of their ASNs.
    asn, carriers = situation.place.asn, situation.target.carriers
    if asn is None:
        return []
    return [host for host in situation.catalog.of_asn(asn) if host in carriers]


def _by_country_asked(situation: Situation, offerable: int) -> Sets:
    of_country, asked = situation.catalog.ranks.of_country, situation.query.wish.countries
    if GLOBAL not in asked:
        sets = [*map(of_country.get, asked, repeat(0))]
        return [(_named(asked, sets, offerable), offerable & reduce(or_, sets))]
    return _by_country_and_global(of_country, asked, offerable)


def _by_country_and_global(
    of_country: Mapping[str, int], asked: Sequence[str], offerable: int
) -> Sets:
    """Return the sets of countries before `global`, of `global`, and of countries behind it."""
    sets: Sets = []
    names: list[str] = []
    hosts = 0
    for country in asked:
        if found := offerable & of_country.get(country, 0):
            names.append(country)
            hosts |= found
        elif country == GLOBAL and offerable:
            sets += [(names, hosts), (_EVERYWHERE, offerable)]
            names, hosts = [], 0
    return [*sets, (names, hosts)]


def _on_continent(situation: Situation, continent: str | None, offerable: int) -> Sets:
    ranks = situation.catalog.ranks
    if continent not in ranks.on_continent:
        return []
    names = _named(*ranks.countries_on[continent], offerable)
    return [(names, offerable & ranks.on_continent[continent])]


def _named(countries: Sequence[str], sets: Sequence[int], offerable: int) -> list[str]:
    """Return those of some countries that the heading names: one without hosts it does not."""
    return [*compress(countries, map(and_, sets, repeat(offerable)))]


def _by_continent_asked(situation: Situation, offerable: int) -> Sets:
    # "the other countries of their continents", in the order asked for; each of them once. Those
    # asked for are named already, and listed if they have a URL.
    continents = situation.catalog.continents
    around = dict.fromkeys([continents.get(one) for one in situation.query.wish.countries])
    return [one for place in around for one in _on_continent(situation, place, offerable)]


def _by_country(situation: Situation, offerable: int) -> Sets:
    country = situation.place.country
    found = offerable & situation.catalog.ranks.of_country.get(country, 0)
    return [([country], found)] if found else []


def _by_continent(situation: Situation, offerable: int) -> Sets:
    # The client's own country is there already.
    return _on_continent(situation, situation.place.continent, offerable)


def _by_nothing(situation: Situation, offerable: int) -> Sets:
    # "It has `country = global ` if the global tier was consulted"
    # (docs/protocol.md#the-text-list), even if that tier adds no host.
    return [(_EVERYWHERE, offerable)]


# The table's "weighted" tiers; before them come the near ones (`_walk_near`), which are shuffled.
_STEPS = (
    _Step(Tier.COUNTRY_ASKED, _asked, _by_country_asked),
    _Step(Tier.CONTINENT_ASKED, _asked_in_vain, _by_continent_asked),
    _Step(Tier.COUNTRY, _own, _by_country),
    _Step(Tier.CONTINENT, _own, _by_continent),
    _Step(Tier.GLOBAL, _too_few, _by_nothing),
)
