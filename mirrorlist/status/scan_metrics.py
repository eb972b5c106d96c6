"""`/metrics` of a `scan --watch`: its events and scans, in the form that Prometheus reads.

The table below is the source of the names, of the page's text and of docs/operations.md.
"""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mirrorlist.process.messages import lost_lines
from mirrorlist.status.metrics import MetricRow

if TYPE_CHECKING:
    from mirrorlist.status.signed_hook import Hooks
    from snapshot.scan.agenda import Progress
    from snapshot.scan.watching import Watching

_FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
_CATEGORY = ("category",)
_Value = Callable[["Progress", float], float]


class _OfCategory(Struct, frozen=True):
    """A metric with a value for each category."""

    row: MetricRow
    value: _Value


def _counter(name: str, help: str, value: _Value) -> _OfCategory:
    row = MetricRow(f"mirrorlist_scan_{name}_total", "counter", help, _CATEGORY)
    return _OfCategory(row, value)


def _gauge(name: str, help: str, value: _Value) -> _OfCategory:
    return _OfCategory(MetricRow(f"mirrorlist_scan_{name}", "gauge", help, _CATEGORY), value)


_OF_CATEGORY = (
    _counter(
        "events_received",
        "Events received: hooks, signals, and changes of the primary that were noticed.",
        lambda one, _: one.received,
    ),
    _counter(
        "events_processed",
        "Events that a successful scan has taken.",
        lambda one, _: one.processed,
    ),
    _gauge("backlog", "Events that no successful scan has taken yet.", lambda one, _: one.backlog),
    _gauge(
        "backlog_seconds",
        "Age of the oldest event that no successful scan has taken yet.",
        lambda one, now: one.waiting(now),
    ),
    _counter("scans_failed", "Scans that failed.", lambda one, _: one.failed),
    _gauge(
        "last_scan_seconds",
        "Seconds that the last successful scan took.",
        lambda one, _: one.last_seconds,
    ),
    _gauge(
        "last_success_timestamp_seconds",
        "When the last successful scan ended; 0 before the first.",
        lambda one, _: one.success_at or 0,
    ),
    _gauge(
        "last_error_timestamp_seconds",
        "When the last error happened; 0 before the first.",
        lambda one, _: one.error_at or 0,
    ),
    _gauge(
        "problems",
        "Names that the last scan left out, or could not read.",
        lambda one, _: one.problems,
    ),
)
SCAN_SECONDS = MetricRow(
    "mirrorlist_scan_seconds", "summary", "Seconds that successful scans took.", _CATEGORY
)
LATE = MetricRow(
    "mirrorlist_scan_late_seconds",
    "gauge",
    "For how long the oldest event or regular scan has waited.",
)
HOOKS = MetricRow(
    "mirrorlist_scan_hooks_total", "counter", "Requests to /hook by result.", ("result",)
)
SURVIVED = MetricRow(
    "mirrorlist_scan_errors_survived_total", "counter", "Internal errors; the scan went on."
)
LOST = MetricRow(
    "mirrorlist_scan_messages_lost_total",
    "counter",
    "Lines for standard error that were dropped, because its reader hangs or has ended.",
)

SCAN_METRICS = (*(one.row for one in _OF_CATEGORY), SCAN_SECONDS, LATE, HOOKS, SURVIVED, LOST)


class ScanMetrics(Collector):
    """All metrics of a `scan --watch`, read again at each scrape."""

    def __init__(
        self, watching: "Watching", hooks: "Hooks", survived: Callable[[], int] = lambda: 0
    ) -> None:
        """Take the counts, and the number of errors that threads survived."""
        self._watching, self._hooks, self._survived = watching, hooks, survived

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its value now."""
        now, found = time.monotonic(), self._watching.progress
        for one in _OF_CATEGORY:
            values = {name: one.value(progress, now) for name, progress in found.items()}
            yield _labelled(one.row, values)
        seconds = SummaryMetricFamily(SCAN_SECONDS.name, SCAN_SECONDS.help, labels=_CATEGORY)
        for name, progress in found.items():
            seconds.add_metric([name], progress.succeeded, progress.all_seconds)
        yield seconds
        yield GaugeMetricFamily(LATE.name, LATE.help, value=self._watching.late())
        hooks = self._hooks
        yield _labelled(HOOKS, {"accepted": hooks.accepted, "refused": hooks.refused})
        survived = self._watching.survived + self._survived()
        yield CounterMetricFamily(SURVIVED.name, SURVIVED.help, value=survived)
        yield CounterMetricFamily(LOST.name, LOST.help, value=lost_lines())


def _labelled(row: MetricRow, values: dict[str, float]) -> Metric:
    family: CounterMetricFamily | GaugeMetricFamily = _FAMILIES[row.kind](
        row.name, row.help, labels=row.labels
    )
    for value, count in values.items():
        family.add_metric([value], count)
    return family
