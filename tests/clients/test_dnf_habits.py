"""How a real dnf refreshes, and its own habits, which cost requests or forgive faults.

The case numbers are those of docs/client-matrix.md; 23 is this client's
own (docs/clients.md#librepo-and-dnf).
"""

import pytest

from tests.clients.conftest import MakeDnf, MakeStage
from tests.clients.dnf import LISTS_OF_AN_INSTALL, assert_installed
from tests.clients.matrix import case
from tests.clients.mirrors import Condition, reserve_port
from tests.clients.packages import PACKAGE, Repositories
from tests.clients.stage import REPOSITORY_QUERY, Scenario

pytestmark = pytest.mark.system

GOOD, STALE, DEAD = Condition.GOOD, Condition.STALE, Condition.DEAD
# On these dnf would answer from memory, which no client does with a list.
CONDITIONAL = ("if-none-match", "if-modified-since", "range")
TRIES = 12


@case("dnf", 17)
def test_refresh_in_sync(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 17: when nothing changed, a refresh costs one list and no request to a mirror."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    dnf = make_dnf("metalink", stage.url("metalink"))
    assert dnf.run("makecache").code == 0
    stage.forget()
    assert dnf.run("makecache", "--refresh").code == 0
    assert len(stage.exchanges) == 1
    assert stage.repomd_counts == [0, 0, 0]


@case("dnf", 17)
def test_refresh_after_a_new_snapshot(
    make_own_stage: MakeStage, make_dnf: MakeDnf, repositories: Repositories
) -> None:
    """Case 17: after a new snapshot and a restart, a refresh costs two lists and is up to date."""
    stage = make_own_stage(Scenario((STALE, STALE), yesterday=True))
    dnf = make_dnf("metalink", stage.url("metalink"))
    assert dnf.run("makecache").code == 0
    assert dnf.repomd == repositories.old.repomd
    stage.become(Scenario((GOOD, GOOD)))
    stage.forget()
    assert dnf.run("makecache", "--refresh").code == 0
    assert dnf.repomd == repositories.new.repomd
    assert [exchange.status for exchange in stage.exchanges] == [200, 200]
    assert stage.repomd_order == [0]


@case("dnf", 17)
def test_refresh_from_a_mirror_behind(
    make_own_stage: MakeStage, make_dnf: MakeDnf, repositories: Repositories
) -> None:
    """Case 17: dnf refreshes from the mirror that has the new metadata, not from one behind."""
    stage = make_own_stage(Scenario((STALE, STALE), yesterday=True))
    dnf = make_dnf("metalink", stage.url("metalink"))
    assert dnf.run("makecache").code == 0
    stage.become(Scenario((STALE, GOOD)))
    stage.forget()
    assert dnf.run("makecache", "--refresh").code == 0
    assert dnf.repomd == repositories.new.repomd
    assert stage.repomd_order == [0, 1]


@case("dnf", 23)
def test_alternate_is_never_in_sync(
    make_stage: MakeStage, make_dnf: MakeDnf, repositories: Repositories
) -> None:
    """Case 23: a dnf that believed an alternate downloads everything again at each refresh."""
    stage = make_stage(Scenario((STALE, GOOD), alternate=True))
    dnf = make_dnf("metalink", stage.url("metalink"))
    assert dnf.run("makecache").code == 0
    stage.forget()
    assert dnf.run("makecache", "--refresh").code == 0
    assert dnf.repomd == repositories.old.repomd
    assert len(stage.exchanges) == 2
    assert stage.repomd_order == [0]


@case("dnf", 23)
def test_no_conditional_request(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 23: dnf asks for each list again, whole, without conditions, on a new connection."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    dnf = make_dnf("metalink", stage.url("metalink"))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    assert dnf.run("makecache", "--refresh").code == 0
    assert len(stage.exchanges) == len(stage.relay.connections) == LISTS_OF_AN_INSTALL + 1
    for exchange in stage.exchanges:
        assert exchange.request.header("cache-control") == "no-cache"
        assert [name for name in CONDITIONAL if exchange.request.header(name)] == []


@case("dnf", 23)
@pytest.mark.parametrize(
    ("kind", "query"),
    [
        pytest.param("mirrorlist", f"{REPOSITORY_QUERY}&for=metalink", id="text"),
        pytest.param("metalink", REPOSITORY_QUERY, id="XML"),
    ],
)
def test_metalink_in_the_url_of_a_mirrorlist(
    make_stage: MakeStage, make_dnf: MakeDnf, kind: str, query: str
) -> None:
    """Case 23: `metalink` in a mirrorlist's URL makes dnf ask twice, and read text and XML."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    dnf = make_dnf("mirrorlist", stage.url(kind, query))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    assert len(stage.exchanges) == 2 * LISTS_OF_AN_INSTALL
    assert stage.repomd_counts == [1, 0, 0]
    assert stage.package_counts == [1, 0, 0]


@case("dnf", 23)
def test_baseurl_behind_an_unknown_repository(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 23: with a base URL beside the list, twelve 404s do not stop an installation."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    unknown = stage.url("metalink", "repo=fedora-41&arch=x86_64")
    dnf = make_dnf("metalink", unknown, baseurl=stage.mirrors[1].repository_url)
    assert dnf.run("makecache").code == 0
    assert [exchange.status for exchange in stage.exchanges] == [404] * TRIES
    assert len(stage.relay.connections) == 3
    assert stage.repomd_order == [1]


@case("dnf", 23)
def test_baseurl_behind_a_dead_server(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 23: with a base URL beside the list, dnf installs while the list's server is dead."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    with reserve_port("127.0.0.1") as port:
        dead = f"http://127.0.0.1:{port}/metalink?{REPOSITORY_QUERY}"
        dnf = make_dnf("metalink", dead, baseurl=stage.mirrors[1].repository_url)
        assert_installed(dnf, dnf.run("install", PACKAGE))
    assert stage.exchanges == []
    assert stage.repomd_order == stage.package_order == [1]


@case("dnf", 23)
def test_fastest_mirror(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 23: a dnf that looks for the fastest mirror tries all hosts, and uses one that lives."""
    stage = make_stage(Scenario((DEAD, GOOD, GOOD)))
    dnf = make_dnf("metalink", stage.url("metalink"))
    run = dnf.run("makecache", "--setopt=fastestmirror=1")
    assert run.code == 0
    assert "determining the fastest mirror (3 hosts)" in run.output
    assert len(stage.exchanges) == 1
    assert sum(stage.repomd_counts) == 1
