"""Columns of little-endian integers, read in place."""

import sys
from array import array
from collections.abc import Iterable
from itertools import compress
from typing import Literal


def integers(view: memoryview, code: Literal["H", "I", "q"]) -> "memoryview | array[int]":
    """Return little-endian integers of an array type code, in place where the machine is too."""
    if sys.byteorder == "little":
        return view.cast(code)
    swapped: array[int] = array(code, bytes(view))
    swapped.byteswap()
    return swapped


def little_endian(values: "array[int]") -> bytes:
    """Return an array's bytes in little-endian order."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


# The digits of a number in base 2, as the false and the true byte.
_DIGITS = bytes.maketrans(b"01", b"\0\1")


def numbers_of(bits: int, numbers: Iterable[int]) -> tuple[int, ...]:
    """Return those of the numbers 0, 1, 2, ... whose bits are set, rising."""
    # Reading the binary text backwards is a hundred times faster than shifting bit by bit, and the
    # caller's objects are given again, which takes a quarter of the memory.
    return tuple(compress(numbers, f"{bits:b}"[::-1].encode().translate(_DIGITS)))
