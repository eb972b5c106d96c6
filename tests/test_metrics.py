"""The metrics as Prometheus reads them, their table in the docs, and the alerts on them."""

import re
from pathlib import Path

import pytest
from msgspec import structs
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from mirrorlist.lists.selection import Tier
from mirrorlist.records.backlog import Backlog
from mirrorlist.records.counts import BOUNDS, ENDPOINTS, STATUSES, TIERS, Count, Counts, Level
from mirrorlist.status.metrics import COUNTERS, LEVELS, METRICS, MetricRow, Metrics, ServedState
from mirrorlist.status.scan_metrics import SCAN_METRICS, ScanMetrics
from mirrorlist.status.signed_hook import Hooks
from mirrorlist.status.site_metrics import SITE_METRICS, SiteMetrics
from mirrorlist.status.stage_texts import STAGES
from mirrorlist.status.watch_metrics import WATCH_METRICS, WatchMetrics
from snapshot.scan.job import ScanResult
from snapshot.scan.watching import Task, Watching
from snapshot.sites.keeper_state import KeeperState
from snapshot.watch.progress import Progress
from tests.expressions import ALL_METRICS, known, metrics, rules
from tests.pages import hold, table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "operations.md"
SPOOL = Backlog(files=3, size=2048, oldest=940)
STATE = ServedState(
    {"0123abcd": 2, "4567": 1}, 90, {'file "a\\b"': 3}, 86400, spool=SPOOL, now=1000.5
)
LABELS = {"endpoint": ENDPOINTS, "status": STATUSES, "tier": TIERS, "stage": (*STAGES,)}


def read(counts: Counts, state: ServedState = STATE) -> dict[str, Metric]:
    """Return the families of a page by their names, as Prometheus' own parser sees them."""
    text = Metrics(counts.totals, lambda: state).render().decode()
    return {family.name: family for family in text_string_to_metric_families(text)}


def values(family: Metric) -> dict[tuple[str, ...], float]:
    """Return the values of a family by the sample's name and its labels' values."""
    return {(sample.name, *sample.labels.values()): sample.value for sample in family.samples}


def test_requests() -> None:
    """Requests stand under their endpoint, status and tier; none stands there with 0."""
    counts = Counts(1)
    slot = counts.claim()
    slot.add_request(0, 200, Tier.COUNTRY)
    slot.add_request(0, 200, Tier.COUNTRY)
    slot.add_request(1, 404, None)
    family = read(counts)["mirrorlist_requests"]
    assert family.type == "counter"
    assert values(family) == {
        ("mirrorlist_requests_total", "metalink", "200", "country"): 2,
        ("mirrorlist_requests_total", "mirrorlist", "404", "none"): 1,
    }
    assert list(family.samples[0].labels) == ["endpoint", "status", "tier"]


def test_times() -> None:
    """The classes of time add up to the number of answers, and the sum is in seconds."""
    counts = Counts(1)
    slot = counts.claim()
    for nanoseconds in (9_000, 30_000, 30_000, 10**9):
        slot.add_time(nanoseconds)
    found = values(read(counts)["mirrorlist_answer_seconds"])
    name = "mirrorlist_answer_seconds_bucket"
    assert found[name, "1e-05"] == 1
    assert found[name, "2.5e-05"] == 1
    assert found[name, "5e-05"] == 3
    assert found[name, str(BOUNDS[-1])] == 3
    assert found[name, "+Inf"] == 4
    assert found[("mirrorlist_answer_seconds_count",)] == 4
    assert found[("mirrorlist_answer_seconds_sum",)] == pytest.approx(1.000069)


def test_counts_and_levels() -> None:
    """Every count and every level has a metric of its own, there before anything was counted."""
    counts = Counts(1)
    slot = counts.claim()
    for number, count in enumerate(Count, 1):
        slot.add(count, number)
    slot.set(Level.LOG_QUEUED_BYTES, 99)
    found = read(counts)
    assert COUNTERS.keys() == {*Count}
    for number, count in enumerate(Count, 1):
        name = COUNTERS[count].name
        assert values(found[name.removesuffix("_total")]) == {(name,): number}
    assert LEVELS.keys() == {*Level}
    assert values(found["mirrorlist_log_queue_bytes"]) == {("mirrorlist_log_queue_bytes",): 99}
    nothing = read(Counts(1))
    for row in (*COUNTERS.values(), *LEVELS.values()):
        assert values(nothing[row.name.removesuffix("_total")]) == {(row.name,): 0}


def test_state() -> None:
    """The snapshot and the GeoIP data are named, whatever their names hold, with their ages."""
    found = read(Counts(1))
    assert values(found["mirrorlist_snapshot_info"]) == {
        ("mirrorlist_snapshot_info", "0123abcd"): 2,
        ("mirrorlist_snapshot_info", "4567"): 1,
    }
    assert found["mirrorlist_snapshot_age_seconds"].samples[0].value == 90
    assert values(found["mirrorlist_geoip_info"]) == {("mirrorlist_geoip_info", 'file "a\\b"'): 3}
    assert found["mirrorlist_geoip_age_seconds"].samples[0].value == 86400


def test_an_unknown_age() -> None:
    """Where the age of the GeoIP data is unknown, nothing is said of it."""
    found = read(Counts(1), ServedState({"id": 1}, 1, {"registries": 1}, spool=SPOOL))
    assert "mirrorlist_geoip_age_seconds" not in found
    assert found.keys() == read(Counts(1)).keys() - {"mirrorlist_geoip_age_seconds"}


