"""A real curl and our lists: what a person, a script or a monitor sees of the server.

The case numbers are those of docs/client-matrix.md. curl itself takes
nothing from a list; 23 is what it no longer does (metalinks) and what the server does not
believe (other headers than X-Forwarded-For about an address).
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clients.conftest import MakeStage
from tests.clients.matrix import case
from tests.clients.mirrors import Condition
from tests.clients.packages import PACKAGE_FILE, Repositories
from tests.clients.recording import find_header, without_pubdate
from tests.clients.stage import ALL_SCHEMES, PACKAGE_PATH, REPOSITORY_QUERY, Scenario, Stage
from tests.clients.tool import Tool
from tests.system import need_program

pytestmark = pytest.mark.system

GOOD = Condition.GOOD
PACKAGE_NAME = Path(PACKAGE_FILE).name
# Exit codes, from its manual.
BAD_USE, ERROR_ANSWER = 2, 22

either_kind = pytest.mark.parametrize("kind", ["metalink", "mirrorlist"])


@dataclass(frozen=True, slots=True)
class Answer:
    """What curl got: status line, headers and body."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case; None without it."""
        return find_header(self.headers, name)

    @property
    def lines(self) -> list[str]:
        """The lines of a text list that are no comments."""
        return [line for line in self.body.decode().splitlines() if not line.startswith("#")]


@pytest.fixture
def curl(tmp_path: Path) -> Tool:
    """The one curl of a test; it reads no settings."""
    program = need_program("curl", "curl")
    return Tool(tmp_path, str(program), "--disable", "--silent", "--show-error", "--globoff")


def get(curl: Tool, url: str, *options: str) -> Answer:
    """Get one answer with curl, whatever its status."""
    run = curl.run(*options, "--dump-header", "head", "--output", "body", url)
    assert run.code == 0, run.output
    line, *fields = (curl.read("head") or b"").decode("latin-1").rstrip().split("\r\n")
    pairs = (field.partition(": ") for field in fields)
    return Answer(line, tuple((name, value) for name, _, value in pairs), curl.read("body") or b"")


def assert_list(answer: Answer, stage: Stage) -> None:
    """Assert that an answer is the stage's whole text list, in its order."""
    assert answer.line.startswith("HTTP/1.1 200")
    assert tuple(answer.lines) == stage.repository_urls


@case("curl", 1, 6, 7)
def test_good_list(make_stage: MakeStage, curl: Tool, repositories: Repositories) -> None:
    """Cases 1, 6 and 7: a script reads five mirrors in order, and takes a file of the first."""
    stage = make_stage(Scenario((GOOD,) * 5))
    answer = get(curl, stage.url("mirrorlist", f"{REPOSITORY_QUERY}&time=1"))
    assert_list(answer, stage)
    assert answer.body.startswith(b"# repo = fedora-40 arch = x86_64 ")
    assert b"\n# database creation time: " in answer.body
    assert get(curl, f"{answer.lines[0]}repodata/repomd.xml").body == repositories.new.repomd
    assert stage.repomd_order == [0]


@case("curl", 5)
def test_script_passes_a_dead_mirror(
    make_stage: MakeStage, curl: Tool, repositories: Repositories
) -> None:
    """Case 5: a script that goes through the list ends on the second mirror."""
    stage = make_stage(Scenario((Condition.DEAD, Condition.MISSING, GOOD)))
    for base in get(curl, stage.url("mirrorlist")).lines:
        if curl.run("--fail", "--output", "repomd.xml", f"{base}repodata/repomd.xml").code == 0:
            break
    assert curl.read("repomd.xml") == repositories.new.repomd
    assert stage.repomd_order == [1, 2]


@case("curl", 8)
@either_kind
def test_unknown_repository(make_stage: MakeStage, curl: Tool, kind: str) -> None:
    """Case 8: an unknown repository is a short 404, an error to `curl --fail`."""
    stage = make_stage(Scenario((GOOD,)))
    url = stage.url(kind, "repo=fedora-41&arch=x86_64")
    assert curl.run("--fail", url).code == ERROR_ANSWER
    answer = get(curl, url)
    assert answer.line.startswith("HTTP/1.1 404")
    assert b"error: invalid repo or arch" in answer.body
    assert len(answer.body) < 1024


@case("curl", 9)
@pytest.mark.parametrize(
    ("query", "reason"),
    [
        pytest.param("repo=fedora-38&arch=x86_64", "repo disabled", id="disabled"),
        pytest.param("repo=fedora-40", "# either path=, or repo= and arch=", id="no arch"),
        pytest.param("", "# either path=, or repo= and arch=", id="nothing"),
    ],
)
def test_no_list(make_stage: MakeStage, curl: Tool, query: str, reason: str) -> None:
    """Case 9: a disabled repository or a missing parameter is one line that says why."""
    answer = get(curl, make_stage(Scenario((GOOD,))).url("mirrorlist", query))
    assert answer.line.startswith("HTTP/1.1 200")
    assert reason in answer.body.decode()
    assert "://" not in answer.body.decode()


