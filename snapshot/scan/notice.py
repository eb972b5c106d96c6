"""Notices that a primary changes: told by the kernel (inotify), and by looking, where it is deaf.

The kernel does not tell what another machine writes on NFS, so everything is looked at every two
seconds as well, or less often if a look takes long. A tree is watched where something may appear
that a scan reads: not in directories of packages, whose files matter only with their metadata.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, field

from snapshot.file.changes import FileState, file_state
from snapshot.scan.agenda import WHOLE
from snapshot.scan.names import REPODATA, REPOMD, is_read
from snapshot.scan.unchanged import Seen

POLL_SECONDS = 2.0
# Looking may take this share of the time.
_SHARE = 0.05
_TIMEOUT_MS = 1000
_DEBOUNCE_MS, _STEP_MS = 200, 50

# The kernel's times of files are those of its last tick, up to 10 ms ago.
_TICK_NS = 10_000_000

Put = Callable[[str], None]
Start = Callable[[str, Callable[[], object]], None]


class Targets(Struct, frozen=True):
    """What is watched: a list, or the directories of a tree below `root`, with their ctimes."""

    root: str = ""
    file: Path | None = None
    directories: dict[str, int] = {}
    metadata: dict[str, tuple[int, int]] = {}

    def folders(self) -> list[str]:
        """Return the directories of which the kernel is asked."""
        if self.file is not None:
            return [str(self.file.parent)]
        return [os.path.join(self.root, path) if path else self.root for path in self.directories]


def targets_of(root: str, file: Path | None, seen: Mapping[str, Seen]) -> Targets:
    """Return what to watch after a scan: its list, or what it has seen of a tree."""
    if file is not None:
        return Targets(file=file)
    kept = {path: one for path, one in seen.items() if not one.packages or REPODATA in one.names}
    metadata = {
        f"{path}/{name}" if path else name: (size, stamp)
        for path, one in kept.items()
        if path.rpartition("/")[2] == REPODATA
        for name, size, stamp in one.files
        if name == REPOMD
    }
    return Targets(root, None, {path: one.changed for path, one in kept.items()}, metadata)


class Notice:
    """Watches the primary of one category; `put` takes the path of each event, in any thread."""

    def __init__(self, put: Put, start: Start, say: Callable[[str], object]) -> None:
        """Begin with nothing to watch; `start` begins a thread of a name."""
        self._put, self._start, self._say = put, start, say
        self._targets = Targets()
        self._looks = _Looks()
        self._folders: set[str] = set()
        self._stop = threading.Event()
        self._is_told = False
        self.look_at = 0.0

    def watch(self, targets: Targets, began_ns: int) -> None:
        """Watch from now on what a scan has seen that began at a time, in ns since 1970."""
        self._targets = targets
        self._looks.begin(targets, began_ns)
        self.look_at = 0.0
        folders = set(targets.folders())
        if folders != self._folders:
            self._folders = folders
            before, self._stop = self._stop, threading.Event()
            # The old thread hears until the new one does: nothing is missed between them.
            self._start("inotify", _Hearing(self, sorted(folders), self._stop, before).run)

    def look(self, now: float) -> None:
        """Look at all that is watched, if it is time; `now` is on a monotonic clock."""
        if now < self.look_at:
            return
        begun = time.perf_counter()
        for path in self._looks.changed():
            self._put(path)
        self.look_at = now + max(POLL_SECONDS, (time.perf_counter() - begun) / _SHARE)

    def close(self) -> None:
        """Hear nothing more."""
        self._stop.set()

    def hear(self, place: str) -> None:
        """Take a file or directory of which the kernel says that it changed."""
        targets = self._targets
        if targets.file is not None:
            if os.path.basename(place) == targets.file.name:
                self._put(WHOLE)
            return
        path = os.path.relpath(place, targets.root)
        path = "" if path == "." else path
        name = path.rpartition("/")[2]
        if any(part[:1] == "." for part in path.split("/")):
            return
        if is_read(name):
            self._put(path.rpartition("/")[0])
        elif path in targets.directories or os.path.isdir(place):
            self._put(path)

    def is_deaf(self, error: Exception) -> None:
        """Say once that the kernel tells nothing."""
        if not self._is_told:
            self._is_told = True
            why = " ".join(str(error).split())
            self._say(f"no notification of changes ({why}); looking every {POLL_SECONDS:g} s")


class _Hearing:
    """A thread that hears the kernel on some folders, until it is told to stop."""

    def __init__(
        self, notice: Notice, folders: Sequence[str], stop: threading.Event, before: threading.Event
    ) -> None:
        self._notice, self._folders = notice, folders
        self._stop, self._before = stop, before

    def run(self) -> None:
        try:
            from watchfiles import watch

            told = watch(
                *self._folders,
                watch_filter=None,
                debounce=_DEBOUNCE_MS,
                step=_STEP_MS,
                stop_event=self._stop,
                rust_timeout=_TIMEOUT_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
                recursive=False,
            )
            for changes in told:
                self._before.set()
                for _, place in changes:
                    self._notice.hear(place)
        # No watch left, a folder that is gone meanwhile, no such library: looking goes on.
        except (ImportError, OSError, RuntimeError) as error:
            self._before.set()
            self._notice.is_deaf(error)


class _Looks(Struct):
    """The states of all that is looked at, as a scan or the last look found them."""

    targets: Targets = Targets()
    began_ns: int = 0
    directories: dict[str, int] = field(default_factory=dict)
    files: dict[str, FileState | None] = field(default_factory=dict)
    lists: list[FileState | None] = field(default_factory=list)

    def begin(self, targets: Targets, began_ns: int) -> None:
        """Take what a scan has seen."""
        self.targets, self.began_ns = targets, began_ns - _TICK_NS
        self.directories, self.files = dict(targets.directories), {}
        if targets.file is not None and not self.lists:
            now = file_state(targets.file)
            # The scan may have read the list before this change.
            self.lists = [None if now and now.changed >= self.began_ns else now, now]

    def changed(self) -> list[str]:
        """Return the paths of events."""
        if self.targets.file is not None:
            return [WHOLE] if self._is_list_new(self.targets.file) else []
        found = [path for path in self.directories if self._is_moved(path)]
        files = [path for path in self.targets.metadata if self._is_new(path)]
        return found + [path.rpartition("/")[0] for path in files]

    def _is_list_new(self, file: Path) -> bool:
        """Whether the list differs from the reported one, and rests since the last look."""
        now, (reported, before) = file_state(file), self.lists
        is_new = now == before != reported
        self.lists = [now if is_new else reported, now]
        return is_new

    def _place(self, path: str) -> str:
        return os.path.join(self.targets.root, path) if path else self.targets.root

    def _is_moved(self, path: str) -> bool:
        """Whether a directory changed since it was listed."""
        known = self.directories[path]
        try:
            now = os.stat(self._place(path)).st_ctime_ns
        except OSError:
            now = -1
        self.directories[path] = now
        # A directory that had changed just before its listing may have changed after it, too.
        return now != known and (known != 0 or now >= self.began_ns or now < 0)

    def _is_new(self, path: str) -> bool:
        """Whether metadata differs from what was listed, or from the last look."""
        now = file_state(Path(self._place(path)))
        if path in self.files:
            is_new = now != self.files[path]
        else:
            size, stamp = self.targets.metadata[path]
            is_new = now is None or (now.size, now.modified // 10**9) != (size, stamp)
        self.files[path] = now
        return is_new
