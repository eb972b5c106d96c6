"""The cases that are measured: a server, a mix of requests, and kept or new connections."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import click
from msgspec import Struct

OURS, FLOOR, THEIRS = "ours", "floor", "theirs"
FLAVOURS: dict[str, tuple[str, ...]] = {
    OURS: (),
    "reuse-0": ("--reuse", "0"),
    "asgi": ("--door", "asgi"),
    "log": ("--log",),
}
"""Our server's options by how it is told apart; a log's file is the measurement's."""

BARE = "floor-bare"
"""The floor without a transport, for a connection each: what Python itself costs."""

FLOORS = {FLOOR: "protocol", "floor-asgi": "asgi", BARE: "bare"}
"""The floor's kinds, for `loadtest.bench.floor`, by how they are told apart."""

MEMORY, START = "memory", "start"
"""Cases of their own kind: two workers after many requests; from exec to the first answers."""


class BenchCase(Struct, frozen=True):
    """A server with its options, a kind of mix, a scale, and new or kept connections."""

    name: str
    flavour: str
    kind: str = "day"
    close: bool = False
    scale: float = 1.0

    @property
    def server(self) -> tuple[str, str, float]:
        """The key of the server process: cases with the same one share a process."""
        return self.flavour, self.kind, self.scale


SLOW = ("text", "unknown", "redirect", "path", "protocols", "countries")
"""Kinds of mixes beside a normal day's."""


def all_cases(scales: Sequence[float], with_theirs: bool) -> list[BenchCase]:
    """Return all cases; most of them use the first scale only."""
    first, *others = scales
    flavours = [*FLAVOURS, "floor-asgi", FLOOR, *([THEIRS] if with_theirs else [])]
    found = [
        BenchCase(f"{flavour}-close" if close else flavour, flavour, close=close, scale=first)
        for close in (False, True)
        for flavour in flavours
    ]
    found.append(BenchCase(f"{BARE}-close", BARE, close=True, scale=first))
    found += [BenchCase(kind, OURS, kind, scale=first) for kind in SLOW]
    if with_theirs:
        found += [BenchCase(f"{THEIRS}-{kind}", THEIRS, kind, scale=first) for kind in SLOW]
    for scale in others:
        found += [BenchCase(f"{name}-{scale:g}", name, scale=scale) for name in (OURS, FLOOR)]
    return found


def chosen(names: Sequence[str], patterns: Sequence[str]) -> list[str]:
    """Return the names that match a pattern, or all; a pattern without a match is an error."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise click.UsageError(f"no case is called {pattern}; there are {', '.join(names)}")
    return [
        name for name in names if not patterns or any(fnmatchcase(name, one) for one in patterns)
    ]
