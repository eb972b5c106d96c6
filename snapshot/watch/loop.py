"""The loop of a watch: look often, export when the agenda says so, report what was done.

Later looks are compared with the last look before the export began, not with one after it. So a
change that is committed while an export reads counts as a new change.
"""

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from snapshot.export.pipeline import ExportResult
from snapshot.export.publish import Last
from snapshot.file.errors import BackendError, DatabaseError, OutputError
from snapshot.watch.agenda import Agenda
from snapshot.watch.files import DataFiles
from snapshot.watch.look import Look, LookResult, Probe, judge
from snapshot.watch.progress import Progress

# A look takes 0.3 ms, an export a second: a change should not wait longer for the look.
LOOK_SECONDS = 0.25
# A data file counts as written completely if it rests from one look at it to the next one. While
# changes wait, files are looked at with the database.
_FILES_SECONDS = 1.0
_FIRST_CONNECT_SECONDS, _LAST_CONNECT_SECONDS = 1.0, 5.0
UNSURE = "a transaction that no counter tells of"


class Done(NamedTuple):
    """An export that ended well: why it was made, and what it did."""

    reasons: list[str]
    result: ExportResult


class Failed(NamedTuple):
    """A look or an export failed; the same error is told once until an export succeeds."""

    error: BackendError


class Recovered(NamedTuple):
    """The database answers again after failed looks."""


class Missed(NamedTuple):
    """A regular export (`every`) published a change that no look had seen."""


class Said(NamedTuple):
    """Something to know about an export or a push."""

    text: str


Event = Done | Failed | Recovered | Missed | Said
Export = Callable[[Last | None], ExportResult]


class Duty(NamedTuple):
    """What a watch exports and when: on a change of the data files or of the database, and
    whenever the last export is `every` seconds ago.
    """

    export: Export
    files: Sequence[Path]
    every: float


