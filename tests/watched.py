"""A watch within the test's process, on a clock that only its own waiting moves."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

from snapshot.export.asn_file import AsnFile
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.export.kept import KeptDirectories
from snapshot.export.opened import Opened
from snapshot.export.pipeline import ExportResult
from snapshot.export.publish import Last
from snapshot.file.reader import Snapshot
from snapshot.watch.look import Probe
from snapshot.watch.loop import Done, Duty, Event, Failed, Watch
from snapshot.watch.probes import make_probe
from tests.factories import Tables, make_database

EVERY = 300.0
_MOST_STEPS = 5000


class Time(SimpleQueue[str]):
    """Triggers for which nobody really waits: whoever does moves the clock on."""

    now = 1000.0

    def get(self, block: bool = True, timeout: float | None = None) -> str:
        """Return a trigger that is there, or move the clock."""
        try:
            return super().get_nowait()
        except Empty:
            self.now += timeout or 0.0
            raise


class Watched:
    """A database, the watch on it, and everything that it told."""

    def __init__(
        self,
        folder: Path,
        tables: Tables | str,
        asn: Path | None = None,
        probe: Probe | None = None,
    ) -> None:
        """Make a SQLite database, or take the URL of another one, and a watch not yet begun."""
        self.path, self.output = folder / "mm.sqlite", folder / "mm.snap"
        self.url = tables if isinstance(tables, str) else make_database(self.path, tables)
        self.told: list[Event] = []
        self.time = Time()
        self.before: Callable[[], object] = lambda: None
        self.during: Callable[[str], object] = lambda phase: None
        self._asn = AsnFile(asn) if asn else None
        self.kept, self._opened = KeptDirectories(self._clock), Opened()
        files = [asn] if asn else []
        self.probe = probe or make_probe(self.url)
        self.watch = Watch(
            self.probe,
            Duty(self._export, files, EVERY),
            self.told.append,
            self.time,
            self._clock,
        )
        self.progress = self.watch.progress

    def _clock(self) -> float:
        return self.time.now

    def _export(self, last: Last | None) -> ExportResult:
        self.before()
        return export(
            self.url,
            Job(self.output, asn=self._asn, refresh=int(EVERY)),
            progress=self._reading,
            last=last,
            kept=self.kept,
            opened=self._opened,
        )

    def _reading(self, phase: str, done: int, total: int) -> None:
        self.during(phase)

    def write(self, *statements: str) -> None:
        """Commit statements over a connection of its own."""
        connection = sqlite3.connect(self.path, timeout=0)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    def until(self, holds: Callable[[], bool]) -> float:
        """Let the watch go on until something holds; returns the seconds of its clock."""
        begin = self.time.now
        for _ in range(_MOST_STEPS):
            if holds():
                return self.time.now - begin
            self.watch.step()
        raise AssertionError(self.told)

    def until_told(self, kind: type[Event]) -> float:
        """Let the watch go on until it tells an event of a kind, the last one it told."""
        before = len(self.told)
        return self.until(lambda: len(self.told) > before and isinstance(self.told[-1], kind))

    def rest(self, seconds: float) -> list[Event]:
        """Let the watch go on for some seconds of its clock; returns what it told."""
        before, end = len(self.told), self.time.now + seconds
        self.until(lambda: self.time.now >= end)
        return self.told[before:]

    @property
    def done(self) -> Done:
        """The last event, an export."""
        assert isinstance(self.told[-1], Done), self.told[-1]
        return self.told[-1]

    @property
    def failed(self) -> str:
        """The text of the last event, a failure."""
        assert isinstance(self.told[-1], Failed), self.told[-1]
        return str(self.told[-1].error)

    @property
    def snapshot(self) -> Snapshot:
        """What is published."""
        return Snapshot(self.output)
