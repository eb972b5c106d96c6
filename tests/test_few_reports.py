"""That the processes of xdist, which tell little of a test, leave out nothing that goes wrong."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SUITE = """
import pytest

@pytest.fixture
def broken():
    raise OSError("before it")

@pytest.fixture
def left():
    yield
    raise OSError("after it")

def test_passes(): ...

def test_fails(): assert not "in it"

def test_broken_before(broken): ...

def test_broken_after(left): ...

def test_both(left): assert not "in it, and "

def test_skipped(): pytest.skip("no need")

@pytest.mark.skip(reason="not at all")
def test_skipped_before(): ...

@pytest.mark.xfail
def test_expected(): assert not "expected"

@pytest.mark.xfail(strict=True)
def test_unexpected(): ...
"""


def _run(folder: Path, *options: str) -> tuple[int, str, set[str]]:
    """Run the small suite with our conftest; return its code, its counts, and what it names."""
    shutil.copy(HERE / "conftest.py", folder)
    (folder / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-rA", "-c", str(HERE.parent / "pyproject.toml")]
    result = subprocess.run(
        [*command, "--rootdir", str(folder), *options, str(folder)],
        cwd=folder, env={}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    counts = result.stdout.splitlines()[-1].partition(" in ")[0].strip("= ")
    named = set(re.findall(r"^(?:PASSED|FAILED|ERROR|XFAIL|SKIPPED).*", result.stdout, re.M))
    return result.returncode, counts, named


@pytest.mark.system
def test_as_without_processes(tmp_path: Path) -> None:
    """Each outcome is told as without xdist: of a test, and of what is before and after it."""
    told = _run(tmp_path, "-n", "1")
    assert told == _run(tmp_path, "-p", "no:xdist")
    assert told[:2] == (1, "3 failed, 2 passed, 2 skipped, 1 xfailed, 3 errors")
