"""A real rsync and our lists: a mirror's cron job takes the first rsync URL that works.

The case numbers are those of docs/client-matrix.md. rsync reads no
list itself: a script of a few lines does, as administrators write it. 23 is what rsync does
with a list that was not made for it.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.conftest import MakeStage
from tests.clients.matrix import case
from tests.clients.mirrors import Condition
from tests.clients.packages import PACKAGE_FILE, Repositories
from tests.clients.recording import Exchange
from tests.clients.rsync import SCRIPT, Daemon, run_daemon
from tests.clients.stage import REPOSITORY_QUERY, Scenario, urls_in
from tests.clients.tool import Tool
from tests.system import need_ipv6, need_program

pytestmark = pytest.mark.system

GOOD = Condition.GOOD
RSYNC_QUERY = f"{REPOSITORY_QUERY}&protocol=rsync"
ERROR_ANSWER = 22

MakeDaemon = Callable[..., Daemon]


@pytest.fixture
def rsync(tmp_path: Path) -> Tool:
    """The one cron job of a test."""
    need_program("rsync", "rsync")
    need_program("curl", "curl")
    folder = tmp_path / "client"
    folder.mkdir()
    return Tool(folder, "sh", "-c", SCRIPT, "sh")


@pytest.fixture
def make_daemon(tmp_path: Path, repositories: Repositories) -> Iterator[MakeDaemon]:
    """Runs the rsync daemon of a test: module names that give the repository, an address."""
    tree = tmp_path / "tree"
    # A copy: the daemon follows no link out of its module.
    shutil.copytree(repositories.new.folder, tree / "40" / "x86_64")
    with ExitStack() as stack:

        def make(*modules: str, host: str = "127.0.0.1") -> Daemon:
            folders = dict.fromkeys(modules, tree)
            return stack.enter_context(run_daemon(tmp_path, host, folders))

        yield make


def assert_copied(rsync: Tool, repositories: Repositories) -> None:
    """Assert that the copy holds the current repository's files."""
    assert rsync.read("copy/repodata/repomd.xml") == repositories.new.repomd
    assert rsync.read(f"copy/{PACKAGE_FILE}") == repositories.new.package


def schemes_in(exchange: Exchange) -> list[str]:
    """The schemes of a list's URLs."""
    return [url.partition(":")[0] for url in urls_in(exchange)]


@case("rsync", 1, 7, 10)
def test_good_list(
    make_own_stage: MakeStage, make_daemon: MakeDaemon, rsync: Tool, repositories: Repositories
) -> None:
    """Cases 1, 7 and 10: a list of rsync URLs alone, past its comments, gives the repository."""
    daemon = make_daemon("m0", "m1")
    stage = make_own_stage(Scenario((GOOD, GOOD), urls=("{mirror}", f"{daemon.url}/m{{place}}")))
    run = rsync.run(stage.url("mirrorlist", f"{RSYNC_QUERY}&time=1"))
    assert run.code == 0, run.output
    assert_copied(rsync, repositories)
    assert daemon.asked == ["m0/40/x86_64/"]
    assert schemes_in(stage.exchanges[0]) == ["rsync", "rsync"]
    assert stage.asked == []


@case("rsync", 5)
def test_first_mirror_dead(
    make_own_stage: MakeStage, make_daemon: MakeDaemon, rsync: Tool, repositories: Repositories
) -> None:
    """Case 5: a first mirror that refuses connections is passed, and the second used."""
    daemon = make_daemon("m", host="127.0.1.1")
    # The first mirror is 127.0.0.1, where nobody listens on that port.
    urls = (f"{daemon.url}/m".replace("127.0.1.1", "127.0.{place}.1"),)
    stage = make_own_stage(Scenario((GOOD, GOOD), urls=urls))
    run = rsync.run(stage.url("mirrorlist", RSYNC_QUERY))
    assert run.code == 0, run.output
    assert "Connection refused" in run.output
    assert_copied(rsync, repositories)
    assert daemon.asked == ["m/40/x86_64/"]


