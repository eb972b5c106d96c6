"""What a `scan --watch` notices of a primary: told by the kernel, and by looking."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest
import watchfiles

from snapshot.scan.agenda import WHOLE
from snapshot.scan.inventory import Inventory
from snapshot.scan.notice import Notice, targets_of
from snapshot.scan.tree import walk
from tests.scanned import NOW, X86, Primary, repomd

SECONDS = 20.0


class Noticed:
    """A tree, and the paths that are noticed of it."""

    def __init__(self, folder: Path) -> None:
        """Make a tree with a repository."""
        self.primary = Primary(folder)
        self.primary.repository(X86)
        self.said: list[str] = []
        self.paths: SimpleQueue[str] = SimpleQueue()
        self.notice = Notice(self.paths.put, self._start, self.said.append)

    def _start(self, name: str, body: Callable[[], object]) -> None:
        threading.Thread(target=body, name=name, daemon=True).start()

    def watch(self) -> None:
        """Watch the tree as it is, and was for longer than a tick of the kernel's clock."""
        time.sleep(0.02)
        began = time.time_ns()
        seen, _ = walk(str(self.primary.root), Inventory(""), {}, lambda _: None)
        self.notice.watch(targets_of(str(self.primary.root), None, seen), began)

    def looked(self) -> list[str]:
        """Look, and return what that noticed."""
        self.notice.look_at = 0.0
        self.notice.look(1.0)
        return self.taken()

    def taken(self) -> list[str]:
        """Return what was noticed so far."""
        found = []
        while not self.paths.empty():
            found.append(self.paths.get())
        return found

    def until_heard(self, path: str, do: Callable[[], object]) -> None:
        """Do something until the kernel tells of a path: its thread may just begin."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            do()
            try:
                while self.paths.get(timeout=0.5) != path:
                    pass
                return
            except Empty:
                continue
        raise AssertionError(f"not heard: {path}; {self.said}")


@pytest.fixture
def noticed(tmp_path: Path) -> Iterator[Noticed]:
    """A tree that is watched."""
    noticed = Noticed(tmp_path)
    yield noticed
    noticed.notice.close()


def test_the_kernel_tells(noticed: Noticed) -> None:
    """Metadata that is written in place, or replaced, and new directories are heard of."""
    noticed.watch()
    metadata, root = f"{X86}/repodata/repomd.xml", noticed.primary.root
    noticed.until_heard(f"{X86}/repodata", lambda: noticed.primary.put(metadata, repomd(NOW + 1)))
    noticed.until_heard(f"{X86}/new", lambda: (root / X86 / "new").mkdir(exist_ok=True))
    names = iter(range(100))

    def replace() -> None:
        (root / X86 / "repodata").rename(root / X86 / f".old{next(names)}")
        noticed.primary.put(metadata, repomd(NOW + 2))

    noticed.until_heard(f"{X86}/repodata", replace)


def test_a_kernel_that_refuses(noticed: Noticed, monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is no watch left, that is said once, and looking goes on."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watchfiles, "watch", refuse)
    noticed.notice = Notice(noticed.paths.put, at_once, noticed.said.append)
    noticed.watch()
    noticed.primary.put("new/x")
    noticed.watch()
    assert noticed.said == [
        "no notification of changes (OS file watch limit reached); looking every 2 s"
    ]
    noticed.primary.put(f"{X86}/repodata/repomd.xml", repomd(NOW + 1), NOW + 1)
    assert f"{X86}/repodata" in noticed.looked()


def at_once(name: str, body: Callable[[], object]) -> None:
    """Run the body of a thread without one."""
    body()


def test_looking(noticed: Noticed) -> None:
    """A look finds metadata that was written in place, and directories with other names in them."""
    noticed.notice = Notice(noticed.paths.put, lambda *_: None, noticed.said.append)
    noticed.watch()
    assert noticed.looked() == []
    noticed.primary.put(f"{X86}/repodata/repomd.xml", repomd(NOW), NOW + 1)
    assert noticed.looked() == [f"{X86}/repodata"]
    (noticed.primary.root / X86 / "images").mkdir()
    assert noticed.looked() == [X86]
    noticed.primary.put(f"{X86}/Packages/b.rpm")
    assert noticed.looked() == []


def test_looks_are_not_all_it_does(noticed: Noticed) -> None:
    """Between two looks is a pause."""
    noticed.watch()
    noticed.notice.look(100.0)
    assert noticed.notice.look_at >= 102.0
    (noticed.primary.root / "new").mkdir()
    count = len(noticed.taken())
    noticed.notice.look(101.0)
    assert count == 0 or noticed.taken() == []


def test_a_list(tmp_path: Path) -> None:
    """A list calls for a whole scan once it rests, and nothing else in its folder does."""
    noticed = Noticed(tmp_path)
    noticed.notice = Notice(noticed.paths.put, lambda *_: None, noticed.said.append)
    file = noticed.primary.write_list()
    time.sleep(0.02)
    noticed.notice.watch(targets_of("", file, {}), time.time_ns())
    assert noticed.looked() == []
    file.write_text("half of")
    assert noticed.looked() == []
    file.write_text("half of it")
    assert noticed.looked() == []
    assert noticed.looked() == [WHOLE]
    assert noticed.looked() == []
    noticed.notice.hear(str(file))
    noticed.notice.hear(str(tmp_path / "another"))
    assert noticed.taken() == [WHOLE]


def test_a_list_that_changes_during_the_scan(tmp_path: Path) -> None:
    """A list that is newer than the beginning of the scan calls for another one."""
    noticed = Noticed(tmp_path)
    noticed.notice = Notice(noticed.paths.put, lambda *_: None, noticed.said.append)
    began = time.time_ns() - 10**9
    noticed.notice.watch(targets_of("", noticed.primary.write_list(), {}), began)
    assert noticed.looked() == [WHOLE]


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        (f"{X86}/Packages/b.rpm", []),
        (f"{X86}/.repodata", []),
        (f"{X86}/.repodata/repomd.xml", []),
        (f"{X86}/x-CHECKSUM", [X86]),
        (X86, [X86]),
        ("", [WHOLE]),
    ],
)
def test_what_is_heard(noticed: Noticed, place: str, wanted: list[str]) -> None:
    """Of what the kernel tells, only that counts which a scan would read."""
    noticed.notice = Notice(noticed.paths.put, lambda *_: None, noticed.said.append)
    noticed.watch()
    noticed.notice.hear(os.path.join(noticed.primary.root, place).rstrip("/"))
    assert noticed.taken() == wanted
