"""`/metrics`: what was counted and how things stand, as Prometheus reads them.

The table below is the source of the names, of the page's text and of docs/operations.md.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate

from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mirrorlist.records.backlog import Backlog
from mirrorlist.records.counts import BOUNDS, Count, Level, Totals
from mirrorlist.records.worker_state import SILENT_SECONDS, WorkerState
from mirrorlist.service import TIMED_EVERY

CONTENT_TYPE = CONTENT_TYPE_LATEST


class ServedState(Struct, frozen=True):
    """How many workers serve which snapshot and GeoIP data, and the age of the oldest in seconds.

    None is an unknown age, and a spool that is not written. `now` is in seconds since 1970, UTC.
    """

    snapshots: Mapping[str, int]
    snapshot_age: int | None
    geoips: Mapping[str, int]
    geoip_age: int | None = None
    silent: int = 0
    spool: Backlog | None = None
    now: float = 0.0


def served_state(
    workers: Sequence[WorkerState], now: float, spool: Backlog | None = None
) -> ServedState:
    """Return the state that the workers report; `now` is in seconds since 1970, UTC.

    `spool` is what waits there, if statistics are written.
    """
    return ServedState(
        Counter(worker.snapshot.id for worker in workers),
        _age([worker.snapshot.read for worker in workers], now),
        Counter(worker.geoip for worker in workers),
        _age([worker.geoip_built for worker in workers if worker.geoip_built is not None], now),
        sum(worker.is_silent for worker in workers),
        spool,
        now,
    )


def _age(times: list[int], now: float) -> int | None:
    return max(0, int(now) - min(times)) if times else None


class MetricRow(Struct, frozen=True):
    """One metric."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


REQUESTS = MetricRow(
    "mirrorlist_requests_total",
    "counter",
    "Requests by endpoint, HTTP status and first tier of the list.",
    ("endpoint", "status", "tier"),
)
SECONDS = MetricRow(
    "mirrorlist_answer_seconds",
    "histogram",
    f"Seconds that making a list took; every {TIMED_EVERY}th list is timed.",
    ("le",),
)
COUNTERS = {
    Count.UNKNOWN_REPOSITORIES: MetricRow(
        "mirrorlist_unknown_repositories_total",
        "counter",
        "Requests for a repository and an arch that the snapshot does not have.",
    ),
    Count.LOG_LINES_WRITTEN: MetricRow(
        "mirrorlist_log_lines_written_total", "counter", "Lines written to the request log."
    ),
    Count.LOG_LINES_LOST: MetricRow(
        "mirrorlist_log_lines_lost_total",
        "counter",
        "Lines of the request log that were dropped because the queue was full.",
    ),
    Count.SWAPS: MetricRow(
        "mirrorlist_swaps_total",
        "counter",
        "Snapshots that workers took into use while serving; each worker counts its own.",
    ),
    Count.SWAPS_REFUSED: MetricRow(
        "mirrorlist_swaps_refused_total",
        "counter",
        "Snapshots and GeoIP files that workers refused, and went on with the previous file.",
    ),
    Count.ERRORS: MetricRow(
        "mirrorlist_errors_total",
        "counter",
        "Internal errors: the client got hosts in stored order, or no host.",
    ),
    Count.STARTS_REFUSED: MetricRow(
        "mirrorlist_starts_refused_total",
        "counter",
        "Processes and threads that the system refused to start; the start is tried again.",
    ),
    Count.ERRORS_SURVIVED: MetricRow(
        "mirrorlist_errors_survived_total",
        "counter",
        "Internal errors in background threads; the thread went on.",
    ),
    Count.MESSAGES_LOST: MetricRow(
        "mirrorlist_messages_lost_total",
        "counter",
        "Lines for standard error that were dropped: the pipe is full, or its reader hangs or has"
        " ended.",
    ),
    Count.CONNECTIONS_GAVE_WAY: MetricRow(
        "mirrorlist_connections_gave_way_total",
        "counter",
        "Idle connections that were closed because newer ones needed their file descriptors.",
    ),
    Count.DAMAGED_SUMS: MetricRow(
        "mirrorlist_damaged_sums_total",
        "counter",
        "Files that were answered without a sum, because the snapshot's file was changed while it"
        " was in use.",
    ),
    Count.STATISTICS_WRITTEN: MetricRow(
        "mirrorlist_statistics_requests_total",
        "counter",
        "Requests for lists that are in spool files, which a collector can take.",
    ),
    Count.STATISTICS_OTHER: MetricRow(
        "mirrorlist_statistics_other_total",
        "counter",
        "Requests that the statistics count without labels, because there were too many labels.",
    ),
}
LEVELS = {
    Level.LOG_QUEUED_BYTES: MetricRow(
        "mirrorlist_log_queue_bytes", "gauge", "Bytes of request log lines that wait to be written."
    ),
    Level.LOG_OUTAGES: MetricRow(
        "mirrorlist_log_outages",
        "gauge",
        "How many workers cannot write the request log now.",
    ),
    Level.STATISTICS_WAITING: MetricRow(
        "mirrorlist_statistics_waiting_requests",
        "gauge",
        "Requests that no spool file has at the last write, because files wait or cannot be"
        " written.",
    ),
    Level.SPOOL_OUTAGES: MetricRow(
        "mirrorlist_spool_outages",
        "gauge",
        "How many workers cannot write statistics into the spool now.",
    ),
}
SNAPSHOT = MetricRow(
    "mirrorlist_snapshot_info", "gauge", "How many workers serve each snapshot.", ("id",)
)
SNAPSHOT_AGE = MetricRow(
    "mirrorlist_snapshot_age_seconds",
    "gauge",
    "Age of the oldest snapshot in use, counted from its database read.",
)
WORKERS_SILENT = MetricRow(
    "mirrorlist_workers_silent",
    "gauge",
    f"How many workers hang: no sign of life for {SILENT_SECONDS:g} s.",
)
GEOIP = MetricRow(
    "mirrorlist_geoip_info", "gauge", "How many workers use each source of GeoIP data.", ("source",)
)
GEOIP_AGE = MetricRow(
    "mirrorlist_geoip_age_seconds",
    "gauge",
    "Age of the oldest GeoIP data in use, counted from their build; absent if it is unknown.",
)
SPOOL_FILES = MetricRow(
    "mirrorlist_spool_files", "gauge", "Files in the spool that wait for a collector."
)
SPOOL_BYTES = MetricRow("mirrorlist_spool_bytes", "gauge", "Bytes of the files in the spool.")
SPOOL_AGE = MetricRow(
    "mirrorlist_spool_age_seconds",
    "gauge",
    "Age of the oldest file in the spool, counted from its first request; 0 without files.",
)

