"""The state of a server or a watch in one line, for a service manager to show."""

import time
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from mirrorlist.process.manager import State
from mirrorlist.process.wording import duration
from mirrorlist.records.counts import Counts
from mirrorlist.records.worker_state import worker_states

if TYPE_CHECKING:
    from snapshot.scan.watching import Watching
    from snapshot.watch.progress import Progress

_MOST_CHARACTERS = 200


def server_state(
    counts: Counts, workers: int, clock: Callable[[], float] = time.time
) -> Callable[[], State]:
    """Return what tells the state of a server: it does its work while its workers' loops turn."""

    def state() -> State:
        states, turns = worker_states(counts), counts.turns()
        answering = sum(not one.is_silent for one in states)
        text = f"{answering} of {workers} workers answer"
        if states:
            used = states[0].snapshot
            text = f"{_shown(used.id, used.read, used.hosts, clock())}; {text}"
        return State(text, turns, turns)

    return state


def watch_state(
    progress: "Progress", clock: Callable[[], float] = time.time
) -> Callable[[], State]:
    """Return what tells the state of a watch, of a database or a cache.

    It is ready after its first export, even one that failed: while the database is away, servers
    that start later can still answer from the file of yesterday.
    """
    turns = count(1)

    def state() -> State:
        parts = []
        if progress.id is not None and progress.read is not None:
            parts.append(_shown(progress.id, progress.read, progress.hosts, clock()))
        if progress.error is not None and (progress.success_at or 0) <= (progress.error_at or 0):
            parts.append(f"error: {_cut(progress.error)}")
        done = progress.exports + progress.failed + bool(progress.error_at)
        return State("; ".join(parts) or "the first export is under way", done, next(turns))

    return state


def scan_state(watching: "Watching", taken: Callable[[], int]) -> Callable[[], State]:
    """Return what tells the state of a `scan --watch`, which works as soon as it takes events.

    `taken` counts the loop's turns and the steps of scans.
    """

    def state() -> State:
        found = watching.progress
        backlog = sum(one.backlog for one in found.values())
        parts = [f"scanning {', '.join(found)}", f"events that wait: {backlog:,}"]
        for name, one in found.items():
            if one.error is not None and (one.success_at or 0) <= (one.error_at or 0):
                parts.append(f"error: {name}: {_cut(one.error)}")
        done = 1 + sum(one.succeeded + one.failed for one in found.values())
        return State("; ".join(parts), done, taken())

    return state


def _shown(id: str, read: int, hosts: int, now: float) -> str:
    return f"snapshot {id}, {duration(max(0.0, now - read))} old, {hosts:,} hosts"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]}..."
