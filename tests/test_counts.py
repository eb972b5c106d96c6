"""What several processes count in shared memory, and what stays when one of them dies."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product

import pytest

from mirrorlist.lists.selection import Tier
from mirrorlist.records.counts import (
    BOUNDS,
    ENDPOINTS,
    STATUSES,
    TIERS,
    Count,
    Counts,
    Level,
    Slot,
    endpoint_index,
)

METALINK = ENDPOINTS.index("metalink")

Counting = Callable[[Slot], None]


@pytest.fixture
def counts() -> Counts:
    """Counts of two processes."""
    return Counts(2)


class Process:
    """A forked process that has claimed a slot and counts when it is told to."""

    def __init__(self, counts: Counts, count: Counting) -> None:
        """Fork, and wait until the slot is claimed."""
        ready, self._orders = os.pipe(), os.pipe()
        self._process = os.fork()
        if not self._process:
            os.close(self._orders[1])
            slot = counts.claim()
            os.write(ready[1], b"x")
            while os.read(self._orders[0], 1):
                count(slot)
                os.write(ready[1], b"x")
            os._exit(0)
        self._ready = ready[0]
        os.close(self._orders[0])
        os.close(ready[1])
        self.wait()

    def begin(self) -> None:
        """Let it count once."""
        os.write(self._orders[1], b"x")

    def wait(self) -> None:
        """Wait until it has done what it was told."""
        assert os.read(self._ready, 1) == b"x"

    def count(self) -> None:
        """Let it count once, and wait until it has."""
        self.begin()
        self.wait()

    def end(self) -> None:
        """End it by kill -9, and wait for its end."""
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._orders[1])
        os.close(self._ready)


@contextmanager
def processes(
    counts: Counts, number: int, count: Callable[[Slot], None]
) -> Iterator[list[Process]]:
    """Some processes that count, ended at the end."""
    made = [Process(counts, count) for _ in range(number)]
    try:
        yield made
    finally:
        for process in made:
            process.end()


def metalink(slot: Slot) -> None:
    """Count a metalink."""
    slot.add_request(METALINK, 200, Tier.COUNTRY)


def swap(slot: Slot) -> None:
    """Count a swap."""
    slot.add(Count.SWAPS)


def test_nothing_yet(counts: Counts) -> None:
    """At first all is 0, and there is no request of any kind."""
    totals = counts.totals()
    assert totals.requests == {}
    assert {*totals.times, *totals.counts.values(), *totals.levels.values(), totals.seconds} == {0}


def test_each_label_has_a_cell_of_its_own(counts: Counts) -> None:
    """Whatever the endpoint, status and tier, a request is counted under them and nothing else."""
    slot = counts.claim()
    tiers = (*Tier, None)
    for number, (endpoint, status, tier) in enumerate(
        product(range(len(ENDPOINTS)), STATUSES, tiers), 1
    ):
        for _ in range(number):
            slot.add_request(endpoint, int(status) if status != "other" else 599, tier)
        if number == 40:
            break
    slot.add_request(len(ENDPOINTS) - 1, 599, None)
    found = counts.totals().requests
    assert found.pop(("other", "other", "none")) == 1
    labels = list(product(ENDPOINTS, STATUSES, TIERS))[:40]
    assert found == {label: number for number, label in enumerate(labels, 1)}
    others = counts.totals()
    assert not any((*others.times, *others.counts.values(), *others.levels.values()))


def test_tiers_have_plain_names() -> None:
    """Each tier has a label, without blanks or capitals."""
    assert (
        *("netblock", "asn", "country_asked", "continent_asked", "country", "continent", "global"),
        "none",
    ) == TIERS


@pytest.mark.parametrize("status", [0, 199, 418, 599, -1])
def test_another_status(counts: Counts, status: int) -> None:
    """A status that has no label counts as another one."""
    counts.claim().add_request(METALINK, status, None)
    assert counts.totals().requests == {("metalink", "other", "none"): 1}


@pytest.mark.parametrize("count", list(Count))
def test_counts(counts: Counts, count: Count) -> None:
    """Each count has a cell of its own, which grows by as much as is said."""
    slot = counts.claim()
    slot.add(count)
    slot.add(count, 10)
    assert counts.totals().counts == {one: 11 if one is count else 0 for one in Count}


@pytest.mark.parametrize(
    ("nanoseconds", "place"),
    [
        pytest.param(0, 0, id="nothing"),
        pytest.param(10_000, 0, id="at a bound"),
        pytest.param(10_001, 1, id="one past it"),
        pytest.param(25_000_000, len(BOUNDS) - 1, id="at the last bound"),
        pytest.param(25_000_001, len(BOUNDS), id="beyond all"),
    ],
)
def test_times(counts: Counts, nanoseconds: int, place: int) -> None:
    """A time counts in the class up to whose bound it is, and in the sum."""
    counts.claim().add_time(nanoseconds)
    totals = counts.totals()
    assert totals.times == [int(at == place) for at in range(len(BOUNDS) + 1)]
    assert totals.seconds == nanoseconds / 1e9


def test_several_processes(counts: Counts) -> None:
    """What several processes count at the same time is added up, here and in each of them."""
    with processes(counts, 2, metalink) as (first, second):
        for _ in range(3):
            first.count()
        second.count()
        assert counts.totals().requests == {("metalink", "200", "country"): 4}


def test_at_full_speed(counts: Counts) -> None:
    """Processes that count as fast as they can lose nothing."""

    def many(slot: Slot) -> None:
        for _ in range(20_000):
            slot.add_request(METALINK, 200, Tier.COUNTRY)

    with processes(counts, 2, many) as made:
        for process in made:
            process.begin()
        for process in made:
            process.wait()
    assert counts.totals().requests == {("metalink", "200", "country"): 40_000}


def test_the_dead_still_count(counts: Counts) -> None:
    """After kill -9 what a process counted stays, and its successor goes on in its slot."""
    with processes(counts, 1, swap) as (lasting,):
        lasting.count()
        for generation in range(1, 6):
            with processes(counts, 1, swap) as (one,):
                one.count()
            assert counts.totals().counts[Count.SWAPS] == generation + 1
        lasting.count()
    assert counts.totals().counts[Count.SWAPS] == 7


def test_a_level_ends_with_its_process(counts: Counts) -> None:
    """A level is the sum of what processes have now: a successor begins with 0."""

    def five(slot: Slot) -> None:
        slot.set(Level.LOG_QUEUED_BYTES, 2)
        slot.set(Level.LOG_QUEUED_BYTES, 5)

    def level() -> int:
        return counts.totals().levels[Level.LOG_QUEUED_BYTES]

    with processes(counts, 1, five) as (lasting,):
        lasting.count()
        with processes(counts, 1, five) as (dying,):
            dying.count()
            assert level() == 10
        with processes(counts, 1, five) as (successor,):
            assert level() == 5
            successor.count()
            assert level() == 10


def test_turns(counts: Counts) -> None:
    """A process that only claimed its slot has not turned yet; each beat of its loop is a turn."""
    slot = counts.claim()
    assert counts.turns() == 0
    slot.beat(1.0)
    slot.beat(2.0)
    assert counts.turns() == 2


def test_one_process_too_many(counts: Counts) -> None:
    """A process for which there is no slot counts for itself, and spoils nobody's counts."""
    with processes(counts, 3, swap) as made:
        for process in made:
            process.count()
        assert counts.totals().counts[Count.SWAPS] == 2


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/metalink", "metalink"),
        ("/any/prefix/mirrorlist", "mirrorlist"),
        ("/metalink/explain", "explain"),
        ("/repositories", "repositories"),
        ("/health/live", "health"),
        ("/health/ready", "health"),
        ("/health", "health"),
        ("/", "other"),
        ("", "other"),
        ("/other", "other"),
        ("/metalink/", "other"),
    ],
)
def test_endpoints(path: str, endpoint: str) -> None:
    """A path's ending decides under which endpoint it counts, and there are few of them."""
    assert ENDPOINTS[endpoint_index(path)] == endpoint
