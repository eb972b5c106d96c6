"""Waiting for files to change, however they do."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.file.changes import changes, mounted

SECONDS = 0.01
MOST_LOOKS = 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is watched."""
    path = tmp_path / "watched"
    path.write_text("old")
    return path


@pytest.fixture
def waiting(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The changes of that file, after the first look; a change that is not seen is a failure."""
    looks: list[float] = []

    def look(seconds: float) -> None:
        looks.append(seconds)
        assert len(looks) < MOST_LOOKS, "the change was not seen"

    monkeypatch.setattr("time.sleep", look)
    found = changes([path, path.with_name("second")], SECONDS)
    next(found)
    return found


def test_at_once(path: Path) -> None:
    """The first time there is nothing to wait for, even without a file."""
    assert next(changes([path], SECONDS)) is None
    assert next(changes([path.with_name("none")], SECONDS)) is None


def test_written_in_place(path: Path, waiting: Iterator[None]) -> None:
    """A file that was written over is seen."""
    path.write_text("newer")
    next(waiting)


def test_renamed_over(path: Path, waiting: Iterator[None]) -> None:
    """Another file in its place is seen, even of the same size and time, as rsync leaves it."""
    before = path.stat()
    other = path.with_name("other")
    other.write_text("new")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.rename(path)
    next(waiting)


def test_made_readable(path: Path, waiting: Iterator[None]) -> None:
    """A file with another mode is seen, because it may be one that could not be read before."""
    path.chmod(0o640)
    next(waiting)


def test_removed_and_back(path: Path, waiting: Iterator[None]) -> None:
    """A file that goes is seen, and when it comes back too."""
    path.unlink()
    next(waiting)
    path.write_text("back")
    next(waiting)


def test_any_of_them(path: Path, waiting: Iterator[None]) -> None:
    """A second file that comes into being is seen."""
    path.with_name("second").write_text("x")
    next(waiting)


def test_only_when_at_rest(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that grows at each look is left alone until it has stopped growing."""
    looks: list[int] = []

    def grow(seconds: float) -> None:
        looks.append(len(looks))
        if len(looks) <= 5:
            path.write_text("x" * (10 + len(looks)))

    monkeypatch.setattr("time.sleep", grow)
    found = changes([path], SECONDS)
    next(found)
    next(found)
    # Five looks at a growing file, and one more that finds it unchanged.
    assert len(looks) == 6


def test_mounted(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is a mount point is named, its folder being one is as it should be."""
    table = tmp_path / "mountinfo"
    monkeypatch.setattr("snapshot.file.changes._MOUNTS", table)
    table.write_text(f"1 2 0:3 / {tmp_path.resolve()} rw - ext4 x rw\n")
    assert mounted([path]) == []
    table.write_text(f"1 2 0:3 /x {path.resolve()} rw - ext4 x rw\n")
    assert mounted([path, tmp_path / "second"]) == [path]
    table.unlink()
    assert mounted([path]) == []
