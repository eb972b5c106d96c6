"""The loop of `scan --watch` on a clock that only its own waiting moves."""

import shutil
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from snapshot.file.errors import ListingError, ScanSettingsError
from snapshot.scan import tree
from snapshot.scan.job import ScanResult
from snapshot.scan.notice import Notice
from snapshot.scan.run import scan
from snapshot.scan.watching import Done, Event, Failed, Task, Told, Watching
from tests.scanned import ARM, CATEGORY, NOW, X86, Primary, database, execute, rows

_MOST_STEPS = 1000


class Time(SimpleQueue[Event]):
    """Events for which the loop does not really wait: waiting moves the clock on."""

    now = 1000.0

    def get(self, block: bool = True, timeout: float | None = None) -> Event:
        """Return an event that is there, or move the clock."""
        try:
            return super().get_nowait()
        except Empty:
            self.now += timeout or 0.0
            raise


class Loop:
    """A tree, its database, and the loop that brings the one to the other."""

    def __init__(self, folder: Path) -> None:
        """Make a tree of two repositories, and a loop that has not begun."""
        self.primary, self.url = Primary(folder), database(folder)
        for path in (X86, ARM):
            self.primary.repository(path)
        self.time = Time()
        self.told: list[Told] = []
        self.broken: Exception | None = None
        self.watching = Watching(
            [CATEGORY], 300.0, self._scan, self.told.append, self._start, print, clock=self._clock
        )
        self.watching.events = self.time
        self.progress = self.watching.progress[CATEGORY]

    def _clock(self) -> float:
        return self.time.now

    def _start(self, name: str, body: Callable[[], object]) -> None:
        """Start no thread: the kernel is deaf here."""

    def _scan(self, task: Task) -> tuple[ScanResult, str]:
        if self.broken:
            raise self.broken
        job = self.primary.job(self.url, walk=True, paths=task.paths, allow_deletions=True)
        return scan(job), str(self.primary.root)

    def until(self, holds: Callable[[], object]) -> None:
        """Let the loop go on until something holds."""
        for _ in range(_MOST_STEPS):
            if holds():
                return
            self.watching.step()
        raise AssertionError(self.told)

    def until_told(self) -> Told:
        """Let the loop go on until it tells something."""
        count = len(self.told)
        self.until(lambda: len(self.told) > count)
        return self.told[-1]

    def ask(self, path: str = "") -> None:
        """Send an event."""
        self.watching.ask(CATEGORY, path)


@pytest.fixture
def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    """A loop that has scanned everything once, in which directories are settled at once."""
    monkeypatch.setattr(tree, "_SETTLED_NS", -1)
    loop = Loop(tmp_path)
    first = loop.until_told()
    assert isinstance(first, Done)
    assert first.task.paths == ()
    return loop


def test_events_become_one_scan(loop: Loop) -> None:
    """Events of several paths become one scan of these paths."""
    loop.primary.repository(X86, NOW + 1)
    for path in (X86, f"{X86}/repodata", ARM):
        loop.ask(path)
    told = loop.until_told()
    assert isinstance(told, Done)
    assert told.task.paths == (X86, ARM)
    assert told.result.changes.details_added == 1
    # The change was noticed as well.
    assert loop.progress.received == loop.progress.processed >= 3


@pytest.mark.parametrize("path", ["repodata", "Packages", "repodata/repomd.xml"])
def test_a_change_is_noticed(loop: Loop, path: str) -> None:
    """A change in the tree is found by looking, where nobody tells of it."""
    loop.primary.put(f"{X86}/{path}/x" if "." not in path else f"{X86}/{path}", b"<repomd/>")
    if path == "Packages":
        # The files of a directory with packages matter with their metadata only.
        loop.primary.put(f"{ARM}/new/x", b"")
    told = loop.until_told()
    assert isinstance(told, Done)
    assert told.task.paths == ((ARM,) if path == "Packages" else (X86,))
    loop.until(lambda: loop.time.now > 1100)
    assert told is loop.told[-1]


