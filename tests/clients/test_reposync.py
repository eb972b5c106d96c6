"""A real reposync and our lists: what it copies, from which mirror, and what it keeps beside.

The case numbers are those of docs/client-matrix.md; 23 is this client's
own: it asks for the list more often than dnf, and keeps it.
"""

import pytest

from tests.clients.conftest import MakeReposync, MakeStage
from tests.clients.matrix import case
from tests.clients.mirrors import Condition
from tests.clients.packages import Repositories
from tests.clients.recording import without_pubdate
from tests.clients.reposync import Reposync
from tests.clients.stage import ALL_SCHEMES, REPOMD_PATH, REPOSITORY_QUERY, Scenario, Stage

pytestmark = pytest.mark.system

GOOD, STALE, DEAD, JUNK = Condition.GOOD, Condition.STALE, Condition.DEAD, Condition.JUNK
MISSING = Condition.MISSING

either_kind = pytest.mark.parametrize("kind", ["metalink", "mirrorlist"])


def assert_copied(reposync: Reposync, repositories: Repositories, repomd: bytes) -> None:
    """Assert that a run ends well, and that the copy has the package and this repomd.xml."""
    run = reposync.run()
    assert run.code == 0, run.output
    assert reposync.repomd == repomd
    assert reposync.package == repositories.new.package


def assert_nothing_copied(reposync: Reposync, reason: str) -> None:
    """Assert that a run fails for this reason and leaves no copy."""
    run = reposync.run()
    assert run.code == 1, run.output
    assert reason in run.output
    assert reposync.repomd is reposync.package is reposync.metalink is None


def lists(stage: Stage) -> set[bytes]:
    """The different metalinks that were given out, but for their times."""
    return {without_pubdate(exchange.body) for exchange in stage.exchanges}


@case("reposync", 1, 23)
def test_good_list(
    make_stage: MakeStage, make_reposync: MakeReposync, repositories: Repositories
) -> None:
    """Cases 1 and 23: reposync copies all from the first mirror, and keeps our metalink's bytes."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    reposync = make_reposync("metalink", stage.url("metalink"))
    assert_copied(reposync, repositories, repositories.new.repomd)
    assert reposync.metalink in [exchange.body for exchange in stage.exchanges]
    assert len(lists(stage)) == 1
    assert {place for place, _ in stage.asked} == {0}


@case("reposync", 23)
def test_number_of_lists(make_stage: MakeStage, make_reposync: MakeReposync) -> None:
    """Case 23: reposync asks for a list three times to make a copy, and twice to renew it."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    reposync = make_reposync("metalink", stage.url("metalink"))
    assert reposync.run().code == 0
    assert len(stage.exchanges) == 3
    stage.forget()
    assert reposync.run().code == 0
    assert len(stage.exchanges) == 2
    assert stage.package_counts == [0, 0, 0]


@pytest.mark.parametrize(
    ("first", "asked"),
    [
        pytest.param(STALE, {0, 1}, id="2 stale", marks=case("reposync", 2)),
        pytest.param(JUNK, {0, 1}, id="2 junk", marks=case("reposync", 2)),
        pytest.param(MISSING, {0, 1}, id="5 404", marks=case("reposync", 5)),
        pytest.param(Condition.FAILING, {0, 1}, id="5 500", marks=case("reposync", 5)),
        pytest.param(DEAD, {1}, id="5 dead", marks=case("reposync", 5)),
    ],
)
def test_first_mirror_of_no_use(
    make_stage: MakeStage,
    make_reposync: MakeReposync,
    repositories: Repositories,
    first: Condition,
    asked: set[int],
) -> None:
    """Cases 2 and 5: reposync copies the new repository when the first mirror is of no use."""
    stage = make_stage(Scenario((first, GOOD)))
    reposync = make_reposync("metalink", stage.url("metalink"))
    assert_copied(reposync, repositories, repositories.new.repomd)
    assert set(stage.repomd_order) == asked


