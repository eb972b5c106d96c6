"""A new snapshot in the place of the old one: the last two kept, one writer at a time."""

import fcntl
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from snapshot.export.job import Job
from snapshot.export.publish import lock, publish
from snapshot.file.errors import BackendError, OutputError, RefusedSnapshot
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.snapshots import BUILT, READ, small_data


def content(read: int, key: bytes | None = None, **changes: object) -> bytearray:
    """Return a snapshot file of a database read this many seconds after a fixed time.

    Each read gives another continent, so that the id changes.
    """
    changes = {"continents": {"DE": f"{read:02}"}, **changes}
    return encode(small_data(read=READ + read, **changes), BUILT, key)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the snapshots of a test go; its folder is empty."""
    return tmp_path / "mm.snap"


def files(path: Path) -> dict[str, bytes]:
    """Return every file beside a snapshot, and its own, with their bytes."""
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


def test_the_last_two_are_kept(path: Path) -> None:
    """What was published becomes .1, what was that becomes .2, and what was that goes."""
    for read in range(4):
        publish(Job(path, max_loss=30), content(read))
    assert files(path) == {
        "mm.snap": content(3),
        "mm.snap.1": content(2),
        "mm.snap.2": content(1),
    }


def test_the_first(path: Path) -> None:
    """The first snapshot is alone, readable by everybody, and what is returned."""
    published = publish(Job(path, max_loss=30), content(0))
    assert files(path) == {"mm.snap": content(0)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert published.snapshot.id == Snapshot(path).id


def test_the_umask_does_not_matter(path: Path) -> None:
    """Readers are other users, whatever the exporter's umask says."""
    before = os.umask(0o077)
    try:
        publish(Job(path, max_loss=30), content(0))
        publish(Job(path, max_loss=30), content(1))
    finally:
        os.umask(before)
    for name in ("mm.snap", "mm.snap.1"):
        assert stat.S_IMODE(path.with_name(name).stat().st_mode) == 0o644


def test_an_equal_one_keeps_nothing_twice(path: Path) -> None:
    """The same content again replaces the file, whose read is newer, and moves nothing."""
    publish(Job(path, max_loss=30), content(0))
    publish(Job(path, max_loss=30), content(1))
    again = encode(small_data(read=READ + 2, continents={"DE": "01"}), BUILT)
    publish(Job(path, max_loss=30), again)
    assert files(path) == {"mm.snap": again, "mm.snap.1": content(0)}


@pytest.mark.parametrize(
    ("new", "max_loss", "error"),
    [
        pytest.param(
            content(1, directories=[], repositories=[], file_details={}, redirects={}),
            100,
            RefusedSnapshot,
            id="empty",
        ),
        pytest.param(content(-1), 100, RefusedSnapshot, id="older"),
        pytest.param(content(1, host_sets=[0, 0]), 99, RefusedSnapshot, id="lost"),
        pytest.param(content(1)[:-1], None, BackendError, id="cut short"),
        pytest.param(bytearray(b"junk"), None, BackendError, id="no snapshot"),
    ],
)
def test_what_is_refused_changes_nothing(
    path: Path, new: bytearray, max_loss: int | None, error: type[BackendError]
) -> None:
    """A refused snapshot leaves the published one and the two before it as they were."""
    for read in (-4, -2, 0):
        publish(Job(path, max_loss=30), content(read))
    before = files(path)
    with pytest.raises(error):
        publish(Job(path, max_loss=max_loss), new)
    assert files(path) == before


def test_forced(path: Path) -> None:
    """Without a limit nothing is asked: an older snapshot that lost everything is published."""
    publish(Job(path, max_loss=30), content(0))
    forced = content(-1, host_sets=[0, 0])
    publish(Job(path, max_loss=None), forced)
    assert files(path) == {"mm.snap": forced, "mm.snap.1": content(0)}


@pytest.mark.parametrize("junk", [b"", content(5)[:-1]], ids=["empty", "cut"])
def test_a_damaged_old_one(path: Path, junk: bytes) -> None:
    """A published file that no server can use holds nothing up, and is not worth keeping."""
    path.write_bytes(junk)
    publish(Job(path, max_loss=0), content(0))
    assert files(path) == {"mm.snap": content(0)}


def test_a_foreign_old_one(path: Path) -> None:
    """With a key, a file without its seal is no measure for the new one."""
    path.write_bytes(content(9))
    publish(Job(path, key=b"key", max_loss=0), content(0, b"key"))
    assert Snapshot(path, b"key").read == READ


def test_a_disk_without_hard_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file system has no hard links, the kept file is a copy."""

    def refuse(*names: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    publish(Job(path, max_loss=30), content(0))
    monkeypatch.setattr("os.link", refuse)
    publish(Job(path, max_loss=30), content(1))
    assert files(path) == {"mm.snap": content(1), "mm.snap.1": content(0)}


@pytest.mark.parametrize("call", ["os.link", "os.replace", "os.fsync"])
def test_a_disk_that_fails(path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """A disk that fails in the middle is one line, and the published file is the old one."""
    publish(Job(path, max_loss=30), content(0))

    def fail(*names: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(call, fail)
    with pytest.raises(OutputError, match=r"mm\.snap.*: cannot be written: Input/output error"):
        publish(Job(path, max_loss=30), content(1))
    assert files(path) == {"mm.snap": content(0)}


def test_the_order_of_the_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are on the disk before the name is, and the name before the export says so."""
    done: list[str] = []
    sync, rename = os.fsync, os.replace

    def record_sync(handle: int) -> None:
        done.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def record_rename(old: str, new: str) -> None:
        done.append("rename")
        rename(old, new)

    monkeypatch.setattr("os.fsync", record_sync)
    monkeypatch.setattr("os.replace", record_rename)
    publish(Job(path, max_loss=30), content(0))
    assert done == ["file", "rename", "directory"]


