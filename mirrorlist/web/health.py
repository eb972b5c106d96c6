"""What the server says of itself: live, ready, fresh, and the snapshot in use.

Ready is for load balancers: a server with old data still answers, and all of them would leave at
once if the exporter died. Fresh is for alerts.
"""

from collections.abc import Sequence

from msgspec import Struct

from mirrorlist.records.worker_state import Served, WorkerState, served
from mirrorlist.service import Service


class SnapshotState(Struct, frozen=True):
    """The snapshot in use; times in seconds since 1970, UTC, age in seconds."""

    id: str
    """Which snapshot."""
    format: str
    """The version of its format."""
    built: int
    """When its file was written."""
    read: int
    """When its database was read."""
    age: int
    """Seconds since its database was read."""


class Ready(Struct, frozen=True):
    """Whether a list can be answered, and from what; `stale`: from a snapshot that is too old.

    `silent`: how many workers do not answer, as they hang or were stopped.
    """

    ready: bool
    """Whether a list can be answered."""
    stale: bool
    """Whether the snapshot is older than `--stale`."""
    snapshot: SnapshotState | None
    geoip: str | None
    """The GeoIP data in use."""
    silent: int = 0
    """How many workers have not answered for 10 s."""


class Fresh(Struct, frozen=True):
    """Whether the data are as new as they should be, or the reason why not; age in seconds."""

    fresh: bool
    """Whether the data are as new as they should be."""
    age: int | None
    """Seconds since the database of the oldest snapshot in use was read."""
    reason: str | None = None
    """Why not."""


def ready(service: Service) -> Ready:
    """Return the state of a worker's service, which has a catalog, until the server ends."""
    state = _state(served(service.store.catalog), service.clock())
    is_stale = state.age > service.stale
    return Ready(not service.slot.is_draining, is_stale, state, service.geo.name)


def all_ready(workers: Sequence[WorkerState], is_draining: bool, stale: float, now: float) -> Ready:
    """Return the state of all workers: that of the one with the oldest snapshot.

    Ready is a server with a worker that answers.
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
