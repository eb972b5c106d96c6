"""Values that are kept by a key, bounded in bytes even if strangers invent the keys.

There are two generations. A value that is not asked for while the younger one fills is dropped with
the older one. So values in use stay, and those of invented keys go, however many there are.
"""

from collections.abc import Callable, Hashable, Iterator
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by key, bounded in bytes; `size` gives the bytes of a pair.

    Any thread may ask and keep.
    """

    def __init__(self, most_bytes: int, size: Callable[[K, V], int]) -> None:
        """Take the bound; a pair over half of it is not kept."""
        self.young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._half = most_bytes // 2
        self._young_bytes = self._old_bytes = 0
        self._size = size
        self._lock = Lock()

    def __len__(self) -> int:
        """Return how many values are kept."""
        return len(self.young.keys() | self._old.keys())

    def values(self) -> Iterator[V]:
        """Return all values."""
        return iter({**self._old, **self.young}.values())

    @property
    def bytes(self) -> int:
        """About how many bytes are kept."""
        return self._young_bytes + self._old_bytes

    def find(self, key: K) -> V | None:
        """Return the value of a key, or None; a value that is found counts as in use."""
        found = self.young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                # Asked for again before the younger generation was full: it moves there.
                self.keep(key, found)
        return found

    def keep(self, key: K, value: V) -> V:
        """Keep a value, and return it."""
        size = self._size(key, value)
        if size > self._half:
            return value
        with self._lock:
            if key not in self.young:
                if self._young_bytes + size > self._half:
                    self._old, self.young = self.young, {}
                    self._old_bytes, self._young_bytes = self._young_bytes, 0
                self._young_bytes += size
            self.young[key] = value
        return value

    def let_go(self) -> None:
        """Drop all values one by one, so that other threads can run in between."""
        # Dropping a whole dictionary holds the interpreter's lock until every value is freed.
        for generation in (self.young, self._old):
            while generation:
                generation.popitem()
        self._young_bytes = self._old_bytes = 0

    def clear(self) -> None:
        """Drop all values."""
        with self._lock:
            self.young, self._old = {}, {}
            self._young_bytes = self._old_bytes = 0
