"""Columns of little-endian integers, read in place."""

import sys
from array import array
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
