"""`/metrics` of a watch: what it has done so far, in the form that Prometheus reads.

The table below is the source of the names, of the page's text and of docs/operations.md.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mirrorlist.process.messages import lost_lines
from mirrorlist.status.metrics import MetricRow

if TYPE_CHECKING:
    from snapshot.watch.progress import Progress

_FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


class _Seen(Struct, frozen=True):
    """The counts at one moment; `survived` are errors of threads beside the watch's own."""

    progress: "Progress"
    now: float
    survived: int


_Value = Callable[[_Seen], float]


class _Plain(Struct, frozen=True):
    """A metric with one value."""

    row: MetricRow
    value: _Value


def _counter(name: str, help: str, value: _Value) -> _Plain:
    return _Plain(MetricRow(f"mirrorlist_watch_{name}_total", "counter", help), value)


def _gauge(name: str, help: str, value: _Value) -> _Plain:
    return _Plain(MetricRow(f"mirrorlist_watch_{name}", "gauge", help), value)


_PLAIN = (
    _counter("changes_seen", "Changes that were seen.", lambda at: at.progress.seen),
    _counter("changes_processed", "Changes that were exported.", lambda at: at.progress.processed),
    _counter(
        "changes_missed",
        "Changes that only a regular export found, because no check had seen them.",
        lambda at: at.progress.missed,
    ),
    _counter(
        "full_exports_differed",
        "Full exports that found other directories than the watch had kept in memory.",
        lambda at: at.progress.differed,
    ),
    _gauge(
        "backlog",
        "Changes that were seen and are not exported yet.",
        lambda at: at.progress.backlog,
    ),
    _gauge(
        "backlog_seconds",
        "Age of the oldest change that is not exported yet.",
        lambda at: at.progress.waiting(at.now),
    ),
    _gauge(
        "connected", "1 if the database answers, else 0.", lambda at: int(at.progress.connected)
    ),
    _counter(
        "connections", "Connections made to the database.", lambda at: at.progress.connections
    ),
    _gauge(
        "last_export_seconds",
        "Seconds that the last successful export took.",
        lambda at: at.progress.last_seconds,
    ),
    _gauge(
        "last_success_timestamp_seconds",
        "When the last successful export ended; 0 before the first.",
        lambda at: at.progress.success_at or 0,
    ),
    _gauge(
        "last_error_timestamp_seconds",
        "When the last error happened; 0 before the first.",
        lambda at: at.progress.error_at or 0,
    ),
    _gauge(
        "snapshot_read_timestamp_seconds",
        "When the database of the published snapshot was read.",
        lambda at: at.progress.read or 0,
    ),
    _gauge("snapshot_bytes", "Size of the published snapshot.", lambda at: at.progress.bytes),
    _counter("pushes", "Runs of --push that succeeded.", lambda at: at.progress.push.succeeded),
    _counter(
        "pushes_failed",
        "Runs of --push that failed or took too long.",
        lambda at: at.progress.push.failed,
    ),
    _gauge(
        "push_backlog",
        "Publications that no successful run of --push has taken yet.",
        lambda at: at.progress.push.backlog,
    ),
    _gauge(
        "push_backlog_seconds",
        "Age of the oldest publication that no successful run of --push has taken yet.",
        lambda at: at.progress.push.waiting(at.now),
    ),
    _gauge(
        "last_push_seconds",
        "Seconds that the last successful run of --push took.",
        lambda at: at.progress.push.last_seconds,
    ),
    _gauge(
        "last_push_timestamp_seconds",
        "When the last successful run of --push ended; 0 before the first.",
        lambda at: at.progress.push.success_at or 0,
    ),
    _counter(
        "errors_survived",
        "Internal errors; the watch went on.",
        lambda at: at.progress.survived + at.survived,
    ),
    _counter(
        "messages_lost",
        "Lines for standard error that were dropped, because its reader hangs or has ended.",
        lambda _: lost_lines(),
    ),
    _counter(
        "starts_refused",
        "Threads that the system refused to start.",
        lambda at: at.progress.refused,
    ),
)
EXPORTS = MetricRow("mirrorlist_watch_exports_total", "counter", "Exports by result.", ("result",))
EXPORT_SECONDS = MetricRow(
    "mirrorlist_watch_export_seconds", "summary", "Seconds that successful exports took."
)
SNAPSHOT = MetricRow(
    "mirrorlist_watch_snapshot_info", "gauge", "The id of the published snapshot.", ("id",)
)

WATCH_METRICS = (*(one.row for one in _PLAIN), EXPORTS, EXPORT_SECONDS, SNAPSHOT)


class WatchMetrics(Collector):
    """All metrics of a watch, read again at each scrape."""

    def __init__(self, progress: "Progress", survived: Callable[[], int] = lambda: 0) -> None:
        """Take the counts, which the watch updates, and the number of errors threads survived."""
        self._progress, self._survived = progress, survived

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its value now."""
        progress = self._progress
        seen = _Seen(progress, time.monotonic(), self._survived())
        for row, value in ((one.row, one.value) for one in _PLAIN):
            yield _FAMILIES[row.kind](row.name, row.help, value=value(seen))
        yield _labelled(EXPORTS, _exports(progress))
        yield SummaryMetricFamily(
            EXPORT_SECONDS.name,
            EXPORT_SECONDS.help,
            count_value=progress.exports,
            sum_value=progress.all_seconds,
        )
        yield _labelled(SNAPSHOT, {progress.id or "": 1})


def _exports(progress: "Progress") -> dict[str, int]:
    return {
        "changed": progress.exports - progress.unchanged,
        "unchanged": progress.unchanged,
        "failed": progress.failed,
    }


def _labelled(row: MetricRow, values: Mapping[str, int]) -> Metric:
    family: CounterMetricFamily | GaugeMetricFamily = _FAMILIES[row.kind](
        row.name, row.help, labels=row.labels
    )
    for value, count in values.items():
        family.add_metric([value], count)
    return family
