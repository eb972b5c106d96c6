"""A real dnf and our lists: what it installs, from which mirror, after how many requests.

The case numbers are those of the conformance list in clients.md section 6.
"""

import pytest

from tests.clients.conftest import MakeDnf, MakeStage
from tests.clients.dnf import Dnf, DnfRun
from tests.clients.mirrors import Condition
from tests.clients.packages import INSTALLED_TEXT, PACKAGE, Repositories
from tests.clients.recording import Exchange, without_pubdate
from tests.clients.stage import REPOSITORY_QUERY, Scenario

pytestmark = pytest.mark.system

GOOD, STALE, DEAD, JUNK = Condition.GOOD, Condition.STALE, Condition.DEAD, Condition.JUNK

# dnf asks for a list once to get metadata, and once more to get packages.
LISTS_OF_AN_INSTALL = 2

either_kind = pytest.mark.parametrize("kind", ["metalink", "mirrorlist"])


def assert_installed(dnf: Dnf, run: DnfRun) -> None:
    """Assert that a run ended well and that the package's file is where it belongs."""
    assert run.code == 0, run.output
    assert dnf.installed_text == INSTALLED_TEXT


def assert_refused(dnf: Dnf, run: DnfRun, *reasons: str) -> None:
    """Assert that a run failed for these reasons, and left no package and no metadata."""
    assert run.code == 1, run.output
    assert dnf.installed_text is None
    assert dnf.repomd is None
    for reason in reasons:
        assert reason in run.output


def targets(exchanges: list[Exchange]) -> list[str]:
    """The request targets of some exchanges."""
    return [exchange.request.target for exchange in exchanges]


@either_kind
def test_good_list(
    make_stage: MakeStage, make_dnf: MakeDnf, repositories: Repositories, kind: str
) -> None:
    """Case 1: dnf asks once for a good list each time and takes all from its first mirror."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    dnf = make_dnf(kind, stage.url(kind))
    assert dnf.run("makecache").code == 0
    assert targets(stage.exchanges) == [f"/{kind}?{REPOSITORY_QUERY}"]
    assert_installed(dnf, dnf.run("install", PACKAGE))
    assert dnf.repomd == repositories.new.repomd
    assert len(stage.exchanges) == LISTS_OF_AN_INSTALL
    assert stage.repomd_counts == [1, 0, 0]
    assert stage.package_counts == [1, 0, 0]


@pytest.mark.parametrize("first", [STALE, JUNK], ids=["stale", "junk"])
def test_first_mirror_matches_nothing(
    make_stage: MakeStage, make_dnf: MakeDnf, repositories: Repositories, first: Condition
) -> None:
    """Case 2: dnf refuses a repomd.xml that matches no hash, and takes the second mirror's."""
    stage = make_stage(Scenario((first, GOOD)))
    dnf = make_dnf("metalink", stage.url("metalink"))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    assert dnf.repomd == repositories.new.repomd
    assert len(stage.exchanges) == LISTS_OF_AN_INSTALL
    assert stage.repomd_counts == [1, 1]


def test_first_mirror_stale_but_alternate(
    make_stage: MakeStage, make_dnf: MakeDnf, repositories: Repositories
) -> None:
    """Case 3: dnf takes yesterday's repomd.xml from the first mirror when it is an alternate."""
    stage = make_stage(Scenario((STALE, GOOD), alternate=True))
    dnf = make_dnf("metalink", stage.url("metalink"))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    assert dnf.repomd == repositories.old.repomd
    assert len(stage.exchanges) == LISTS_OF_AN_INSTALL
    assert stage.repomd_counts == [1, 0]
    assert stage.package_counts == [1, 0]


@pytest.mark.parametrize("only", [STALE, JUNK], ids=["stale", "junk"])
def test_only_mirror_matches_nothing(
    make_stage: MakeStage, make_dnf: MakeDnf, only: Condition
) -> None:
    """Case 4: with nothing but a repomd.xml that matches no hash, dnf installs nothing."""
    stage = make_stage(Scenario((only,)))
    dnf = make_dnf("metalink", stage.url("metalink"))
    assert_refused(dnf, dnf.run("install", PACKAGE), "checksum doesn't match")
    assert len(stage.exchanges) == 1
    assert stage.repomd_counts > [0]
    assert stage.package_counts == [0]


@either_kind
@pytest.mark.parametrize(
    ("first", "asked"),
    [
        pytest.param(Condition.MISSING, [1, 1], id="404"),
        pytest.param(Condition.FAILING, [1, 1], id="500"),
        pytest.param(DEAD, [0, 1], id="dead"),
    ],
)
def test_first_mirror_broken(
    make_stage: MakeStage, make_dnf: MakeDnf, kind: str, first: Condition, asked: list[int]
) -> None:
    """Case 5: with a first mirror that answers 404 or 500, or not at all, dnf uses the second."""
    stage = make_stage(Scenario((first, GOOD)))
    dnf = make_dnf(kind, stage.url(kind))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    assert len(stage.exchanges) == LISTS_OF_AN_INSTALL
    assert stage.repomd_counts == asked
    assert stage.package_counts == asked


