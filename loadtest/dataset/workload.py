"""Generates requests of clients all over the world from a seed, without an end."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import NamedTuple

from loadtest.dataset.chance import chance
from loadtest.dataset.countries import CLIENT_COUNTRIES
from loadtest.dataset.families import ARCHIVE, EPEL, REDIRECTS, Stage, SubtreeContent
from loadtest.dataset.host import Host
from loadtest.dataset.network import Block, Internet, address_in
from loadtest.dataset.tree import DatasetTree, Subtree

# Zipf's law with Mandelbrot's offset: the dozen repositories that are enabled by default get nearly
# equal shares, and hundreds of others almost no requests.
_ZIPF, _OFFSET = 1.5, 3
_SHARE_V6 = 0.25  # of the clients whose operator has IPv6
# In a thousand requests: what is not there, and what stands for something else.
_UNKNOWN, _REDIRECTED = 10, 10
_STAGE_DEMAND = {Stage.TESTING: 2.0, Stage.DEVELOPMENT: 2.0, Stage.UPDATES: -0.05}
_NO_REPOSITORIES = ("fedora-99", "epel-4", "updates-released-f$releasever", "my-repo", "centos-8")
# In a thousand clients: those inside a host's netblock, those whose country only MirrorManager's
# own table knows, and those of no country.
_INSIDE, _DECLARED, _NOWHERE = 50, 5, 10
_NO_COUNTRY = "N/A"


class ClientRequest(NamedTuple):
    """One request: the client's address and country, and what it asks for."""

    address: str
    country: str
    repo: str
    arch: str


class Workload:
    """A mix of requests: few repositories get most of them, as in any project's log."""

    def __init__(self, tree: DatasetTree, hosts: Sequence[Host], internet: Internet) -> None:
        """Weigh repositories and clients."""
        asked = sorted(tree.repositories, key=_demand)
        self._repositories = [(one.prefix, one.arch) for one in asked if one.prefix]
        self._repository_sums = _sums(
            (index + _OFFSET) ** -_ZIPF for index in range(1, len(self._repositories) + 1)
        )
        self._inside = [
            (block, host.country) for host in hosts if host.active for block in host.netblocks
        ]
        self._internet = internet
        self._operator_sums = _sums(_operator_weights(internet))

    def requests(self, seed: int, purpose: str = "requests") -> Iterator[ClientRequest]:
        """Yield requests without an end; another seed or purpose gives other requests."""
        source = chance(seed, purpose)
        while True:
            repo, arch = self._repository(source)
            block, country = self._client(source)
            yield ClientRequest(str(address_in(block, source)), country, repo, arch)

    def _repository(self, source: Random) -> tuple[str, str]:
        number = source.randrange(1000)
        if number < _UNKNOWN:
            return source.choice(_NO_REPOSITORIES), "x86_64"
        if number < _UNKNOWN + _REDIRECTED:
            return source.choice(REDIRECTS)[0], "x86_64"
        return source.choices(self._repositories, cum_weights=self._repository_sums)[0]

    def _client(self, source: Random) -> tuple[Block, str]:
        number = source.randrange(1000)
        if number < _INSIDE and self._inside:
            return source.choice(self._inside)
        number -= _INSIDE
        if 0 <= number < _DECLARED:
            return source.choice(self._internet.declared)
        if 0 <= number < _DECLARED + _NOWHERE:
            return self._internet.undeclared, _NO_COUNTRY
        operators, sums = self._internet.operators, self._operator_sums
        operator = source.choices(operators, cum_weights=sums)[0]
        if operator.v6 and source.random() < _SHARE_V6:
            return operator.v6[0], operator.country
        return source.choice(operator.v4), operator.country


def _demand(subtree: Subtree) -> tuple[float, str]:
    """A repository's rank by demand: lower if more clients ask for it."""
    demand = subtree.rank + _STAGE_DEMAND.get(subtree.stage, 0.0)
    if subtree.arch != "x86_64":
        demand += 1.0
    # Off by default in every client.
    if subtree.content is not SubtreeContent.MAIN:
        demand += 2.5
    if subtree.category.name == ARCHIVE:
        demand += 2.6
    # Enterprise users stay on old releases, and do not ask for minor ones.
    if subtree.category.name == EPEL:
        demand += 3.0 if "." in subtree.version else -0.95 * subtree.age
    return demand, subtree.path


def _operator_weights(internet: Internet) -> Iterator[float]:
    """Divide a country's share among its operators by their numbers of blocks."""
    blocks = {
        country: sum(len(operator.v4) for operator in operators)
        for country, operators in internet.by_country.items()
    }
    for operator in internet.operators:
        share = CLIENT_COUNTRIES[operator.country]
        yield share * len(operator.v4) / blocks[operator.country]


def _sums(weights: Iterator[float]) -> list[float]:
    return list(accumulate(weights))