def test_killed_before_its_place_was_taken(path: Path) -> None:
    """An export that kept the old file and was killed then does not cost the file before it."""
    publish(Job(path, max_loss=30), content(0))
    publish(Job(path, max_loss=30), content(1))
    # As killed between the two: .1 and .2 have moved on, the file itself is the old one.
    os.replace(path.with_name("mm.snap.1"), path.with_name("mm.snap.2"))
    os.link(path, path.with_name("mm.snap.1"))
    publish(Job(path, max_loss=30), content(2))
    assert files(path) == {
        "mm.snap": content(2),
        "mm.snap.1": content(1),
        "mm.snap.2": content(0),
    }


def test_the_lock_leaves_nothing(path: Path) -> None:
    """While it is held there is a lock file; afterwards there is none, even after an error."""
    with lock(path):
        assert list(files(path)) == [".mm.snap.lock"]
    with pytest.raises(ZeroDivisionError), lock(path):
        raise ZeroDivisionError
    assert files(path) == {}


def test_what_a_killed_export_left(path: Path) -> None:
    """Half-written files of this output go with the next lock, and no others."""
    others = ["mm.snap.part", ".mm.snap2.x.part", ".other.x.part", ".mm.snap.x.part~"]
    for name in [".mm.snap.abc.part", ".mm.snap.1.part", *others]:
        (path.parent / name).write_bytes(b"")
    with lock(path):
        pass
    assert sorted(files(path)) == sorted(others)


def test_a_name_with_a_pattern_in_it(tmp_path: Path) -> None:
    """An output called `*` does not take others' half-written files away."""
    (tmp_path / ".mm.snap.abc.part").write_bytes(b"")
    (tmp_path / ".*.abc.part").write_bytes(b"")
    with lock(tmp_path / "*"):
        pass
    assert list(files(tmp_path / "*")) == [".mm.snap.abc.part"]


def test_a_lock_file_that_nobody_holds(path: Path) -> None:
    """A killed export's lock file is in nobody's way."""
    path.with_name(".mm.snap.lock").write_bytes(b"")
    with lock(path):
        pass
    assert files(path) == {}


def test_the_second_waits_for_the_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writers are inside one after the other, however many there are."""
    monkeypatch.setattr("snapshot.export.publish._LOOK_SECONDS", 0.001)
    inside: list[int] = []
    most: list[int] = []

    def write() -> None:
        for _ in range(5):
            with lock(path):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.001)
                inside.pop()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 20
    assert files(path) == {}


@pytest.fixture
def hold(path: Path) -> Callable[[], int]:
    """Holds the lock as another process would; the file handle ends it."""

    def take() -> int:
        handle = os.open(path.with_name(".mm.snap.lock"), os.O_RDWR | os.O_CREAT)
        fcntl.flock(handle, fcntl.LOCK_EX)
        return handle

    return take


def test_it_gives_up(path: Path, hold: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that hangs does not hold the next one for ever."""
    monkeypatch.setattr("snapshot.export.publish._LOCK_SECONDS", 0.0)
    handle = hold()
    with (
        pytest.raises(OutputError, match=r"mm\.snap: another export has been writing it"),
        lock(path),
    ):
        pytest.fail("got in")
    os.close(handle)
    with lock(path):
        pass


def test_the_lock_file_was_removed_and_made_anew(
    path: Path, hold: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock on a file that is no longer there holds nobody up, and protects nobody."""
    handle = hold()
    path.with_name(".mm.snap.lock").unlink()
    monkeypatch.setattr("snapshot.export.publish._LOCK_SECONDS", 0.0)
    with lock(path):
        pass
    os.close(handle)


def test_a_lock_file_that_went_away_while_it_was_locked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that locked a file which the writer before it removed tries again."""
    real = fcntl.flock
    seen: list[int] = []

    def late(handle: int, how: int) -> None:
        if not seen:
            path.with_name(".mm.snap.lock").unlink()
        seen.append(how)
        real(handle, how)

    monkeypatch.setattr("fcntl.flock", late)
    monkeypatch.setattr("snapshot.export.publish._LOOK_SECONDS", 0.001)
    with lock(path):
        assert list(files(path)) == [".mm.snap.lock"]
    assert len(seen) == 2


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A lock that cannot be made is an error of the output."""
    with (
        pytest.raises(OutputError, match="cannot be written: No such file"),
        lock(tmp_path / "none" / "mm.snap"),
    ):
        pytest.fail("got in")


def test_a_copy_of_a_kept_one_can_be_put_back(path: Path) -> None:
    """A kept file is a whole snapshot: copied back, it is what it was."""
    publish(Job(path, max_loss=30), content(0))
    publish(Job(path, max_loss=30), content(1))
    shutil.copy(path.with_name("mm.snap.1"), path)
    assert Snapshot(path).read == READ
