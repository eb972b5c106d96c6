"""How many connections a process holds, and which of them give way to a newer one.

Without this a stranger who opens connections and says nothing would have all descriptors of the
process, and the next client would be reset. The connections that have waited longest for their
client give way first; so a newcomer, who asks at once, is answered.
"""

import resource
from collections.abc import Callable, Iterable
from heapq import nsmallest
from typing import Protocol, TypeVar

from msgspec import Struct

MOST_CONNECTIONS = 8192
"""At most so many, however many descriptors there are: an idle one takes 7 KB."""

RESERVE = 40
"""Descriptors for all else: a worker at rest has 22, and opens snapshots, data files, its log."""

# To make room for one at a time would cost a look at all of them each time.
_AT_ONCE = 16


class Connection(Protocol):
    """What is asked of a connection here."""

    is_cut: bool
    """Whether it has been ended already."""

    @property
    def is_answering(self) -> bool:
        """Whether the client waits for us, and not we for it."""

    @property
    def waits_since(self) -> float:
        """Since when it waits for the same thing, on the loop's clock."""

    def give_way(self) -> None:
        """End."""


class Policy(Struct, frozen=True):
    """What all connections of a listener have in common.

    `most_connections` may be open at a time. `refused` gets the status of each refusal, and
    `gave_way` is called for each connection that is ended for a newer one: both to count it.
    """

    most_connections: int = MOST_CONNECTIONS
    refused: Callable[[int], object] = lambda status: None
    gave_way: Callable[[], object] = lambda: None


NO_POLICY = Policy()
"""The limit of every process, and nothing is counted."""


C = TypeVar("C", bound=Connection)


def most_connections() -> int:
    """Return how many connections this process may hold by its limit of descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    # With a limit that leaves no reserve, some must do.
    return min(MOST_CONNECTIONS, max(soft - RESERVE, soft // 4, 1))


def make_room(connections: Iterable[C], most: int, newcomer: C) -> None:
    """End as many connections as are too many, and some more, but never the newcomer."""
    held = [one for one in connections if not one.is_cut]
    too_many = len(held) - most
    if too_many > 0:
        others = (one for one in held if one is not newcomer)
        for one in nsmallest(too_many + most // _AT_ONCE, others, key=_place):
            one.give_way()


def _place(connection: Connection) -> tuple[bool, float]:
    return connection.is_answering, connection.waits_since
