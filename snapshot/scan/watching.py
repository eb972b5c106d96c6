"""The loop of `scan --watch`: events in, scans out, for one category or several.

Events come from the hook, from signals and from what the primary shows (`notice`). An event that
comes while a scan runs waits for the next one.
"""

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import NamedTuple

from msgspec import Struct

from snapshot.file.errors import BackendError, ListingError, ScanSettingsError
from snapshot.scan.agenda import WHOLE, Agenda, Progress
from snapshot.scan.job import ScanResult
from snapshot.scan.notice import Notice, Start, targets_of
from snapshot.scan.scope import cleaned, scope_of

_PAUSE_SECONDS = 1.0


class Event(NamedTuple):
    """Something that calls for a scan: of all categories, of one, or of a path in it."""

    category: str | None
    path: str = WHOLE
    reason: str = "event"


class Task(NamedTuple):
    """A scan that is done by the loop; `paths` are empty for the whole category."""

    category: str
    paths: tuple[str, ...]


class Done(NamedTuple):
    """A scan that ended well."""

    task: Task
    result: ScanResult


class Failed(NamedTuple):
    """A scan that failed; the same error is told once until a scan succeeds."""

    task: Task
    error: BackendError


Told = Done | Failed
Scan = Callable[[Task], tuple[ScanResult, str | None]]
"""Scans, and returns with the result the folder of the tree, or None for an rsync server."""


class _Category(Struct):
    """What the loop keeps of a category."""

    agenda: Agenda
    notice: Notice
    problems: frozenset[str] = frozenset()
    told: str | None = None


class Watching:
    """Scans categories whenever an event calls for it, and whole ones every so often."""

    def __init__(
        self,
        categories: Sequence[str],
        every: float,
        scan: Scan,
        tell: Callable[[Told], object],
        start: Start,
        say: Callable[[str], object],
        each_step: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what to scan and how; `each_step` is called at least every two seconds."""
        self.events: SimpleQueue[Event] = SimpleQueue()
        self.survived = self.refused = 0
        self._scan, self._tell, self._each_step, self._clock = scan, tell, each_step, clock
        self._categories = {
            name: _Category(Agenda(every, clock()), Notice(self._putter(name), start, say))
            for name in categories
        }

    @property
    def progress(self) -> dict[str, Progress]:
        """The counts of each category."""
        return {name: one.agenda.progress for name, one in self._categories.items()}

    def late(self) -> float:
        """Return for how many seconds an event, or a regular scan, has waited at most."""
        now = self._clock()
        return max(one.agenda.late(now) for one in self._categories.values())

    def ask(self, category: str, path: str) -> None:
        """Take an event from outside, in any thread; raises ScanSettingsError."""
        if category not in self._categories:
            known = ", ".join(self._categories)
            raise ScanSettingsError(f"category {category}: this scan does not have it, but {known}")
        cleaned(path)
        self.events.put(Event(category, path, "hook"))

    def run(self) -> None:
        """Run until a signal ends the program; an internal error is told and counted."""
        try:
            while True:
                try:
                    self.step()
                except Exception:
                    self._survive()
        finally:
            for one in self._categories.values():
                one.notice.close()

    def step(self) -> None:
        """Wait for the next thing to do, and do it."""
        self._wait()
        self._each_step()
        now = self._clock()
        for one in self._categories.values():
            one.notice.look(now)
        name, due = min(
            ((name, one.agenda.due_at()) for name, one in self._categories.items()),
            key=lambda one: one[1],
        )
        if self._clock() >= due:
            self._make(name, self._categories[name])

    def _wait(self) -> None:
        categories = self._categories.values()
        until = min(min(one.agenda.due_at(), one.notice.look_at) for one in categories)
        try:
            event = self.events.get(timeout=max(0.0, until - self._clock()))
            while True:
                self._take(event)
                event = self.events.get_nowait()
        except Empty:
            return

    def _take(self, event: Event) -> None:
        now, path = self._clock(), _of_repository(event.path)
        for name, one in self._categories.items():
            if event.category in (None, name):
                one.agenda.add(path, now)

    def _putter(self, name: str) -> Callable[[str], None]:
        def put(path: str) -> None:
            self.events.put(Event(name, path, "notice"))

        return put

    def _make(self, name: str, one: _Category) -> None:
        began_ns = time.time_ns()
        task = Task(name, one.agenda.begin(self._clock()))
        try:
            result, root = self._scan(task)
        except BackendError as error:
            self._fail(task, one, error)
        except Exception as error:
            # No memory, no more open files, or a bug: none of these ends a watch.
            self.survived += 1
            told = BackendError(f"internal error: {error!r}")
            if str(told) != one.told:
                traceback.print_exc()
            self._fail(task, one, told)
        else:
            one.agenda.done(self._clock())
            self._succeed(task, one, result)
            if root is not None:
                one.notice.watch(targets_of(root, result.file, result.seen), began_ns)

    def _fail(self, task: Task, one: _Category, error: BackendError) -> None:
        progress = one.agenda.progress
        one.agenda.failed(self._clock())
        if isinstance(error, ListingError):
            # A path that is gone cannot be listed alone from an rsync server.
            one.agenda.ask_whole(self._clock())
        progress.failed += 1
        progress.error, progress.error_at = str(error), time.time()
        if one.told != str(error):
            one.told = str(error)
            self._tell(Failed(task, error))

    def _succeed(self, task: Task, one: _Category, result: ScanResult) -> None:
        progress, problems = one.agenda.progress, frozenset(result.problems)
        progress.succeeded += 1
        progress.unchanged += result.unchanged
        progress.last_seconds, progress.success_at = result.seconds, time.time()
        progress.all_seconds += result.seconds
        progress.problems = len(problems)
        if not result.unchanged:
            progress.directories, progress.repositories = result.directories, result.repositories
        # A repository that went, or that has no place, may be elsewhere in the tree.
        if task.paths and (result.changes.repositories_deleted or problems - one.problems):
            one.agenda.ask_whole(self._clock())
        one.problems, one.told = problems, None
        self._tell(Done(task, result))

    def _survive(self) -> None:
        self.survived += 1
        with suppress(Exception):
            traceback.print_exc()
        time.sleep(_PAUSE_SECONDS)


def _of_repository(path: str) -> str:
    """Return the path to scan at an event; WHOLE for one that cannot be a path of the database."""
    try:
        paths = scope_of([path]).paths
    except ScanSettingsError:
        return WHOLE
    return paths[0] if paths else WHOLE
