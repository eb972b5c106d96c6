"""Kept orders: fair, in the order of the tiers, used a few times, and bounded in bytes."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.urls import make_url
from mirrorlist.lists.bodies import KeptChoice
from mirrorlist.lists.choice import Choice, Order, Region, before, order_of
from mirrorlist.lists.listing import PATH, Listing, Listings, ListKind, make_template
from mirrorlist.lists.orders import Orders, _content
from mirrorlist.lists.plan import Plan
from mirrorlist.lists.selection import Tier, geo_offer, offer
from snapshot.file.model import Host
from tests.examples import examples
from tests.small_worlds import Mirror, small_catalog, small_situation


def template(hosts: Sequence[Listing], kind: ListKind) -> bytes:
    """Return the template of a list of hosts in their order."""
    return make_template(Listings(hosts), range(len(hosts)), kind)


def listing(number: int, bandwidth: int = 100, urls: int = 1, country: str = "DE") -> Listing:
    """Return the listing of a host with this many URLs."""
    host = Host(number, f"h{number}", "s", country, bandwidth, number % 2 == 1, 0, (), ())
    made = tuple(make_url(f"https://{place}.h{number}.example") for place in range(urls))
    return Listing(made, host, number)


def choice(*parts: Sequence[Listing], turn: float = 0.0) -> Choice:
    """Return a choice of parts that nobody else draws."""
    region = Region([one for part in parts for one in part])
    return Choice(region, [tuple(part) for part in parts], b"", False, turn)


def drawn(found: Choice, times: int, reuse: int = 1, seed: int = 1) -> list[Order]:
    """Return this many orders, one after the other."""
    orders, rng, kept = Orders(reuse), Random(seed), KeptChoice(found)
    return [orders.next(kept, rng) for _ in range(times)]


def test_first_places_follow_the_bandwidths() -> None:
    """After 2,000 drawings each share is within a hundredth of what is due: no luck in it."""
    weights = [1, 10, 100, 889, 3000, 6000]
    hosts = [listing(number, weight) for number, weight in enumerate(weights)]
    firsts = Counter(order.hosts[0].number for order in drawn(choice(hosts), 2000))
    for number, weight in enumerate(weights):
        assert abs(firsts[number] / 2000 - weight / 10000) < 0.01


def test_first_places_of_lists_used_again() -> None:
    """Used sixteen times each, lists still give every host its share."""
    weights = [500, 1500, 3000, 5000]
    hosts = [listing(number, weight) for number, weight in enumerate(weights)]
    orders = drawn(choice(hosts), 16000, reuse=16)
    firsts = Counter(order.hosts[0].number for order in orders)
    for number, weight in enumerate(weights):
        assert abs(firsts[number] / 16000 - weight / 10000) < 0.01


def test_second_places_follow_the_bandwidths() -> None:
    """Behind the first, the others follow as drawn without it (chi-square, 3 degrees)."""
    weights = [1000, 2000, 3000, 4000]
    hosts = [listing(number, weight) for number, weight in enumerate(weights)]
    times = 8000
    seconds = Counter(order.hosts[1].number for order in drawn(choice(hosts), times))
    due = [
        sum(
            other / 10000 * weight / (10000 - other)
            for place, other in enumerate(weights)
            if place != number
        )
        for number, weight in enumerate(weights)
    ]
    statistic = sum(
        (seconds[number] - share * times) ** 2 / (share * times) for number, share in enumerate(due)
    )
    # Exceeded by chance in one of 10,000 seeds.
    assert statistic < 21.1


def test_an_order_is_given_this_many_times() -> None:
    """From the first request on, an order is given to as many requests as `reuse` says."""
    found = choice([listing(number) for number in range(20)])
    orders = drawn(found, 4 * 4, reuse=4)
    runs = [len(list(same)) for _, same in groupby(orders, key=id)]
    assert runs == [4, 4, 4, 4]


def test_a_draw_of_a_region_is_given_this_many_times() -> None:
    """The choices of a region share each of its draws, as many requests long as `reuse` says."""
    region, rng = Region([listing(number) for number in range(20)]), Random(1)
    draws = [region.next(3, rng) for _ in range(9)]
    assert [len(list(same)) for _, same in groupby(draws, key=id)] == [3, 3, 3]


@examples(100)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    seed=st.integers(0, 99),
    turn=st.floats(0, 1, exclude_max=True),
)
def test_parts_stay_in_order(sizes: list[int], seed: int, turn: float) -> None:
    """Each part's hosts stand behind those of the parts before it, every host once."""
    numbers = iter(range(100))
    parts = [[listing(next(numbers)) for _ in range(size)] for size in sizes]
    for order in drawn(choice(*parts, turn=turn), 3, seed=seed):
        hosts = list(order.hosts)
        for part in parts:
            assert {one.number for one in hosts[: len(part)]} == {one.number for one in part}
            del hosts[: len(part)]
        assert hosts == []


