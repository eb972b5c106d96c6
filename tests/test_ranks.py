"""Sets of hosts as numbers: order, countries, continents, and the same hosts by either way."""

from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.catalog.ranks import Ranks
from tests.examples import examples
from tests.small_worlds import Mirror, small_catalog

COUNTRIES = ("FR", "DE", "JP", "DE", "ZZ", "US")


def _ranks(countries: tuple[str, ...]) -> Ranks:
    return small_catalog(*[Mirror(country=country) for country in countries]).ranks


def test_hosts_stand_by_country() -> None:
    """A set gives its hosts by country, and those of a country by index."""
    ranks = _ranks(COUNTRIES)
    assert ranks.hosts(ranks.of(range(6))) == (1, 3, 0, 2, 5, 4)
    assert ranks.hosts(ranks.of([4, 3, 0])) == (3, 0, 4)
    assert {one: ranks.hosts(found) for one, found in ranks.of_country.items()} == {
        "DE": (1, 3),
        "FR": (0,),
        "JP": (2,),
        "US": (5,),
        "ZZ": (4,),
    }


def test_continents_have_their_countries() -> None:
    """A continent has its hosts, and its countries sorted; JP and ZZ are on none here."""
    ranks = _ranks(COUNTRIES)
    assert {one: ranks.hosts(found) for one, found in ranks.on_continent.items()} == {
        "EU": (1, 3, 0),
        "NA": (5,),
    }
    countries = ["DE", "FR"]
    sets = [ranks.of_country[country] for country in countries]
    assert ranks.countries_on["EU"] == (countries, sets)


@examples(50)
@given(
    countries=st.lists(st.sampled_from(COUNTRIES), min_size=60, max_size=60).map(tuple),
    bits=st.integers(0, (1 << 60) - 1) | st.sampled_from([0, 1, 1 << 59, (1 << 60) - 1]),
)
def test_few_and_many_hosts_are_found_alike(countries: tuple[str, ...], bits: int) -> None:
    """A set has the hosts it was made of, however many, by their indexes or as bits of these."""
    ranks = _ranks(countries)
    hosts = [one for one in range(60) if bits >> one & 1]
    found = ranks.of(hosts)
    assert ranks.of_indexes(bits) == found
    assert ranks.hosts(found) == tuple(sorted(hosts, key=lambda one: (countries[one], one)))
