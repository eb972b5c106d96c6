"""How many connections a process holds, and which of them give way to a newer one.

Without this limit a stranger could take all descriptors of the process with silent connections, and
the next client would be reset. "When a further connection comes, the one that has waited longest
for its client is closed, idle connections and unfinished heads first. So a new client that asks at
once is answered" (docs/protocol.md#limits).
"""

import resource
from collections.abc import Callable, Iterable
from heapq import nsmallest
from typing import Protocol, TypeVar

from msgspec import Struct

MOST_CONNECTIONS = 8192
"""The limit even with more descriptors: an idle connection takes 7 KB."""

RESERVE = 40
"""Descriptors for everything else: an idle worker has 22, and opens snapshots, data and its log."""

# A sixteenth more give way than must, because finding them takes a walk over all connections.
_AT_ONCE = 16


class Connection(Protocol):
    """The part of a connection that is used here."""

    is_cut: bool
    """Whether the connection has been ended already."""

    @property
    def is_answering(self) -> bool:
        """Whether the client waits for an answer; else the server waits for the client."""

    @property
    def waits_since(self) -> float:
        """The time of the loop's clock when it began to wait as it does now."""

    def give_way(self) -> None:
        """End the connection."""


class Policy(Struct, frozen=True):
    """The settings that all connections of a listener share.

    `most_connections` may be open at a time. Two functions count: `refused` gets the status of each
    refusal, and `gave_way` is called for each connection that is ended for a newer one.
    """

    most_connections: int = MOST_CONNECTIONS
    refused: Callable[[int], object] = lambda status: None
    gave_way: Callable[[], object] = lambda: None


NO_POLICY = Policy()
"""The limit that every process has; nothing is counted."""


C = TypeVar("C", bound=Connection)


def most_connections() -> int:
    """Return how many connections this process may hold by its limit of descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    # A very low limit leaves no reserve: then a quarter of it must do for connections.
    return min(MOST_CONNECTIONS, max(soft - RESERVE, soft // 4, 1))


def make_room(connections: Iterable[C], most: int, newcomer: C | None = None) -> None:
    """End the connections over the limit, and some more, but never the newcomer."""
    held = [one for one in connections if not one.is_cut]
    too_many = len(held) - most
    if too_many > 0:
        others = (one for one in held if one is not newcomer)
        for one in nsmallest(too_many + most // _AT_ONCE, others, key=_rank):
            one.give_way()


def _rank(connection: Connection) -> tuple[bool, float]:
    # A client that waits for an answer comes last: it did its part.
    return connection.is_answering, connection.waits_since
