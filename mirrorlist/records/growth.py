"""Counts in a slot how much a number has grown that is kept elsewhere.

Threads and streams keep numbers of their own, because only one thread writes into a slot. That
thread reads them now and then, and adds to the slot what came since it last did.
"""

from collections.abc import Callable

from mirrorlist.records.counts import Count, Slot


class Growth:
    """A number that only grows, and how much of it the slot has."""

    def __init__(self, slot: Slot, count: Count, number: Callable[[], int], begin: int = 0) -> None:
        """Take where it is counted, as what, and how to read it; `begin` is not counted."""
        self._slot, self._count, self._number = slot, count, number
        self._counted = begin

    def add(self) -> None:
        """Count what came since the last call."""
        number = self._number()
        self._slot.add(self._count, number - self._counted)
        self._counted = number
