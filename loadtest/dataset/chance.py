"""Seeded chance: each purpose has its own source, so that a further draw changes nothing else.

Nothing here depends on hash randomisation, on the clock or on the Python version's `hash`.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate
from random import Random

HASHES = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
"""The hash algorithms of a file detail, with the length of their hexadecimal text."""


def chance(seed: int, *purpose: object) -> Random:
    """Return the source of chance of one purpose, such as a host's name and a category's."""
    return Random("/".join(map(str, (seed, *purpose))))


def digest(algorithm: str, seed: int, name: str) -> str:
    """Return a hash of a name as hexadecimal text."""
    return hashlib.new(algorithm, f"{seed}/{name}".encode(), usedforsecurity=False).hexdigest()


def vary(seed: int, name: str, below: int) -> int:
    """Return a number from 0 up to, not including, `below` that depends on the name only."""
    return int(digest("sha256", seed, name)[:12], 16) % below


def spread(weights: Mapping[str, float], count: int) -> list[str]:
    """Return `count` keys in proportion to their weights, without chance, in their order.

    A key whose share is at least one occurs at least once.
    """
    keys, sums = list(weights), list(accumulate(weights.values()))
    step = sums[-1] / count
    return [keys[bisect_left(sums, (number + 0.5) * step)] for number in range(count)]
