"""Writing a snapshot: whole or not at all, readable by others, nothing left beside it."""

import os
import stat
from pathlib import Path

import pytest

from snapshot.file.errors import OutputError
from snapshot.file.reader import Snapshot
from snapshot.file.writer import MODE, check_output, encode, replace_file, staged
from tests.snapshots import small_data


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000])
def test_mode(tmp_path: Path, mask: int) -> None:
    """The file can be read by all and written by its owner, whatever the umask."""
    path = tmp_path / "mm.snap"
    before = os.umask(mask)
    try:
        replace_file(path, encode(small_data()))
    finally:
        os.umask(before)
    assert _mode(path) == MODE == 0o644


def test_whole(tmp_path: Path) -> None:
    """What is written is what a reader accepts, and all that is there."""
    path = tmp_path / "mm.snap"
    replace_file(path, encode(small_data()))
    assert Snapshot(path).hosts == small_data().hosts
    assert list(tmp_path.iterdir()) == [path]


def test_not_approved(tmp_path: Path) -> None:
    """A new file that is not approved of is seen whole, and goes; the old one stays."""
    path = tmp_path / "mm.snap"
    path.write_bytes(b"old")
    seen = []

    def refuse() -> None:
        with staged(path, b"new") as written:
            seen.append(written.read_bytes())
            raise LookupError

    with pytest.raises(LookupError):
        refuse()
    assert seen == [b"new"]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_replaces_an_old_file(tmp_path: Path) -> None:
    """A reader with the old file open keeps it; a reader that opens the path gets the new one."""
    path = tmp_path / "mm.snap"
    replace_file(path, encode(small_data()))
    path.chmod(0o600)
    old = Snapshot(path)
    replace_file(path, encode(small_data(redirects={})))
    assert old.redirects == {"linux": "linux-40"}
    assert Snapshot(path).redirects == {}
    assert _mode(path) == MODE
    assert list(tmp_path.iterdir()) == [path]


def test_output_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name is a file in the working directory."""
    monkeypatch.chdir(tmp_path)
    replace_file(Path("mm.snap"), b"x")
    assert (tmp_path / "mm.snap").read_bytes() == b"x"


@pytest.mark.parametrize(
    ("output", "why"),
    [
        pytest.param("none/mm.snap", "No such file or directory", id="missing directory"),
        pytest.param("directory", "Is a directory", id="a directory"),
        pytest.param("file/mm.snap", "Not a directory", id="below a file"),
        pytest.param("x" * 300, "File name too long", id="long name"),
        pytest.param("/proc/mm.snap", "", id="where nobody can write"),
        pytest.param("/dev/null", "not a regular file", id="a device"),
    ],
)
def test_cannot_be_written(tmp_path: Path, output: str, why: str) -> None:
    """An output that cannot be written is one line that names it, and leaves nothing behind."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(OutputError) as caught:
        replace_file(tmp_path / output, encode(small_data()))
    line = str(caught.value)
    assert line.startswith(f"{tmp_path / output}: cannot be written: {why}")
    assert "\n" not in line
    assert caught.value.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "file"]
    assert (tmp_path / "file").read_bytes() == b"old"
    assert list((tmp_path / "directory").iterdir()) == []


@pytest.mark.parametrize("how", ["itself", "symlink_to", "hardlink_to"])
def test_an_output_that_is_read_as_well(tmp_path: Path, how: str) -> None:
    """A file that is read is no output, under another name too; other files are."""
    source, path = tmp_path / "mm.sqlite", tmp_path / "mm.snap"
    source.write_bytes(b"precious")
    if how == "itself":
        path = source
    else:
        getattr(path, how)(source)
    with pytest.raises(OutputError, match="cannot be written: it is also read"):
        check_output(path, [tmp_path / "none", source])
    check_output(tmp_path / "other.snap", [source])
    assert source.read_bytes() == b"precious"


def test_interrupted(tmp_path: Path) -> None:
    """A write that is interrupted leaves the old file and no other."""
    path = tmp_path / "mm.snap"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        replace_file(path, "text is not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
