"""A real wget2 and our lists: what it downloads, and from which mirror.

The case numbers are those of docs/client-matrix.md; 23 is what wget2
does in its own way. It knows one mirror, the first: a dead one ends it, and one whose file is
missing or wrong is asked again without end. So it never comes to the case of a broken first
mirror, and the list must not begin with one that is known to be behind.
"""

from pathlib import Path
from urllib.parse import unquote

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

GOOD, MISSING = Condition.GOOD, Condition.MISSING
REPOMD = "repomd.xml"
PACKAGE_NAME = Path(PACKAGE_FILE).name
# Exit code for an error answer, from its manual.
SERVER_ERROR = 8
# It never stops by itself; what it does it does a thousand times in this time.
LOOP_SECONDS = 1.5


@pytest.fixture
def wget2(tmp_path: Path) -> Tool:
    """The one wget2 of a test."""
    program = need_program("wget2", "wget2")
    settings = ("--no-config", "--no-hsts", "--tries=1", "--progress=none")
    return Tool(tmp_path, str(program), *settings)


def assert_downloaded(wget2: Tool, stage: Stage, repositories: Repositories) -> None:
    """Assert that a metalink of the repository ends with its checked, current repomd.xml."""
    run = wget2.run(stage.url("metalink"))
    assert run.code == 0, run.output
    assert f"Checksum OK for '{REPOMD}'" in run.output
    assert wget2.read(REPOMD) == repositories.new.repomd
    assert len(stage.exchanges) == 1


@case("wget2", 1, 6)
def test_good_list(make_stage: MakeStage, wget2: Tool, repositories: Repositories) -> None:
    """Cases 1 and 6: wget2 takes repomd.xml from the first of five mirrors, in the list's order."""
    stage = make_stage(Scenario((GOOD, GOOD, GOOD, MISSING, MISSING)))
    assert_downloaded(wget2, stage, repositories)
    assert stage.repomd_order == [0]


@case("wget2", 8)
def test_unknown_repository(make_stage: MakeStage, wget2: Tool) -> None:
    """Case 8: an unknown repository is one 404, which wget2 says and tells by its exit code."""
    stage = make_stage(Scenario((GOOD,)))
    run = wget2.run(stage.url("metalink", "repo=fedora-41&arch=x86_64"))
    assert run.code == SERVER_ERROR
    assert "HTTP ERROR response 404 Not Found" in run.output
    assert [exchange.status for exchange in stage.exchanges] == [404]
    assert stage.asked == []


@case("wget2", 9)
def test_disabled_repository(make_stage: MakeStage, wget2: Tool) -> None:
    """Case 9: a metalink without files is one request, and nothing is downloaded."""
    stage = make_stage(Scenario((GOOD,)))
    run = wget2.run(stage.url("metalink", "repo=fedora-38&arch=x86_64"))
    assert run.code == 0, run.output
    assert len(stage.exchanges) == 1
    assert stage.asked == []
    assert wget2.files == []


@case("wget2", 10)
@pytest.mark.parametrize(("scheme", "places"), [("http", [0]), ("rsync", [])])
def test_protocol(make_stage: MakeStage, wget2: Tool, scheme: str, places: list[int]) -> None:
    """Case 10: wget2 works with a list of http, and finds no mirror in one of rsync."""
    stage = make_stage(Scenario((GOOD, GOOD), urls=ALL_SCHEMES))
    run = wget2.run(stage.url("metalink", f"{REPOSITORY_QUERY}&protocol={scheme}"))
    assert run.code == 0, run.output
    assert {url.partition(":")[0] for url in urls_in(stage.exchanges[0])} == {scheme}
    assert stage.repomd_order == places


@case("wget2", 11, 13)
@pytest.mark.parametrize("more", ["&countme=3&cc=de", "&infra=$infra&content=$contentdir"])
def test_same_list(
    make_stage: MakeStage, wget2: Tool, repositories: Repositories, more: str
) -> None:
    """Cases 11 and 13: parameters of others change no byte of the list that wget2 reads."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    run = wget2.run(stage.url("metalink", REPOSITORY_QUERY + more))
    assert run.code == 0, run.output
    assert wget2.read(REPOMD) == repositories.new.repomd
    plain = stage.ask("metalink", REPOSITORY_QUERY)
    assert without_pubdate(stage.exchanges[0].body) == without_pubdate(plain.body)


@case("wget2", 14, 15)
def test_ipv6(make_stage: MakeStage, wget2: Tool, repositories: Repositories) -> None:
    """Cases 14 and 15: a server on an IPv6 address, which wget2 writes as a Host of `%3A%3A1`."""
    stage = make_stage(Scenario((GOOD, GOOD), host="::1"))
    assert_downloaded(wget2, stage, repositories)
    assert stage.exchanges[0].request.header("host") == "%3A%3A1"


@case("wget2", 16, 18)
def test_headers(make_stage: MakeStage, wget2: Tool, repositories: Repositories) -> None:
    """Cases 16 and 18: uncompressed, whatever wget2 accepts, and of the type that it follows."""
    stage = make_stage(Scenario((GOOD,)))
    assert_downloaded(wget2, stage, repositories)
    (exchange,) = stage.exchanges
    assert "gzip" in (exchange.request.header("accept-encoding") or "")
    assert exchange.header("content-encoding") is None
    content_type = exchange.header("content-type") or ""
    assert content_type.partition(";")[0] == "application/metalink+xml"
    assert wget2.files == [REPOMD]


@case("wget2", 18)
def test_text_list_is_a_file(make_stage: MakeStage, wget2: Tool) -> None:
    """Case 18: a text list is not a metalink: wget2 saves it, and asks no mirror."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    run = wget2.run("--output-document=list", stage.url("mirrorlist"))
    assert run.code == 0, run.output
    assert wget2.read("list") == stage.exchanges[0].body
    assert stage.asked == []


