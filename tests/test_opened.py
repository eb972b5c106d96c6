"""The published snapshot is opened once for as long as its file stays the same."""

import os
from pathlib import Path

from snapshot.export.job import Job
from snapshot.export.opened import Opened
from snapshot.export.publish import publish
from snapshot.file.writer import encode, replace_file
from tests.snapshots import small_data

KEY = b"k" * 32


def _write(path: Path, key: bytes | None = None) -> Path:
    replace_file(path, encode(small_data(), key=key))
    return path


def test_opened_once(tmp_path: Path) -> None:
    """The same file is the same object, another one is not."""
    opened, path = Opened(), _write(tmp_path / "mm.snap")
    first = opened.open(path, None)
    assert first is not None
    assert opened.open(path, None) is first
    _write(path)
    second = opened.open(path, None)
    assert second is not None
    assert second is not first


def test_another_key(tmp_path: Path) -> None:
    """A snapshot that was opened without a key is not taken for a sealed one."""
    opened, path = Opened(), _write(tmp_path / "mm.snap")
    assert opened.open(path, None)
    assert opened.open(path, KEY) is None
    _write(path, KEY)
    assert opened.open(path, KEY)


def test_no_snapshot(tmp_path: Path) -> None:
    """Neither a missing file nor a damaged one is remembered."""
    opened, path = Opened(), tmp_path / "mm.snap"
    assert opened.open(path, None) is None
    data = encode(small_data())
    replace_file(path, data[:-1] + b"x")
    assert opened.open(path, None) is None
    replace_file(path, data)
    assert opened.open(path, None)


def test_a_published_one_is_known(tmp_path: Path) -> None:
    """A snapshot that was published is not opened again, unless another file took its place."""
    opened, job = Opened(), Job(tmp_path / "mm.snap", max_loss=None)
    made = publish(job, encode(small_data()), opened=opened).snapshot
    assert opened.open(job.output, None) is made
    again = publish(job, encode(small_data(redirects={})), opened=opened).snapshot
    assert opened.open(job.output, None) is again
    assert opened.open(tmp_path / "mm.snap.1", None) is not again
    os.replace(tmp_path / "mm.snap.1", job.output)
    found = opened.open(job.output, None)
    assert found is not None
    assert found.id == made.id


def test_a_foreign_file_in_its_place(tmp_path: Path) -> None:
    """A file that another program put there meanwhile is not taken for what was written."""
    opened, path = Opened(), _write(tmp_path / "mm.snap")
    first = opened.open(path, None)
    assert first is not None
    inode = path.stat().st_ino
    _write(path)
    opened.add(path, None, inode, first)
    assert opened.open(path, None) is not first


def test_few_are_kept(tmp_path: Path) -> None:
    """After many files, only the last ones are in memory."""
    opened = Opened()
    paths = [_write(tmp_path / str(number)) for number in range(9)]
    found = [opened.open(path, None) for path in paths]
    last = zip(paths[-4:], found[-4:], strict=True)
    assert all(opened.open(path, None) is one for path, one in last)
    assert opened.open(paths[0], None) is not found[0]
