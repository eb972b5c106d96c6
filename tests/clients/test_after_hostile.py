"""A real dnf during and after a hostile run against the very server that it asks."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.clients.conftest import MakeDnf, MakeStage
from tests.clients.mirrors import Condition
from tests.clients.packages import INSTALLED_TEXT, PACKAGE
from tests.clients.stage import REPOSITORY_QUERY, Scenario
from tests.hostile.campaign import run

pytestmark = pytest.mark.system

REQUESTS = 5_000
SEED = 41


def test_dnf_during_and_after_a_hostile_run(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """A dnf refreshes while thousands of malformed requests come in, and installs afterwards."""
    stage = make_stage(Scenario((Condition.GOOD,)))
    dnf = make_dnf("metalink", stage.url("metalink"))
    with ThreadPoolExecutor(1) as beside:
        meanwhile = beside.submit(dnf.run, "makecache")
        _, port = stage.relay.upstream
        tally = asyncio.run(run(port, SEED, REQUESTS, f"/metalink?{REPOSITORY_QUERY}"))
        assert meanwhile.result().code == 0
    assert tally.wrong == []
    installed = dnf.run("install", PACKAGE)
    assert installed.code == 0, installed.output
    assert dnf.installed_text == INSTALLED_TEXT
