"""Fair shares on a live worker: first places follow the bandwidths, however seldom a list is drawn.

A drawn order is given to several requests, so their first places are no independent draws: the
chi-square statistic is divided by the mean number of uses of an order, as an answer sees it.
"""

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from random import Random
from statistics import NormalDist

import msgspec
import pytest

from mirrorlist.lists.defaults import DEFAULT_REUSE
from snapshot.export.netblock import make_ranges
from snapshot.file.model import Directory, SnapshotData
from snapshot.file.writer import encode
from tests.live import serve
from tests.pipeline import ask_all
from tests.small_worlds import DIRECTORY, FILE, Mirror, small_data

pytestmark = pytest.mark.system

# No host has over 38 % of the nearest tier, so no two lists that follow each other begin alike.
MIRRORS = (
    *(Mirror("DE", bandwidth) for bandwidth in (20, 100, 250, 500, 800, 1000, 1500, 2000, 2500)),
    Mirror("FR", 1000),
    *(Mirror("US", bandwidth) for bandwidth in (300, 400, 500, 700, 900, 1000, 1500)),
    Mirror("CA", 800),
)
EUROPE = range(10)
# Without a host, on the continent of DE and FR.
RARE = tuple(f"Q{letter}" for letter in "ABCDEFGHIJKL")
SELDOM = tuple(f"X{letter}" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
COUNTRIES = ("DE", "FR", "US", *RARE, *SELDOM)
# Directories that one host each lacks, so their lists are others.
LACKING = range(4, 9)

CHANCE = 1e-6
FEWEST_DRAWS, FEWEST_FIRSTS = 5, 1000
FIRST = re.compile(rb"https://host(\d+)\.")


@dataclass(frozen=True)
class Pair:
    """A list and a country, and how many answers it gets of 200,000.

    Pairs of a group share their `due`: hosts by index in the first tier that has any.
    """

    group: str
    target: str
    country: str
    answers: int
    due: tuple[int, ...]

    @property
    def request(self) -> bytes:
        """The bytes of a request."""
        address = f"20.0.{COUNTRIES.index(self.country)}.1"
        return (
            f"GET {self.target} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {address}\r\n\r\n".encode()
        )


def _pairs() -> list[Pair]:
    text, xml = f"/mirrorlist?path={DIRECTORY}", f"/metalink?path={DIRECTORY}/{FILE}"
    germany, europe = tuple(EUROPE[:-1]), tuple(EUROPE)
    found = [
        Pair("busy, DE", text, "DE", 80_000, germany),
        Pair("busy, US", text, "US", 40_000, tuple(range(10, 17))),
        Pair("busy, metalink, DE", xml, "DE", 20_000, germany),
        Pair("one host, FR", text, "FR", 8_000, (9,)),
    ]
    found += [Pair("rare", text, country, 3000, europe) for country in RARE]
    for number in LACKING:
        due = tuple(host for host in europe if host != number)
        target = f"/mirrorlist?path=top/lacking{number}"
        found += [Pair(f"seldom, {number}", target, country, 124, due) for country in SELDOM]
    return found


def _world() -> SnapshotData:
    data = small_data(MIRRORS, {})
    everybody = data.host_sets[0]
    ranges = [
        ((20 << 24) + (number << 8), ord(country[0]) << 8 | ord(country[1]))
        for number, country in enumerate(COUNTRIES)
    ]
    return msgspec.structs.replace(
        data,
        continents=data.continents | dict.fromkeys((*RARE, *SELDOM), "EU"),
        host_sets=[everybody, *(everybody & ~(1 << number) for number in LACKING)],
        directories=[
            *data.directories,
            *(
                Directory(f"top/lacking{number}", 0, place, True, 0)
                for place, number in enumerate(LACKING, 1)
            ),
        ],
        country_ranges=make_ranges([*ranges, ((20 << 24) + (len(COUNTRIES) << 8), 0)], []),
    )


@dataclass(frozen=True)
class Shares:
    """How often each host stood first in a group's answers, and what was due to it."""

    group: str
    firsts: Counter[int]
    due: dict[int, float]
    uses: float

    @property
    def statistic(self) -> float:
        """Chi-square over the hosts that can be judged, divided by the uses of an order."""
        return (
            sum((self.firsts[host] - due) ** 2 / due for host, due in self._judged.items())
            / self.uses
        )

    @property
    def limit(self) -> float:
        """What the statistic exceeds by chance in one of a million runs (Wilson and Hilferty)."""
        degrees = max(1, len(self._judged) - 1)
        bend = 2 / (9 * degrees)
        return float(degrees * (1 - bend + NormalDist().inv_cdf(1 - CHANCE) * bend**0.5) ** 3)

    @property
    def farthest(self) -> float:
        """The greatest deviation of a host's share from its due, of those due often enough."""
        often = [(host, due) for host, due in self.due.items() if due >= FEWEST_FIRSTS]
        return max((abs(self.firsts[host] / due - 1) for host, due in often), default=0.0)

    @property
    def _judged(self) -> dict[int, float]:
        return {host: due for host, due in self.due.items() if due >= FEWEST_DRAWS * self.uses}


def _shares(group: str, due: Sequence[int], lists: Sequence[bytes]) -> Shares:
    """Judge a group's lists, in the order in which they were given."""
    weights = {host + 1: MIRRORS[host].bandwidth for host in due}
    # Countries without hosts of their own are given the same list, in turn.
    runs = [len(list(same)) for _, same in groupby(lists)]
    return Shares(
        group,
        Counter(map(_first, lists)),
        {host: len(lists) * weight / sum(weights.values()) for host, weight in weights.items()},
        sum(run**2 for run in runs) / len(lists),
    )


def _first(hosts: bytes) -> int:
    found = FIRST.match(hosts)
    assert found
    return int(found[1])


def _asked(port: int, answers: int, seed: int) -> list[tuple[Pair, bytes]]:
    """The answers to about this many requests, in order: each list from its first URL on."""
    pairs = _pairs()
    traffic = [pair for pair in pairs for _ in range(pair.answers * answers // 200_000)]
    Random(seed).shuffle(traffic)
    requests = {pair: pair.request for pair in pairs}
    bodies = ask_all(port, [requests[pair] for pair in traffic])
    return [
        (pair, body[body.index(b"https://host") :])
        for pair, body in zip(traffic, bodies, strict=True)
    ]


@pytest.mark.parametrize(
    ("options", "reuse", "answers"),
    [
        pytest.param((), DEFAULT_REUSE, 100_000, id="default"),
        pytest.param(("--reuse", 0), 1, 20_000, id="each drawn"),
        pytest.param(("--reuse", 40), 40, 20_000, id="used often"),
        pytest.param(("--door", "asgi"), DEFAULT_REUSE, 20_000, id="asgi"),
    ],
)
def test_first_places_follow_the_bandwidths(
    tmp_path: Path, options: tuple[object, ...], reuse: int, answers: int
) -> None:
    """Busy and rare lists give each host its share, and no list more often than it may be used."""
    snapshot = tmp_path / "mm.snap"
    snapshot.write_bytes(encode(_world()))
    with serve(snapshot, tmp_path, *options) as server:
        got = _asked(server.port, answers, seed=1)
    groups: defaultdict[str, list[bytes]] = defaultdict(list)
    for pair, hosts in got:
        groups[pair.group].append(hosts)
    due = {pair.group: pair.due for pair, _ in got}
    found = [_shares(group, due[group], groups[group]) for group in sorted(groups)]
    sys.stdout.write("\n".join(["", *map(_line, found), ""]))
    for one in found:
        assert set(one.firsts) <= set(one.due), one.group
        assert one.statistic <= one.limit, _line(one)
        assert one.farthest <= 0.1, _line(one)
    _assert_uses(groups, due, reuse)


def _assert_uses(
    groups: dict[str, list[bytes]], due: dict[str, tuple[int, ...]], reuse: int
) -> None:
    """Hold what docs/operations.md says of --reuse."""
    for group, got in groups.items():
        in_a_row = [len(list(same)) for _, same in groupby(got)]
        # Where the nearest tier has one host, only the drawing of the places behind it changes.
        most = reuse if len(due[group]) > 1 else reuse**2
        # Of hundreds of drawings one or two are like the one before; three in a row are not alike.
        assert max(in_a_row) <= 3 * most, (group, max(in_a_row))
        longer = [count for count in in_a_row if count > most]
        assert len(longer) <= 1 + len(in_a_row) // 20, (group, longer)


def _line(one: Shares) -> str:
    return (
        f"{one.group:<20} {one.firsts.total():>7} answers  uses {one.uses:5.1f}"
        f"  chi-square/uses {one.statistic:6.2f} (at most {one.limit:.1f})"
        f"  farthest {one.farthest:.3f}"
    )


@pytest.mark.parametrize(
    ("firsts", "uses", "fair"),
    [
        pytest.param({1: 6000, 2: 4000}, 1.0, True, id="as due"),
        pytest.param({1: 6050, 2: 3950}, 1.0, True, id="by chance"),
        pytest.param({1: 6400, 2: 3600}, 1.0, False, id="too far for single draws"),
        pytest.param({1: 6400, 2: 3600}, 16.0, True, id="not for orders used often"),
        pytest.param({1: 10_000}, 16.0, False, id="one has all"),
    ],
)
def test_an_unfair_share_would_be_seen(firsts: dict[int, int], uses: float, fair: bool) -> None:
    """The statistic tells shares that chance explains from others."""
    shares = Shares("", Counter(firsts), {1: 6000.0, 2: 4000.0}, uses)
    assert (shares.statistic <= shares.limit) is fair
