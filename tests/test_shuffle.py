"""Random orders: that weights hold, by chi-square on seeded draws, and what is always true."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise, permutations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.lists.shuffle import shuffled, weighted

# Chi-square with a chance of one in a thousand, by degrees of freedom (NIST handbook 1.3.6.7.4).
CRITICAL = {1: 10.828, 3: 16.266, 4: 18.467, 5: 20.515, 9: 27.877, 15: 37.697}
DRAWS = 6000

Order = tuple[int, ...]
Counts = Counter[Order]


def _chi_square(counts: Counts, expected: dict[Order, float]) -> float:
    """Return chi-square of counts against chances; every count must have a chance."""
    assert set(counts) <= set(expected)
    assert min(expected.values()) * counts.total() >= 5, "too few draws for the test to hold"
    return sum(
        (counts[order] - chance * counts.total()) ** 2 / (chance * counts.total())
        for order, chance in expected.items()
    )


def _without_replacement(weights: Sequence[int]) -> dict[Order, float]:
    """Return the chance of each order when hosts are drawn one by one by their weight."""
    chances = {}
    for order in permutations(range(len(weights))):
        chance, left = 1.0, sum(weights)
        for host in order:
            chance *= weights[host] / left
            left -= weights[host]
        chances[order] = chance
    return chances


def _draw(weights: Sequence[int], draws: int = DRAWS) -> list[list[int]]:
    rng = Random(20261121)
    return [weighted(range(len(weights)), weights, rng) for _ in range(draws)]


@pytest.mark.parametrize(
    "weights",
    [
        pytest.param((1, 2, 3), id="small"),
        pytest.param((1000, 2000, 3000), id="large, same shares"),
        pytest.param((100, 100, 100), id="equal"),
        pytest.param((10000, 10000, 10000), id="equal, largest"),
        pytest.param((1, 1, 1), id="equal, smallest"),
        pytest.param((100, 100, 1000), id="one wide host"),
    ],
)
def test_every_order_has_its_chance(weights: tuple[int, ...]) -> None:
    """The whole order is that of draws without replacement, by weight, in every place."""
    counts = Counter(tuple(order) for order in _draw(weights))
    assert _chi_square(counts, _without_replacement(weights)) < CRITICAL[5]


def test_first_places() -> None:
    """The share of first places is the share of the weight."""
    weights = (100, 200, 300, 400, 1000)
    counts: Counts = Counter((order[0],) for order in _draw(weights))
    expected: dict[Order, float] = {
        (host,): weight / sum(weights) for host, weight in enumerate(weights)
    }
    assert _chi_square(counts, expected) < CRITICAL[4]


@pytest.mark.parametrize("heavier", [1, 2, 10, 100])
@pytest.mark.parametrize("others", [0, 8])
def test_pairs(heavier: int, others: int) -> None:
    """Of two hosts the one n times as wide is before the other n times as often."""
    weights = (10, 10 * heavier, *(10 ** (place % 5) for place in range(others)))
    counts: Counts = Counter((int(order.index(1) < order.index(0)),) for order in _draw(weights))
    expected: dict[Order, float] = {(1,): heavier / (heavier + 1), (0,): 1 / (heavier + 1)}
    assert _chi_square(counts, expected) < CRITICAL[1]


def test_the_whole_range_of_bandwidths() -> None:
    """From 1 to 10000 Mbit/s the wide host is nearly always first, but not quite always."""
    firsts = Counter(order[0] for order in _draw((1, 10000), 60000))
    assert 0 < firsts[0] < 25


def test_many_hosts() -> None:
    """Among 400 hosts, those of a quarter of the weight have a quarter of the first places."""
    weights = (300,) * 100 + (300,) * 300
    counts: Counts = Counter((int(order[0] < 100),) for order in _draw(weights, 2000))
    assert _chi_square(counts, {(1,): 0.25, (0,): 0.75}) < CRITICAL[1]


def test_draws_are_independent() -> None:
    """The first host of one draw says nothing about the first one of the next."""
    firsts = [order[0] for order in _draw((1, 1, 1, 1))]
    expected: dict[Order, float] = {(one, other): 1 / 16 for one in range(4) for other in range(4)}
    assert _chi_square(Counter[Order](pairwise(firsts)), expected) < CRITICAL[15]


def test_unweighted_orders_are_equal() -> None:
    """A plain shuffle gives every order the same chance."""
    rng = Random(20261121)
    counts = Counter(tuple(shuffled((0, 1, 2), rng)) for _ in range(DRAWS))
    assert _chi_square(counts, dict.fromkeys(permutations(range(3)), 1 / 6)) < CRITICAL[5]


class _Chance(Random):
    """A random source that always gives the same number."""

    def __init__(self, number: float) -> None:
        super().__init__(0)
        self._number = number

    def random(self) -> float:
        return self._number


@pytest.mark.parametrize("number", [0.0, 2.0**-53, 1.0 - 2.0**-53])
def test_extreme_chance(number: float) -> None:
    """Every number that a random source may give is an order."""
    assert sorted(weighted(range(3), (1, 100, 10000), _Chance(number))) == [0, 1, 2]


Draw = Callable[[Sequence[int], Random], list[int]]


def _weighted(hosts: Sequence[int], rng: Random) -> list[int]:
    return weighted(hosts, range(1, 10001), rng)


either = pytest.mark.parametrize(
    "draw", [pytest.param(_weighted, id="weighted"), pytest.param(shuffled, id="shuffled")]
)


@either
def test_no_host_and_one_host(draw: Draw) -> None:
    """Nothing gives nothing, and one host is the order."""
    assert draw((), Random(1)) == []
    assert draw((7,), Random(1)) == [7]


@either
@given(hosts=st.lists(st.integers(0, 9999), unique=True), seed=st.integers())
def test_permutation(draw: Draw, hosts: list[int], seed: int) -> None:
    """An order has each host once, and the same seed gives the same order."""
    given_hosts = tuple(hosts)
    order = draw(given_hosts, Random(seed))
    assert sorted(order) == sorted(hosts)
    assert draw(given_hosts, Random(seed)) == order


@either
def test_another_seed(draw: Draw) -> None:
    """Another seed gives another order."""
    orders = {tuple(draw(range(20), Random(seed))) for seed in range(20)}
    assert len(orders) == 20
