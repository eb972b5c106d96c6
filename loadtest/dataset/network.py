"""A synthetic Internet: operators with an ASN and address blocks, each in one country.

No address here is ever contacted; who has it in reality does not matter.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from random import Random

from loadtest.dataset.chance import chance, spread
from loadtest.dataset.countries import CLIENT_COUNTRIES
from snapshot.export.continents import built_in_continents

Block = IPv4Network | IPv6Network

_OPERATORS = 1_500
_BLOCKS_V4 = 4_000  # each a /16
_SHARE_V6 = 0.75  # of the operators, each with a /32
# First octets whose unicast space has no private, shared, test or loopback part in it.
_OCTETS = [n for n in range(1, 224) if n not in {10, 100, 127, 169, 172, 192, 198, 203}]
# The block that the continent's registry gives IPv6 addresses out of, as its first 12 bits.
_REGISTRIES = {"AS": 0x240, "OC": 0x240, "NA": 0x260, "SA": 0x280, "EU": 0x2A0, "AF": 0x2C0}
_CONTINENTS = built_in_continents()
# Neither documentation (RFC 5398) nor private (RFC 6996) nor AS_TRANS.
_ASNS = [*range(1_000, 23_456), *range(23_457, 64_000), *range(131_072, 400_000)]


@dataclass(frozen=True, slots=True)
class Operator:
    """Who announces some blocks: /16 networks of IPv4, at most one /32 of IPv6."""

    asn: int
    country: str
    v4: tuple[IPv4Network, ...]
    v6: tuple[IPv6Network, ...]


@dataclass(frozen=True)
class Internet:
    """All operators; ASNs without an operator; a block of no operator and so of no country."""

    operators: tuple[Operator, ...]
    spare_asns: tuple[int, ...]
    nowhere: IPv4Network

    @property
    def declared(self) -> tuple[tuple[IPv4Network, str], ...]:
        """Parts of `nowhere` that MirrorManager's own table says a country of."""
        quarters = list(self.nowhere.subnets(new_prefix=18))
        return (quarters[0], "NZ"), (quarters[1], "CL")

    @property
    def undeclared(self) -> IPv4Network:
        """The part of `nowhere` whose country is not known."""
        return list(self.nowhere.subnets(new_prefix=17))[1]

    @cached_property
    def by_country(self) -> dict[str, list[Operator]]:
        """The operators of each country."""
        found = defaultdict(list)
        for operator in self.operators:
            found[operator.country].append(operator)
        return dict(found)


def make_internet(seed: int) -> Internet:
    """Return the Internet of a seed; it is the same at each scale."""
    source = chance(seed, "internet")
    countries = spread(CLIENT_COUNTRIES, _OPERATORS)
    source.shuffle(countries)
    asns = source.sample(_ASNS, 2 * _OPERATORS)
    blocks = iter(source.sample([(a, b) for a in _OCTETS for b in range(256)], _BLOCKS_V4 + 1))
    counts = _block_counts(source)
    operators = [
        Operator(
            asn, country, tuple(_v4(*next(blocks)) for _ in range(count)), _v6(country, number)
        )
        for number, (asn, country, count) in enumerate(zip(asns, countries, counts, strict=False))
    ]
    return Internet(tuple(operators), tuple(asns[_OPERATORS:]), _v4(*next(blocks)))


def address_in(block: Block, source: Random) -> IPv4Address | IPv6Address:
    """Return a random address in a block."""
    return block[source.getrandbits(block.max_prefixlen - block.prefixlen)]


def part_of(block: Block, prefix_length: int, source: Random) -> Block:
    """Return a random network of a prefix length within a block."""
    first = int(address_in(block, source)), prefix_length
    if isinstance(block, IPv4Network):
        return IPv4Network(first, strict=False)
    return IPv6Network(first, strict=False)


def _block_counts(source: Random) -> list[int]:
    """The number of IPv4 blocks of each operator: one at least, a few operators have many."""
    counts = [1] * _OPERATORS
    weights = [source.paretovariate(1.2) for _ in counts]
    for index in source.choices(range(_OPERATORS), weights, k=_BLOCKS_V4 - _OPERATORS):
        counts[index] += 1
    return counts


def _v4(first: int, second: int) -> IPv4Network:
    return IPv4Network((first << 24 | second << 16, 16))


def _v6(country: str, number: int) -> tuple[IPv6Network, ...]:
    if number % 100 >= 100 * _SHARE_V6:
        return ()
    registry = _REGISTRIES[_CONTINENTS[country]]
    # Spread over the registry's /12 by a multiplier that shares no factor with its size.
    top = registry << 20 | (number + 1) * 500_009 % (1 << 20)
    return (IPv6Network((top << 96, 32)),)
