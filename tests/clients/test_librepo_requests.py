"""What a real librepo asks for and reads: parameters, schemes, headers, addresses, long lists.

The case numbers are those of docs/client-matrix.md.
"""

from urllib.parse import quote

import pytest

from tests.clients.conftest import MakeStage
from tests.clients.librepo import Librepo
from tests.clients.matrix import case
from tests.clients.mirrors import Condition
from tests.clients.packages import Repositories
from tests.clients.recording import without_pubdate
from tests.clients.stage import (
    ALL_SCHEMES,
    PACKAGE_PATH,
    REPOMD_PATH,
    REPOSITORY_QUERY,
    Scenario,
    urls_in,
)

pytestmark = pytest.mark.system

GOOD, STALE = Condition.GOOD, Condition.STALE

either_kind = pytest.mark.parametrize("kind", ["metalink", "mirrorlist"])


@case("librepo", 10)
@either_kind
@pytest.mark.parametrize(
    ("protocol", "schemes"),
    [
        pytest.param("https", ("https",), id="https"),
        pytest.param("http", ("http",), id="http"),
        pytest.param("rsync", ("rsync",), id="rsync"),
        pytest.param("http,https", ("https", "http"), id="two, in the order of the database"),
        pytest.param("rsync,http", ("http", "rsync"), id="one of use and one of none"),
        pytest.param("ftp", (), id="one that no mirror has"),
        pytest.param("", (), id="none"),
    ],
)
def test_protocol(
    make_stage: MakeStage, librepo: Librepo, kind: str, protocol: str, schemes: tuple[str, ...]
) -> None:
    """Case 10: librepo reads of each mirror the URLs of the schemes asked for, and no others.

    If nobody has one it is told so with 404, which it asks for twelve times, as any error.
    """
    stage = make_stage(Scenario((GOOD, GOOD), urls=ALL_SCHEMES))
    query = f"{REPOSITORY_QUERY}&protocol={protocol}"
    report = librepo.read_list(kind, stage.url(kind, query))
    assert report.mirrors == tuple(
        url for url in stage.repository_urls if url.partition(":")[0] in schemes
    )
    statuses = [exchange.status for exchange in stage.exchanges]
    assert statuses == ([200] if schemes else [404] * 12)


@case("librepo", 10)
@either_kind
def test_only_rsync(make_stage: MakeStage, librepo: Librepo, kind: str) -> None:
    """Case 10: librepo, which speaks no rsync, fails on such a list after one request."""
    stage = make_stage(Scenario((GOOD, GOOD), urls=ALL_SCHEMES))
    report = librepo.download(kind, stage.url(kind, f"{REPOSITORY_QUERY}&protocol=rsync"))
    assert "All mirrors were tried" in (report.error or "")
    assert len(stage.exchanges) == 1
    assert stage.asked == []


@pytest.mark.parametrize(
    ("as_written", "as_sent"),
    [
        pytest.param(
            REPOSITORY_QUERY,
            f"{REPOSITORY_QUERY}&countme=1",
            id="11 countme at the end",
            marks=case("librepo", 11),
        ),
        pytest.param(
            REPOSITORY_QUERY,
            f"cc=DE&content=$contentdir&infra=$infra&{REPOSITORY_QUERY}&release=40",
            id="11, 13 parameters of other servers",
            marks=case("librepo", 11, 13),
        ),
        pytest.param(
            REPOSITORY_QUERY,
            "arch=x86_64&repo=fedora-40",
            id="12 sorted",
            marks=case("librepo", 12),
        ),
        pytest.param(
            f"{REPOSITORY_QUERY}&protocol=http%2Chttps",
            "arch=x86_64&protocol=http,https&repo=fedora-40",
            id="12 sorted, comma decoded",
            marks=case("librepo", 12),
        ),
        pytest.param(
            f"path={quote(REPOMD_PATH, safe='')}&country=global",
            f"country=global&path={REPOMD_PATH}",
            id="12 sorted, slashes decoded",
            marks=case("librepo", 12),
        ),
    ],
)
def test_same_list(make_stage: MakeStage, librepo: Librepo, as_written: str, as_sent: str) -> None:
    """Cases 11 to 13: however a query is written, the list has the same mirrors and bytes."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    first = librepo.read_list("metalink", stage.url("metalink", as_written))
    second = librepo.read_list("metalink", stage.url("metalink", as_sent))
    assert set(first.mirrors) == set(stage.repository_urls)
    assert second == first
    one, other = stage.exchanges
    assert (one.request.target, other.request.target) == (
        f"/metalink?{as_written}",
        f"/metalink?{as_sent}",
    )
    assert without_pubdate(other.body) == without_pubdate(one.body)


@case("librepo", 12)
def test_same_text_list(make_stage: MakeStage, librepo: Librepo) -> None:
    """Case 12: a text list asked for in zypper's order has the same bytes."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    librepo.read_list("mirrorlist", stage.url("mirrorlist"))
    librepo.read_list("mirrorlist", stage.url("mirrorlist", "arch=x86_64&repo=fedora-40"))
    one, other = stage.exchanges
    assert other.body == one.body


