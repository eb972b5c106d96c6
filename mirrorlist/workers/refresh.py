"""Takes a changed snapshot or GeoIP file into use while its worker answers.

This is a thread of the worker. The file system tells it of changes (watchfiles); it also checks
every two seconds, because some file systems, such as NFS, tell nothing, and when SIGHUP wakes it. A
new file is opened, verified and compiled beside the one in use; then one reference changes, and
every later request is answered from the new file alone. A file that cannot be used is refused, and
the old one stays in use.
"""

import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from mirrorlist.errors import GeoipError
from mirrorlist.process.messages import Say, print_trouble, safely
from mirrorlist.process.signals import Flag
from mirrorlist.process.threads import Threads
from mirrorlist.records.worker_state import ServedFile, WorkerReport
from mirrorlist.request.geo import MmdbGeo
from mirrorlist.service import Service
from snapshot.file.changes import FileState, file_state, is_nameless
from snapshot.file.errors import SnapshotError

LOOK_SECONDS = 2.0
# A bad file may still be being written: check it again after this long before refusing it.
AGAIN_SECONDS = 0.5
_MILLISECONDS = 1000

# A swap works for about a millisecond, then answers go on alone for this long. So at scale 1 a swap
# takes 40 ms longer, but no answer waits for all of it.
_REST_SECONDS = 0.002
# A thread may hold up the others for this long; Python's 5 ms would delay every answer.
_SWITCH_SECONDS = 0.0005
# A threshold that is never reached: long-lived objects are not searched for garbage.
_NEVER = 1 << 30

Loaded = TypeVar("Loaded")


