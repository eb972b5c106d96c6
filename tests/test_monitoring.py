"""contrib's dashboard and alerts: whole, about metrics that there are, with pages that help."""

import json
import re
from itertools import combinations
from typing import Any

import pytest
import yaml

from mirrorlist.settings.defaults import (
    ADMIN_OF_COLLECT,
    ADMIN_OF_SCAN,
    ADMIN_OF_SERVER,
    ADMIN_OF_WATCH,
)
from mirrorlist.status.stage_texts import STAGES
from tests.expressions import (
    ALERTS,
    DASHBOARD,
    SCRAPED,
    always,
    known,
    metrics,
    panels,
    rules,
    selectors,
    shown,
)
from tests.live import ROOT
from tests.pages import anchors

KINDS = {"timeseries", "stat", "state-timeline"}
# Of Grafana's units; "short" is a number.
UNITS = {"short", "s", "reqps", "cps", "percentunit", "bytes"}
STAGE = "{{ $labels.stage }}"


def test_how_expressions_are_read() -> None:
    """The series of an expression are found with their labels; comparisons give 0 or 1."""
    expr = 'sum by (le) (rate(a_total{x=~"b|c",y="d"}[5m])) / b > 0.5 or time() - (c == 1) > 2'
    assert selectors(expr) == ['a_total{x=~"b|c",y="d"}', "b", "c"]
    assert metrics(expr) == {"a_total", "b", "c"}
    assert always('a{x="<"} > 0') == 'a{x="<"} > bool 0'
    assert always("a > bool b") == "a > bool b"


@pytest.mark.parametrize(("name", "expr"), [*shown("1m")], ids=lambda one: one[:40])
def test_lines_of_the_dashboard(name: str, expr: str) -> None:
    """Each is about metrics that the code has, of the job and the processes that are chosen."""
    assert metrics(expr) <= known(), name
    assert all('{job="mirrorlist",instance=~".*"' in one for one in selectors(expr)), name


def test_the_dashboard() -> None:
    """It has an id of its own, and the variables that its expressions need."""
    content = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert (content["uid"], content["title"]) == ("mirrorlist", "mirrorlist")
    assert "id" not in content
    assert [one["name"] for one in content["templating"]["list"]] == ["datasource", "instance"]
    ids = [panel["id"] for panel in content["panels"]]
    assert len(ids) == len(set(ids))
    titles = [panel["title"] for panel in content["panels"]]
    assert len(titles) == len(set(titles))
    for one, other in combinations(content["panels"], 2):
        assert not _overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )


@pytest.mark.parametrize("panel", panels(), ids=lambda panel: str(panel["title"]))
def test_panels(panel: dict[str, Any]) -> None:
    """Each has a kind, a unit, a sentence, a data source that is chosen, and lines with names."""
    assert panel["type"] in KINDS
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["description"].endswith(".")
    assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert panel["datasource"] == source
    assert [one["refId"] for one in panel["targets"]] == [*"ABCDEF"[: len(panel["targets"])]]
    assert all(one["legendFormat"] and one["datasource"] == source for one in panel["targets"])


def test_every_stage_and_family_is_on_the_dashboard() -> None:
    """No family of metrics is forgotten."""
    found = set().union(*(metrics(expr) for _, expr in shown("1m")))
    families = {name.split("_")[1] for name in found if name.startswith("mirrorlist_")}
    assert families >= {"stage", "watch", "scan", "site", "collect", "spool", "swaps", "requests"}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_runbooks(rule: dict[str, Any]) -> None:
    """The page and the heading that an alert leads to are there, for each stage."""
    link = rule["annotations"]["runbook_url"]
    for stage in STAGES if STAGE in link else [""]:
        page, _, anchor = link.replace(STAGE, stage).partition("#")
        text = (ROOT / page).read_text(encoding="utf-8")
        assert not anchor or anchors(text)[anchor] == 1, link
    line = f'runbook_url: "{link}"'
    # As the sed at the top of the file expects it.
    assert line in ALERTS.read_text(encoding="utf-8")
    assert re.match(r"docs/[\w-]+\.md", link)


def test_what_is_scraped() -> None:
    """The example scrapes the addresses that processes have without --admin."""
    content = yaml.safe_load(SCRAPED.read_text(encoding="utf-8"))
    assert content["rule_files"] == [ALERTS.name]
    (job,) = content["scrape_configs"]
    assert job["job_name"] == "mirrorlist"
    assert {one["labels"]["process"]: one["targets"] for one in job["static_configs"]} == {
        "server": [ADMIN_OF_SERVER],
        "watch": [ADMIN_OF_WATCH],
        "scan": [ADMIN_OF_SCAN],
        "collect": [ADMIN_OF_COLLECT],
    }
