"""The metrics that all stages of the chain have, under one name for each.

The table below is the source of the names, of the page's text and of docs/operations.md.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mirrorlist.status.metrics import MetricRow
from mirrorlist.status.stage import Stage

_FAMILIES = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}


class _OfStage(Struct, frozen=True):
    row: MetricRow
    value: Callable[[Stage], float]


def _row(name: str, kind: str, help: str) -> MetricRow:
    return MetricRow(f"mirrorlist_stage_{name}", kind, help, ("stage",))


_ALL = (
    _OfStage(
        _row("received_total", "counter", "What came to a stage of the chain: events, files etc."),
        lambda one: one.received,
    ),
    _OfStage(
        _row("processed_total", "counter", "What of that the stage has done."),
        lambda one: one.processed,
    ),
    _OfStage(
        _row("backlog", "gauge", "What waits in the stage now."),
        lambda one: one.backlog,
    ),
    _OfStage(
        _row("oldest_seconds", "gauge", "Age of the oldest thing that waits in the stage."),
        lambda one: one.oldest_seconds,
    ),
    _OfStage(
        _row("limit_seconds", "gauge", "The age beyond which the stage is behind."),
        lambda one: one.limit_seconds,
    ),
    _OfStage(
        _row("failing", "gauge", "1 if the stage cannot go on, else 0; its /stages says why."),
        lambda one: one.error is not None,
    ),
)

STAGE_METRICS = tuple(one.row for one in _ALL)


class StageMetrics(Collector):
    """The metrics of a process's stages, read again at each scrape."""

    def __init__(self, stages: Callable[[], Sequence[Stage]]) -> None:
        """Take what tells the stages."""
        self._stages = stages

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with a value for each stage."""
        stages = self._stages()
        for one in _ALL:
            family: CounterMetricFamily | GaugeMetricFamily = _FAMILIES[one.row.kind](
                one.row.name, one.row.help, labels=one.row.labels
            )
            for stage in stages:
                family.add_metric([stage.stage], one.value(stage))
            yield family