@case("curl", 10)
@pytest.mark.parametrize("protocol", ["http", "https", "rsync", "rsync,https"])
def test_protocol(make_stage: MakeStage, curl: Tool, protocol: str) -> None:
    """Case 10: a list has the schemes that were asked for, and no others."""
    stage = make_stage(Scenario((GOOD, GOOD), urls=ALL_SCHEMES))
    answer = get(curl, stage.url("mirrorlist", f"{REPOSITORY_QUERY}&protocol={protocol}"))
    schemes = [line.partition(":")[0] for line in answer.lines]
    assert sorted(schemes) == sorted(protocol.split(",") * 2)


@case("curl", 11, 12, 13)
@either_kind
@pytest.mark.parametrize(
    "query",
    [
        pytest.param(f"{REPOSITORY_QUERY}&countme=4", id="11 countme"),
        pytest.param(f"{REPOSITORY_QUERY}&cc=de&release=40&x", id="11 others'"),
        pytest.param("arch=x86_64&repo=fedora-40", id="12 sorted"),
        pytest.param("arch=x86%5F64&repo=%66edora%2D40", id="12 encoded"),
        pytest.param(f"{REPOSITORY_QUERY}&infra=$infra", id="13 raw variable"),
    ],
)
def test_same_list(make_stage: MakeStage, curl: Tool, kind: str, query: str) -> None:
    """Cases 11 to 13: the same question in other words gets the same bytes."""
    stage = make_stage(Scenario((GOOD,) * 8, shuffled=True))
    answer = get(curl, stage.url(kind, query))
    plain = get(curl, stage.url(kind))
    strip = without_pubdate if kind == "metalink" else bytes
    assert strip(answer.body) == strip(plain.body)
    assert plain.body.count(b"/40/x86_64/") == 8


@case("curl", 14)
def test_ipv6(make_stage: MakeStage, curl: Tool) -> None:
    """Case 14: a server on an IPv6 address answers as any other."""
    stage = make_stage(Scenario((GOOD, GOOD), host="::1"))
    assert_list(get(curl, stage.url("mirrorlist")), stage)


@case("curl", 15)
@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["--http1.0"], id="HTTP/1.0"),
        pytest.param(["--http2"], id="upgrade to HTTP/2"),
        pytest.param(["--header", "User-Agent:"], id="no User-Agent"),
        pytest.param(["--header", "Host:"], id="no Host"),
        pytest.param(["--header", "Host;"], id="empty Host"),
        pytest.param(["--header", "Host: x y/../z"], id="odd Host"),
        pytest.param(
            ["--request", "GET", "--header", "Transfer-Encoding: chunked", "--data", "x"],
            id="chunked body",
        ),
        pytest.param(["--range", "0-9"], id="range"),
        pytest.param(["--time-cond", "2036-01-01"], id="If-Modified-Since"),
    ],
)
def test_odd_requests(make_stage: MakeStage, curl: Tool, options: list[str]) -> None:
    """Case 15: old, bare and odd requests get the whole list."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    assert_list(get(curl, stage.url("mirrorlist"), *options), stage)


@case("curl", 15)
@either_kind
def test_head(make_stage: MakeStage, curl: Tool, kind: str) -> None:
    """Case 15: HEAD has the headers of GET, and no body."""
    url = make_stage(Scenario((GOOD, GOOD))).url(kind)
    got = get(curl, url)
    head = curl.run("--head", url).output
    lines = head.replace("\r\n", "\n").strip().split("\n")
    names = ("content-type", "cache-control", "content-length")
    assert lines[0] == got.line
    assert {f"{name}: {got.header(name)}" for name in names} <= set(lines)
    assert int(got.header("content-length") or 0) == len(got.body) > 0


@case("curl", 16)
@either_kind
def test_never_compressed(make_stage: MakeStage, curl: Tool, kind: str) -> None:
    """Case 16: to a curl that accepts every compression, the list comes as it is."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    answer = get(curl, stage.url(kind), "--compressed")
    assert "gzip" in (stage.exchanges[0].request.header("accept-encoding") or "")
    assert answer.header("content-encoding") is None
    assert b"/40/x86_64/" in answer.body


