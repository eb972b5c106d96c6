"""The last hours: what is kept, in which bars it is shown, and how they are drawn."""

import re

import pytest

from mirrorlist.records.counts import TIERS
from mirrorlist.status.charts import HEIGHT, STEP, bars, nice
from mirrorlist.status.last_hours import (
    BARS,
    LONG_BARS,
    MOST_SAMPLES,
    SAMPLE_SECONDS,
    LastHours,
    Sample,
)
from mirrorlist.status.watch_state import Changes


def sample(minute: float, lists: int, watch: Changes | None = None) -> Sample:
    """Return a sample with this many lists in the first tier."""
    return Sample(minute * SAMPLE_SECONDS, (lists, *(0,) * (len(TIERS) - 1)), watch)


def hours(samples: int, each: int = 30) -> LastHours:
    """Return hours with this many more lists in each minute."""
    made = LastHours()
    for minute in range(samples):
        made.add(sample(minute, minute * each), {"DE": minute})
    return made


@pytest.mark.parametrize(
    ("samples", "bars", "minutes_each"),
    [
        pytest.param(0, 0, 1, id="nothing"),
        pytest.param(1, 0, 1, id="a begin"),
        pytest.param(2, 1, 1, id="a minute"),
        pytest.param(BARS + 1, BARS, 1, id="an hour"),
        pytest.param(BARS + 2, 12, 5, id="more than an hour"),
        pytest.param(MOST_SAMPLES, LONG_BARS, 5, id="six hours"),
        pytest.param(MOST_SAMPLES + 100, LONG_BARS, 5, id="more than is kept"),
    ],
)
def test_bars(samples: int, bars: int, minutes_each: int) -> None:
    """Lists are shown a minute, whether a bar stands for one or for five."""
    past = hours(samples).past()
    assert (len(past.bars), past.minutes_each) == (bars, minutes_each)
    assert past.minutes == (60 if minutes_each == 1 else 360)
    assert [bar.tiers[0] for bar in past.bars] == [30.0] * bars


def test_rate() -> None:
    """The rate is that of the last minute or two: a minute just begun says little."""
    made = hours(3)
    assert made.rate(sample(2.5, 60 + 45))[0] == 50
    assert made.rate(sample(2 + 1 / 60, 60))[0] == pytest.approx(30 * 60 / 61)
    assert hours(1).rate(sample(0.5, 15))[0] == 30
    assert LastHours().rate(sample(1, 5)) == (0.0,) * len(TIERS)


def test_countries() -> None:
    """Countries are counted over the last hour, the most first, and none without a list."""
    made = hours(100)
    minutes, found = made.countries(99 * 60, {"DE": 99, "FR": 100, "US": 0})
    assert (minutes, found) == (69, {"FR": 100, "DE": 69})
    assert LastHours().countries(0, {"DE": 1}) == (0, {})


def test_changes() -> None:
    """Of a watch each bar has what came and went; one that began again has lost nothing."""
    made = LastHours()
    seen = [None, Changes(5, 3, 2), Changes(9, 9, 0), Changes(1, 0, 1), None]
    for minute, changes in enumerate(seen):
        made.add(sample(minute, 0, changes), {})
    found = [(bar.seen, bar.processed, bar.backlog) for bar in made.past().bars]
    assert found == [(0, 0, 2), (4, 6, 0), (0, 0, 1), (0, 0, 0)]


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, 1), (1, 1), (1.1, 2), (2, 2), (3, 5), (6, 10), (11, 20), (999, 1000), (2_000_001, 5e6)],
)
def test_tops(most: float, top: float) -> None:
    """The upper edge of a chart is a round number, and no bar is higher."""
    assert nice(most) == top


def rectangles(path: str) -> list[tuple[float, ...]]:
    """Return left, top, width and height of each rectangle of a path."""
    found = re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z", path)
    assert len(found) == path.count("M")
    return [tuple(map(float, one)) for one in found]


def test_drawing() -> None:
    """Bars stand on the ground, layers on each other, and the newest at the right."""
    chart = bars([[50, 0], [25, 25], [0, 0]], 5)
    assert (chart.width, chart.top, chart.is_empty) == (5 * STEP, 50, False)
    below, above = map(rectangles, chart.paths)
    assert below == [(2 * STEP, 0, 8, HEIGHT), (3 * STEP, HEIGHT / 2, 8, HEIGHT / 2)]
    assert above == [(3 * STEP, 0, 8, HEIGHT / 2)]


def test_thin_layers() -> None:
    """A layer that is too thin to see is drawn all the same, and nothing at all is nothing."""
    chart = bars([[100_000, 1]], 1)
    assert rectangles(chart.paths[1])[0][3] > 0
    assert bars([[0, 0]], 9).is_empty
    assert bars([], 9).is_empty
    assert bars([[1]], 9, least=70).top == 100


def test_the_newest_bar_is_whole() -> None:
    """What happened last is in the newest bar, whichever sample it came with."""
    for samples in range(BARS + 2, BARS + 8):
        made = hours(samples, each=0)
        made.add(sample(samples, 500), {})
        bars = made.past().bars
        assert [bar.tiers[0] for bar in bars[-2:]] == [0, 100]