METRICS = (
    REQUESTS,
    SECONDS,
    *COUNTERS.values(),
    *LEVELS.values(),
    SNAPSHOT,
    SNAPSHOT_AGE,
    WORKERS_SILENT,
    GEOIP,
    GEOIP_AGE,
    SPOOL_FILES,
    SPOOL_BYTES,
    SPOOL_AGE,
)


class Metrics(Collector):
    """All metrics, read again at each scrape."""

    def __init__(self, totals: Callable[[], Totals], state: Callable[[], ServedState]) -> None:
        """Take the functions that return the counts and the workers' state."""
        self._totals = totals
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Return each metric with its samples."""
        totals, state = self._totals(), self._state()
        requests = CounterMetricFamily(REQUESTS.name, REQUESTS.help, labels=REQUESTS.labels)
        for labels, count in totals.requests.items():
            requests.add_metric(labels, count)
        yield requests
        yield _histogram(totals)
        for counter, row in COUNTERS.items():
            yield CounterMetricFamily(row.name, row.help, totals.counts[counter])
        for level, row in LEVELS.items():
            yield GaugeMetricFamily(row.name, row.help, totals.levels[level])
        yield _info(SNAPSHOT, state.snapshots)
        if state.snapshot_age is not None:
            yield GaugeMetricFamily(SNAPSHOT_AGE.name, SNAPSHOT_AGE.help, state.snapshot_age)
        yield GaugeMetricFamily(WORKERS_SILENT.name, WORKERS_SILENT.help, state.silent)
        yield _info(GEOIP, state.geoips)
        if state.geoip_age is not None:
            yield GaugeMetricFamily(GEOIP_AGE.name, GEOIP_AGE.help, state.geoip_age)
        if (spool := state.spool) is not None:
            age = 0 if spool.oldest is None else max(0, int(state.now) - spool.oldest)
            yield GaugeMetricFamily(SPOOL_FILES.name, SPOOL_FILES.help, spool.files)
            yield GaugeMetricFamily(SPOOL_BYTES.name, SPOOL_BYTES.help, spool.size)
            yield GaugeMetricFamily(SPOOL_AGE.name, SPOOL_AGE.help, age)

    def render(self, *more: Collector) -> bytes:
        """Return the page with more metrics at its end; its media type is CONTENT_TYPE."""
        registry = CollectorRegistry()
        for one in (self, *more):
            registry.register(one)
        return generate_latest(registry)


def _histogram(totals: Totals) -> HistogramMetricFamily:
    # Prometheus' buckets are cumulative: each counts all observations up to its bound.
    bounds = [*map(str, BOUNDS), "+Inf"]
    classes = list(zip(bounds, map(float, accumulate(totals.times)), strict=True))
    return HistogramMetricFamily(SECONDS.name, SECONDS.help, classes, totals.seconds)


def _info(row: MetricRow, values: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(row.name, row.help, labels=row.labels)
    for value, workers in values.items():
        family.add_metric([value], workers)
    return family
