"""A real Prometheus scrapes a site with every stage: all expressions of contrib/ give data."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from tests.chain_site import LISTS, SECONDS, Part, chain_site
from tests.expressions import ALERTS, SCRAPED, always, rules, selectors, shown
from tests.live import ROOT, exchange, request, wait_until
from tests.system import need_program

pytestmark = pytest.mark.system

_PORT = re.compile(r'msg="Listening on" address=127\.0\.0\.1:(\d+)')
_READY = "Server is ready to receive web requests"
# As short as `rate` needs two scrapes.
_INTERVAL = "10s"


class Prometheus:
    """A Prometheus that runs."""

    def __init__(self, said: Path) -> None:
        """Wait until it says its port."""
        wait_until("Prometheus answers", lambda: _READY in said.read_text(), SECONDS)
        found = _PORT.search(said.read_text())
        assert found
        self._port = int(found[1])

    def get(self, path: str, **query: str) -> Any:
        """Ask its API."""
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urlencode(query)}"
        with urlopen(url, timeout=SECONDS) as response:
            answer = json.load(response)
        assert answer["status"] == "success", (query, answer)
        return answer["data"]

    def has(self, expr: str) -> bool:
        """Return whether an expression has data now."""
        return bool(self.get("query", query=expr)["result"])


@contextmanager
def prometheus(folder: Path, targets: dict[str, Part]) -> Iterator[Prometheus]:
    """Run a Prometheus with contrib's files, for processes at other ports, in less time."""
    program = need_program("prometheus", "prometheus")
    config = yaml.safe_load(SCRAPED.read_text())
    config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(ALERTS)]
    config["scrape_configs"][0]["static_configs"] = [
        {"targets": [f"127.0.0.1:{part.admin}"], "labels": {"process": name}}
        for name, part in targets.items()
    ]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    said = folder / "prometheus.said"
    with said.open("wb") as file:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                "--web.listen-address=127.0.0.1:0",
            ],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        yield Prometheus(said)
    finally:
        process.kill()
        process.wait()


@contextmanager
def whole_site(folder: Path) -> Iterator[dict[str, Part]]:
    """Run every stage; clients have asked, and their counts are in the spool."""
    with chain_site(folder) as site:
        scan, watch, keeper = site.scan(), site.watch(), site.run()
        # What it counted is in the spool at its end.
        first = site.serve()
        for target in LISTS:
            exchange(first.port, request(target))
        assert first.end() == 0
        collect = site.collect()
        server = site.serve(
            f"--watch-admin=127.0.0.1:{watch.admin}",
            f"--chain=scan=127.0.0.1:{scan.admin},collect=127.0.0.1:{collect.admin}",
        )
        parts = {"scan": scan, "watch": watch, "run": keeper, "collect": collect, "server": server}
        yield parts


def test_every_expression_gives_data(tmp_path: Path) -> None:
    """So does each line of the dashboard, each alert, and each series that an alert reads.

    Every stage is there, is not failing, and has received and processed something.
    """
    need_program("prometheus", "prometheus")
    lines = dict(shown(_INTERVAL))
    for rule in rules():
        # Of an hour there is a few seconds' data, which is enough for both.
        lines[rule["alert"]] = always(rule["expr"])
        lines |= {f"{rule['alert']}: {one}": one for one in selectors(rule["expr"])}
    for stage in ("probe", "export", "push", "collect"):
        lines[f"{stage} works"] = f'mirrorlist_stage_processed_total{{stage="{stage}"}} > 0'
    with whole_site(tmp_path) as parts, prometheus(tmp_path, parts) as asked:
        missing = lines

        def all_give_data() -> bool:
            nonlocal missing
            # Timed answers are one in 17, and rates need traffic between two scrapes.
            for target in (*LISTS, LISTS[0], LISTS[0], LISTS[0]):
                exchange(parts["server"].port, request(target))
            missing = {name: expr for name, expr in missing.items() if not asked.has(expr)}
            return not missing

        with _named(lambda: missing):
            wait_until("every expression gives data", all_give_data, SECONDS, look=0.2)
        _hold_stages(asked)
        _hold_rules(asked)
        (chain,) = [json.loads(parts["server"].get("/chain"))]
        assert {one["stage"]: one["state"] for one in chain["stages"]} == {
            **dict.fromkeys(("scan", "export", "push", "swap", "spool", "collect"), "ok"),
            "probe": "not used",
        }


@contextmanager
def _named(missing: Any) -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"no data: {json.dumps(missing(), indent=1)}") from error


def _hold_stages(asked: Prometheus) -> None:
    found = {
        one["metric"]["stage"]: float(one["value"][1])
        for one in asked.get("query", query="sum by (stage) (mirrorlist_stage_failing)")["result"]
    }
    stages = ("scan", "probe", "export", "push", "swap", "spool", "collect")
    assert found == dict.fromkeys(stages, 0.0)


def _hold_rules(asked: Prometheus) -> None:
    def all_judged() -> bool:
        groups = asked.get("rules")["groups"]
        found = [(rule["health"], rule.get("lastError")) for one in groups for rule in one["rules"]]
        assert not [one for one in found if one[0] == "err"], found
        return len(found) == len(rules()) and all(health == "ok" for health, _ in found)

    wait_until("Prometheus judges each rule", all_judged, SECONDS)


def test_each_alert_fires() -> None:
    """Promtool takes both files, and lets each alert fire when it shall, and not before."""
    promtool = need_program("promtool", "prometheus")
    tested = ROOT / "tests" / "alerts.yml"
    for words, file in (("check config", SCRAPED), ("check rules", ALERTS), ("test rules", tested)):
        command = [str(promtool), *words.split(), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    content = yaml.safe_load(tested.read_text())
    # Once quiet, once firing for the bad process alone.
    found = {one["name"]: _counts(one) for one in content["tests"]}
    assert found == {rule["alert"]: [0, 1] for rule in rules()}


def _counts(test: dict[str, Any]) -> list[int]:
    """Return how many alerts a test expects at each of its times, all of the alert of its name."""
    expected = test["promql_expr_test"]
    assert all(f'alertname="{test["name"]}"' in one["expr"] for one in expected)
    return [len(one["exp_samples"]) for one in expected]