def test_a_failure_keeps_the_events(loop: Loop) -> None:
    """A failed scan is told once and tried again until it succeeds, with all events."""
    loop.broken = ScanSettingsError("the disk is on fire")
    loop.ask(X86)
    assert isinstance(loop.until_told(), Failed)
    loop.ask(ARM)
    loop.until(lambda: loop.progress.failed > 3)
    assert (loop.progress.backlog, len(loop.told)) == (2, 2)
    assert loop.progress.error == "the disk is on fire"
    assert loop.watching.late() > 3
    loop.broken = None
    told = loop.until_told()
    assert isinstance(told, Done)
    assert told.task.paths == (X86, ARM)
    assert (loop.progress.backlog, loop.watching.late()) == (0, 0.0)


def test_a_path_that_cannot_be_listed(loop: Loop) -> None:
    """After a failed listing everything is scanned, because the path itself may be gone."""
    loop.broken = ListingError("no such directory")
    loop.ask(X86)
    failed = loop.until_told()
    assert isinstance(failed, Failed)
    assert failed.task.paths == (X86,)
    loop.broken = None
    told = loop.until_told()
    assert isinstance(told, Done)
    assert told.task.paths == ()
    assert loop.progress.backlog == 0


def test_an_internal_error_is_survived(loop: Loop, capsys: pytest.CaptureFixture[str]) -> None:
    """An error that nobody foresaw is counted, and its events wait."""
    loop.broken = ZeroDivisionError("by a test")
    loop.ask(X86)
    told = loop.until_told()
    assert isinstance(told, Failed)
    assert "internal error: ZeroDivisionError" in str(told.error)
    assert (loop.watching.survived, loop.progress.backlog) == (1, 1)
    assert "ZeroDivisionError" in capsys.readouterr().err
    loop.until(lambda: loop.watching.survived == 2)
    assert capsys.readouterr().err == ""


def test_a_deleted_repository_calls_for_more(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan of a path that deletes a repository is followed by a scan of everything."""
    monkeypatch.setattr(Notice, "look", lambda notice, now: setattr(notice, "look_at", now + 2))
    new = "9.1/Everything/x86_64"
    execute(loop.url, "UPDATE repository SET prefix = 'epel-9.1' WHERE name LIKE '%x86_64'")
    (loop.primary.root / "9.1/Everything").mkdir(parents=True)
    shutil.move(loop.primary.root / X86, loop.primary.root / new)
    loop.ask(X86)
    first, at = loop.until_told(), loop.time.now
    second = loop.until_told()
    assert loop.time.now < at + 10, "not only with the regular scan"
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert second.task.paths == ()
    found = rows(loop.url, "SELECT name FROM repository WHERE prefix = 'epel-9.1'")
    assert found == [(f"pub/epel/{new}",)]


def test_a_path_that_is_no_text(loop: Loop) -> None:
    """A noticed name that no database can hold becomes a scan of everything."""
    loop.time.put(Event(CATEGORY, "9/a\nb"))
    told = loop.until_told()
    assert isinstance(told, Done)
    assert told.task.paths == ()


def test_who_asks_for_what_is_not_there(loop: Loop) -> None:
    """A category that is not scanned here, or a wrong path, is refused at once."""
    with pytest.raises(ScanSettingsError, match="this scan does not have it, but Fedora"):
        loop.watching.ask("Other", X86)
    with pytest.raises(ScanSettingsError, match="empty part"):
        loop.ask("../x")
    assert loop.progress.received == 0


def test_a_signal(loop: Loop) -> None:
    """An event of no category is one of all."""
    loop.time.put(Event(None, reason="SIGHUP"))
    told = loop.until_told()
    assert isinstance(told, Done)
    assert (told.task, told.result.unchanged) == (Task(CATEGORY, ()), True)
