"""A real librepo and our lists: what it reads in them, and whose repomd.xml it believes.

The case numbers are those of docs/client-matrix.md.
"""

import pytest

from tests.clients.conftest import MakeStage
from tests.clients.librepo import Librepo
from tests.clients.matrix import case
from tests.clients.mirrors import Condition
from tests.clients.packages import Repositories
from tests.clients.stage import REPOSITORY_QUERY, Scenario

pytestmark = pytest.mark.system

GOOD, STALE, DEAD, JUNK = Condition.GOOD, Condition.STALE, Condition.DEAD, Condition.JUNK
MISSING = Condition.MISSING

either_kind = pytest.mark.parametrize("kind", ["metalink", "mirrorlist"])


@case("librepo", 1)
@either_kind
def test_good_list(
    make_stage: MakeStage, librepo: Librepo, repositories: Repositories, kind: str
) -> None:
    """Case 1: librepo reads all mirrors in our order and takes the repository from the first."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    report = librepo.download(kind, stage.url(kind))
    assert report.error is None
    assert report.mirrors == stage.repository_urls
    assert librepo.repomd == repositories.new.repomd
    assert len(stage.exchanges) == 1
    assert stage.repomd_counts == [1, 0, 0]


@case("librepo", 1)
def test_metalink_content(
    make_stage: MakeStage, librepo: Librepo, repositories: Repositories
) -> None:
    """Case 1: librepo finds the file detail, its alternate and falling preferences."""
    stage = make_stage(Scenario((STALE, GOOD), alternate=True))
    report = librepo.read_list("metalink", stage.url("metalink"))
    assert report.preferences == (100, 99)
    assert report.timestamp == repositories.new.timestamp
    assert report.size == len(repositories.new.repomd)
    assert report.hashes == repositories.new.hashes
    assert report.alternates == (repositories.old.timestamp,)
    assert stage.repomd_counts == [0, 0]


@pytest.mark.parametrize(
    ("first", "repomd_counts"),
    [
        pytest.param(STALE, [1, 1], id="2 stale", marks=case("librepo", 2)),
        pytest.param(JUNK, [1, 1], id="2 junk", marks=case("librepo", 2)),
        pytest.param(MISSING, [1, 1], id="5 404", marks=case("librepo", 5)),
        pytest.param(Condition.FAILING, [1, 1], id="5 500", marks=case("librepo", 5)),
        pytest.param(DEAD, [0, 1], id="5 dead", marks=case("librepo", 5)),
    ],
)
def test_first_mirror_of_no_use(
    make_stage: MakeStage,
    librepo: Librepo,
    repositories: Repositories,
    first: Condition,
    repomd_counts: list[int],
) -> None:
    """Cases 2 and 5: librepo ends on the second mirror when the first one is of no use."""
    stage = make_stage(Scenario((first, GOOD)))
    report = librepo.download("metalink", stage.url("metalink"))
    assert report.error is None
    assert report.mirrors == stage.repository_urls
    assert librepo.repomd == repositories.new.repomd
    assert stage.repomd_counts == repomd_counts


@case("librepo", 3)
def test_first_mirror_stale_but_alternate(
    make_stage: MakeStage, librepo: Librepo, repositories: Repositories
) -> None:
    """Case 3: librepo believes yesterday's repomd.xml of the first mirror as an alternate."""
    stage = make_stage(Scenario((STALE, GOOD), alternate=True))
    assert librepo.download("metalink", stage.url("metalink")).error is None
    assert librepo.repomd == repositories.old.repomd
    assert stage.repomd_counts == [1, 0]


@case("librepo", 4)
@pytest.mark.parametrize("only", [STALE, JUNK], ids=["stale", "junk"])
def test_only_mirror_matches_nothing(
    make_stage: MakeStage, librepo: Librepo, only: Condition
) -> None:
    """Case 4: librepo believes no repomd.xml that matches neither main hash nor alternate."""
    stage = make_stage(Scenario((only,)))
    report = librepo.download("metalink", stage.url("metalink"))
    assert report.error is not None
    assert "All mirrors were tried" in report.error
    assert librepo.repomd is None


