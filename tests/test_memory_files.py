"""Where plain tests keep their files: in memory where that is fit, else where pytest has them."""

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import memory_files
from tests.memory_files import is_fit, use_memory


def _folder(
    monkeypatch: pytest.MonkeyPatch, folder: Path, marks: str, basetemp: str | None = None
) -> str | None:
    """Where the files of a run with these options are to be, if that was decided."""
    for name in ("TMPDIR", "PYTEST_DEBUG_TEMPROOT"):
        monkeypatch.setenv(name, "")  # so that it is as before after the test
        monkeypatch.delenv(name)
    monkeypatch.setattr(tempfile, "tempdir", None)
    option = SimpleNamespace(markexpr=marks, basetemp=basetemp)
    use_memory(SimpleNamespace(option=option), folder)  # type: ignore[arg-type]
    assert tempfile.tempdir == os.environ.get("TMPDIR")
    return tempfile.tempdir


def test_plain_tests_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run of plain tests has its files in memory; one with system tests has them on the disk."""
    monkeypatch.setattr(memory_files, "_NEEDED_BYTES", 1)
    assert _folder(monkeypatch, tmp_path, "not system") == str(tmp_path)
    assert _folder(monkeypatch, tmp_path, "") is None
    assert _folder(monkeypatch, tmp_path, "system") is None
    assert _folder(monkeypatch, tmp_path, "not system", basetemp="elsewhere") is None
    assert _folder(monkeypatch, tmp_path / "missing", "not system") is None


def test_a_small_memory_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without room for all files is not used, such as a container's 64 MB."""
    found = os.statvfs(tmp_path)
    room = found.f_bavail * found.f_frsize
    monkeypatch.setattr(memory_files, "_NEEDED_BYTES", room // 2)
    assert is_fit(tmp_path)
    monkeypatch.setattr(memory_files, "_NEEDED_BYTES", room * 2)
    assert not is_fit(tmp_path)
