"""Makes the load test's hosts: fixed shares of each kind, which one is which by chance."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import TypeVar

from loadtest.dataset.chance import chance, spread
from loadtest.dataset.countries import HOST_COUNTRIES
from loadtest.dataset.families import (
    CATEGORIES,
    CODECS,
    EPEL,
    FEDORA,
    OTHER,
    SECONDARY,
    Stage,
    SubtreeContent,
)
from loadtest.dataset.host import Diligence, Habit, Host, Site
from loadtest.dataset.network import Block, Internet, Operator, part_of

_T = TypeVar("_T")

_SYLLABLES = [first + second for first in "bdfghklmnprstvz" for second in "aeio"]
_LABELS = ["mirror", "mirrors", "ftp", "fedora", "download", "repo", "linux", "pub"]
_ENDINGS = ["University", "Hosting", "Networks", "Exchange", "Institute", "Telecom"]

_CATEGORIES: dict[tuple[str, ...], int] = {
    (FEDORA, EPEL): 40,
    (EPEL,): 18,
    (FEDORA,): 12,
    (FEDORA, SECONDARY, EPEL): 10,
    (FEDORA, EPEL, OTHER): 8,
    (FEDORA, SECONDARY, EPEL, OTHER): 8,
    (FEDORA, EPEL, CODECS): 2,
    (SECONDARY,): 1,
    (OTHER,): 1,
}
_PROTOCOLS: dict[tuple[str, ...], int] = {
    ("https", "http", "rsync"): 42,
    ("https", "http"): 24,
    ("https",): 10,
    ("https", "http", "rsync", "ftp"): 7,
    ("http",): 6,
    ("http", "rsync"): 6,
    ("https", "rsync"): 3,
    ("http", "ftp"): 1,
    ("rsync",): 1,
}
_BASES = {"": 50, "/pub": 18, "/pub/linux": 10, "/mirror": 8, "/mirrors": 8, "/linux": 6}
_BANDWIDTHS = {
    1000: 36, 10000: 19, 100: 14, 2000: 5, 5000: 4, 20000: 4, 500: 4, 40000: 3, 10: 2, 200: 2,
    300: 2, 45: 1, 155: 1, 622: 1, 800: 1, 2500: 1,
}  # fmt: skip
_ARCHES = {
    frozenset({"x86_64", "aarch64", "ppc64le", "s390x", "source"}): 55,
    frozenset({"x86_64", "source"}): 28,
    frozenset({"x86_64", "aarch64", "source"}): 17,
}
# Content that mirrors exclude to save space: how many of a hundred hosts exclude it.
_SKIPPED: dict[str, int] = {
    SubtreeContent.DEBUG: 35,
    SubtreeContent.SOURCE: 28,
    SubtreeContent.IMAGES: 12,
    Stage.DEVELOPMENT: 28,
    Stage.TESTING: 20,
}
_DEPTHS = {100: 70, 12: 15, 6: 15}
_DILIGENCE = {Diligence.PROMPT: 68, Diligence.SLOW: 25, Diligence.STUCK: 7}
_PREFIX_LENGTHS = {4: (16, 18, 20, 20, 22, 22, 24, 24, 26, 28, 32), 6: (32, 40, 44, 48, 48, 56)}


def make_hosts(seed: int, count: int, internet: Internet) -> list[Host]:
    """Return the hosts in the order of their ids; the first two are the project's own."""
    countries = spread(HOST_COUNTRIES, count - 2)
    chance(seed, "countries").shuffle(countries)
    maker = _Maker(internet)
    own = [_project_host(maker.host(id, "US", chance(seed, "host", id))) for id in (1, 2)]
    others = [
        maker.host(id, country, chance(seed, "host", id)) for id, country in enumerate(countries, 3)
    ]
    return own + others


def _project_host(host: Host) -> Host:
    """The primary mirror and its CDN: they have everything, and need no crawl."""
    site = Site(1, "Fedora Project", "fedora.example", False, True, True)
    return replace(
        host,
        name=f"{('dl', 'cdn')[host.id - 1]}.{site.domain}",
        site=site,
        bandwidth=40000,
        categories=tuple(category.name for category in CATEGORIES),
        protocols=("https", "http", "rsync") if host.id == 1 else ("https",),
        base="/pub",
        always_up2date=True,
        private=False,
        admin_active=True,
        user_active=True,
        asn=None,
        peer_asns=(),
        netblocks=(),
        countries_allowed=(),
    )


