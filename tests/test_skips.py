"""That a test which cannot run is named and counted, and fails where all tests must run."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system import find_program, need_module, need_program

HERE = Path(__file__).parent
SUITE = """
import pytest
pytestmark = pytest.mark.system

@pytest.fixture
def dnf():
    pytest.skip("no dnf here")

def test_in_fixture(dnf): ...

@pytest.mark.skipif(True, reason="no rpm here")
def test_by_mark(): ...

@pytest.mark.xfail(reason="a known difference")
def test_expected(): assert False

def test_that_runs(): ...

def test_halfway():
    pytest.skip("no zypper here")

def test_without_power():
    pytest.skip("this machine cannot do it: no such kernel")
"""
MODULE = 'import pytest\npytest.skip("no librepo here", allow_module_level=True)'


def _run(folder: Path, require_all: str) -> subprocess.CompletedProcess[str]:
    """Run the small suite with our conftest and settings."""
    shutil.copy(HERE / "conftest.py", folder)
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "test_module.py").write_text(MODULE)
    command = [sys.executable, "-m", "pytest", "--continue-on-collection-errors"]
    command += ["-c", str(HERE.parent / "pyproject.toml"), "--rootdir", str(folder), str(folder)]
    environment = {"REQUIRE_ALL": require_all}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.system
def test_what_is_not_run_is_named(tmp_path: Path) -> None:
    """Skipped tests and modules are named with their reason; system tests are counted."""
    result = _run(tmp_path, require_all="")
    assert result.returncode == 0, result.stdout
    assert "test_suite.py::test_in_fixture: no dnf here" in result.stdout
    assert "test_suite.py::test_by_mark: no rpm here" in result.stdout
    assert "test_suite.py::test_halfway: no zypper here" in result.stdout
    assert "test_module.py: no librepo here" in result.stdout
    assert "2 run, 4 not run" in result.stdout
    assert "1 passed, 5 skipped, 1 xfailed" in result.stdout


@pytest.mark.system
def test_what_is_not_run_fails_where_all_must_run(tmp_path: Path) -> None:
    """With REQUIRE_ALL=1 such a test or module has failed, unless the machine cannot do it."""
    result = _run(tmp_path, require_all="1")
    assert result.returncode != 0
    for reason in ("no dnf here", "no rpm here", "no zypper here", "no librepo here"):
        assert f"not run, but REQUIRE_ALL=1: {reason}" in result.stdout
    assert "1 failed, 1 passed, 1 skipped, 1 xfailed, 3 errors" in result.stdout
    assert "test_suite.py::test_without_power: this machine cannot do it: no such" in result.stdout


def test_a_missing_program_skips_with_its_package() -> None:
    """A test that needs a missing program or module is skipped, and says which package has it."""
    with pytest.raises(pytest.skip.Exception, match=r"no-such-program .*package some-package"):
        need_program("no-such-program", "some-package")
    with pytest.raises(pytest.skip.Exception, match=r"no_such_module .*package python3-some"):
        need_module("no_such_module", "python3-some")


def test_a_program_that_is_here_is_found() -> None:
    """A program on the PATH is found, and asking for it gives its path."""
    assert need_program("sh", "dash") == find_program("sh")
    assert find_program("sh") is not None
