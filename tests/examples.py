"""How many random examples a test tries: a tenth of them here, all in CI, where REQUIRE_ALL is 1.

Hypothesis draws other examples in each run, so that the runs of a day try as many as one long run.
"""

import os
from collections.abc import Iterable, Iterator
from random import Random
from typing import TypeVar

from hypothesis import settings

Value = TypeVar("Value")

_PART = 1 if os.environ.get("REQUIRE_ALL") == "1" else 10


def examples(most: int) -> settings:
    """Return the settings of a test that tries this many examples in CI, without a deadline."""
    return settings(max_examples=fewer(most), deadline=None)


def fewer(most: int) -> int:
    """Return how many cases a test tries here that tries this many in CI: one at least."""
    return max(most // _PART, 1)


def some(values: Iterable[Value], seed: int) -> Iterator[Value]:
    """Return all values in CI, and here those that a seed draws."""
    dice = Random(seed)
    return (value for value in values if dice.randrange(_PART) == 0)


def use_fewer() -> None:
    """Let the tests without settings of their own try a part of the 100 of Hypothesis too."""
    settings.register_profile("part", max_examples=fewer(100), deadline=None)
    settings.load_profile("part")
