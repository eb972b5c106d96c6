"""The pages of `mirrorlist watch`: health for alerts, metrics for Prometheus, a status."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mirrorlist.process.messages import Say, lost_lines
from mirrorlist.process.threads import Threads
from mirrorlist.settings import ADMIN_OF_WATCH, NOWHERE
from mirrorlist.status.admin import Admin, Reply, Routes, open_admin
from mirrorlist.status.last_hours import SAMPLE_SECONDS, LastHours, Sample
from mirrorlist.status.watch_hook import Hook
from mirrorlist.status.watch_state import Changes, Exports, LastError, Published, WatchState
from mirrorlist.web.listener import host_and_port, listen

if TYPE_CHECKING:
    from snapshot.watch.progress import Progress

_JSON = "application/json"
_PREFIX = "mirrorlist_watch_"


def pages(progress: "Progress", stale: float, threads: Threads) -> Routes:
    """Return the pages of a watch, which is fresh until `stale` seconds after its last success."""
    registry = CollectorRegistry()
    registry.register(Metrics(progress, lambda: threads.survived))
    ProcessCollector(registry=registry)
    hours = LastHours()
    threads.go_on("hours", partial(_remember, progress, hours))

    def metrics() -> Reply:
        return Reply(200, generate_latest(registry), CONTENT_TYPE_LATEST)

    def status() -> Reply:
        return _json(state_of(progress, stale))

    def page() -> Reply:
        from mirrorlist.status.pages import watch_page

        return watch_page(state_of(progress, stale), hours, time.time())

    return {
        ("GET", "/health/live"): lambda: Reply(200, b"OK\n"),
        ("GET", "/health/ready"): lambda: _ready(progress, stale),
        ("GET", "/health/fresh"): lambda: _fresh(progress, stale),
        ("GET", "/status"): status,
        ("GET", "/status.html"): page,
        ("GET", "/status.json"): status,
        ("GET", "/metrics"): metrics,
    }


@contextmanager
def shown_on(
    admin: str | None,
    routes: Routes,
    hook: Hook | None,
    triggers: "SimpleQueue[str]",
    threads: Threads,
    say: Say,
) -> Iterator[None]:
    """Answer on the admin address and on the hook's address while the block runs.

    The two addresses may be the same.
    """
    hooks = {("POST", hook.path): partial(_trigger, triggers)} if hook else {}
    at = None if admin == NOWHERE else host_and_port(admin or ADMIN_OF_WATCH, "--admin")
    shared = hook is not None and hook.address == at
    started: list[Admin] = []
    try:
        if hook and not shared:
            started.append(Admin(listen(*hook.address, "--hook"), hooks))
            say(f"a POST to http://{started[0].address}{hook.path} triggers an export")
        listener = open_admin(admin or (ADMIN_OF_WATCH if shared else None), ADMIN_OF_WATCH, say)
        if listener:
            both: dict[tuple[str, str], Callable[[], Reply]] = {
                **routes,
                **(hooks if shared else {}),
            }
            started.append(Admin(listener, both))
            say(f"status, health and metrics on http://{started[-1].address}/status")
        for one in started:
            one.start(threads)
        yield
    finally:
        for one in started:
            one.stop()


def _trigger(triggers: "SimpleQueue[str]") -> Reply:
    triggers.put("hook")
    return Reply(202, b"An export follows.\n")


def _ready(progress: "Progress", stale: float) -> Reply:
    is_ready = progress.success_since is not None
    state: dict[str, object] = msgspec.to_builtins(state_of(progress, stale))
    return _json({"ready": is_ready, **state}, 200 if is_ready else 503)


def _fresh(progress: "Progress", stale: float) -> Reply:
    age = progress.since_success(time.monotonic())
    if age <= stale:
        return _json({"fresh": True, "seconds": round(age, 1)})
    begun = "ended well" if progress.success_since is not None else "ended well since the start"
    reason = f"no export {begun} for {age:.0f} s, more than {stale:g} s"
    if progress.error:
        reason += f"; the last error: {progress.error}"
    return _json({"fresh": False, "seconds": round(age, 1), "reason": reason}, 503)


def state_of(progress: "Progress", stale: float) -> WatchState:
    """Return the state of a watch, which is stale `stale` seconds after its last success."""
    now, wall = time.monotonic(), time.time()
    age = None if progress.read is None else int(wall) - progress.read
    return WatchState(
        connected=progress.connected,
        stale=progress.since_success(now) > stale,
        snapshot=Published(progress.id, progress.read, age, progress.bytes),
        changes=Changes(
            progress.seen,
            progress.processed,
            progress.backlog,
            round(progress.waiting(now), 1),
            progress.missed,
        ),
        exports=Exports(
            progress.exports,
            progress.published,
            progress.unchanged,
            progress.failed,
            round(progress.last_seconds, 3),
            round(progress.mean_seconds, 3),
            progress.success_at,
        ),
        error=LastError(progress.error, progress.error_at),
    )


def _remember(progress: "Progress", hours: LastHours) -> None:
    """Take a sample, and wait for a minute."""
    changes = state_of(progress, 0).changes
    hours.add(Sample(time.time(), watch=changes), {})
    time.sleep(SAMPLE_SECONDS)


class Metrics(Collector):
    """The counts of a watch in the form that Prometheus reads."""

    def __init__(self, progress: "Progress", survived: Callable[[], int] = lambda: 0) -> None:
        """Take the counts, which the watch updates, and the number of errors threads survived."""
        self._progress, self._survived = progress, survived

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its value now."""
        progress, now = self._progress, time.monotonic()
        counter, gauge = _family(CounterMetricFamily), _family(GaugeMetricFamily)
        yield counter("changes_seen", "Changes that were seen.", progress.seen)
        yield counter("changes_processed", "Changes that were exported.", progress.processed)
        missed = "Changes that only a regular export found, because no check had seen them."
        yield counter("changes_missed", missed, progress.missed)
        yield gauge("backlog", "Changes that were seen and are not exported yet.", progress.backlog)
        oldest = "Age of the oldest change that is not exported yet."
        yield gauge("backlog_seconds", oldest, progress.waiting(now))
        yield gauge("connected", "1 if the database answers, else 0.", progress.connected)
        yield counter("connections", "Connections made to the database.", progress.connections)
        exports = CounterMetricFamily(f"{_PREFIX}exports", "Exports by result.", labels=["result"])
        exports.add_metric(["changed"], progress.exports - progress.unchanged)
        exports.add_metric(["unchanged"], progress.unchanged)
        exports.add_metric(["failed"], progress.failed)
        yield exports
        yield SummaryMetricFamily(
            f"{_PREFIX}export_seconds",
            "Seconds that successful exports took.",
            count_value=progress.exports,
            sum_value=progress.all_seconds,
        )
        last = "Seconds that the last successful export took."
        yield gauge("last_export_seconds", last, progress.last_seconds)
        ended = "When the last successful export ended; 0 before the first."
        yield gauge("last_success_timestamp_seconds", ended, progress.success_at or 0)
        failed = "When the last error happened; 0 before the first."
        yield gauge("last_error_timestamp_seconds", failed, progress.error_at or 0)
        read = "When the database of the published snapshot was read."
        yield gauge("snapshot_read_timestamp_seconds", read, progress.read or 0)
        yield gauge("snapshot_bytes", "Size of the published snapshot.", progress.bytes)
        survived = progress.survived + self._survived()
        yield counter("errors_survived", "Internal errors; the watch went on.", survived)
        lost = "Lines for standard error that were dropped, because its reader hangs or has ended."
        yield counter("messages_lost", lost, lost_lines())
        refused = "Threads that the system refused to start."
        yield counter("starts_refused", refused, progress.refused)
        info = GaugeMetricFamily(
            f"{_PREFIX}snapshot_info", "The id of the published snapshot.", labels=["id"]
        )
        info.add_metric([progress.id or ""], 1)
        yield info


def _family(
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily],
) -> Callable[[str, str, float], Metric]:
    return lambda name, text, value: kind(_PREFIX + name, text, value=value)


def _json(value: object, status: int = 200) -> Reply:
    return Reply(status, msgspec.json.encode(value) + b"\n", _JSON)