@pytest.mark.parametrize("count", [256, 257])
def test_more_hosts_than_a_byte_can_count(count: int) -> None:
    """Each host of a choice is in its order once, however many hosts there are."""
    (order,) = drawn(choice([listing(number) for number in range(count)]), 1)
    assert sorted(one.number for one in order.hosts) == [*range(count)]


@pytest.mark.parametrize(("count", "size"), [(1 << 8, 1), (1 << 16, 2), ((1 << 16) + 1, 8)])
def test_indexes_take_few_bytes(count: int, size: int) -> None:
    """An index takes as few bytes as the last host needs, and is counted with them."""
    hosts = [listing(1)] * count
    region, found = Region(hosts), choice(hosts[:1])
    assert [*region.compact([0, count - 1])] == [0, count - 1]
    assert len(bytes(region.compact([0]))) == size
    more = Choice(region, [(hosts[0],)], b"", False, 0.0)
    assert more.size - found.size == size * (1 + count) - 2


def test_a_choice_of_no_host() -> None:
    """A choice of no host is an empty list of either kind."""
    order = drawn(choice(), 2)[1]
    assert order.hosts == []
    assert template(order.hosts, ListKind.TEXT) == b"\n"
    assert template(order.hosts, ListKind.METALINK) == b""


def test_template_of_a_metalink() -> None:
    """A template with a path is the resources, preferences falling from host to host."""
    made = template([listing(2, urls=2), listing(1)], ListKind.METALINK)
    assert made.replace(PATH, b"/dir/").decode() == (
        '    <url protocol="https" type="https" location="DE" preference="100">'
        "https://0.h2.example/dir/</url>\n"
        '    <url protocol="https" type="https" location="DE" preference="100">'
        "https://1.h2.example/dir/</url>\n"
        '    <url protocol="https" type="https" location="DE" preference="99"'
        ' mm0:private="True">https://0.h1.example/dir/</url>\n'
    )


def test_preferences_end_at_one() -> None:
    """The hundredth host and all behind it have the preference 1."""
    body = template([listing(2 * number) for number in range(103)], ListKind.METALINK)
    found = [int(text) for text in re.findall(rb'preference="(\d+)"', body)]
    assert found == [*range(100, 0, -1), 1, 1, 1]


@examples(200)
@given(
    order=st.permutations(range(8)),
    near=st.lists(st.integers(0, 11), unique=True, max_size=5),
)
def test_hosts_that_come_forward(order: list[int], near: list[int]) -> None:
    """Near hosts stand before all others, in their order, and every host stands once."""
    known = {number: listing(number, urls=1 + number % 3) for number in range(12)}
    lead = order_of([known[order[0]]], Tier.COUNTRY).lead
    drawn_before = Order(Listings(known.values()), order, Tier.COUNTRY, lead)
    found = before([known[number] for number in near], drawn_before, Tier.ASN)
    expected = [*near, *(number for number in order if number not in near)]
    assert [one.number for one in found.hosts] == expected
    assert found.tier is (Tier.ASN if near else Tier.COUNTRY)
    assert found.lead == order_of(found.hosts, found.tier).lead
    assert found.first == found.hosts[0].urls[0].base
    assert drawn_before.hosts == [known[number] for number in order]


def world(countries: Sequence[str] = ("DE", "DE", "FR", "US", "CA", "US")) -> Catalog:
    """Return a catalog of one host in each of these countries."""
    return small_catalog(*(Mirror(country=country) for country in countries))


def ask(catalog: Catalog, orders: Orders, country: str, query: str = "") -> Order:
    """Return an order of the directory for a client of a country."""
    situation = small_situation(catalog, query, country=country, minimum=1)
    plan = Plan(situation.query, catalog, 1, is_repeated=True)
    return plan.found(situation.client, situation.place, orders, Random(5))[0]


def test_workers_begin_at_different_points() -> None:
    """The first host of a worker's first order is another one with another random source."""
    catalog = world()
    situation = small_situation(catalog, country="US", minimum=1)
    plan = Plan(situation.query, catalog, 1, is_repeated=True)
    firsts = {
        plan.found(situation.client, situation.place, Orders(), Random(seed))[0].first
        for seed in range(20)
    }
    assert firsts == {"https://host4.example/top", "https://host6.example/top"}


def test_as_the_rules_say() -> None:
    """The tiers of a kept order are those of the rules."""
    catalog, orders = world(), Orders(reuse=4)
    for country in ("DE", "FR", "US", "CA", "JP"):
        situation = small_situation(catalog, country=country, minimum=1)
        expected = [
            {catalog.hosts[host].name for host in part.hosts} for part in offer(situation).parts
        ]
        for _ in range(6):
            found = [one.urls[0].base.split("/")[2] for one in ask(catalog, orders, country).hosts]
            for names in expected:
                assert set(found[: len(names)]) == names
                del found[: len(names)]
            assert found == []


