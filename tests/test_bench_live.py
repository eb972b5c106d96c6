"""The bench as it is run: all cases on a tiny data set, and errors of one line."""

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from loadtest.cases import FLOORS, all_cases
from loadtest.figures import Run
from loadtest.mix import ALL_REFUSED
from loadtest.progress import show_phases
from loadtest.stage import prepare
from tests.live import ROOT, serve
from tests.system import need_program

pytestmark = pytest.mark.system

SCALES = (0.01, 0.02)
SECONDS = 180


def bench(*options: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the bench to its end."""
    return subprocess.run(
        [sys.executable, "-m", "loadtest.bench", *map(str, options)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=SECONDS,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the data sets are kept between the runs."""
    need_program("wrk", "wrk")
    return tmp_path_factory.mktemp("bench")


def test_all_cases(directory: Path, tmp_path: Path) -> None:
    """A quick run measures every case without a failure, and its record says the same."""
    scales = [word for scale in SCALES for word in ("--scale", scale)]
    done = bench("--quick", *scales, "--directory", directory, "--record", tmp_path)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*-server.json")
    run = msgspec.json.decode(path.read_bytes(), type=Run)
    cases = {case.name: case for case in all_cases(SCALES, with_incumbent=False)}
    assert [one.case for one in run.figures] == list(cases)
    for one in run.figures:
        (only,) = one.rounds
        assert only.load.requests > 0
        assert only.load.failed == 0
        assert only.cpu > 0
        assert only.pss_after > 0
        case = cases[one.case]
        if case.kind in ALL_REFUSED:
            assert only.load.refused == only.load.requests
        elif case.flavour in FLOORS or case.kind in ("redirect", "path"):
            assert only.load.refused == 0
    assert run.memory is not None
    assert run.memory.requests >= 2000
    assert len(run.memory.workers) == 2
    assert len(run.starts) == 1
    written = path.with_suffix(".md").read_text(encoding="utf-8")
    for name in cases:
        row = f"| {name} | "
        assert row in done.stdout
        assert row in written
    assert "| PSS, supervisor and two workers | 120 MB | " in done.stdout


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
    return port


def test_no_incumbent(directory: Path) -> None:
    """An incumbent that does not answer, or a process that is none, is one line."""
    port = _free_port()
    for pid, words in ((os.getpid(), "no answer"), (2**22 + 1, "cannot be looked at")):
        url = f"http://127.0.0.1:{port}"
        done = bench("--incumbent", url, "--incumbent-pid", pid, "--directory", directory)
        assert done.returncode == 1
        assert done.stdout == ""
        (line,) = done.stderr.splitlines()
        assert words in line


def test_no_wrk(directory: Path) -> None:
    """Without wrk the bench says how to get it."""
    done = bench("--quick", "--directory", directory, PATH="/nowhere")
    assert done.returncode == 1
    assert done.stderr == "Error: wrk is needed: apt-get install wrk\n"


def test_the_wrong_process(directory: Path, tmp_path: Path) -> None:
    """A process that is not the server's is found out, as it uses no CPU."""
    with show_phases() as phases:
        stage = prepare(directory, SCALES[0], 1, phases)
    options = ["--quick", "--scale", SCALES[0], "--directory", directory, "--only", "incumbent"]
    with serve(stage.snapshot, tmp_path) as server, subprocess.Popen(["sleep", "60"]) as sleeper:
        url = f"http://127.0.0.1:{server.port}"
        try:
            wrong = bench(*options, "--incumbent", url, "--incumbent-pid", sleeper.pid)
            right = bench(*options, "--incumbent", url, "--incumbent-pid", server.process.pid)
        finally:
            sleeper.terminate()
    assert wrong.returncode == 1
    assert "used no CPU" in wrong.stderr.splitlines()[-1]
    assert right.returncode == 0, right.stderr
    assert "| incumbent | " in right.stdout
