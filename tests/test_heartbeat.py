"""Who is silent, seen by somebody who looks now and then and may have been asleep himself."""

import pytest

from mirrorlist.records.counts import Counts
from mirrorlist.records.heartbeat import HeartbeatMonitor


class World:
    """Two workers and a clock."""

    def __init__(self) -> None:
        """Begin at some moment of the monotonic clock."""
        self.now = 1000.0
        self.beats = {1: 1000.0, 2: 1000.0}
        self.monitor = HeartbeatMonitor(lambda: self.beats, 5.0, 60.0, lambda: self.now)

    def look(self, seconds: float, *alive: int) -> list[int]:
        """Let time pass in which some workers tell that they run, and look."""
        self.now += seconds
        self.beats |= dict.fromkeys(alive, self.now)
        return self.monitor.hung()


def test_one_that_hangs() -> None:
    """A worker without a beat for a minute is named, one that beats never."""
    world = World()
    looks = [world.look(5, 2) for _ in range(13)]
    assert looks[:12] == [[]] * 12
    assert looks[12] == [1]


def test_one_that_recovers() -> None:
    """A beat makes up for all that went before."""
    world = World()
    for _ in range(11):
        assert world.look(5, 2) == []
    assert world.look(5, 1, 2) == []
    assert world.look(5, 2) == []


@pytest.mark.parametrize("seconds", [3600.0, -3600.0])
def test_a_long_sleep(seconds: float) -> None:
    """A machine that slept or a container that was frozen makes nobody look dead."""
    world = World()
    world.look(5, 1, 2)
    assert world.look(seconds) == []
    assert world.look(1, 1, 2) == []


def test_beats_of_a_process() -> None:
    """A process that claims a slot has its beats there."""
    counts = Counts(1)
    slot = counts.claim()
    ((process, begun),) = counts.beats().items()
    slot.beat(begun + 5)
    assert counts.beats() == {process: pytest.approx(begun + 5, abs=0.01)}
