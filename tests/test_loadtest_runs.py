"""Load tests as they are run, each on the smallest data that it takes."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from loadtest.bench.cases import FLOORS, all_cases
from loadtest.bench.figures import BenchRun
from loadtest.changes.swaps import SwapsRun
from loadtest.common.members import look_at_all, members
from loadtest.common.mix import ALL_REFUSED
from loadtest.common.processes import tree
from loadtest.common.progress import show_phases
from loadtest.common.servers import Servers
from loadtest.dataset.prepared import prepare
from loadtest.soak.clients import Clients
from tests.live import ROOT, serve
from tests.system import need_program

pytestmark = pytest.mark.system

SCALE = 0.01
# A case of each kind: it would take twice the time to run them all.
CASES = (
    "memory",
    "start",
    "ours",
    "log",
    "floor-asgi",
    "floor",
    "floor-bare-close",
    "ours-close",
    "unknown",
    "path",
)
SECONDS = 180


def run(program: str, *options: object) -> subprocess.CompletedProcess[str]:
    """Run a load test to its end."""
    return subprocess.run(
        [sys.executable, "-m", f"loadtest.{program}", *map(str, options)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS,
        check=False,
    )


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    """Return what a run that succeeded printed: the cells of each row by its first one."""
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the data sets are kept between the runs."""
    return tmp_path_factory.mktemp("loadtest")


def test_bench(directory: Path, tmp_path: Path) -> None:
    """A quick run measures its cases without a failure, and its record says the same."""
    need_program("wrk", "wrk")
    only = [word for name in CASES for word in ("--only", name)]
    options = ("--quick", "--scale", SCALE, "--directory", directory, *only)
    shown = rows(run("bench", *options, "--record", tmp_path))
    (path,) = tmp_path.glob("*-server.json")
    found = msgspec.json.decode(path.read_bytes(), type=BenchRun)
    every = all_cases([SCALE], with_theirs=False)
    cases = {case.name: case for case in every if case.name in CASES}
    assert [one.case for one in found.figures] == list(cases)
    for figures in found.figures:
        (one,) = figures.rounds
        case = cases[figures.case]
        assert one.load.requests > one.load.failed == 0
        assert min(one.cpu, one.pss_after) > 0
        if case.kind in ALL_REFUSED:
            assert one.load.refused == one.load.requests
        elif case.flavour in FLOORS or case.kind in ("redirect", "path"):
            assert one.load.refused == 0
    assert found.memory is not None
    assert found.memory.requests >= 2000
    names = ["supervisor", "worker 1", "worker 2", "admin process"]
    for measured in (found.memory.start, found.memory.loaded, found.memory.looked):
        assert list(measured) == names
    # The libraries of the pages are loaded with the first look.
    assert found.memory.looked[names[-1]] > found.memory.loaded[names[-1]]
    assert len(found.starts) == 1
    assert set(cases) <= set(shown)
    assert all(f"| {name} | " in path.with_suffix(".md").read_text("utf-8") for name in cases)
    assert found.machine.command.startswith("python -m loadtest.bench --quick ")


def test_a_look_at_all_pages(directory: Path) -> None:
    """Each page that the admin process links is asked for once, and it is no worker."""
    with show_phases() as phases:
        files = prepare(directory, SCALE, 1, phases)
    with Servers() as servers:
        server = servers.ours(files.snapshot, ["--workers", "2", "--admin", "127.0.0.1:0"])
        pids, url = members(server, 2)
        assert sorted(pids.values()) == sorted(tree(server.pid))
        assert look_at_all(url) == [
            *("/chain", "/chain.json", "/health/fresh", "/health/live", "/health/ready"),
            *("/metrics", "/status", "/status.json"),
        ]


def test_bench_of_the_wrong_process(directory: Path, tmp_path: Path) -> None:
    """A process that is not the server's is found out, because it uses no CPU."""
    need_program("wrk", "wrk")
    with show_phases() as phases:
        files = prepare(directory, SCALE, 1, phases)
    options: list[object] = ["--quick", "--scale", SCALE, "--directory", directory]
    options += ["--only", "theirs"]
    with serve(files.snapshot, tmp_path) as server, subprocess.Popen(["sleep", "60"]) as sleeper:
        url = f"http://127.0.0.1:{server.port}"
        try:
            wrong = run("bench", *options, "--theirs", url, "--theirs-pid", sleeper.pid)
            right = run("bench", *options, "--theirs", url, "--theirs-pid", server.process.pid)
        finally:
            sleeper.terminate()
    assert wrong.returncode == 1
    assert "used no CPU" in wrong.stderr.splitlines()[-1]
    assert "theirs" in rows(right)


