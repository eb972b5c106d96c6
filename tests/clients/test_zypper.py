"""A real zypper and our lists: what it installs, from which mirror, after how many requests.

The case numbers are those of docs/client-matrix.md; 23 is what zypper
does in its own way: it trusts signatures instead of the list's hashes, and uses four URLs.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients.conftest import MakeStage
from tests.clients.dnf import may_install
from tests.clients.matrix import case
from tests.clients.mirrors import Condition
from tests.clients.packages import INSTALLED_TEXT, PACKAGE, Repositories
from tests.clients.recording import without_pubdate
from tests.clients.stage import ALL_SCHEMES, REPOSITORY_QUERY, Scenario, urls_in
from tests.clients.zypper import FAILED, Zypper
from tests.system import need_ipv6, need_program

pytestmark = pytest.mark.system

GOOD, STALE, MISSING, DEAD = Condition.GOOD, Condition.STALE, Condition.MISSING, Condition.DEAD
# zypper sorts the query and takes it apart, so this is what the server sees of it.
SORTED_QUERY = "arch=x86_64&repo=fedora-40"

MakeZypper = Callable[[str, str], Zypper]

either_kind = pytest.mark.parametrize("kind", ["metalink", "mirrorlist"])


@pytest.fixture
def make_zypper(tmp_path: Path) -> MakeZypper:
    """Makes the one zypper of a test: list kind and list URL."""
    need_program("zypper", "zypper")
    if not may_install():
        pytest.skip("zypper installs as root only, or where user namespaces are allowed")
    return lambda kind, url: Zypper(tmp_path, kind, url)


def assert_refreshed(zypper: Zypper, repomd: bytes) -> None:
    """Assert that a refresh ends well and leaves this repomd.xml."""
    run = zypper.run("refresh")
    assert run.code == 0, run.output
    assert zypper.repomd == repomd


def assert_refused(zypper: Zypper, *reasons: str) -> None:
    """Assert that a refresh fails for these reasons and leaves no metadata."""
    run = zypper.run("refresh")
    assert run.code == FAILED, run.output
    assert zypper.repomd is None
    for reason in reasons:
        assert reason in run.output


@case("zypper", 1, 12)
@either_kind
def test_good_list(
    make_stage: MakeStage, make_zypper: MakeZypper, repositories: Repositories, kind: str
) -> None:
    """Case 1: zypper sorts the query, and takes all from the first mirror of a good list."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    zypper = make_zypper(kind, stage.url(kind))
    assert_refreshed(zypper, repositories.new.repomd)
    assert [exchange.request.target for exchange in stage.exchanges] == [f"/{kind}?{SORTED_QUERY}"]
    run = zypper.run("install", PACKAGE)
    assert run.code == 0, run.output
    assert zypper.installed_text == INSTALLED_TEXT
    assert {place for place, _ in stage.asked} == {0}
    assert stage.package_counts == [1, 0, 0]


@case("zypper", 3)
def test_first_mirror_stale_but_alternate(
    make_stage: MakeStage, make_zypper: MakeZypper, repositories: Repositories
) -> None:
    """Case 3: yesterday's repomd.xml of the first mirror, an accepted alternate, is used."""
    stage = make_stage(Scenario((STALE, GOOD), alternate=True))
    zypper = make_zypper("metalink", stage.url("metalink"))
    assert_refreshed(zypper, repositories.old.repomd)
    assert {place for place, _ in stage.asked} == {0}


@case("zypper", 5)
@either_kind
@pytest.mark.parametrize(
    "first",
    [
        pytest.param(MISSING, id="404"),
        pytest.param(Condition.FAILING, id="500"),
        pytest.param(DEAD, id="dead"),
    ],
)
def test_first_mirror_broken(
    make_stage: MakeStage,
    make_zypper: MakeZypper,
    repositories: Repositories,
    kind: str,
    first: Condition,
) -> None:
    """Case 5: with a first mirror that answers 404 or 500, or not at all, the second is used."""
    stage = make_stage(Scenario((first, GOOD)))
    zypper = make_zypper(kind, stage.url(kind))
    assert_refreshed(zypper, repositories.new.repomd)
    assert stage.repomd_order[-1] == 1
    assert len(stage.exchanges) == 1