def test_a_continent_is_drawn_together() -> None:
    """Countries of one continent share a region; those of another have their own."""
    catalog, orders = world(), Orders()
    for country in ("DE", "FR", "US", "CA"):
        ask(catalog, orders, country)
    assert len(orders._regions) == 2


def test_an_equal_snapshot_keeps_everything() -> None:
    """What did not change is drawn no more, whatever snapshot it comes from."""
    orders = Orders()
    first = ask(world(), orders, "DE")
    second = ask(world(), orders, "DE")
    assert {*first.hosts} == {*second.hosts}
    assert len(orders._regions) == 1
    faster = small_catalog(Mirror("DE"), Mirror("DE", bandwidth=7), Mirror("FR"))
    changed = ask(faster, orders, "DE")
    assert {*changed.hosts} != {*first.hosts}
    assert len(orders._regions) == 2


def test_memory_is_bounded() -> None:
    """However many choices are asked for, what is kept stays in its bound, and choices fill it."""
    catalog = world([f"{a}{b}" for a in "ABCDEFGH" for b in "ABCDEFGH"])
    orders = Orders(reuse=2, most_bytes=120_000)
    sizes = []
    for turn in range(20):
        for country in [f"{a}{b}" for a in "ABCDEFGH" for b in "ABCDEFGH"]:
            for protocols in ("https", "https,x", f"https,{turn}"):
                order = ask(catalog, orders, country, f"protocol={protocols}&country={country}")
                assert [one.urls for one in order.hosts]
        sizes.append(orders.size)
    assert max(sizes) <= 120_000
    # Three quarters are for choices; the lists of these few hosts are short.
    assert max(sizes) > 85_000


@cache
def kept_world() -> Catalog:
    """Return the catalog of all choices that are kept by hand."""
    return world()


def keep(orders: Orders, keys: Sequence[object], country: str = "DE") -> list[KeptChoice]:
    """Keep a choice by each of these keys; choices of equal headings are equal."""
    catalog = kept_world()
    found = geo_offer(small_situation(catalog, country=country, minimum=1))
    kind = ListKind.METALINK
    return [orders.add(key, found, catalog, kind, str(key).encode(), Random(1)) for key in keys]


def test_the_key_that_was_not_asked_for_goes() -> None:
    """Without room the oldest key goes, but not one that was asked for since it was looked at."""
    orders = Orders(most_bytes=8000)
    first, *rest = keep(orders, range(2))
    # Asked for once: a second chance, and no third.
    orders.next(rest[0], Random(1))
    for number in range(100, 400):
        orders.next(first, Random(1))
        rest += keep(orders, [number])
    assert orders.find(0) is first
    assert orders.find(1) is None
    assert orders.find(399) is rest[-1]
    assert orders.size <= 8000


def test_all_asked_for_at_once() -> None:
    """If every key was asked for, a new one still gets room: the oldest of them goes."""
    orders = Orders(most_bytes=40_000)
    for number in range(400):
        for kept in keep(orders, [number]):
            orders.next(kept, Random(1))
        assert orders.find(number) is not None
        # A fifth is for rendered lists, and nothing is rendered here.
        assert orders.size <= 32_000


def test_keys_of_one_choice() -> None:
    """A choice that is known by several keys takes its room once, until the last of them goes."""
    orders, catalog = Orders(), world()
    found = geo_offer(small_situation(catalog, country="DE", minimum=1))
    sizes = []
    for key in range(3):
        kept = orders.add(key, found, catalog, ListKind.TEXT, b"", Random(1))
        sizes.append(orders.size)
    assert orders.find(0) is orders.find(2) is kept
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] < sizes[0] - kept.size // 2
    for _ in range(3):
        assert list(orders._choices.values()) == [kept]
        orders._drop_oldest(may_stay=False)
    assert orders.size == 0
    assert not orders._choices


def test_the_parts_of_a_choice_are_content() -> None:
    """The same hosts in other tiers are another choice, but not in another order."""
    one, two, three = (listing(number) for number in range(3))
    assert _content([one], [two, three]) != _content([one, two], [three])
    assert _content([one], [two, three]) == _content([one], [three, two])


def test_geo_tiers_alone() -> None:
    """What is kept is of the tiers of countries: near hosts are drawn for each client."""
    catalog = small_catalog(Mirror(netblocks=("20.0.0.0/8",)), Mirror(), Mirror("FR"))
    situation = small_situation(catalog, address="20.30.40.50", country="DE")
    tiers = [part.tier for part in offer(situation).parts]
    assert tiers[0] is Tier.NETBLOCK
    assert [part.tier for part in geo_offer(situation).parts] == tiers[1:]


def test_what_is_asked_once_is_not_kept() -> None:
    """Only a query string that comes again makes anything be kept."""
    catalog, orders = world(), Orders()
    situation = small_situation(catalog, country="DE", minimum=1)
    for is_repeated, regions in ((False, 0), (True, 1)):
        plan = Plan(situation.query, catalog, 1, is_repeated)
        plan.found(situation.client, situation.place, orders, Random(5))
        assert len(orders._regions) == regions
