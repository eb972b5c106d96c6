"""Sets of hosts as the bits of one number, in the order of countries.

The tiers of countries name dozens of hosts each, of which a list takes those that carry the
directory, that the client may have, and that have a URL. With tuples and sets each of these
questions waits for memory once a host; two numbers answer it for all hosts by one `&`.
"""

from collections.abc import Iterable, Mapping, Sequence

from snapshot.file.integers import numbers_of
from snapshot.file.model import Host

# So many hosts are found sooner bit by bit (0.12 us each) than by a look at all bits (6 us).
_FEW = 40


class Ranks:
    """The hosts of a roster by country, and those of a country by index: a host's *rank*.

    A set of hosts is a number; its bit `rank` says that the host is in it. `bits` are the numbers
    of single hosts, by index. `of_country` are the hosts of each country, `on_continent` those of
    each continent; `countries_on` are the countries of a continent, sorted, and beside them the
    hosts of each.
    """

    def __init__(self, hosts: Sequence[Host], continents: Mapping[str, str]) -> None:
        """Take the hosts, and the continent of each country."""
        count = len(hosts)
        self._order = sorted(range(count), key=lambda index: (hosts[index].country, index))
        self.bits = [0] * count
        self.of_country: dict[str, int] = {}
        for rank, index in enumerate(self._order):
            self.bits[index] = 1 << rank
            country = hosts[index].country
            self.of_country[country] = self.of_country.get(country, 0) | 1 << rank
        self.on_continent: dict[str, int] = {}
        self.countries_on: dict[str, tuple[list[str], list[int]]] = {}
        for country, found in self.of_country.items():
            continent = continents.get(country)
            if continent is not None:
                self.on_continent[continent] = self.on_continent.get(continent, 0) | found
                names, sets = self.countries_on.setdefault(continent, ([], []))
                names.append(country)
                sets.append(found)
        # The text of a number begins with its highest bit.
        self._backwards = self._order[::-1]

    def of(self, hosts: Iterable[int]) -> int:
        """Return hosts as a set; each of them is given once."""
        return sum(map(self.bits.__getitem__, hosts))

    def of_indexes(self, bits: int) -> int:
        """Return as a set the hosts whose indexes are the bits of a number: takes about 20 us."""
        text = f"{bits:0{len(self._order)}b}"[::-1]
        return int("".join(map(text.__getitem__, self._backwards)) or "0", 2)

    def hosts(self, found: int) -> tuple[int, ...]:
        """Return the hosts of a set in their order."""
        order, bits = self._order, self.bits
        if found.bit_count() > _FEW:
            return numbers_of(found, order)
        hosts = []
        while found:
            # The highest bit: to find it takes half as long as the lowest one.
            host = order[found.bit_length() - 1]
            hosts.append(host)
            found ^= bits[host]
        return tuple(hosts[::-1])
