"""What a real dnf asks for and is answered: parameters, schemes, headers, addresses, long lists.

The case numbers are those of docs/client-matrix.md.
"""

import pytest

from tests.clients.conftest import MakeDnf, MakeStage
from tests.clients.dnf import LISTS_OF_AN_INSTALL, assert_installed, assert_refused
from tests.clients.matrix import case
from tests.clients.mirrors import Condition
from tests.clients.packages import PACKAGE, Repositories
from tests.clients.recording import without_pubdate
from tests.clients.stage import (
    ALL_SCHEMES,
    PACKAGE_PATH,
    REPOMD_PATH,
    REPOSITORY_QUERY,
    Scenario,
    Stage,
    urls_in,
)

pytestmark = pytest.mark.system

GOOD, STALE, MISSING = Condition.GOOD, Condition.STALE, Condition.MISSING

either_kind = pytest.mark.parametrize("kind", ["metalink", "mirrorlist"])


def schemes(stage: Stage) -> set[str]:
    """The schemes of the URLs in the first list that was given out."""
    return {url.partition(":")[0] for url in urls_in(stage.exchanges[0])}


@case("dnf", 10)
@either_kind
@pytest.mark.parametrize(
    ("protocol", "listed"),
    [
        pytest.param("http", {"http"}, id="http"),
        pytest.param("http,https", {"http", "https"}, id="http and https"),
        pytest.param("https,http,ftp", {"http", "https"}, id="and one that no mirror has"),
    ],
)
def test_protocol(
    make_stage: MakeStage, make_dnf: MakeDnf, kind: str, protocol: str, listed: set[str]
) -> None:
    """Case 10: a list of some schemes has no other ones, and dnf gets its metadata with it."""
    stage = make_stage(Scenario((GOOD, GOOD), urls=ALL_SCHEMES))
    dnf = make_dnf(kind, stage.url(kind, f"{REPOSITORY_QUERY}&protocol={protocol}"))
    assert dnf.run("makecache").code == 0
    assert schemes(stage) == listed
    assert stage.repomd_counts == [1, 0]


@case("dnf", 10)
@either_kind
@pytest.mark.parametrize("protocol", ["https", "rsync"])
def test_protocol_that_no_mirror_speaks(
    make_stage: MakeStage, make_dnf: MakeDnf, kind: str, protocol: str
) -> None:
    """Case 10: with none but dead or unusable schemes dnf fails after one list, cleanly."""
    stage = make_stage(Scenario((GOOD, GOOD), urls=ALL_SCHEMES))
    dnf = make_dnf(kind, stage.url(kind, f"{REPOSITORY_QUERY}&protocol={protocol}"))
    assert_refused(dnf, dnf.run("install", PACKAGE), "All mirrors were tried")
    assert schemes(stage) == {protocol}
    assert len(stage.exchanges) == 1
    assert stage.asked == []


@case("dnf", 11)
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


