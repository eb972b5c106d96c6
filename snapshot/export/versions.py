"""Compares versions as rpm does, to tell which of two packages is newer."""

import re
from functools import cmp_to_key

# As in rpm's rpmvercmp(): digits, letters, and the two signs that have a meaning; all else
# only separates.
_PARTS = re.compile(r"[0-9]+|[a-zA-Z]+|~|\^")
_ORDER = {"~": -1, "": 0, "^": 1}


def compare(one: str, other: str) -> int:
    """Return 1 if the first version is newer, -1 if the other one is, 0 if they are alike.

    A tilde is older than the end of a version, a caret is newer than the end and older than more.
    """
    parts = (_PARTS.findall(one), _PARTS.findall(other))
    for at in range(max(map(len, parts))):
        first, second = (some[at] if at < len(some) else "" for some in parts)
        if found := _compare(first, second):
            return found
    return 0


def _compare(one: str, other: str) -> int:
    if one == other:
        return 0
    if one in ("~", "^") or other in ("~", "^"):
        # Beside "~" or "^", any other part is newer than the end; a tilde is older than all.
        ranks = [_ORDER.get(part, 2) for part in (one, other)]
    elif not one or not other:
        ranks = [len(one), len(other)]
    elif one.isdigit() and other.isdigit():
        # By length, because Python refuses to read a number of thousands of digits.
        numbers = [part.lstrip("0") for part in (one, other)]
        if len(numbers[0]) == len(numbers[1]):
            return (numbers[0] > numbers[1]) - (numbers[0] < numbers[1])
        ranks = [*map(len, numbers)]
    elif one.isdigit() or other.isdigit():
        ranks = [int(one.isdigit()), int(other.isdigit())]
    else:
        return 1 if one > other else -1
    return (ranks[0] > ranks[1]) - (ranks[0] < ranks[1])


def _compare_whole(one: tuple[str, str, str], other: tuple[str, str, str]) -> int:
    return next(filter(None, map(compare, one, other)), 0)


newness = cmp_to_key(_compare_whole)
"""A key to sort by: of epoch, version and release."""
