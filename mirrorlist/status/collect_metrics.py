"""`/metrics` of a `stats collect --watch`, in the form that Prometheus reads.

The table below is the source of the names, of the page's text and of docs/operations.md.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mirrorlist.process.messages import lost_lines
from mirrorlist.status.collect_state import CollectState
from mirrorlist.status.metrics import MetricRow

if TYPE_CHECKING:
    from snapshot.stats.progress import Progress

_FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
_Value = Callable[[CollectState], float]


class _Plain(Struct, frozen=True):
    """A metric with one value."""

    row: MetricRow
    value: _Value


def _counter(name: str, help: str, value: _Value) -> _Plain:
    return _Plain(MetricRow(f"mirrorlist_collect_{name}_total", "counter", help), value)


def _gauge(name: str, help: str, value: _Value) -> _Plain:
    return _Plain(MetricRow(f"mirrorlist_collect_{name}", "gauge", help), value)


_PLAIN = (
    _counter("requests", "Requests that were added to the database.", lambda at: at.requests),
    _counter(
        "other",
        "Requests among them without labels, because a server had no room for more labels.",
        lambda at: at.other,
    ),
    _counter("batches", "Batches that were added to the database.", lambda at: at.batches),
    _counter(
        "batches_again",
        "Batches that were passed over, because they had been added before.",
        lambda at: at.again,
    ),
    _counter(
        "files_damaged",
        "Files that could not be used, and were moved to the folder `damaged`.",
        lambda at: at.damaged,
    ),
    _gauge(
        "waiting_requests",
        "Requests in the files that wait because the last collection failed.",
        lambda at: at.waiting.requests,
    ),
    _gauge(
        "outage_seconds",
        "For how long the database, a spool or a file cannot be used; 0 while all can.",
        lambda at: at.outage_seconds,
    ),
    _gauge(
        "last_success_timestamp_seconds",
        "When the last collection ended well; 0 before the first.",
        lambda at: at.last_success or 0,
    ),
)
COLLECTIONS = MetricRow(
    "mirrorlist_collect_collections_total", "counter", "Collections by result.", ("result",)
)
SECONDS = MetricRow(
    "mirrorlist_collect_seconds", "summary", "Seconds that collections took that ended well."
)
SURVIVED = MetricRow(
    "mirrorlist_collect_errors_survived_total",
    "counter",
    "Internal errors in background threads; the thread went on.",
)
LOST = MetricRow(
    "mirrorlist_collect_messages_lost_total",
    "counter",
    "Lines for standard error that were dropped, because its reader hangs or has ended.",
)

COLLECT_METRICS = (*(one.row for one in _PLAIN), COLLECTIONS, SECONDS, SURVIVED, LOST)


class CollectMetrics(Collector):
    """All metrics of a collector, read again at each scrape."""

    def __init__(
        self,
        state: Callable[[], CollectState],
        progress: "Progress",
        survived: Callable[[], int] = lambda: 0,
    ) -> None:
        """Take what tells the state, the counts, and the number of errors that threads survived."""
        self._state, self._progress, self._survived = state, progress, survived

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its value now."""
        state, progress = self._state(), self._progress
        for one in _PLAIN:
            yield _FAMILIES[one.row.kind](one.row.name, one.row.help, value=one.value(state))
        results = CounterMetricFamily(COLLECTIONS.name, COLLECTIONS.help, labels=COLLECTIONS.labels)
        results.add_metric(["ended well"], state.collections)
        results.add_metric(["failed"], state.failed)
        yield results
        yield SummaryMetricFamily(
            SECONDS.name,
            SECONDS.help,
            count_value=state.collections,
            sum_value=progress.all_seconds,
        )
        yield CounterMetricFamily(SURVIVED.name, SURVIVED.help, value=self._survived())
        yield CounterMetricFamily(LOST.name, LOST.help, value=lost_lines())