@case("zypper", 6, 23)
@either_kind
def test_order_of_four(
    make_stage: MakeStage, make_zypper: MakeZypper, repositories: Repositories, kind: str
) -> None:
    """Cases 6 and 23: zypper tries mirrors in the list's order, and ends well on the fourth."""
    stage = make_stage(Scenario((MISSING, MISSING, MISSING, GOOD)))
    zypper = make_zypper(kind, stage.url(kind))
    assert_refreshed(zypper, repositories.new.repomd)
    assert list(dict.fromkeys(stage.repomd_order)) == [0, 1, 2, 3]


@case("zypper", 23)
def test_the_fifth_is_never_asked(make_stage: MakeStage, make_zypper: MakeZypper) -> None:
    """Case 23: zypper keeps four URLs, so four good mirrors must come first."""
    stage = make_stage(Scenario((MISSING, MISSING, MISSING, MISSING, GOOD)))
    zypper = make_zypper("metalink", stage.url("metalink"))
    assert_refused(zypper, "Repository type can't be determined")
    assert stage.repomd_order == [0, 1, 2, 3]


@case("zypper", 23)
def test_hashes_of_the_list_are_not_checked(
    make_stage: MakeStage, make_zypper: MakeZypper, repositories: Repositories
) -> None:
    """Case 23: zypper uses a stale first mirror that matches nothing; signatures are its trust."""
    stage = make_stage(Scenario((STALE, GOOD)))
    zypper = make_zypper("metalink", stage.url("metalink"))
    assert_refreshed(zypper, repositories.old.repomd)
    assert {place for place, _ in stage.asked} == {0}


@case("zypper", 7)
def test_text_list_with_time(
    make_stage: MakeStage, make_zypper: MakeZypper, repositories: Repositories
) -> None:
    """Case 7: zypper reads past the comment lines of a text list."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    zypper = make_zypper("mirrorlist", stage.url("mirrorlist", f"{REPOSITORY_QUERY}&time=1"))
    assert_refreshed(zypper, repositories.new.repomd)
    assert b"\n# database creation time: " in stage.exchanges[0].body


@case("zypper", 8)
@either_kind
def test_unknown_repository(make_stage: MakeStage, make_zypper: MakeZypper, kind: str) -> None:
    """Case 8: an unknown repository is one short 404, which zypper tells as not found."""
    stage = make_stage(Scenario((GOOD,)))
    zypper = make_zypper(kind, stage.url(kind, "repo=fedora-41&arch=x86_64"))
    assert_refused(zypper, f"File '/{kind}' not found")
    (exchange,) = stage.exchanges
    assert exchange.status == 404
    assert len(exchange.body) < 1024


@case("zypper", 9)
@pytest.mark.parametrize(
    ("query", "answer"),
    [
        pytest.param("repo=fedora-38&arch=x86_64", b"repo disabled", id="disabled"),
        pytest.param("repo=fedora-40", b"# either path=, or repo= and arch=", id="no arch"),
    ],
)
def test_no_list(make_stage: MakeStage, make_zypper: MakeZypper, query: str, answer: bytes) -> None:
    """Case 9: a disabled repository or a missing parameter is a clear end (after five tries)."""
    stage = make_stage(Scenario((GOOD,)))
    zypper = make_zypper("mirrorlist", stage.url("mirrorlist", query))
    assert_refused(zypper, "no or invalid url")
    assert {exchange.status for exchange in stage.exchanges} == {200}
    assert all(answer in exchange.body for exchange in stage.exchanges)
    assert stage.asked == []


@case("zypper", 10)
@either_kind
def test_protocol(
    make_stage: MakeStage, make_zypper: MakeZypper, repositories: Repositories, kind: str
) -> None:
    """Case 10: a list of http alone has no other URLs, and zypper works with it."""
    stage = make_stage(Scenario((GOOD, GOOD), urls=ALL_SCHEMES))
    zypper = make_zypper(kind, stage.url(kind, f"{REPOSITORY_QUERY}&protocol=http"))
    assert_refreshed(zypper, repositories.new.repomd)
    assert {url.partition(":")[0] for url in urls_in(stage.exchanges[0])} == {"http"}


@case("zypper", 10)
def test_only_rsync(make_stage: MakeStage, make_zypper: MakeZypper) -> None:
    """Case 10: zypper drops rsync URLs, and says that there is none."""
    stage = make_stage(Scenario((GOOD, GOOD), urls=ALL_SCHEMES))
    zypper = make_zypper("metalink", stage.url("metalink", f"{REPOSITORY_QUERY}&protocol=rsync"))
    assert_refused(zypper, "no or invalid url")
    assert {url.partition(":")[0] for url in urls_in(stage.exchanges[0])} == {"rsync"}
    assert stage.asked == []


@case("zypper", 11, 12, 13)
@pytest.mark.parametrize(
    "more",
    [
        pytest.param("", id="12 sorted"),
        pytest.param("&infra=$infra&content=$contentdir", id="13 raw variables"),
        pytest.param("&countme=2&cc=de", id="11 countme and others'"),
        pytest.param("&colour=%72%65d", id="12 decoded"),
    ],
)
def test_same_list(
    make_stage: MakeStage, make_zypper: MakeZypper, repositories: Repositories, more: str
) -> None:
    """Cases 11 to 13: the query as zypper sends it gives the bytes that it gives as written."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    zypper = make_zypper("metalink", stage.url("metalink", REPOSITORY_QUERY + more))
    assert_refreshed(zypper, repositories.new.repomd)
    sent = stage.exchanges[0]
    assert sent.request.target != f"/metalink?{REPOSITORY_QUERY}{more}"
    plain = stage.ask("metalink", REPOSITORY_QUERY)
    assert without_pubdate(sent.body) == without_pubdate(plain.body)


