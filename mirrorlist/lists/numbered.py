"""Objects with numbers: equal ones are one object, and a number stands for it in a counter's key.

The key of a counter is then an integer, the sum of the codes of its parts. That costs a request
three additions; a tuple as a key of a dictionary took ten times as long once there were thousands.
"""

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Numbered(Generic[T]):
    """The objects of a kind, each known by its parts; bounded: beyond, one stands for the rest."""

    def __init__(
        self, make: Callable[..., T], shift: int, most: int, *rest: object, first: int = 0
    ) -> None:
        """Take what makes an object of its code and its parts, and the parts of the rest.

        A code is a number, which begins with `first` and ends before `most`, shifted to the left.
        """
        self._make, self._shift, self._most, self._first = make, shift, most, first
        self._known: dict[tuple[object, ...], T] = {}
        self._by_number: list[T] = []
        self._lock = Lock()
        self.rest = self._meet(rest)

    def find(self, *parts: object) -> T:
        """Return the object of these parts."""
        return self._known.get(parts) or self._meet(parts)

    def by_number(self, number: int) -> T:
        """Return the object of a number."""
        return self._by_number[number - self._first]

    def _meet(self, parts: tuple[object, ...]) -> T:
        with self._lock:
            if parts not in self._known:
                number = len(self._by_number) + self._first
                if number >= self._most:
                    return self.rest
                self._by_number.append(self._make(number << self._shift, *parts))
                self._known[parts] = self._by_number[-1]
            return self._known[parts]
