"""A real aria2 and our lists: what it downloads, from which mirror, after how many requests.

The case numbers are those of docs/client-matrix.md; 23 is what aria2
does in its own way: a repomd.xml with a wrong hash ends the download, another file with one keeps
it from all URLs of this host name. tests/clients/test_single_files.py has mirrors of several names.
"""

from pathlib import Path

import pytest

from tests.clients.conftest import MakeStage
from tests.clients.matrix import case
from tests.clients.mirrors import Condition
from tests.clients.packages import PACKAGE_FILE, Repositories
from tests.clients.recording import without_pubdate
from tests.clients.stage import (
    ALL_SCHEMES,
    PACKAGE_PATH,
    REPOSITORY_QUERY,
    Scenario,
    Stage,
    urls_in,
)
from tests.clients.tool import Tool
from tests.system import need_program

pytestmark = pytest.mark.system

GOOD, STALE, MISSING = Condition.GOOD, Condition.STALE, Condition.MISSING
REPOMD = "repomd.xml"
PACKAGE_NAME = Path(PACKAGE_FILE).name
# Exit codes, from its manual.
UNKNOWN_ERROR, NOT_FOUND, WRONG_HASH = 1, 3, 32


@pytest.fixture
def aria2(tmp_path: Path) -> Tool:
    """The one aria2 of a test; it follows a metalink without keeping it."""
    program = need_program("aria2c", "aria2")
    settings = ("--no-conf=true", "--follow-metalink=mem", "--summary-interval=0")
    return Tool(tmp_path, str(program), *settings)


def assert_downloaded(aria2: Tool, stage: Stage, repositories: Repositories) -> None:
    """Assert that a metalink of the repository ends with its current repomd.xml."""
    run = aria2.run(stage.url("metalink"))
    assert run.code == 0, run.output
    assert aria2.read(REPOMD) == repositories.new.repomd
    assert len(stage.exchanges) == 1


@case("aria2", 1)
def test_good_list(make_stage: MakeStage, aria2: Tool, repositories: Repositories) -> None:
    """Case 1: aria2 takes repomd.xml from the first mirror of a good list."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD)))
    assert_downloaded(aria2, stage, repositories)
    assert {place for place, _ in stage.asked} == {0}


@case("aria2", 5)
@pytest.mark.parametrize("first", [MISSING, Condition.FAILING, Condition.DEAD])
def test_first_mirror_broken(
    make_stage: MakeStage, aria2: Tool, repositories: Repositories, first: Condition
) -> None:
    """Case 5: with a first mirror that answers 404 or 500, or not at all, the second is used."""
    stage = make_stage(Scenario((first, GOOD)))
    assert_downloaded(aria2, stage, repositories)
    assert stage.repomd_order[-1] == 1


@case("aria2", 6)
def test_order_of_five(make_stage: MakeStage, aria2: Tool, repositories: Repositories) -> None:
    """Case 6: aria2 goes by preference, which is the list's order."""
    stage = make_stage(Scenario((MISSING, MISSING, MISSING, MISSING, GOOD)))
    assert_downloaded(aria2, stage, repositories)
    assert stage.repomd_order == [0, 1, 2, 3, 4]


@case("aria2", 8)
def test_unknown_repository(make_stage: MakeStage, aria2: Tool) -> None:
    """Case 8: an unknown repository is one 404, which aria2 tells by its exit code."""
    stage = make_stage(Scenario((GOOD,)))
    run = aria2.run(stage.url("metalink", "repo=fedora-41&arch=x86_64"))
    assert run.code == NOT_FOUND, run.output
    assert [exchange.status for exchange in stage.exchanges] == [404]
    assert aria2.files == []


@case("aria2", 9)
def test_disabled_repository(make_stage: MakeStage, aria2: Tool) -> None:
    """Case 9: a metalink without files is one request, and nothing is downloaded."""
    stage = make_stage(Scenario((GOOD,)))
    run = aria2.run(stage.url("metalink", "repo=fedora-38&arch=x86_64"))
    assert run.code == 0, run.output
    assert len(stage.exchanges) == 1
    assert stage.asked == []
    assert aria2.files == []


@case("aria2", 10)
def test_protocol(make_stage: MakeStage, aria2: Tool, repositories: Repositories) -> None:
    """Case 10: aria2 works with the one scheme it asked for."""
    stage = make_stage(Scenario((GOOD, GOOD), urls=ALL_SCHEMES))
    run = aria2.run(stage.url("metalink", f"{REPOSITORY_QUERY}&protocol=http"))
    assert run.code == 0, run.output
    assert aria2.read(REPOMD) == repositories.new.repomd
    assert {url.partition(":")[0] for url in urls_in(stage.exchanges[0])} == {"http"}


@case("aria2", 10)
def test_only_rsync(make_stage: MakeStage, aria2: Tool) -> None:
    """Case 10: aria2 drops rsync URLs, and fails without asking any mirror."""
    stage = make_stage(Scenario((GOOD, GOOD), urls=ALL_SCHEMES))
    run = aria2.run(stage.url("metalink", f"{REPOSITORY_QUERY}&protocol=rsync"))
    assert run.code == UNKNOWN_ERROR, run.output
    assert stage.asked == []


