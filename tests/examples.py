"""How many random examples a test tries: a third of them here, all in CI, where REQUIRE_ALL is 1.

Each run draws other examples, so that the runs of a day try as many as one long run.
"""

import os

from hypothesis import settings

_PART = 1 if os.environ.get("REQUIRE_ALL") == "1" else 3


def examples(most: int) -> settings:
    """Return the settings of a test that tries this many examples in CI, without a deadline."""
    return settings(max_examples=most // _PART, deadline=None)


def use_fewer() -> None:
    """Let the tests without settings of their own try a part of the 100 of Hypothesis too."""
    settings.register_profile("part", max_examples=100 // _PART)
    settings.load_profile("part")