@case("reposync", 3)
def test_first_mirror_stale_but_alternate(
    make_stage: MakeStage, make_reposync: MakeReposync, repositories: Repositories
) -> None:
    """Case 3: reposync copies yesterday's repository from the first mirror, as an alternate."""
    stage = make_stage(Scenario((STALE, GOOD), alternate=True))
    reposync = make_reposync("metalink", stage.url("metalink"))
    assert_copied(reposync, repositories, repositories.old.repomd)
    assert b"<mm0:alternate>" in (reposync.metalink or b"")
    assert {place for place, _ in stage.asked} == {0}


@case("reposync", 4)
def test_only_mirror_matches_nothing(make_stage: MakeStage, make_reposync: MakeReposync) -> None:
    """Case 4: reposync copies nothing whose repomd.xml matches no hash."""
    stage = make_stage(Scenario((STALE,)))
    reposync = make_reposync("metalink", stage.url("metalink"))
    assert_nothing_copied(reposync, "checksum doesn't match")
    assert len(stage.exchanges) == 1


@case("reposync", 6)
def test_order_of_five_mirrors(
    make_stage: MakeStage, make_reposync: MakeReposync, repositories: Repositories
) -> None:
    """Case 6: reposync tries five mirrors in the order of the list, for each thing it copies."""
    stage = make_stage(Scenario((MISSING, MISSING, MISSING, MISSING, GOOD)))
    reposync = make_reposync("metalink", stage.url("metalink"))
    assert_copied(reposync, repositories, repositories.new.repomd)
    assert stage.repomd_order[:5] == stage.package_order == [0, 1, 2, 3, 4]


@case("reposync", 7)
def test_text_list(
    make_stage: MakeStage, make_reposync: MakeReposync, repositories: Repositories
) -> None:
    """Case 7: reposync copies by a text list with comments too, and keeps no metalink then."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    reposync = make_reposync("mirrorlist", stage.url("mirrorlist", f"{REPOSITORY_QUERY}&time=1"))
    assert_copied(reposync, repositories, repositories.new.repomd)
    assert reposync.metalink is None
    assert {place for place, _ in stage.asked} == {0}


@pytest.mark.parametrize(
    ("repository", "reason", "requests"),
    [
        pytest.param(
            "fedora-41", "Status code: 404", 12, id="8 unknown", marks=case("reposync", 8)
        ),
        pytest.param(
            "fedora-38", "was not found in metalink", 1, id="9 off", marks=case("reposync", 9)
        ),
    ],
)
def test_no_list(
    make_stage: MakeStage,
    make_reposync: MakeReposync,
    repository: str,
    reason: str,
    requests: int,
) -> None:
    """Cases 8 and 9: reposync says why it has no list, and copies nothing."""
    stage = make_stage(Scenario((GOOD,)))
    url = stage.url("metalink", f"repo={repository}&arch=x86_64")
    assert_nothing_copied(make_reposync("metalink", url), reason)
    assert len(stage.exchanges) == requests
    assert stage.asked == []


@case("reposync", 10)
@either_kind
def test_protocol(
    make_stage: MakeStage, make_reposync: MakeReposync, repositories: Repositories, kind: str
) -> None:
    """Case 10: the list of the schemes that reposync can use has no others."""
    stage = make_stage(Scenario((GOOD, GOOD), urls=ALL_SCHEMES))
    query = f"{REPOSITORY_QUERY}&protocol=https,http"
    reposync = make_reposync(kind, stage.url(kind, query))
    assert_copied(reposync, repositories, repositories.new.repomd)
    assert all(b"rsync:" not in exchange.body for exchange in stage.exchanges)
    assert all(b"https:" in exchange.body for exchange in stage.exchanges)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(f"{REPOSITORY_QUERY}&countme=1", id="11 countme", marks=case("reposync", 11)),
        pytest.param("arch=x86_64&repo=fedora%2D40", id="12 sorted", marks=case("reposync", 12)),
        pytest.param(
            f"infra=$infra&{REPOSITORY_QUERY}&content=$contentdir",
            id="11, 13 not expanded",
            marks=case("reposync", 11, 13),
        ),
    ],
)
def test_same_list(
    make_stage: MakeStage, make_reposync: MakeReposync, repositories: Repositories, query: str
) -> None:
    """Cases 11 to 13: however the query is written, reposync keeps a metalink of equal bytes."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    reposync = make_reposync("metalink", stage.url("metalink", query))
    assert_copied(reposync, repositories, repositories.new.repomd)
    assert {exchange.request.target for exchange in stage.exchanges} == {f"/metalink?{query}"}
    assert lists(stage) == {without_pubdate(stage.ask("metalink").body)}