class Refresher:
    """Keeps a worker's snapshot and GeoIP data equal to their files."""

    def __init__(
        self, service: Service, files: "Files", say: Say, report: WorkerReport | None = None
    ) -> None:
        """Take the state of the files before the service read them.

        `say` is for messages to the operator, `report` for the pages and metrics of all workers.
        """
        self._service = service
        self._say, self._report = safely(say), report
        self._woken = Flag()
        # The snapshot of which damage was told.
        self._told_of = ""
        snapshot = files.snapshot, files.snapshot_state, self._load_snapshot
        self._watched = [_Watched(ServedFile.SNAPSHOT, *snapshot)]
        if files.geoip:
            geoip = files.geoip, files.geoip_state, self._load_geoip
            self._watched.append(_Watched(ServedFile.GEOIP, *geoip))

    def start(self, threads: Threads) -> None:
        """Start a thread that checks the files until the process ends; errors are counted."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        # A collection of all objects would stop answers for 60 ms; those of young objects find the
        # garbage in cycles.
        gc.set_threshold(*gc.get_threshold()[:2], _NEVER)
        threads.go_on("refresher", self._step)

    def wake(self) -> None:
        """Check the files at once; may be called from a signal handler."""
        self._woken.set()

    def look(self) -> bool:
        """Take every changed file into use or refuse it; returns whether to check again soon."""
        soon = [self._look_at(one) for one in self._watched]
        return any(soon)

    def _look_at(self, file: "_Watched") -> bool:
        self._warn_of_lost(file)
        now = file_state(file.path)
        # If the file is gone, the last one stays in use.
        if now is None or now == file.seen:
            return False
        try:
            said = file.load()
        except (SnapshotError, GeoipError) as error:
            if file.failed != now:
                file.failed = now
                return True
            self._refuse(file, str(error))
            # Not the file's fault: no more files can be opened, or a disk is gone for a while.
            if isinstance(error.__cause__, OSError):
                return False
        except Exception as error:
            if file.refused is None:
                print_trouble()
            self._refuse(file, f"{file.path}: internal error: {error!r}")
            if isinstance(error, OSError | MemoryError | RuntimeError):
                return False
        else:
            if said:
                self._say(said)
            elif self._report:
                self._report.settled(file.source)
        file.seen, file.failed, file.refused = now, None, None
        return False

    def _warn_of_lost(self, file: "_Watched") -> None:
        """Say once that a file has no name any more: its replacement will never be seen."""
        is_lost, file.is_lost = file.is_lost, is_nameless(file.path)
        if file.is_lost and not is_lost:
            self._say(
                f"warning: {file.path} was replaced, but this server still sees the old file: it is"
                " mounted alone; mount its folder instead"
            )

    def _load_snapshot(self) -> str | None:
        store = self._service.store
        before = store.catalog
        catalog = _undisturbed(lambda: store.load(_rest))
        if (catalog.id, catalog.read) == (before.id, before.read):
            return None
        store.catalog = catalog
        if self._report:
            self._report.swapped(catalog, self._service.clock())
        age = catalog.age(self._service.clock())
        return f"snapshot {catalog.id} is in use, read {age} s ago"

    def _load_geoip(self) -> str | None:
        path = self._watched[1].path
        self._service.geo = geo = _undisturbed(lambda: MmdbGeo(path))
        if self._report:
            self._report.swapped_geoip(geo)
        return f"GeoIP {geo.name} is in use"

    def _refuse(self, file: "_Watched", reason: str) -> None:
        if file.refused == (file.failed, reason):
            return
        file.refused = file.failed, reason
        if self._report:
            self._report.refused(file.source, reason, self._service.clock())
        self._say(f"refused, the one before it stays in use: {reason}")

    def _tell_damage(self) -> None:
        """Say, once for each snapshot, that sums in its file are no longer what they were."""
        catalog = self._service.store.catalog
        if self._service.count_damage() and self._told_of != catalog.id:
            self._told_of = catalog.id
            path = self._service.store.path
            self._say(
                f"warning: {path} was changed while it is in use: some files are answered without"
                " their sums; export it again"
            )

    def _step(self) -> None:
        self._woken.clear()
        self._tell_damage()
        if self.look():
            time.sleep(AGAIN_SECONDS)
        else:
            self._wait()

    def _wait(self) -> None:
        """Return when a file has changed or `wake` was called; compare the files every 2 s."""
        folders = {file.path.parent for file in self._watched}
        try:
            # Imported already, before the fork (`wheels`), unless it cannot be.
            from watchfiles import watch

            told = watch(
                *folders,
                watch_filter=None,
                debounce=100,
                step=50,
                stop_event=self._woken,
                rust_timeout=int(LOOK_SECONDS * _MILLISECONDS),
                yield_on_timeout=True,
                raise_interrupt=False,
                recursive=False,
            )
            for _ in told:
                self._service.forget()
                self._tell_damage()
                if any(file_state(file.path) != file.seen for file in self._watched):
                    return
        # The system has no more watches, or the folder is not there at the moment.
        except (ImportError, OSError, RuntimeError):
            self._woken.wait(LOOK_SECONDS)
            self._service.forget()


class Files(Struct, frozen=True):
    """The files of a service, and their state before it read them."""

    snapshot: Path
    geoip: Path | None
    snapshot_state: FileState | None
    geoip_state: FileState | None


def look_at_files(snapshot: Path, geoip: Path | None) -> Files:
    """Return the files with their state now; to be called before they are read."""
    return Files(snapshot, geoip, file_state(snapshot), file_state(geoip) if geoip else None)


class _Watched:
    """A file, with its state when it was last taken or refused, and when it last failed."""

    def __init__(
        self, source: ServedFile, path: Path, seen: FileState | None, load: Callable[[], str | None]
    ) -> None:
        self.source = source
        self.path = path
        self.seen = seen
        self.load = load
        self.failed: FileState | None = None
        self.is_lost = False
        # The state and the reason of the last refusal, while the file is tried again.
        self.refused: tuple[FileState | None, str] | None = None


def _rest() -> None:
    """Let answers go on: they may need this thread's lock, or its processor."""
    time.sleep(_REST_SECONDS)


def _undisturbed(load: Callable[[], Loaded]) -> Loaded:
    """Load without garbage collections, because each of them stops all answers."""
    gc.disable()
    try:
        return load()
    finally:
        # The new objects live as long as the snapshot: exclude them from later collections.
        gc.freeze()
        gc.enable()