@case("aria2", 11, 13)
@pytest.mark.parametrize("more", ["&countme=3&cc=de", "&infra=$infra&content=$contentdir"])
def test_same_list(
    make_stage: MakeStage, aria2: Tool, repositories: Repositories, more: str
) -> None:
    """Cases 11 and 13: parameters of others change no byte of the list that aria2 reads."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    run = aria2.run(stage.url("metalink", REPOSITORY_QUERY + more))
    assert run.code == 0, run.output
    assert aria2.read(REPOMD) == repositories.new.repomd
    plain = stage.ask("metalink", REPOSITORY_QUERY)
    assert without_pubdate(stage.exchanges[0].body) == without_pubdate(plain.body)


@case("aria2", 14)
def test_ipv6(make_stage: MakeStage, aria2: Tool, repositories: Repositories) -> None:
    """Case 14: aria2 asks a server on an IPv6 address, and a mirror on one."""
    stage = make_stage(Scenario((GOOD, GOOD), host="::1"))
    assert_downloaded(aria2, stage, repositories)


@case("aria2", 16)
def test_never_compressed(make_stage: MakeStage, aria2: Tool, repositories: Repositories) -> None:
    """Case 16: aria2 that accepts gzip gets its list uncompressed."""
    stage = make_stage(Scenario((GOOD,)))
    run = aria2.run("--http-accept-gzip=true", stage.url("metalink"))
    assert run.code == 0, run.output
    assert aria2.read(REPOMD) == repositories.new.repomd
    (exchange,) = stage.exchanges
    assert "gzip" in (exchange.request.header("accept-encoding") or "")
    assert exchange.header("content-encoding") is None


@case("aria2", 18)
def test_media_type(make_stage: MakeStage, aria2: Tool, repositories: Repositories) -> None:
    """Case 18: aria2 follows a metalink by its media type, with its charset, and keeps no list."""
    stage = make_stage(Scenario((GOOD,)))
    assert_downloaded(aria2, stage, repositories)
    content_type = stage.exchanges[0].header("content-type") or ""
    assert content_type.partition(";")[0] == "application/metalink+xml"
    assert aria2.files == [REPOMD]


@case("aria2", 18)
def test_text_list_is_a_file(make_stage: MakeStage, aria2: Tool) -> None:
    """Case 18: a text list is not a metalink: aria2 saves it, and asks no mirror."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    run = aria2.run(stage.url("mirrorlist"))
    assert run.code == 0, run.output
    assert aria2.read("mirrorlist") == stage.exchanges[0].body
    assert stage.asked == []


@case("aria2", 19)
def test_ampersand_in_a_url(make_stage: MakeStage, aria2: Tool, repositories: Repositories) -> None:
    """Case 19: a mirror whose path holds an ampersand can be used."""
    assert_downloaded(aria2, make_stage(Scenario((GOOD,), tree="/fedora&friends")), repositories)


@case("aria2", 20)
def test_redirect(make_stage: MakeStage, aria2: Tool, repositories: Repositories) -> None:
    """Case 20: aria2 follows a redirect to the first mirror, and names the file by it."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    run = aria2.run(stage.url("mirrorlist", f"path={PACKAGE_PATH}&redirect=1"))
    assert run.code == 0, run.output
    assert aria2.read(PACKAGE_NAME) == repositories.new.package
    assert [exchange.status for exchange in stage.exchanges] == [302]
    assert stage.package_order == [0]


@case("aria2", 21)
def test_300_mirrors(make_stage: MakeStage, aria2: Tool, repositories: Repositories) -> None:
    """Case 21: a list of 300 mirrors is read, and its first mirror used."""
    stage = make_stage(Scenario((GOOD,) * 300, shuffled=True, together=True))
    assert_downloaded(aria2, stage, repositories)
    first, *others = urls_in(stage.exchanges[0])
    assert len(others) == 299
    (place,) = stage.repomd_order
    assert first.startswith(stage.mirrors[place].tree_url)


@case("aria2", 22)
def test_path_of_a_file(make_stage: MakeStage, aria2: Tool, repositories: Repositories) -> None:
    """Case 22: the metalink of a file gives aria2 its size and its hash."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    run = aria2.run(stage.url("metalink", f"path={PACKAGE_PATH}"))
    assert run.code == 0, run.output
    assert aria2.read(PACKAGE_NAME) == repositories.new.package
    (_, request), *_ = stage.asked
    assert request.header("range") == f"bytes=0-{len(repositories.new.package) - 1}"


@case("aria2", 22, 23)
@pytest.mark.parametrize(
    ("first", "query", "code"),
    [
        pytest.param(Condition.SPOILT, f"path={PACKAGE_PATH}", UNKNOWN_ERROR, id="package"),
        pytest.param(STALE, REPOSITORY_QUERY, WRONG_HASH, id="repomd.xml"),
    ],
)
def test_a_wrong_hash(
    make_stage: MakeStage, aria2: Tool, first: Condition, query: str, code: int
) -> None:
    """Cases 22 and 23: aria2 refuses a wrong file, and tries no other mirror of this host name."""
    stage = make_stage(Scenario((first, GOOD)))
    run = aria2.run(stage.url("metalink", query))
    assert run.code == code, run.output
    assert {place for place, _ in stage.asked} == {0}
