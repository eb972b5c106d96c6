"""A server's state, made of its workers' counters and reports, for the status page and programs."""

from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from mirrorlist.records.counts import TIERS, Count, Level, Totals
from mirrorlist.records.worker_state import RefusedFile, Served, WorkerState
from mirrorlist.status.watch_state import WatchState
from mirrorlist.web.health import Fresh, Ready, all_ready, fresh

LISTS = ("metalink", "mirrorlist")


class Refused(Struct, frozen=True):
    """A refused file, and how many of the workers that live refused it."""

    refusal: RefusedFile
    workers: int
    """How many of the workers that live refused it."""


class Requests(Struct, frozen=True):
    """Requests since the start, and lists among them by first tier and country."""

    total: int
    """All requests since the start."""
    endpoints: Mapping[str, int]
    """By endpoint."""
    statuses: Mapping[str, int]
    """By HTTP status."""
    tiers: Mapping[str, int]
    """Lists by the tier of their first host; `none` for those without a host."""
    countries: Mapping[str, int]
    """Lists by the client's country, the most frequent first."""
    unknown_repositories: int
    """Requests for a repository and an arch that the snapshot does not have."""
    errors: int
    """Internal errors."""


class Log(Struct, frozen=True):
    """The request log's lines since the start, the bytes that wait now, and how many workers
    cannot write it.
    """

    written: int
    """Lines written since the start."""
    lost: int
    """Lines that were dropped because there was no room."""
    queued_bytes: int
    """Bytes that wait to be written now."""
    outages: int = 0
    """How many workers cannot write it now."""


class Troubles(Struct, frozen=True):
    """Troubles since the start that the server survived, apart from errors of answers."""

    starts_refused: int = 0
    """Processes and threads that the system refused to start."""
    errors_survived: int = 0
    """Internal errors in background threads; the threads went on."""
    messages_lost: int = 0
    """Lines for standard error that could not be written."""


class Status(Struct, frozen=True):
    """A server's state; `snapshot` is the oldest in use.

    `watch` is that of the watch beside it, if one answers.
    """

    at: float
    """The time of this answer."""
    draining: bool
    """Whether the server is ending."""
    ready: Ready
    fresh: Fresh
    snapshot: Served | None
    mixed: bool
    """Whether several snapshots are in use."""
    workers: Sequence[WorkerState]
    refused: Sequence[Refused]
    requests: Requests
    log: Log
    swaps: int
    """How many snapshots all workers have taken into use while serving."""
    swaps_refused: int
    """How many files all workers have refused."""
    watch: WatchState | None
    troubles: Troubles = Troubles()


def status_of(
    workers: Sequence[WorkerState],
    totals: Totals,
    watch: WatchState | None,
    *,
    is_draining: bool,
    stale: float,
    now: float,
) -> Status:
    """Return a server's state; `stale` in seconds, `now` in seconds since 1970, UTC."""
    workers = sorted(workers, key=lambda worker: worker.process)
    served = {worker.snapshot.id: worker.snapshot for worker in workers}
    return Status(
        at=now,
        draining=is_draining,
        ready=all_ready(workers, is_draining, stale, now),
        fresh=fresh(workers, stale, now),
        snapshot=min(served.values(), key=lambda one: one.read, default=None),
        mixed=len(served) > 1,
        workers=workers,
        refused=_refused(workers),
        requests=_requests(totals),
        log=Log(
            totals.counts[Count.LOG_LINES_WRITTEN],
            totals.counts[Count.LOG_LINES_LOST],
            totals.levels[Level.LOG_QUEUED_BYTES],
            totals.levels[Level.LOG_OUTAGES],
        ),
        troubles=Troubles(
            totals.counts[Count.STARTS_REFUSED],
            totals.counts[Count.ERRORS_SURVIVED],
            totals.counts[Count.MESSAGES_LOST],
        ),
        swaps=totals.counts[Count.SWAPS],
        swaps_refused=totals.counts[Count.SWAPS_REFUSED],
        watch=watch,
    )


def tiers_of(totals: Totals) -> dict[str, int]:
    """Return how many lists had their first host of each tier; `none` is for those without one."""
    found = dict.fromkeys(TIERS, 0)
    for (endpoint, _, tier), count in totals.requests.items():
        if endpoint in LISTS:
            found[tier] += count
    return found


def _requests(totals: Totals) -> Requests:
    endpoints, statuses = Counter[str](), Counter[str]()
    for (endpoint, status, _), count in totals.requests.items():
        endpoints[endpoint] += count
        statuses[status] += count
    return Requests(
        total=sum(endpoints.values()),
        endpoints=endpoints,
        statuses=statuses,
        tiers=tiers_of(totals),
        countries=dict(sorted(totals.countries.items(), key=lambda item: -item[1])),
        unknown_repositories=totals.counts[Count.UNKNOWN_REPOSITORIES],
        errors=totals.counts[Count.ERRORS],
    )


def _refused(workers: Sequence[WorkerState]) -> list[Refused]:
    """Return the refused files, newest first; each worker refuses the same one by itself."""
    found: dict[tuple[str, str], list[RefusedFile]] = {}
    for worker in workers:
        for one in {(one.source, one.reason): one for one in reversed(worker.refusals)}.values():
            found.setdefault((one.source, one.reason), []).append(one)
    refused = [
        Refused(
            replace(max(same, key=lambda one: one.at), stands=any(one.stands for one in same)),
            len(same),
        )
        for same in found.values()
    ]
    return sorted(refused, key=lambda one: -one.refusal.at)