def test_spool() -> None:
    """What waits in the spool is on the page, and is not there without a spool."""
    found = read(Counts(1))
    names = ["mirrorlist_spool_files", "mirrorlist_spool_bytes", "mirrorlist_spool_age_seconds"]
    assert [found[name].samples[0].value for name in names] == [3, 2048, 60]
    empty = read(Counts(1), structs.replace(STATE, spool=Backlog(0, 0)))
    assert [empty[name].samples[0].value for name in names] == [0, 0, 0]
    assert not read(Counts(1), structs.replace(STATE, spool=None)).keys() & set(names)


@pytest.mark.parametrize("row", METRICS, ids=lambda row: row.name)
def test_the_table_is_the_page(row: MetricRow) -> None:
    """Each row of the table is on the page with its type, help and labels, and by conventions."""
    counts = Counts(1)
    counts.claim().add_request(0, 200, None)
    family = read(counts)[row.name.removesuffix("_total")]
    assert (family.type, family.documentation) == (row.kind, row.help)
    assert tuple(family.samples[0].labels) == row.labels
    assert row.name.startswith("mirrorlist_")
    assert row.name.endswith("_total") == (row.kind == "counter")


def test_nothing_else_is_on_the_page() -> None:
    """The page has the table's metrics and no others."""
    assert [*read(Counts(1))] == [row.name.removesuffix("_total") for row in METRICS]


def test_the_table_of_a_watch_is_its_page() -> None:
    """A watch's page has the metrics of its table, in order, with type, help and labels."""
    registry = CollectorRegistry()
    registry.register(WatchMetrics(Progress(started_since=0.0)))
    found = list(text_string_to_metric_families(generate_latest(registry).decode()))
    assert [(one.name, one.type, one.documentation) for one in found] == [
        (row.name.removesuffix("_total"), row.kind, row.help) for row in WATCH_METRICS
    ]
    for family, row in zip(found, WATCH_METRICS, strict=True):
        assert tuple(family.samples[0].labels) == row.labels
        assert row.name.endswith("_total") == (row.kind == "counter")


def test_the_table_of_a_scan_is_its_page() -> None:
    """A `scan --watch` has the metrics of its table, in order, with type, help and labels."""
    registry = CollectorRegistry()
    watching = Watching(["Fedora EPEL"], 300.0, _no_scan, print, print, print)
    registry.register(ScanMetrics(watching, Hooks()))
    found = list(text_string_to_metric_families(generate_latest(registry).decode()))
    assert [(one.name, one.type, one.documentation) for one in found] == [
        (row.name.removesuffix("_total"), row.kind, row.help) for row in SCAN_METRICS
    ]
    for family, row in zip(found, SCAN_METRICS, strict=True):
        assert tuple(family.samples[0].labels) == row.labels
        assert row.name.endswith("_total") == (row.kind == "counter")


def _no_scan(task: Task) -> tuple[ScanResult, None]:
    raise AssertionError(task)


def test_the_table_of_a_site_is_its_page() -> None:
    """A keeper's page has the metrics of its table, in order, with type and help."""
    registry = CollectorRegistry()
    state = KeeperState(file_error="x", probed=7.0, urls=3, urls_hidden=1)
    registry.register(SiteMetrics(state))
    found = list(text_string_to_metric_families(generate_latest(registry).decode()))
    assert [MetricRow(one.name, one.type, one.documentation) for one in found] == [*SITE_METRICS]
    shown = {one.name.removeprefix("mirrorlist_site_"): one.samples[0].value for one in found}
    assert (shown["file_wrong"], shown["probed_timestamp_seconds"]) == (1, 7)
    assert (shown["urls"], shown["urls_hidden"], shown["urls_troubled"]) == (3, 1, 0)


def test_the_page_is_described() -> None:
    """docs/operations.md shows every metric as the code has it."""
    rows = [
        [f"`{row.name}`", row.kind, ", ".join(map("`{}`".format, row.labels)), row.help]
        for row in ALL_METRICS
    ]
    hold("docs/operations.md", "metrics", table(["metric", "type", "labels", ""], *rows))


@pytest.mark.parametrize("label", LABELS)
def test_values_of_labels_are_described(label: str) -> None:
    """docs/operations.md names each value that a label may have, and there are few."""
    section = PAGE.read_text(encoding="utf-8").partition("## Metrics")[2].partition("\n## ")[0]
    (line,) = [line for line in section.splitlines() if line.startswith(f"- `{label}`: ")]
    assert tuple(re.findall(r"`(\w+)`", line)[1:]) == LABELS[label]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_alerts(rule: dict[str, object]) -> None:
    """Each alert is a whole rule on known metrics and labels, and says what to do."""
    assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
    annotations = rule["annotations"]
    assert isinstance(annotations, dict)
    assert list(annotations) == ["summary", "do", "runbook_url"]
    expression = str(rule["expr"])
    assert metrics(expression) <= known()
    assert metrics(expression)
    for label, _, text in re.findall(r'(\w+)(=~?)"([^"]*)"', expression):
        assert label == "job" or set(text.split("|")) <= set(LABELS[label])


def test_alerts_have_names_of_their_own() -> None:
    """No two alerts have the same name."""
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) > 5