@case("dnf", 11, 13)
def test_unknown_parameters(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Cases 11 and 13: parameters that dnf leaves unexpanded change not one byte of the list."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    query = "repo=fedora-$releasever&arch=x86_64&infra=$infra&content=$contentdir"
    dnf = make_dnf("metalink", stage.url("metalink", query))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    unknown = stage.exchanges[0]
    assert (
        unknown.request.target == f"/metalink?{REPOSITORY_QUERY}&infra=$infra&content=$contentdir"
    )
    assert without_pubdate(unknown.body) == without_pubdate(stage.ask("metalink").body)


@case("dnf", 12)
def test_query_in_another_order(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 12: dnf installs through zypper's sorted query, whose list has the same bytes."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    dnf = make_dnf("metalink", stage.url("metalink", "arch=x86_64&repo=fedora-40"))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    sorted_query = stage.exchanges[0]
    assert without_pubdate(sorted_query.body) == without_pubdate(stage.ask("metalink").body)


@case("dnf", 19)
@either_kind
def test_ampersand_in_a_url(make_stage: MakeStage, make_dnf: MakeDnf, kind: str) -> None:
    """Case 19: a mirror whose path holds an ampersand can be used from either kind of list."""
    stage = make_stage(Scenario((GOOD,), tree="/fedora&friends"))
    dnf = make_dnf(kind, stage.url(kind))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    assert stage.repomd_counts == [1]
    assert stage.package_counts == [1]


@case("dnf", 14)
@either_kind
def test_ipv6(make_stage: MakeStage, make_dnf: MakeDnf, kind: str) -> None:
    """Case 14: dnf installs from a server and mirrors that are on IPv6 addresses alone."""
    stage = make_stage(Scenario((GOOD, GOOD), host="::1"))
    dnf = make_dnf(kind, stage.url(kind))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    host = stage.exchanges[0].request.header("host")
    assert host == f"[::1]:{stage.relay.port}"
    assert stage.repomd_counts == [1, 0]


@case("dnf", 15, 16, 18)
@either_kind
def test_headers(make_stage: MakeStage, make_dnf: MakeDnf, kind: str) -> None:
    """Cases 15, 16 and 18: dnf's own headers, answered with plain bytes of the right type."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    dnf = make_dnf(kind, stage.url(kind))
    assert dnf.run("makecache").code == 0
    (exchange,) = stage.exchanges
    assert exchange.request.line == f"GET /{kind}?{REPOSITORY_QUERY} HTTP/1.1"
    names = [name for name, _ in exchange.request.headers]
    assert names == ["Host", "User-Agent", "Accept", "Cache-Control", "Pragma"]
    assert (exchange.request.header("user-agent") or "").startswith("libdnf")
    assert exchange.header("content-encoding") is None
    media_types = {"metalink": "application/metalink+xml", "mirrorlist": "text/plain"}
    assert exchange.header("content-type") == media_types[kind]


@case("dnf", 15)
def test_no_user_agent_but_a_password(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 15: a dnf that names no program and sends a password is answered like any other."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    dnf = make_dnf("metalink", stage.url("metalink").replace("//", "//reader:secret@"))
    assert dnf.run("makecache", "--setopt=user_agent=").code == 0
    (exchange,) = stage.exchanges
    assert exchange.request.header("user-agent") is None
    assert (exchange.request.header("authorization") or "").startswith("Basic ")
    assert stage.repomd_counts == [1, 0, 0]


@case("dnf", 21)
@either_kind
def test_300_mirrors(make_stage: MakeStage, make_dnf: MakeDnf, kind: str) -> None:
    """Case 21: of 300 mirrors with one that has the files, dnf tries each up to this one."""
    stage = make_stage(Scenario((GOOD, *[MISSING] * 299), shuffled=True, together=True))
    dnf = make_dnf(kind, stage.url(kind))
    assert dnf.run("makecache").code == 0
    urls = urls_in(stage.exchanges[0])
    assert len(set(urls)) == 300
    order = [int(url.split("/")[3]) for url in urls]
    assert stage.repomd_order == order[: order.index(0) + 1]


@case("dnf", 22)
def test_path_of_repomd(
    make_stage: MakeStage, make_dnf: MakeDnf, repositories: Repositories
) -> None:
    """Case 22: dnf checks the repomd.xml that a list by path is about, as it does by name."""
    stage = make_stage(Scenario((STALE, GOOD)))
    dnf = make_dnf("metalink", stage.url("metalink", f"path={REPOMD_PATH}"))
    assert_installed(dnf, dnf.run("install", PACKAGE))
    assert dnf.repomd == repositories.new.repomd
    assert len(stage.exchanges) == LISTS_OF_AN_INSTALL
    assert stage.repomd_order == [0, 1]


@case("dnf", 22)
def test_path_of_a_package(make_stage: MakeStage, make_dnf: MakeDnf) -> None:
    """Case 22: dnf says at once that a package's metalink is not one of a repository."""
    stage = make_stage(Scenario((STALE, GOOD)))
    dnf = make_dnf("metalink", stage.url("metalink", f"path={PACKAGE_PATH}"))
    reason = 'file "repomd.xml" was not found in metalink'
    assert_refused(dnf, dnf.run("install", PACKAGE), reason)
    assert len(stage.exchanges) == 1
    assert stage.asked == []
