"""The pages of `mirrorlist stats collect --watch`: health, metrics, a status, its stage."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from mirrorlist.process.messages import Say
from mirrorlist.process.threads import Threads
from mirrorlist.settings.defaults import ADMIN_OF_COLLECT
from mirrorlist.status.admin import Admin, Reply, Routes, json_reply, open_admin
from mirrorlist.status.collect_metrics import CollectMetrics
from mirrorlist.status.collect_state import CollectState, WaitingFiles
from mirrorlist.status.stage import PATH
from mirrorlist.status.stage_metrics import StageMetrics
from mirrorlist.status.stages import collect_stage
from snapshot.file.errors import SpoolError

if TYPE_CHECKING:
    from snapshot.stats.progress import Progress


def pages(progress: "Progress", interval: float, threads: Threads) -> Routes:
    """Return the pages of a collector that collects every `interval` seconds."""

    def state() -> CollectState:
        return collect_state_of(progress, interval, time.time())

    def page() -> Reply:
        from mirrorlist.status.pages import collect_page

        return collect_page(state(), time.time())

    registry = CollectorRegistry()
    registry.register(CollectMetrics(state, progress, lambda: threads.survived))
    registry.register(StageMetrics(lambda: [collect_stage(state())]))
    ProcessCollector(registry=registry)
    return {
        ("GET", "/health/live"): lambda: Reply(200, b"OK\n"),
        ("GET", "/health/ready"): lambda: _ready(state()),
        ("GET", "/health/fresh"): lambda: _fresh(state()),
        ("GET", "/status"): lambda: json_reply(state()),
        ("GET", "/status.html"): page,
        ("GET", "/status.json"): lambda: json_reply(state()),
        ("GET", PATH): lambda: json_reply([collect_stage(state())]),
        ("GET", "/metrics"): lambda: Reply(200, generate_latest(registry), CONTENT_TYPE_LATEST),
    }


def collect_state_of(progress: "Progress", interval: float, now: float) -> CollectState:
    """Return the state of a collector; `now` is in seconds since 1970."""
    limit, error = 3 * interval + 60, progress.error
    received, waiting = 0, WaitingFiles()
    try:
        received, found = progress.look()
        oldest = 0.0 if found.oldest is None else round(max(0.0, now - found.oldest), 1)
        waiting = WaitingFiles(found.files, found.requests, found.uncounted, oldest)
    except SpoolError as trouble:
        error = error or str(trouble)
    done, since = progress.done, progress.outage_since
    return CollectState(
        fresh=error is None and waiting.oldest_seconds <= limit,
        received=received,
        processed=done.files,
        waiting=waiting,
        limit_seconds=limit,
        batches=done.batches,
        again=done.again,
        requests=done.requests,
        other=done.other,
        damaged=progress.damaged,
        collections=progress.collections,
        failed=progress.failed,
        last_seconds=round(progress.last_seconds, 3),
        last_success=progress.success_at,
        outage_since=since,
        outage_seconds=0.0 if since is None else round(max(0.0, now - since), 1),
        held=progress.is_held,
        error=error,
    )


@contextmanager
def shown_on(admin: str | None, routes: Routes, threads: Threads, say: Say) -> Iterator[None]:
    """Answer on the admin address while the block runs."""
    listener = open_admin(admin, ADMIN_OF_COLLECT, say)
    if listener is None:
        yield
        return
    shown = Admin(listener, routes)
    say(f"status, health and metrics on http://{shown.address}/status")
    shown.start(threads)
    try:
        yield
    finally:
        shown.stop()


def _ready(state: CollectState) -> Reply:
    is_ready = state.last_success is not None
    return json_reply({"ready": is_ready}, 200 if is_ready else 503)


def _fresh(state: CollectState) -> Reply:
    told: dict[str, object] = {"fresh": state.fresh, "seconds": state.waiting.oldest_seconds}
    if state.fresh:
        return json_reply(told)
    seconds, limit = state.waiting.oldest_seconds, state.limit_seconds
    reason = state.error or f"a file has waited for {seconds:.0f} s, more than {limit:g} s"
    return json_reply({**told, "reason": reason}, 503)