class Watch:
    """Exports a database whenever something in it changed.

    Signal handlers and other threads may put reasons to export into `triggers` at any time.
    """

    def __init__(
        self,
        probe: Probe,
        duty: Duty,
        tell: Callable[[Event], None],
        triggers: "SimpleQueue[str]",
        clock: Callable[[], float] = time.monotonic,
        each_step: Callable[[], object] = lambda: None,
    ) -> None:
        """Take what looks at the database and what is to be done.

        `tell` receives each event. `each_step` is called at least every few seconds. What is set
        as `published` is called after the first export, because a watch before may have ended too
        early, and whenever a file was written.
        """
        self._each_step = each_step
        self.published: Callable[[], object] = lambda: None
        self._clock = clock
        now = clock()
        self._triggers = triggers
        self.progress = Progress(started_since=now)
        self._probe = probe
        self._export = duty.export
        self._files = DataFiles(duty.files)
        self._tell = tell
        self._agenda = Agenda(duty.every, now)
        # The last look, and the last look before the newest export began.
        self._seen: Look | None = None
        self._read: Look | None = None
        # Whether an export was made: from then on, another look than `_read` may be a change.
        self._is_compared = False
        self._last: Last | None = None
        self._look_at = self._files_at = now
        self._failed_looks = 0
        self._told: set[str] = set()
        self._surprised = False

    def run(self) -> None:
        """Run until a signal ends the program; an internal error is told and counted."""
        try:
            while True:
                try:
                    self.step()
                except Exception as error:
                    self._survive(error)
                    time.sleep(LOOK_SECONDS)
        finally:
            self._probe.close()

    def count_refused(self) -> None:
        """Count a thread that the system refused to start."""
        self.progress.refused += 1

    def step(self) -> None:
        """Wait for the next thing to do, and do it."""
        self._wait()
        self._each_step()
        now = self._clock()
        if now >= self._look_at:
            self._look(now)
        if self._clock() >= self._agenda.due_at():
            self._make()

    def _wait(self) -> None:
        until = min(self._look_at, self._agenda.due_at())
        try:
            why = self._triggers.get(timeout=max(0.0, until - self._clock()))
        except Empty:
            return
        while True:
            self._change([why])
            try:
                why = self._triggers.get_nowait()
            except Empty:
                return

    def _change(self, reasons: list[str], sure: bool = True) -> None:
        now = self._clock()
        self._agenda.add(now, reasons, sure)
        self.progress.see(now)
        self._look_at = min(self._look_at, now + LOOK_SECONDS)

    def _look(self, now: float) -> None:
        self._look_at = now + LOOK_SECONDS
        self._look_at_files(now)
        try:
            found = self._probe.look(self._read)
        except BackendError as error:
            self._lost(error)
            return
        self._connected()
        if found is not None:
            self._judge(found)

    def _look_at_files(self, now: float) -> None:
        if now < self._files_at and not self._agenda.reasons:
            return
        self._files_at = now + _FILES_SECONDS
        if changed := self._files.changed():
            self._change([f"{file.name} changed" for file in changed])

    def _judge(self, found: Look) -> None:
        result, names = judge(self._read, found)
        if self._surprised:
            self._surprised = False
            if result is LookResult.NOTHING:
                self.progress.missed += 1
                self._tell(Missed())
        waiting = self._agenda.reasons
        if result is LookResult.CHANGED:
            if waiting == [UNSURE]:
                # This change is counted already; now the counters name its tables.
                self._agenda.add(self._clock(), names)
            elif not waiting or self._seen is None or found.marks != self._seen.marks:
                self._change(names)
        elif result is LookResult.UNSURE and self._is_compared and not waiting:
            self._change([UNSURE], sure=False)
        self._seen = found

    def _connected(self) -> None:
        if not self.progress.connected:
            self.progress.connected = True
            self.progress.connections += 1
        if self._failed_looks:
            self._failed_looks = 0
            self._agenda.retry()
            self._told.clear()
            self._tell(Recovered())

    def _lost(self, error: BackendError) -> None:
        self.progress.connected = False
        self._note(error)
        pause = min(_FIRST_CONNECT_SECONDS * 2.0**self._failed_looks, _LAST_CONNECT_SECONDS)
        self._look_at = self._clock() + pause
        self._failed_looks += 1

    def _note(self, error: BackendError) -> None:
        self.progress.error, self.progress.error_at = str(error), time.time()
        if str(error) not in self._told:
            self._told.add(str(error))
            self._tell(Failed(error))

    def _survive(self, error: Exception) -> None:
        self.progress.survived += 1
        ours = BackendError(f"internal error: {error!r}")
        with suppress(Exception):
            if str(ours) not in self._told:
                traceback.print_exc()
            self._note(ours)

    def _make(self) -> None:
        began, before, taken = self._clock(), self._seen, self.progress.seen
        reasons = self._agenda.reasons
        try:
            result = self._export(self._last)
        except (DatabaseError, OutputError) as error:
            self.progress.failed += 1
            self._note(error)
            self._agenda.failed(self._clock())
        except BackendError as error:
            # The same data would be refused again: wait for a change, or for `every`.
            self.progress.failed += 1
            self._note(error)
            self._exported_after(before)
            self._agenda.done(began, self._clock())
        except Exception as error:
            # No memory, no thread, no more open files, or a bug: none of these ends a watch.
            self.progress.failed += 1
            self._survive(error)
            self._agenda.failed(self._clock())
        else:
            self._exported_after(before)
            self._agenda.done(began, self._clock())
            self._succeed(reasons, result, taken)
        # Look at once for changes committed meanwhile, but keep the pause after failed looks.
        if not self._failed_looks:
            self._look_at = self._clock()

    def _exported_after(self, before: Look | None) -> None:
        """Compare later looks with the one before the export; without one, the next is a change."""
        self._read, self._is_compared = before, True

    def _succeed(self, reasons: list[str], result: ExportResult, taken: int) -> None:
        progress, now = self.progress, self._clock()
        self._surprised = result.changed and not reasons and progress.exports > 0
        self._told.clear()
        progress.processed, progress.waiting_since = taken, None
        progress.succeed(result, now, time.time())
        if result.written or progress.exports == 1:
            self.published()
        if result.written:
            self._last = Last(result.id, result.read)
            progress.published += 1
        if not result.changed:
            progress.unchanged += 1
        progress.differed += result.differed
        if result.said:
            self._tell(Said(result.said))
        self._tell(Done(reasons, result))