@case("zypper", 14)
@either_kind
def test_ipv6(
    make_stage: MakeStage, make_zypper: MakeZypper, repositories: Repositories, kind: str
) -> None:
    """Case 14: zypper asks a server on an IPv6 address, and mirrors on one."""
    need_ipv6()
    stage = make_stage(Scenario((GOOD, GOOD), host="::1"))
    assert_refreshed(make_zypper(kind, stage.url(kind)), repositories.new.repomd)
    assert {place for place, _ in stage.asked} == {0}


@case("zypper", 16, 18)
@pytest.mark.parametrize(
    ("kind", "media_type"), [("metalink", "application/metalink+xml"), ("mirrorlist", "text/plain")]
)
def test_headers(
    make_stage: MakeStage,
    make_zypper: MakeZypper,
    repositories: Repositories,
    kind: str,
    media_type: str,
) -> None:
    """Cases 16 and 18: zypper's list is not compressed, and has its kind's media type."""
    stage = make_stage(Scenario((GOOD,)))
    assert_refreshed(make_zypper(kind, stage.url(kind)), repositories.new.repomd)
    (exchange,) = stage.exchanges
    assert (exchange.request.header("user-agent") or "").startswith("ZYpp ")
    assert exchange.header("content-encoding") is None
    assert (exchange.header("content-type") or "").partition(";")[0] == media_type


@case("zypper", 17)
def test_refresh(
    make_own_stage: MakeStage, make_zypper: MakeZypper, repositories: Repositories
) -> None:
    """Case 17: a refresh costs one list; after a new snapshot it brings the new metadata."""
    stage = make_own_stage(Scenario((STALE, STALE), yesterday=True))
    zypper = make_zypper("metalink", stage.url("metalink"))
    assert_refreshed(zypper, repositories.old.repomd)
    stage.forget()
    assert_refreshed(zypper, repositories.old.repomd)
    assert len(stage.exchanges) <= 1
    stage.become(Scenario((GOOD, GOOD)))
    run = zypper.run("refresh", "--force")
    assert run.code == 0, run.output
    assert zypper.repomd == repositories.new.repomd


@case("zypper", 19)
@either_kind
def test_ampersand_in_a_url(
    make_stage: MakeStage, make_zypper: MakeZypper, repositories: Repositories, kind: str
) -> None:
    """Case 19: a mirror whose path holds an ampersand can be used from either kind of list."""
    stage = make_stage(Scenario((GOOD,), tree="/fedora&friends"))
    assert_refreshed(make_zypper(kind, stage.url(kind)), repositories.new.repomd)


@case("zypper", 21)
@either_kind
def test_300_mirrors(
    make_stage: MakeStage, make_zypper: MakeZypper, repositories: Repositories, kind: str
) -> None:
    """Case 21: a list of 300 mirrors is read, and its first mirror used."""
    stage = make_stage(Scenario((GOOD,) * 300, shuffled=True, together=True))
    assert_refreshed(make_zypper(kind, stage.url(kind)), repositories.new.repomd)
    first, *others = urls_in(stage.exchanges[0])
    assert len(others) == 299
    (place,) = {place for place, _ in stage.asked}
    assert first.startswith(stage.mirrors[place].tree_url)