@case("librepo", 6)
@either_kind
def test_order_of_five_mirrors(
    make_stage: MakeStage, librepo: Librepo, repositories: Repositories, kind: str
) -> None:
    """Case 6: librepo reads five mirrors in our order and tries them in it."""
    stage = make_stage(Scenario((MISSING, MISSING, MISSING, MISSING, GOOD)))
    report = librepo.download(kind, stage.url(kind))
    assert report.mirrors == stage.repository_urls
    assert report.preferences == ((100, 99, 98, 97, 96) if kind == "metalink" else ())
    assert librepo.repomd == repositories.new.repomd
    assert stage.repomd_order == [0, 1, 2, 3, 4]


@case("librepo", 7)
def test_text_list_with_time(make_stage: MakeStage, librepo: Librepo) -> None:
    """Case 7: a text list is comments at the start of lines, then a URL a line, and LF."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    query = f"{REPOSITORY_QUERY}&protocol=http&time=1"
    report = librepo.download("mirrorlist", stage.url("mirrorlist", query))
    assert report.error is None
    assert report.mirrors == stage.repository_urls
    (exchange,) = stage.exchanges
    lines = exchange.body.decode().removesuffix("\n").split("\n")
    assert tuple(lines[2:]) == stage.repository_urls
    assert lines[0].startswith("# repo = fedora-40 arch = x86_64 ")
    assert lines[1].startswith("# database creation time: ")
    assert b"\r" not in exchange.body


@case("librepo", 8, 23)
@either_kind
def test_unknown_repository(make_stage: MakeStage, librepo: Librepo, kind: str) -> None:
    """Cases 8 and 23: librepo tries an unknown repository twelve times, on three connections."""
    stage = make_stage(Scenario((GOOD,)))
    report = librepo.download(kind, stage.url(kind, "repo=fedora-41&arch=x86_64"))
    assert report.error is not None
    assert "Status code: 404" in report.error
    assert report.mirrors == ()
    assert [exchange.status for exchange in stage.exchanges] == [404] * 12
    assert all(0 < len(exchange.body) < 1024 for exchange in stage.exchanges)
    assert len(stage.relay.connections) == 3


@case("librepo", 8)
def test_unknown_repository_has_no_line_for_a_mirror(make_stage: MakeStage) -> None:
    """Case 8: an error's lines are comments without a URL, as new librepos read those too."""
    stage = make_stage(Scenario((GOOD,)))
    exchange = stage.ask("mirrorlist", "repo=fedora-41&arch=x86_64")
    first, *lines = exchange.body.decode().removesuffix("\n").split("\n")
    assert first.startswith("# repo = fedora-41 arch = x86_64 ")
    assert "error: invalid repo or arch" in lines
    assert "://" not in exchange.body.decode()


@case("librepo", 9)
@pytest.mark.parametrize(
    ("kind", "query", "reason"),
    [
        pytest.param(
            "mirrorlist", "repo=fedora-38&arch=x86_64", "No URLs in mirrorlist", id="disabled"
        ),
        pytest.param("mirrorlist", "arch=x86_64", "No URLs in mirrorlist", id="no repo"),
        pytest.param(
            "metalink",
            "repo=fedora-38&arch=x86_64",
            'file "repomd.xml" was not found in metalink',
            id="disabled, metalink",
        ),
    ],
)
def test_no_list(
    make_stage: MakeStage, librepo: Librepo, kind: str, query: str, reason: str
) -> None:
    """Case 9: a disabled repository or a missing parameter costs one request, clear to librepo."""
    stage = make_stage(Scenario((GOOD,)))
    report = librepo.download(kind, stage.url(kind, query))
    assert report.error is not None
    assert reason in report.error
    assert [exchange.status for exchange in stage.exchanges] == [200]
