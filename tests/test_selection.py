"""The tiers: rules that hold in any small world, against a plain second statement of them."""

import ipaddress
import re
from collections import Counter
from collections.abc import Sequence
from itertools import product
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.urls import Path
from mirrorlist.lists.answer import answer_plan
from mirrorlist.lists.explain import explain
from mirrorlist.lists.plan import Plan
from mirrorlist.lists.selection import Offer, Tier, geo_offer, offer
from mirrorlist.lists.situation import Situation
from mirrorlist.request.query import parse_query
from tests.examples import examples
from tests.in_process import NOW
from tests.situations import ASNS, listable, situations, usable
from tests.small_worlds import (
    CONTINENTS,
    DETAIL,
    FILE,
    Mirror,
    catalog_of,
    small_catalog,
    small_data,
    small_situation,
)

ORDER = list(Tier)
NEAR = (Tier.NETBLOCK, Tier.ASN)


def _stated(mirrors: Sequence[Mirror], situation: Situation) -> dict[Tier, list[set[int]]]:
    """State docs/protocol.md#which-hosts-in-which-order again: sets of hosts by tier, in order."""
    query, client, country = situation.query, situation.client, situation.place.country
    carriers = {index for index, mirror in enumerate(mirrors) if mirror.offerable}
    public = {
        index
        for index in carriers
        if not mirrors[index].private
        and (not mirrors[index].allowed or country in mirrors[index].allowed)
    }

    def within(countries: set[str]) -> set[int]:
        return {index for index in public if mirrors[index].country in countries}

    def around(countries: set[str]) -> set[str]:
        continents = {CONTINENTS[one] for one in countries if one in CONTINENTS}
        return {one for one, continent in CONTINENTS.items() if continent in continents} - countries

    tiers: dict[Tier, list[set[int]]] = {}
    if query.wish.near and not query.wish.countries:
        address = ipaddress.ip_address(str(client.near))
        tiers[Tier.NETBLOCK] = []
        for length in range(128, -1, -1):
            tiers[Tier.NETBLOCK].append(
                {
                    index
                    for index in carriers
                    for netblock in map(ipaddress.ip_network, mirrors[index].netblocks)
                    if netblock.prefixlen == length and address in netblock
                }
            )
        asn = {number for text, number in ASNS.items() if address in ipaddress.ip_network(text)}
        tiers[Tier.ASN] = [{index for index in carriers if asn & set(mirrors[index].asns)}]
    counted = {index for index in carriers if usable(mirrors[index], situation)}
    asked = set(query.wish.countries)
    if asked:
        found = public if "GLOBAL" in asked else within(asked)
        tiers[Tier.COUNTRY_ASKED] = [found]
        if not found & counted:
            found = within(around(asked))
            tiers[Tier.CONTINENT_ASKED] = [found]
        if found & counted:
            return tiers
    tiers[Tier.COUNTRY] = [within({country})]
    tiers[Tier.CONTINENT] = [within(around({country}))]
    left = set().union(*(hosts for tier in tiers.values() for hosts in tier))
    if len(left & counted) < max(1, situation.minimum):
        tiers[Tier.GLOBAL] = [public]
    return tiers


class Sent(NamedTuple):
    """A host of an answer: what was sent of it, and in which tier it is."""

    host: int
    tier: Tier
    urls: list[str]


def sent(situation: Situation, seed: int) -> list[Sent]:
    """Return the hosts that are sent, in order; their tiers are those that `/explain` tells."""
    client, place = situation.client, situation.place
    plan = Plan(situation.query, situation.catalog, situation.minimum)
    told = explain(plan, client, place, Random(seed), NOW)
    answer = answer_plan(plan, client, place, None, Random(seed), NOW)
    urls = [url for host in told.hosts for url in host.urls]
    if answer.location is not None:
        assert answer.location == urls[0]
    else:
        assert re.findall(r"(?:^|>)([a-z]+://[^<>]*?)(?:<|$)", answer.body.decode(), re.M) == urls
    return [Sent(host.id - 1, host.tier, host.urls) for host in told.hosts]