@case("rsync", 6)
def test_order_of_five(
    make_own_stage: MakeStage, make_daemon: MakeDaemon, rsync: Tool, repositories: Repositories
) -> None:
    """Cases 5 and 6: mirrors without the module are passed in the list's order."""
    daemon = make_daemon("m4")
    stage = make_own_stage(Scenario((GOOD,) * 5, urls=(f"{daemon.url}/m{{place}}",)))
    run = rsync.run(stage.url("mirrorlist", RSYNC_QUERY))
    assert run.code == 0, run.output
    unknown = [line for line in run.output.splitlines() if "Unknown module" in line]
    assert [line.split("'")[1] for line in unknown] == ["m0", "m1", "m2", "m3"]
    assert_copied(rsync, repositories)


@case("rsync", 8)
def test_unknown_repository(make_stage: MakeStage, rsync: Tool) -> None:
    """Case 8: an unknown repository is one 404, on which the script stops."""
    stage = make_stage(Scenario((GOOD,)))
    run = rsync.run(stage.url("mirrorlist", "repo=fedora-41&arch=x86_64&protocol=rsync"))
    assert run.code == ERROR_ANSWER
    assert "404" in run.output
    assert rsync.read("list") is None
    assert len(stage.exchanges) == 1


@case("rsync", 9)
@pytest.mark.parametrize(
    "query",
    [
        pytest.param("repo=fedora-38&arch=x86_64&protocol=rsync", id="9 disabled"),
    ],
)
def test_no_mirror(make_stage: MakeStage, rsync: Tool, query: str) -> None:
    """Case 9: an error with 200 has no line that names a mirror."""
    stage = make_stage(Scenario((GOOD,)))
    run = rsync.run(stage.url("mirrorlist", query))
    assert (run.code, run.output) == (1, "no mirror works\n")
    assert b"://" not in (rsync.read("list") or b"://")
    assert stage.asked == []


@case("rsync", 23)
def test_no_mirror_has_rsync(make_stage: MakeStage, rsync: Tool) -> None:
    """Case 23: if no mirror has rsync, the answer is 404, on which the script stops."""
    stage = make_stage(Scenario((GOOD,)))
    run = rsync.run(stage.url("mirrorlist", RSYNC_QUERY))
    assert run.code == ERROR_ANSWER
    assert "404" in run.output
    assert stage.asked == []


@case("rsync", 14)
def test_ipv6(
    make_own_stage: MakeStage, make_daemon: MakeDaemon, rsync: Tool, repositories: Repositories
) -> None:
    """Case 14: list server and mirror on an IPv6 address."""
    need_ipv6()
    daemon = make_daemon("m", host="::1")
    scenario = Scenario((GOOD,), urls=("{mirror}", f"{daemon.url}/m"), host="::1")
    stage = make_own_stage(scenario)
    run = rsync.run(stage.url("mirrorlist", RSYNC_QUERY))
    assert run.code == 0, run.output
    assert_copied(rsync, repositories)


@case("rsync", 19)
def test_ampersand_in_a_url(
    make_own_stage: MakeStage, make_daemon: MakeDaemon, rsync: Tool, repositories: Repositories
) -> None:
    """Case 19: a module with an ampersand in its name stands as it is in a text list."""
    daemon = make_daemon("fedora&friends")
    stage = make_own_stage(Scenario((GOOD,), urls=(f"{daemon.url}/fedora&friends",)))
    run = rsync.run(stage.url("mirrorlist", RSYNC_QUERY))
    assert run.code == 0, run.output
    assert_copied(rsync, repositories)


@case("rsync", 23)
def test_without_protocol(
    make_own_stage: MakeStage, make_daemon: MakeDaemon, rsync: Tool, repositories: Repositories
) -> None:
    """Case 23: a list that was not asked for rsync has the http URL, useless to rsync."""
    daemon = make_daemon("m")
    stage = make_own_stage(Scenario((GOOD,), urls=("{mirror}", f"{daemon.url}/m")))
    run = rsync.run(stage.url("mirrorlist"))
    assert run.code == 1, run.output
    assert schemes_in(stage.exchanges[0]) == ["http"]
    assert daemon.asked == []
