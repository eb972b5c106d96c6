"""A real dnf and our lists: what it installs, from which mirror, after how many requests.

The case numbers are those of docs/client-matrix.md.
"""

import pytest

from tests.clients.conftest import MakeDnf, MakeStage
from tests.clients.dnf import LISTS_OF_AN_INSTALL, assert_installed, assert_refused
from tests.clients.matrix import case
from tests.clients.mirrors import Condition
from tests.clients.packages import PACKAGE, Repositories
from tests.clients.recording import Exchange
from tests.clients.stage import REPOSITORY_QUERY, Scenario

pytestmark = pytest.mark.system

GOOD, STALE, DEAD, JUNK = Condition.GOOD, Condition.STALE, Condition.DEAD, Condition.JUNK
MISSING = Condition.MISSING

either_kind = pytest.mark.parametrize("kind", ["metalink", "mirrorlist"])


def targets(exchanges: list[Exchange]) -> list[str]:
    """The request targets of some exchanges."""
    return [exchange.request.target for exchange in exchanges]


@case("dnf", 1)
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


@case("dnf", 2)
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


@case("dnf", 3)
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


@case("dnf", 4)
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


@case("dnf", 5)
@either_kind
@pytest.mark.parametrize(
    ("first", "asked"),
    [
        pytest.param(MISSING, [1, 1], id="404"),
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


@case("dnf", 1)
def test_other_name_of_a_repository(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 1: a repository's other name, which redirects to it, gives dnf a good list too."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    dnf = make_dnf("metalink", stage.url("metalink", "repo=fedora-current&arch=x86_64"))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    assert stage.repomd_counts == [1, 0, 0]


@case("dnf", 6)
@either_kind
def test_order_of_five_mirrors(make_stage: MakeStage, make_dnf: MakeDnf, kind: str) -> None:
    """Case 6: dnf tries five mirrors in the order of the list, for metadata and for packages."""
    stage = make_stage(Scenario((MISSING, MISSING, MISSING, MISSING, GOOD)))
    dnf = make_dnf(kind, stage.url(kind))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    assert stage.repomd_order == [0, 1, 2, 3, 4]
    assert stage.package_order == [0, 1, 2, 3, 4]


@case("dnf", 7)
def test_text_list_with_time(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 7: dnf reads past the comment lines of a text list, the one about time included."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    dnf = make_dnf("mirrorlist", stage.url("mirrorlist", f"{REPOSITORY_QUERY}&time=1"))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    exchange = stage.exchanges[0]
    assert b"\n# database creation time: " in exchange.body
    assert stage.repomd_counts == [1, 0]


@case("dnf", 8)
@either_kind
def test_unknown_repository(make_stage: MakeStage, make_dnf: MakeDnf, kind: str) -> None:
    """Case 8: an unknown repository costs dnf's twelve tries, each a short 404 without a URL."""
    stage = make_stage(Scenario((GOOD,)))
    dnf = make_dnf(kind, stage.url(kind, "repo=fedora-41&arch=x86_64"))
    assert_refused(dnf, dnf.run("install", PACKAGE), "Status code: 404")
    assert [exchange.status for exchange in stage.exchanges] == [404] * 12
    assert all(len(exchange.body) < 1024 for exchange in stage.exchanges)
    assert stage.repomd_counts == [0]


@case("dnf", 9)
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