@examples(120)
@given(situations(), st.integers())
def test_tiers_are_those_of_the_table(world: tuple[list[Mirror], Situation], seed: int) -> None:
    """In any world the hosts are those of the table, each in its first tier, tier after tier."""
    mirrors, situation = world
    chosen = sent(situation, seed)
    place = 0
    seen: set[int] = set()
    for tier, groups in _stated(mirrors, situation).items():
        for group in groups:
            expected = {host for host in group - seen if listable(mirrors[host], situation)}
            part = chosen[place : place + len(expected)]
            assert {one.host for one in part} == expected
            assert all(one.tier is tier for one in part)
            place += len(expected)
            seen |= group
    assert place == len(chosen), "hosts beyond the last tier"


@examples(200)
@given(situations(), st.lists(st.sampled_from([*CONTINENTS, "JP", "ZZ", "GLOBAL"]), min_size=1))
def test_countries_asked_are_found_by_both_ways(
    world: tuple[list[Mirror], Situation], countries: list[str]
) -> None:
    """The rows for countries that are named, written out, lead where walking them leads."""
    asked = situation_with(world[1], tuple(sorted({*countries})))
    # Clients that name countries have no near hosts, but `offer` walks all rows for them.
    assert geo_offer(asked) == _unnamed(offer(asked), geo_offer(asked))


@pytest.mark.parametrize("metalink", [True, False])
@pytest.mark.parametrize("asked", ["DE", "DE,FR", "US", "DE,US", "global,DE", "ZZ", "AU,DE"])
def test_countries_of_hosts_that_do_not_count(asked: str, metalink: bool) -> None:
    """Both ways agree too where hosts in the countries have rsync alone, or no URL."""
    some: list[tuple[str, ...]] = [("rsync",), ("https", "rsync"), ()]
    for german, french in product(some, some):
        mirrors = Mirror("DE", protocols=german), Mirror("FR", protocols=french)
        catalog = small_catalog(*mirrors, Mirror("US", protocols=("rsync",)))
        found = small_situation(catalog, f"country={asked}", "8.8.8.8", "FR", 5, metalink)
        assert geo_offer(found) == _unnamed(offer(found), geo_offer(found))
        assert metalink or geo_offer(found) == offer(found)


@pytest.mark.parametrize("metalink", [True, False])
@pytest.mark.parametrize("query", ["", "protocol=rsync", "protocol=https,rsync", "redirect=1"])
@pytest.mark.parametrize("path", [Path("/a", "/a"), Path("/a%0A", None)])
def test_urls_of_nearly_all_lists(path: Path, query: str, metalink: bool) -> None:
    """What is written out for them is what the rules say, also if rsync URLs have no such path."""
    mirrors = Mirror("DE", protocols=("https", "rsync")), Mirror("FR", protocols=("rsync",))
    found = small_situation(small_catalog(*mirrors), query, metalink=metalink)
    found = structs.replace(found, target=structs.replace(found.target, path=path))
    assert found.urls_and_usable == (found.urls, found.usable_among(found.urls))


def _unnamed(due: Offer, found: Offer) -> Offer:
    """Return an offer without countries, which no metalink names, if the one found has none."""
    return due if found.countries else structs.replace(due, countries=[])


def situation_with(situation: Situation, countries: tuple[str, ...]) -> Situation:
    """Return a situation whose client names these countries."""
    wish = structs.replace(situation.query.wish, countries=countries)
    return structs.replace(situation, query=structs.replace(situation.query, wish=wish))


@examples(100)
@given(situations(), st.integers())
def test_invariants(world: tuple[list[Mirror], Situation], seed: int) -> None:
    """No host twice, tiers in order, URLs of the host itself, private ones in near tiers only."""
    mirrors, situation = world
    chosen = sent(situation, seed)
    hosts = [one.host for one in chosen]
    assert len(hosts) == len(set(hosts))
    places = [ORDER.index(one.tier) for one in chosen]
    assert places == sorted(places)
    for one in chosen:
        assert one.urls
        path = f"/dir/{FILE}" if situation.query.metalink else "/dir/"
        assert {*one.urls} <= {
            f"{protocol}://host{one.host + 1}.example/top{path}"
            for protocol in mirrors[one.host].protocols
        }
        assert one.tier in NEAR or not mirrors[one.host].private
        assert mirrors[one.host].offerable