@case("curl", 17)
def test_refresh(make_own_stage: MakeStage, curl: Tool, repositories: Repositories) -> None:
    """Case 17: after a new snapshot the same URL gives the new repository's hash."""
    stage = make_own_stage(Scenario((GOOD,), yesterday=True))
    assert repositories.old.hashes["sha256"].encode() in get(curl, stage.url("metalink")).body
    stage.become(Scenario((GOOD,)))
    answer = get(curl, stage.url("metalink"))
    assert repositories.new.hashes["sha256"].encode() in answer.body
    assert repositories.old.hashes["sha256"].encode() not in answer.body


@case("curl", 18)
@pytest.mark.parametrize(
    ("kind", "media_type"), [("metalink", "application/metalink+xml"), ("mirrorlist", "text/plain")]
)
def test_media_type(make_stage: MakeStage, curl: Tool, kind: str, media_type: str) -> None:
    """Case 18: each kind of list has its own media type, and no shared cache may keep it."""
    answer = get(curl, make_stage(Scenario((GOOD,))).url(kind))
    assert (answer.header("content-type") or "").partition(";")[0] == media_type
    assert answer.header("cache-control") == "private"


@case("curl", 19)
def test_ampersand_in_a_url(make_stage: MakeStage, curl: Tool) -> None:
    """Case 19: an ampersand stands as it is in a text list, and escaped in a metalink."""
    stage = make_stage(Scenario((GOOD,), tree="/fedora&friends"))
    assert_list(get(curl, stage.url("mirrorlist")), stage)
    metalink = get(curl, stage.url("metalink")).body
    assert b"/fedora&amp;friends/" in metalink
    assert b"/fedora&friends/" not in metalink


@case("curl", 20)
def test_redirect(make_stage: MakeStage, curl: Tool, repositories: Repositories) -> None:
    """Case 20: a redirect is one hop to the first mirror's file."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    url = stage.url("mirrorlist", f"path={PACKAGE_PATH}&redirect=1")
    run = curl.run("--location", "--write-out", "%{num_redirects}", "--output", PACKAGE_NAME, url)
    assert (run.code, run.output) == (0, "1")
    assert curl.read(PACKAGE_NAME) == repositories.new.package
    assert stage.package_order == [0]


@case("curl", 21)
@either_kind
def test_300_mirrors(make_stage: MakeStage, curl: Tool, kind: str) -> None:
    """Case 21: a list of 300 mirrors comes whole."""
    stage = make_stage(Scenario((GOOD,) * 300, shuffled=True, together=True))
    body = get(curl, stage.url(kind)).body.decode()
    assert all(mirror.repository_url in body for mirror in stage.mirrors)


@case("curl", 22)
def test_path_of_a_file(make_stage: MakeStage, curl: Tool, repositories: Repositories) -> None:
    """Case 22: the metalink of a file tells the size and the hashes of what a mirror has."""
    stage = make_stage(Scenario((GOOD, GOOD)))
    metalink = get(curl, stage.url("metalink", f"path={PACKAGE_PATH}")).body.decode()
    package = repositories.new.package
    assert f"<size>{len(package)}</size>" in metalink
    assert get(curl, f"{stage.mirrors[0].tree_url}/40/x86_64/{PACKAGE_FILE}").body == package
    assert f'<file name="{PACKAGE_NAME}">' in metalink


@case("curl", 23)
def test_it_no_longer_reads_metalinks(make_stage: MakeStage, curl: Tool) -> None:
    """Case 23: `curl --metalink` is refused by curl itself, before any request."""
    stage = make_stage(Scenario((GOOD,)))
    assert curl.run("--metalink", stage.url("metalink")).code == BAD_USE
    assert stage.exchanges == []


@case("curl", 23)
@pytest.mark.parametrize(
    "header",
    ["Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1", "True-Client-IP: 192.0.2.1"],
)
def test_headers_that_nobody_believes(make_stage: MakeStage, curl: Tool, header: str) -> None:
    """Case 23: no header but a trusted proxy's X-Forwarded-For says who a client is.

    Such a header says that somebody asks through the proxy: a stranger, who is near no mirror.
    """
    stage = make_stage(Scenario((GOOD, GOOD)))
    answer = get(curl, stage.url("mirrorlist"), "--header", header)
    assert answer.line.startswith("HTTP/1.1 200")
    assert b"country = global" in answer.body
    assert b" Using preferred netblock " not in answer.body
    assert sorted(answer.body.decode().splitlines()[1:]) == sorted(stage.repository_urls)


@case("curl", 23)
def test_proxy_protocol_is_refused(make_stage: MakeStage, curl: Tool) -> None:
    """Case 23: the PROXY protocol, which the server does not speak, is a plain 400."""
    stage = make_stage(Scenario((GOOD,)))
    answer = get(curl, stage.url("mirrorlist"), "--haproxy-protocol")
    assert answer.line.startswith("HTTP/1.1 400")
    assert answer.header("connection") == "close"
    assert answer.body == b"This is not a request that HTTP knows."