@case("librepo", 19)
@either_kind
def test_ampersand_in_a_url(make_stage: MakeStage, librepo: Librepo, kind: str) -> None:
    """Case 19: librepo reads a mirror's URL with an ampersand as it stands in the database."""
    stage = make_stage(Scenario((GOOD,), tree="/fedora&friends"))
    report = librepo.download(kind, stage.url(kind))
    assert report.error is None
    assert report.mirrors == stage.repository_urls
    assert "&" in stage.repository_urls[0]


@case("librepo", 14)
@either_kind
def test_ipv6(
    make_stage: MakeStage, librepo: Librepo, repositories: Repositories, kind: str
) -> None:
    """Case 14: librepo reads the list of a server on an IPv6 address, of mirrors that are too."""
    stage = make_stage(Scenario((GOOD, GOOD), host="::1"))
    report = librepo.download(kind, stage.url(kind))
    assert report.error is None
    assert report.mirrors == stage.repository_urls
    assert librepo.repomd == repositories.new.repomd


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("Host: MIRRORS.example.:65536", id="15 odd Host", marks=case("librepo", 15)),
        pytest.param("Host;", id="15 empty Host", marks=case("librepo", 15)),
        pytest.param("User-Agent;", id="15 empty User-Agent", marks=case("librepo", 15)),
        *(
            pytest.param(f"Accept-Encoding: {value}", id=f"16 {value}", marks=case("librepo", 16))
            for value in ("gzip", "gzip, deflate, br, zstd", "identity;q=0, *", "")
        ),
    ],
)
@either_kind
def test_header(make_stage: MakeStage, librepo: Librepo, kind: str, header: str) -> None:
    """Cases 15 and 16: whatever a librepo says of itself, it reads the same plain bytes."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    report = librepo.read_list(kind, stage.url(kind), header)
    assert report.error is None
    assert report.mirrors == stage.repository_urls
    (exchange,) = stage.exchanges
    name, _, value = header.partition(":")
    assert (exchange.request.header(name.rstrip(";")) or "") == value.strip()
    assert exchange.request.header("user-agent") in (None, "")
    assert exchange.header("content-encoding") is None


@case("librepo", 15, 18)
@pytest.mark.parametrize(
    ("kind", "media_type"),
    [("metalink", "application/metalink+xml"), ("mirrorlist", "text/plain")],
)
def test_own_headers(make_stage: MakeStage, librepo: Librepo, kind: str, media_type: str) -> None:
    """Cases 15 and 18: librepo sends these headers alone, and gets the type of its list."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    assert librepo.read_list(kind, stage.url(kind)).error is None
    (exchange,) = stage.exchanges
    names = [name for name, _ in exchange.request.headers]
    assert names == ["Host", "Accept", "Cache-Control", "Pragma"]
    assert exchange.header("content-type") == media_type


@case("librepo", 17)
def test_new_snapshot(
    make_own_stage: MakeStage, librepo: Librepo, repositories: Repositories
) -> None:
    """Case 17: librepo, asked for the list alone to see what is new, sees it after a restart."""
    stage = make_own_stage(Scenario((STALE, STALE), yesterday=True))
    before = librepo.read_list("metalink", stage.url("metalink"))
    assert before.hashes == repositories.old.hashes
    assert librepo.read_list("metalink", stage.url("metalink")) == before
    stage.become(Scenario((STALE, GOOD), alternate=True))
    after = librepo.read_list("metalink", stage.url("metalink"))
    assert after.hashes == repositories.new.hashes
    assert after.alternates == (before.timestamp,)
    assert len(stage.exchanges) == 3
    assert stage.asked == []


@case("librepo", 21)
@either_kind
def test_300_mirrors(make_stage: MakeStage, librepo: Librepo, kind: str) -> None:
    """Case 21: librepo reads each of 300 mirrors, in the order in which they stand."""
    stage = make_stage(Scenario((GOOD,) * 300, shuffled=True, together=True))
    report = librepo.download(kind, stage.url(kind))
    assert report.error is None
    assert set(report.mirrors) == set(stage.repository_urls)
    if kind == "metalink":
        assert report.preferences == tuple(max(100 - place, 1) for place in range(300))
    read = [url.removesuffix("repodata/repomd.xml") for url in urls_in(stage.exchanges[0])]
    assert list(report.mirrors) == read
    assert stage.repository_urls[stage.repomd_order[0]] == read[0]


@case("librepo", 22)
def test_path_of_repomd(
    make_stage: MakeStage, librepo: Librepo, repositories: Repositories
) -> None:
    """Case 22: librepo checks the repomd.xml that a list by path is about, as it does by name."""
    stage = make_stage(Scenario((STALE, GOOD)))
    report = librepo.download("metalink", stage.url("metalink", f"path={REPOMD_PATH}"))
    assert report.error is None
    assert report.size == len(repositories.new.repomd)
    assert report.hashes == repositories.new.hashes
    assert librepo.repomd == repositories.new.repomd
    assert stage.repomd_order == [0, 1]


@case("librepo", 22)
def test_path_of_a_package(make_stage: MakeStage, librepo: Librepo) -> None:
    """Case 22: librepo refuses a package's metalink as a repository's, and asks once."""
    stage = make_stage(Scenario((STALE, GOOD)))
    report = librepo.download("metalink", stage.url("metalink", f"path={PACKAGE_PATH}"))
    assert 'file "repomd.xml" was not found in metalink' in (report.error or "")
    assert len(stage.exchanges) == 1
    assert stage.asked == []
