"""The last hours in samples, one a minute, for the charts of status pages; bounded memory."""

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from mirrorlist.records.counts import TIERS
from mirrorlist.status.watch_state import Changes

SAMPLE_SECONDS = 60.0
MOST_SAMPLES = 6 * 60 + 1
BARS = 60
LONG_BARS = 72
_EACH = (MOST_SAMPLES - 1) // LONG_BARS
# Countries are many, so they are kept every ten minutes, for an hour.
_COUNTRY_SAMPLES, _COUNTRIES_EVERY = 7, 10
_MINUTE = 60.0
# At least one of these is a minute old.
_RECENT = 3


class Sample(Struct, frozen=True):
    """The counters at a moment; `watch` is None if no watch answered."""

    at: float
    tiers: tuple[int, ...] = (0,) * len(TIERS)
    watch: Changes | None = None


class Bar(Struct, frozen=True):
    """Some minutes: lists a minute by tier; changes seen and processed in them, the backlog."""

    tiers: tuple[float, ...]
    seen: int = 0
    processed: int = 0
    backlog: int = 0


class Past(Struct, frozen=True):
    """The bars of the last hour or hours, oldest first, each of this many minutes.

    The chart has room for `room` bars.
    """

    minutes_each: int
    room: int
    bars: Sequence[Bar]

    @property
    def minutes(self) -> int:
        """The minutes that a chart has room for."""
        return self.minutes_each * self.room


class LastHours:
    """Samples; written by one thread, read by others."""

    def __init__(self) -> None:
        """Begin without samples."""
        self._samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)
        self._countries: deque[tuple[float, dict[str, int]]] = deque(maxlen=_COUNTRY_SAMPLES)
        self._taken = 0

    def add(self, sample: Sample, countries: dict[str, int]) -> None:
        """Keep a sample, and every ten minutes the lists by country since the start."""
        self._samples.append(sample)
        if self._taken % _COUNTRIES_EVERY == 0:
            self._countries.append((sample.at, countries))
        self._taken += 1

    def past(self) -> Past:
        """Return the last hour by minutes, or the last hours if there are more samples."""
        samples = list(self._samples)
        each, room = (1, BARS) if len(samples) <= BARS + 1 else (_EACH, LONG_BARS)
        # Counted from the end, so that the newest bar is always whole.
        marks = samples[::-1][::each][: room + 1][::-1]
        bars = [_bar(*pair) for pair in pairwise(marks)]
        return Past(each, room, bars)

    def rate(self, now: Sample) -> tuple[float, ...]:
        """Return lists a minute by tier, over the last minute or two, or since the start."""
        samples = [one for one in list(self._samples)[-_RECENT:] if now.at - one.at > 5]
        whole = (one for one in reversed(samples) if now.at - one.at >= SAMPLE_SECONDS)
        before = next(whole, samples[0] if samples else None)
        return _bar(before, now).tiers if before else (0.0,) * len(TIERS)

    def countries(self, now: float, total: dict[str, int]) -> tuple[int, dict[str, int]]:
        """Return for how many minutes until now, and how many lists of which country in them."""
        if not self._countries:
            return 0, {}
        at, before = self._countries[0]
        grown = {country: count - before.get(country, 0) for country, count in total.items()}
        found = sorted(grown.items(), key=lambda item: -item[1])
        return round((now - at) / _MINUTE), {
            country: count for country, count in found if count > 0
        }


def _bar(before: Sample, after: Sample) -> Bar:
    minutes = max(after.at - before.at, 1.0) / _MINUTE
    pairs = zip(before.tiers, after.tiers, strict=True)
    tiers = tuple(max(0, new - old) / minutes for old, new in pairs)
    if after.watch is None:
        return Bar(tiers)
    old = before.watch or after.watch
    # A watch that was restarted counts from 0 again.
    seen = max(0, after.watch.seen - old.seen)
    processed = max(0, after.watch.processed - old.processed)
    return Bar(tiers, seen, processed, after.watch.backlog)