@case("wget2", 20)
def test_redirect(make_stage: MakeStage, wget2: Tool, repositories: Repositories) -> None:
    """Case 20: wget2 follows a redirect to the first mirror."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    url = stage.url("mirrorlist", f"path={PACKAGE_PATH}&redirect=1")
    run = wget2.run(f"--output-document={PACKAGE_NAME}", url)
    assert run.code == 0, run.output
    assert wget2.read(PACKAGE_NAME) == repositories.new.package
    assert [exchange.status for exchange in stage.exchanges] == [302]
    assert stage.package_order == [0]


@case("wget2", 21)
def test_300_mirrors(make_stage: MakeStage, wget2: Tool, repositories: Repositories) -> None:
    """Case 21: a list of 300 mirrors is read, and its first mirror used."""
    stage = make_stage(Scenario((GOOD,) * 300, shuffled=True, together=True))
    assert_downloaded(wget2, stage, repositories)
    first, *others = urls_in(stage.exchanges[0])
    assert len(others) == 299
    (place,) = stage.repomd_order
    assert first.startswith(stage.mirrors[place].tree_url)


@case("wget2", 22)
def test_path_of_a_file(make_stage: MakeStage, wget2: Tool, repositories: Repositories) -> None:
    """Case 22: the metalink of a file gives wget2 its size and its hash."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    run = wget2.run(stage.url("metalink", f"path={PACKAGE_PATH}"))
    assert run.code == 0, run.output
    assert f"Checksum OK for '{PACKAGE_NAME}'" in run.output
    assert wget2.read(PACKAGE_NAME) == repositories.new.package


@case("wget2", 22, 23)
@pytest.mark.parametrize(
    ("first", "query"),
    [
        pytest.param(Condition.SPOILT, f"path={PACKAGE_PATH}", id="spoilt package"),
        pytest.param(Condition.STALE, REPOSITORY_QUERY, id="stale repomd.xml"),
        pytest.param(MISSING, REPOSITORY_QUERY, id="no repomd.xml"),
    ],
)
def test_a_bad_first_mirror_is_asked_without_end(
    make_stage: MakeStage, wget2: Tool, first: Condition, query: str
) -> None:
    """Cases 22 and 23: wget2 accepts no wrong file, and asks the same mirror again and again."""
    stage = make_stage(Scenario((first, GOOD)))
    run = wget2.run(stage.url("metalink", query), seconds=LOOP_SECONDS)
    assert run.code is None
    assert "Checksum OK" not in run.output
    assert len(stage.asked) > 1
    assert {place for place, _ in stage.asked} == {0}
    assert len(stage.exchanges) == 1


@case("wget2", 23)
def test_a_dead_first_mirror_ends_it(make_stage: MakeStage, wget2: Tool) -> None:
    """Case 23: with a first mirror that refuses connections wget2 ends without a file."""
    stage = make_stage(Scenario((Condition.DEAD, GOOD)))
    run = wget2.run(stage.url("metalink"))
    assert "Connection refused" in run.output
    assert wget2.read(REPOMD) is None
    assert stage.asked == []


@case("wget2", 23)
def test_it_does_not_undo_escapes(make_stage: MakeStage, wget2: Tool) -> None:
    """Case 23: wget2 takes the `&amp;` of XML as it stands, so it misses such a mirror."""
    stage = make_stage(Scenario((GOOD,), tree="/fedora&friends"))
    wget2.run(stage.url("metalink"), seconds=LOOP_SECONDS)
    (_, request), *_ = stage.asked
    assert unquote(request.path).startswith("/fedora&amp;friends/")
    assert urls_in(stage.exchanges[0])[0].startswith(stage.mirrors[0].tree_url)