class _Maker:
    """Makes one host after the other, and keeps names and netblocks unique."""

    def __init__(self, internet: Internet) -> None:
        self._internet = internet
        self._sites: dict[str, list[Site]] = defaultdict(list)
        self._count = 1  # the project's own
        self._taken: set[str] = set()
        self._allowed: set[str] = set()

    def host(self, id: int, country: str, source: Random) -> Host:
        site = self._site(country, source)
        name = self._unique(lambda: f"{_label(source)}.{site.domain}")
        operator = source.choice(self._internet.by_country[country])
        private = site.private or _happens(38, source)
        return Host(
            id=id,
            name=name,
            site=site,
            country=country,
            bandwidth=_one_of(_BANDWIDTHS, source),
            categories=_one_of(_CATEGORIES, source),
            protocols=_one_of(_PROTOCOLS, source),
            base=_one_of(_BASES, source),
            habit=_habit(source),
            always_up2date=not private and _happens(1, source),
            private=private,
            admin_active=not _happens(1, source),
            user_active=not _happens(5, source),
            internet2=_happens(6, source),
            asn=operator.asn if _happens(75 if private else 50, source) else None,
            asn_clients=not _happens(4, source),
            peer_asns=self._peers(country, source),
            netblocks=_netblocks(operator, private, source),
            countries_allowed=() if private else self._allow(country, source),
        )

    def _site(self, country: str, source: Random) -> Site:
        known = self._sites[country]
        if known and _happens(15, source):
            return source.choice(known)
        self._count += 1
        domain = self._unique(lambda: f"{_word(source)}.{country.lower()}.example")
        known.append(
            Site(
                id=self._count,
                name=f"{domain.partition('.')[0].title()} {source.choice(_ENDINGS)}",
                domain=domain,
                private=_happens(3, source),
                admin_active=not _happens(1, source),
                user_active=not _happens(1, source),
            )
        )
        return known[-1]

    def _unique(self, draw: Callable[[], str]) -> str:
        while (name := draw()) in self._taken:
            pass
        self._taken.add(name)
        return name

    def _peers(self, country: str, source: Random) -> tuple[int, ...]:
        if not _happens(8, source):
            return ()
        near = self._internet.by_country[country]
        peers = source.sample(near, min(len(near), source.randint(1, 3)))
        return tuple(operator.asn for operator in peers)

    def _allow(self, country: str, source: Random) -> tuple[str, ...]:
        """Its own country for one host in fifty: no two hosts can allow the same one."""
        if not _happens(2, source) or country in self._allowed:
            return ()
        self._allowed.add(country)
        return (country,)


def _one_of(shares: Mapping[_T, int], source: Random) -> _T:
    return source.choices(list(shares), list(shares.values()))[0]


def _happens(in_a_hundred: int, source: Random) -> bool:
    return source.random() * 100 < in_a_hundred


def _word(source: Random) -> str:
    return "".join(source.choices(_SYLLABLES, k=source.randint(2, 4)))


def _label(source: Random) -> str:
    return source.choice(_LABELS) + source.choice(("", "", "", "1", "2", "3", "4"))


def _habit(source: Random) -> Habit:
    return Habit(
        arches=_one_of(_ARCHES, source),
        skips=frozenset(what for what, share in _SKIPPED.items() if _happens(share, source)),
        depth=_one_of(_DEPTHS, source),
        diligence=_one_of(_DILIGENCE, source),
    )


def _netblocks(operator: Operator, private: bool, source: Random) -> tuple[Block, ...]:
    """Networks of its operator: one to five of a private host, few of a public one."""
    count = min(5, 1 + int(source.expovariate(0.7)))
    if not private:
        count = 1 if _happens(12, source) else 0
    return tuple(_netblock(operator, source) for _ in range(count))


def _netblock(operator: Operator, source: Random) -> Block:
    six = bool(operator.v6) and _happens(30, source)
    block: Block = operator.v6[0] if six else source.choice(operator.v4)
    return part_of(block, source.choice(_PREFIX_LENGTHS[block.version]), source)