@examples(100)
@given(situations(), st.integers())
def test_what_the_heading_says(world: tuple[list[Mirror], Situation], seed: int) -> None:
    """What is said to have been used was used: the ASN, the countries, the global tier."""
    mirrors, situation = world
    query = structs.replace(situation.query, metalink=False, redirect=False)
    situation = structs.replace(situation, query=query)
    chosen, heading = sent(situation, seed), _heading(situation)
    if not chosen:
        assert heading.startswith("error: ")
        return
    tiers = _stated(mirrors, situation)
    by_asn = set().union(*tiers.get(Tier.ASN, [set()]))
    assert ("Using ASN" in heading) == bool(by_asn & {one.host for one in chosen})
    assert ("Using preferred netblock" in heading) == any(tiers.get(Tier.NETBLOCK, []))
    countries = re.findall(r"country = (\w*) ", heading.replace("= global ", "= GLOBAL "))
    named = set(countries)
    assert len(named) == len(countries)
    geo = [hosts for tier, groups in tiers.items() if tier not in NEAR for hosts in groups]
    if "GLOBAL" not in situation.query.wish.countries:
        assert ("GLOBAL" in named) == (Tier.GLOBAL in tiers)
        in_geo = {mirrors[host].country for hosts in geo for host in hosts}
        assert named - {"GLOBAL"} <= in_geo
        for one in chosen:
            if one.tier not in (*NEAR, Tier.GLOBAL):
                assert mirrors[one.host].country in named


def test_other_countries_around_one_without_an_allowed_host() -> None:
    """A country whose hosts are for others is left out, and its neighbours are not."""
    catalog = small_catalog(Mirror("CA"), Mirror("US", allowed=("US",)), Mirror("DE"))
    situation = small_situation(catalog, "country=CA,US", country="FR", minimum=0)
    assert [part.hosts for part in offer(situation).parts] == [(0,)]
    assert offer(situation).countries == ["CA"]


def _heading(situation: Situation) -> str:
    plan = Plan(situation.query, situation.catalog, situation.minimum)
    answer = answer_plan(plan, situation.client, situation.place, None, Random(1), NOW)
    return answer.body.decode().partition("\n")[0]


def _firsts(
    catalog: Catalog, query: str = "", address: str = "203.0.113.1", country: str | None = None
) -> Counter[int]:
    situation = small_situation(catalog, query, address, country)
    plan, rng = Plan(situation.query, catalog, situation.minimum), Random(1)
    sent = (
        answer_plan(plan, situation.client, situation.place, None, rng, NOW) for _ in range(1000)
    )
    return Counter(int(one.body.partition(b"://host")[2].partition(b".")[0]) - 1 for one in sent)


def test_geo_tiers_are_weighted() -> None:
    """In the country, continent, asked and global tiers the bandwidth decides: three to one."""
    catalog = small_catalog(Mirror("DE", 100), Mirror("DE", 300))
    for query, country in (("", "DE"), ("", "FR"), ("", None), ("country=de", None)):
        firsts = _firsts(catalog, query, country=country)
        assert 0.7 < firsts[1] / firsts.total() < 0.8, (query, country)


def test_near_tiers_are_not_weighted() -> None:
    """In the netblock and ASN tiers every host is first as often, whatever its bandwidth."""
    for pair in (
        [Mirror(bandwidth=width, netblocks=("20.0.0.0/8",)) for width in (1, 10000)],
        [Mirror(bandwidth=width, asns=(64500,)) for width in (1, 10000)],
    ):
        firsts = _firsts(small_catalog(*pair, asns=ASNS), address="20.30.40.50")
        assert 0.45 < firsts[1] / firsts.total() < 0.55


