"""`/metrics` of the keeper of a `mirrorlist run`: beside those of a watch, how its site is kept.

The table below is the source of the names, of the page's text and of docs/operations.md.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mirrorlist.status.metrics import MetricRow

if TYPE_CHECKING:
    from snapshot.sites.keeper_state import KeeperState


class _Gauge(Struct, frozen=True):
    row: MetricRow
    value: "Callable[[KeeperState], float]"


def _gauge(name: str, help: str, value: "Callable[[KeeperState], float]") -> _Gauge:
    return _Gauge(MetricRow(f"mirrorlist_site_{name}", "gauge", help), value)


_GAUGES = (
    _gauge(
        "file_wrong",
        "1 if the file of mirrors cannot be applied as it is, else 0.",
        lambda state: state.file_error is not None,
    ),
    _gauge(
        "applied_timestamp_seconds",
        "When the file was applied last; 0 before the first time.",
        lambda state: state.applied or 0,
    ),
    _gauge(
        "probed_timestamp_seconds",
        "When the last probe of the mirrors ended; 0 before the first.",
        lambda state: state.probed or 0,
    ),
    _gauge(
        "probe_seconds",
        "Seconds that the last probe of the mirrors took.",
        lambda state: state.probe_seconds,
    ),
    _gauge(
        "repositories",
        "Repositories that the last probe asked the primary for.",
        lambda state: state.repositories,
    ),
    _gauge(
        "repositories_failed",
        "Repositories that the primary did not give, or half.",
        lambda state: state.repositories_failed,
    ),
    _gauge("urls", "URLs of mirrors that the last probe asked.", lambda state: state.urls),
    _gauge(
        "urls_troubled",
        "URLs of mirrors with a trouble, such as a stale repository.",
        lambda state: state.urls_troubled,
    ),
    _gauge(
        "urls_hidden",
        "URLs of mirrors that are not offered, because they do not answer.",
        lambda state: state.urls_hidden,
    ),
)

SITE_METRICS = tuple(one.row for one in _GAUGES)


class SiteMetrics(Collector):
    """All metrics about a site, read again at each scrape."""

    def __init__(self, state: "KeeperState") -> None:
        """Take the state, which the keeper updates."""
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Yield every metric with its value now."""
        for one in _GAUGES:
            yield GaugeMetricFamily(one.row.name, one.row.help, value=one.value(self._state))
