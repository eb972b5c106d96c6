"""The server's health: live, ready, fresh, and the snapshot in use.

Ready is for load balancers, so old data do not count against it: if the exporter died, all servers
would be taken out of service at once. Fresh is for alerts.
"""

from collections.abc import Sequence

from msgspec import Struct

from mirrorlist.records.worker_state import Served, WorkerState, served
from mirrorlist.service import Service


class SnapshotState(Struct, frozen=True):
    """The snapshot in use; times in seconds since 1970, UTC, age in seconds."""

    id: str
    """The snapshot's id."""
    format: str
    """The version of its format."""
    built: int
    """The time when its file was written."""
    read: int
    """The time when its database was read."""
    age: int
    """Seconds since its database was read."""


class Ready(Struct, frozen=True):
    """Whether lists can be answered, and from which snapshot."""

    ready: bool
    """Whether a list can be answered."""
    stale: bool
    """Whether the snapshot is older than `--stale`."""
    snapshot: SnapshotState | None
    geoip: str | None
    """The GeoIP data in use."""
    silent: int = 0
    """How many workers have not answered for 10 s, because they hang or were stopped."""


class Fresh(Struct, frozen=True):
    """Whether the data are as new as they should be, or the reason why not; age in seconds."""

    fresh: bool
    """Whether the data are as new as they should be."""
    age: int | None
    """Seconds since the database of the oldest snapshot in use was read."""
    reason: str | None = None
    """The reason why the data are not fresh."""


def ready(service: Service) -> Ready:
    """Return the state of a worker's service, which has a catalog, until the server ends."""
    state = _state(served(service.store.catalog), service.clock())
    is_stale = state.age > service.stale
    return Ready(not service.slot.is_draining, is_stale, state, service.geo.name)


def all_ready(workers: Sequence[WorkerState], is_draining: bool, stale: float, now: float) -> Ready:
    """Return the state of all workers, with the oldest snapshot among them.

    A server is ready if a worker answers.
    """
    if not workers:
        return Ready(False, False, None, None)
    worker = oldest(workers)
    state = _state(worker.snapshot, now)
    silent = sum(one.is_silent for one in workers)
    is_ready = not is_draining and silent < len(workers)
    return Ready(is_ready, state.age > stale, state, worker.geoip, silent)


def fresh(workers: Sequence[WorkerState], stale: float, now: float) -> Fresh:
    """Return whether no snapshot in use is older than `stale` seconds, and no file is refused."""
    if not workers:
        return Fresh(False, None, "no worker serves a snapshot")
    state = _state(oldest(workers).snapshot, now)
    reasons = []
    if state.age > stale:
        reasons.append(
            f"snapshot {state.id}: its database was read {state.age} s ago, more than {stale:g} s"
        )
    refused = [one for worker in workers for one in worker.refusals if one.stands]
    reasons += dict.fromkeys(f"a {one.source} file is refused: {one.reason}" for one in refused)
    return Fresh(not reasons, state.age, "; ".join(reasons) or None)


def oldest(workers: Sequence[WorkerState]) -> WorkerState:
    """Return the worker whose snapshot is the oldest."""
    return min(workers, key=lambda worker: worker.snapshot.read)


def _state(snapshot: Served, now: float) -> SnapshotState:
    age = max(0, int(now) - snapshot.read)
    return SnapshotState(snapshot.id, snapshot.format, snapshot.built, snapshot.read, age)
