"""The expressions of contrib's dashboard and alerts, and the metrics that they name."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mirrorlist.status.collect_metrics import COLLECT_METRICS
from mirrorlist.status.metrics import METRICS, SECONDS
from mirrorlist.status.scan_metrics import SCAN_METRICS
from mirrorlist.status.site_metrics import SITE_METRICS
from mirrorlist.status.stage_metrics import STAGE_METRICS
from mirrorlist.status.watch_metrics import WATCH_METRICS

CONTRIB = Path(__file__).parent.parent / "contrib"
ALERTS, SCRAPED = CONTRIB / "prometheus/alerts.yml", CONTRIB / "prometheus/prometheus.yml"
DASHBOARD = CONTRIB / "grafana/mirrorlist.json"
ALL_METRICS = (
    *METRICS, *STAGE_METRICS, *WATCH_METRICS, *SCAN_METRICS, *SITE_METRICS, *COLLECT_METRICS
)  # fmt: skip
"""The rows of all tables, in the order of docs/operations.md."""

# What Prometheus itself and the client library add.
_OTHERS = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total"}
_FUNCTIONS = {"sum", "rate", "increase", "count", "by", "le", "time", "bool", "or", "and"}
_FUNCTIONS |= {"histogram_quantile"}
_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
_QUOTED = re.compile(r'"[^"]*"')
_BRACES = re.compile(r"\{[^}]*\}")
_BY = re.compile(r"\bby \([^)]*\)")
_SELECTOR = re.compile(r"\b([a-z_][a-z0-9_]*)\b(\{[^}]*\})?(?![\w({])")
_COMPARISON = re.compile(r"(==|!=|>=|<=|>|<)(?! bool)")


def known() -> set[str]:
    """Return the names of all series that the code makes."""
    names = set(_OTHERS)
    for row in ALL_METRICS:
        names |= {row.name + part for part in _PARTS.get(row.kind, ("",))}
    assert SECONDS in METRICS
    return names


def rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    content = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))
    assert list(content) == ["groups"]
    return [rule for group in content["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard, without the headings of rows."""
    content = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [panel for panel in content["panels"] if panel["type"] != "row"]


def shown(interval: str) -> Iterator[tuple[str, str]]:
    """Yield a name and the expression of each line of the dashboard, for all processes."""
    for panel in panels():
        for target in panel["targets"]:
            expr = target["expr"].replace("$__rate_interval", interval).replace("$instance", ".*")
            yield f"{panel['title']} {target['refId']}", expr


def always(expr: str) -> str:
    """Return an alert's expression with 0 in the place of no data where nothing is wrong."""
    return "".join(
        part if part[:1] in '{"' else _COMPARISON.sub(r"\1 bool", part)
        for part in re.split(r"(\{[^}]*\})", expr)
    )


def selectors(expr: str) -> list[str]:
    """Return each series that an expression reads, with the labels that it asks for."""
    plain = re.sub(r"\[\w+\]", "", _BY.sub("", expr))
    return [
        f"{name}{labels}"
        for name, labels in _SELECTOR.findall(plain)
        if name not in _FUNCTIONS and not _is_label(name, plain)
    ]


def _is_label(name: str, plain: str) -> bool:
    """Return whether a name only stands within braces or quotes."""
    return name not in re.findall(r"[a-z_][a-z0-9_]*", _BRACES.sub("", _QUOTED.sub('""', plain)))


def metrics(expr: str) -> set[str]:
    """Return the names of the series that an expression reads."""
    return {one.partition("{")[0] for one in selectors(expr)}