def test_text_list_with_time(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 7: dnf reads past the comment lines of a text list, the one about time included."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    dnf = make_dnf("mirrorlist", stage.url("mirrorlist", f"{REPOSITORY_QUERY}&time=1"))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    exchange = stage.exchanges[0]
    assert b"\n# database creation time: " in exchange.body
    assert stage.repomd_counts == [1, 0]


@either_kind
def test_unknown_repository(make_stage: MakeStage, make_dnf: MakeDnf, kind: str) -> None:
    """Case 8: an unknown repository costs dnf's twelve tries, each a short 404 without a URL."""
    stage = make_stage(Scenario((GOOD,)))
    dnf = make_dnf(kind, stage.url(kind, "repo=fedora-41&arch=x86_64"))
    assert_refused(dnf, dnf.run("install", PACKAGE), "Status code: 404")
    assert [exchange.status for exchange in stage.exchanges] == [404] * 12
    assert all(len(exchange.body) < 1024 for exchange in stage.exchanges)
    assert stage.repomd_counts == [0]


@pytest.mark.parametrize(
    ("kind", "query", "answer", "reason"),
    [
        pytest.param(
            "mirrorlist",
            "repo=fedora-38&arch=x86_64",
            b"repo disabled",
            "No URLs in mirrorlist",
            id="disabled",
        ),
        pytest.param(
            "mirrorlist",
            "repo=fedora-40",
            b"# either path=, or repo= and arch= must be specified",
            "No URLs in mirrorlist",
            id="no arch",
        ),
        pytest.param(
            "metalink",
            "repo=fedora-38&arch=x86_64",
            b"repo disabled",
            'file "repomd.xml" was not found in metalink',
            id="disabled, metalink",
        ),
    ],
)
def test_no_list(
    make_stage: MakeStage, make_dnf: MakeDnf, kind: str, query: str, answer: bytes, reason: str
) -> None:
    """Case 9: a disabled repository or a missing parameter costs one request and says why."""
    stage = make_stage(Scenario((GOOD,)))
    dnf = make_dnf(kind, stage.url(kind, query))
    assert_refused(dnf, dnf.run("install", PACKAGE), reason)
    (exchange,) = stage.exchanges
    assert exchange.status == 200
    assert answer in exchange.body
    assert stage.repomd_counts == [0]


def test_countme(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 11: dnf is counted, and gets the same bytes as without `countme`."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    dnf = make_dnf("metalink", stage.url("metalink"), countme="1")
    # The first request makes dnf's countme file; by chance it is the one that is counted.
    assert dnf.run("makecache").code == 0
    # Version, epoch, a window long past, and a budget of one: the next request is counted.
    dnf.countme_file.write_text("0 0 345600 1")
    stage.forget()
    assert dnf.run("makecache", "--refresh").code == 0
    counted = stage.exchanges[0]
    assert counted.request.target.startswith(f"/metalink?{REPOSITORY_QUERY}&countme=")
    assert without_pubdate(counted.body) == without_pubdate(stage.ask("metalink").body)


def test_unknown_parameters(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 11: parameters that dnf leaves unexpanded change not one byte of the list."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    query = "repo=fedora-$releasever&arch=x86_64&infra=$infra&content=$contentdir"
    dnf = make_dnf("metalink", stage.url("metalink", query))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    unknown = stage.exchanges[0]
    assert (
        unknown.request.target == f"/metalink?{REPOSITORY_QUERY}&infra=$infra&content=$contentdir"
    )
    assert without_pubdate(unknown.body) == without_pubdate(stage.ask("metalink").body)


def test_query_in_another_order(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 12: dnf installs through zypper's sorted query, whose list has the same bytes."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    dnf = make_dnf("metalink", stage.url("metalink", "arch=x86_64&repo=fedora-40"))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    sorted_query = stage.exchanges[0]
    assert without_pubdate(sorted_query.body) == without_pubdate(stage.ask("metalink").body)


def test_refresh_in_sync(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 17: when nothing changed, a refresh costs one list and no request to a mirror."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    dnf = make_dnf("metalink", stage.url("metalink"))
    assert dnf.run("makecache").code == 0
    stage.forget()
    assert dnf.run("makecache", "--refresh").code == 0
    assert len(stage.exchanges) == 1
    assert stage.repomd_counts == [0, 0, 0]


@either_kind
def test_ampersand_in_a_url(make_stage: MakeStage, make_dnf: MakeDnf, kind: str) -> None:
    """Case 19: a mirror whose path holds an ampersand can be used from either kind of list."""
    stage = make_stage(Scenario((GOOD,), tree="/fedora&friends"))
    dnf = make_dnf(kind, stage.url(kind))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    assert stage.repomd_counts == [1]
    assert stage.package_counts == [1]