def test_countries_of_a_tier_are_weighted_as_one() -> None:
    """Several countries asked, and the countries of a continent, are one weighted draw."""
    catalog = small_catalog(Mirror("DE", 100), Mirror("FR", 300))
    for query in ("country=de,fr", "country=fr,de", "country=global", "country=de,global"):
        firsts = _firsts(catalog, query)
        assert 0.7 < firsts[1] / firsts.total() < 0.8, query
    catalog = small_catalog(Mirror("DE", 100), Mirror("FR", 300), Mirror("CA", 100))
    firsts = _firsts(catalog, "country=us,xx")
    assert firsts == {2: 1000}
    catalog = small_catalog(Mirror("DE", 100), Mirror("CA", 300))
    firsts = _firsts(catalog, "country=fr,us")
    assert 0.7 < firsts[1] / firsts.total() < 0.8


NEAR_BLOCK = Mirror("JP", netblocks=("20.0.0.0/8",))


@pytest.mark.parametrize(
    ("mirrors", "query", "is_metalink", "expected", "nearer"),
    [
        pytest.param([Mirror("DE"), Mirror("JP")], "", False,
                     [(Tier.COUNTRY, (0,)), (Tier.GLOBAL, (1,))], 1, id="near ones, then the rest"),
        pytest.param([NEAR_BLOCK, NEAR_BLOCK, Mirror("DE"), Mirror("FR"), Mirror("US")], "", False,
                     [(Tier.NETBLOCK, (0, 1)), (Tier.COUNTRY, (2,)), (Tier.CONTINENT, (3,))], 4,
                     id="enough in the netblock"),
        pytest.param([Mirror("DE"), Mirror("JP")], "country=de,global", False,
                     [(Tier.COUNTRY_ASKED, (0, 1))], 2, id="named by two groups of a tier"),
        pytest.param([Mirror("DE", protocols=("ftp",)), Mirror("JP")], "redirect", False,
                     [(Tier.GLOBAL, (1,))], 0, id="of no use for a redirect"),
        pytest.param([Mirror("DE", protocols=("rsync",)), Mirror("JP")], "redirect", True,
                     [(Tier.COUNTRY, (0,)), (Tier.GLOBAL, (1,))], 0, id="listed, not counted"),
        pytest.param([Mirror("DE", protocols=("rsync",)), Mirror("JP", protocols=("rsync",))],
                     "protocol=rsync", True, [(Tier.COUNTRY, (0,)), (Tier.GLOBAL, (1,))], 1,
                     id="counted if rsync is asked for"),
    ],
)  # fmt: skip
def test_what_is_offered(
    mirrors: list[Mirror],
    query: str,
    is_metalink: bool,
    expected: list[tuple[Tier, tuple[int, ...]]],
    nearer: int,
) -> None:
    """Each part has its tier and its hosts once; hosts that are not usable do not count."""
    catalog = small_catalog(*mirrors)
    asked = small_situation(
        catalog, query, "20.30.40.50", "DE", 1 if nearer > 3 else 2, is_metalink
    )
    found = offer(asked)
    assert [(part.tier, part.hosts) for part in found.parts] == expected
    assert found.nearer == nearer
    assert found.first is expected[0][0]


def test_rsync_cannot_have_the_path() -> None:
    """A host's rsync URL is not listed behind which a name would lose its last blank."""
    mirror = Mirror(protocols=("rsync", "https"))
    data = structs.replace(small_data((mirror,), {}), file_details={1: {f"{FILE} ": (DETAIL,)}})
    catalog = catalog_of(data)
    query = parse_query(f"path=top/dir/{FILE}%20&protocol=rsync,https".encode(), True)
    asked = small_situation(catalog)
    answer = answer_plan(Plan(query, catalog, 5), asked.client, asked.place, None, Random(1), NOW)
    assert b"https://host1.example" in answer.body
    assert b"rsync://" not in answer.body


def test_hosts_of_a_part_stand_as_they_always_did() -> None:
    """Chance takes hosts everywhere as they are stored, others by country: same seed, same list."""
    catalog = small_catalog(*[Mirror(country=country) for country in ("US", "FR", "DE", "CA")])
    everywhere = offer(small_situation(catalog)).parts[0]
    asked = offer(small_situation(catalog, "country=us,de,fr")).parts[0]
    both = offer(small_situation(catalog, "country=fr,global,us")).parts[0]
    assert (everywhere.hosts, asked.hosts, both.hosts) == ((0, 1, 2, 3), (2, 1, 0), (1, 0, 2, 3))