def test_profile(directory: Path) -> None:
    """A profile ends with its table; how much is in it depends on how fast wrk begins."""
    need_program("wrk", "wrk")
    options = ("--scale", SCALE, "--directory", directory, "--warm", 1, "--seconds", 2)
    done = run("bench.profiling", *options)
    assert done.returncode == 0, done.stderr
    assert " samples\n    all   alone  function\n" in done.stdout


def test_swaps(directory: Path, tmp_path: Path) -> None:
    """A run makes its snapshots, swaps between them under load, and no request fails."""
    need_program("wrk", "wrk")
    options = ("--scale", SCALE, "--swaps", 4, "--seconds", 3, "--warm", 1)
    rows(run("changes.swaps", *options, "--directory", directory, "--record", tmp_path))
    (path,) = tmp_path.glob("*-swaps.json")
    found = msgspec.json.decode(path.read_bytes(), type=SwapsRun)
    assert [len(spell.swaps) for spell in found.spells] == [0, 1, 0, 4, 0]
    assert all(spell.load.failed == 0 and spell.load.slowest > 0 for spell in found.spells)


def test_crowd(directory: Path) -> None:
    """Users of each kind get what they should, and the table says how long it took."""
    options = ("--users", 20, "--scale", SCALE, "--directory", directory)
    for seconds in (4, 15, 60):
        done = run("crowd", "--seconds", seconds, *options)
        # On a machine that does much else, the users may not begin in time.
        if "of 0 answers" not in done.stderr:
            break
    shown = rows(done)
    for kind in ("NormalDay", "ReleaseDay", "Unknown"):
        assert int(shown[kind][0].replace(",", "")) > 0
        assert shown[kind][1] == "0"
    assert "us of CPU a request" in done.stdout


def test_soak() -> None:
    """Faults at random for some seconds cost no answer, and leave what a full export gives."""
    need_program("initdb", "postgresql")
    shown = rows(run("soak", "--seconds", 10, "--scale", 0.02))
    assert shown["failed answers"] == ["0"]
    assert int(shown["lists asked for"][0].replace(",", "")) > 100
    assert int(shown["change"][0]) > 1
    assert "in the end" in shown


def test_a_failed_answer_is_seen() -> None:
    """A soak's clients note each request without an answer, after a second try."""
    with Clients("http://127.0.0.1:1", ["/metalink?repo=a&arch=b 192.0.2.1"], 1, 1) as clients:
        while not clients.failures:
            pass
    assert clients.retried
    first = clients.failures[0]
    assert (first.target, first.address) == ("/metalink?repo=a&arch=b", "192.0.2.1")
    assert "second try" in first.why


def test_rsync(directory: Path, tmp_path: Path) -> None:
    """Each method leaves the mirror as the primary is; nothing is run where nothing changed."""
    need_program("rsync", "rsync")
    options = ("--directories", 100, "--files", 2, "--changes", 5, "--methods", "full,files")
    done = run("rsync", *options, "--record", tmp_path)
    assert done.returncode == 0, done.stderr
    shown = [line.split(" | ") for line in done.stdout.splitlines() if " | f" in line]
    assert [row[1] for row in shown] == ["full", "files"] * 3
    assert all(row[-1] == "yes |" for row in shown)
    assert shown[1][3] == "no rsync"
    assert [path.suffix for path in sorted(tmp_path.glob("*-rsync-trees-full-files.*"))] == [
        *(".json", ".md")
    ]


def test_filter_cost(directory: Path) -> None:
    """More time since the last run, more directories in the answer."""
    with show_phases() as phases:
        files = prepare(directory, SCALE, 1, phases)
    shown = rows(run("rsync.filter_cost", files.snapshot))
    listed = [int(shown[since][0].replace(",", "")) for since in ("the future", "for ever")]
    assert listed[0] == 0 < listed[1]


def test_exports(tmp_path: Path) -> None:
    """Each kind of export is timed, and the record has what the table has."""
    database = f"sqlite:///{tmp_path / 'mm'}"
    options = ("--database", database, "--scale", SCALE, "--runs", 1, "--record", tmp_path)
    done = run("exports", *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(", --noise | ") == 2
    assert len(list(tmp_path.glob("*-exports.*"))) == 2