@case("reposync", 15, 16, 18)
@either_kind
def test_headers(make_stage: MakeStage, make_reposync: MakeReposync, kind: str) -> None:
    """Cases 15, 16 and 18: each of reposync's requests gets plain bytes of the right type."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    assert make_reposync(kind, stage.url(kind)).run().code == 0
    media_types = {"metalink": "application/metalink+xml", "mirrorlist": "text/plain"}
    for exchange in stage.exchanges:
        names = [name for name, _ in exchange.request.headers]
        assert names == ["Host", "User-Agent", "Accept", "Cache-Control", "Pragma"]
        assert exchange.header("content-encoding") is None
        assert exchange.header("content-type") == media_types[kind]


@case("reposync", 14)
def test_ipv6(
    make_stage: MakeStage, make_reposync: MakeReposync, repositories: Repositories
) -> None:
    """Case 14: reposync copies from a server and mirrors that are on IPv6 addresses alone."""
    stage = make_stage(Scenario((GOOD, GOOD), host="::1"))
    reposync = make_reposync("metalink", stage.url("metalink"))
    assert_copied(reposync, repositories, repositories.new.repomd)


@case("reposync", 17)
def test_copy_after_a_new_snapshot(
    make_own_stage: MakeStage, make_reposync: MakeReposync, repositories: Repositories
) -> None:
    """Case 17: after a new snapshot and a restart, reposync renews its copy and the metalink."""
    stage = make_own_stage(Scenario((STALE, STALE), yesterday=True))
    reposync = make_reposync("metalink", stage.url("metalink"))
    assert_copied(reposync, repositories, repositories.old.repomd)
    stage.become(Scenario((GOOD, GOOD)))
    stage.forget()
    assert_copied(reposync, repositories, repositories.new.repomd)
    assert repositories.new.hashes["sha256"].encode() in (reposync.metalink or b"")
    assert stage.package_counts == [0, 0]


@case("reposync", 19)
def test_ampersand_in_a_url(
    make_stage: MakeStage, make_reposync: MakeReposync, repositories: Repositories
) -> None:
    """Case 19: reposync copies from a mirror whose path holds an ampersand."""
    stage = make_stage(Scenario((GOOD,), tree="/fedora&friends"))
    reposync = make_reposync("metalink", stage.url("metalink"))
    assert_copied(reposync, repositories, repositories.new.repomd)


@case("reposync", 21)
def test_300_mirrors(
    make_stage: MakeStage, make_reposync: MakeReposync, repositories: Repositories
) -> None:
    """Case 21: reposync copies from the first of 300 mirrors, and keeps them all in its list."""
    stage = make_stage(Scenario((GOOD,) * 300, shuffled=True, together=True))
    reposync = make_reposync("metalink", stage.url("metalink"))
    assert_copied(reposync, repositories, repositories.new.repomd)
    assert (reposync.metalink or b"").count(b"<url ") == 300
    assert len({place for place, _ in stage.asked}) == 1


@case("reposync", 22)
def test_path_of_repomd(
    make_stage: MakeStage, make_reposync: MakeReposync, repositories: Repositories
) -> None:
    """Case 22: reposync checks the repomd.xml that a list by path is about."""
    stage = make_stage(Scenario((STALE, GOOD)))
    reposync = make_reposync("metalink", stage.url("metalink", f"path={REPOMD_PATH}"))
    assert_copied(reposync, repositories, repositories.new.repomd)
    assert stage.repomd_order[:2] == [0, 1]
