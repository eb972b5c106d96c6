"""What the steps of one scan share: the category, the last scan of it, and when this one began."""

import os
import time

from msgspec import Struct

from snapshot.link import Link
from snapshot.scan import statements as sql
from snapshot.scan.config import CategorySettings
from snapshot.scan.job import Changes, Progress, ScanJob, ScanResult
from snapshot.scan.list_file import find_list, list_digest, settled_stamp
from snapshot.scan.scope import EVERYTHING, Scope, scope_of
from snapshot.scan.target import find_target
from snapshot.scan.unchanged import (
    Last,
    Seen,
    State,
    has_same_task,
    make_mark,
    packed,
    read_last,
)


class Phases(Struct):
    """The times of a scan's phases; a phase ends when the next one begins."""

    done: list[tuple[str, float]]
    started: float

    def end(self, name: str) -> None:
        """End a phase that has this name."""
        now = time.perf_counter()
        self.done.append((name, now - self.started))
        self.started = now


class Case:
    """One scan of a category. Only what a scan needs that finds nothing new is imported here."""

    def __init__(
        self,
        job: ScanJob,
        category: CategorySettings,
        link: Link,
        phases: Phases,
        progress: Progress,
    ) -> None:
        """Find the category, exclude other scans of it, and read what the last one left."""
        self.job, self.category, self.link = job, category, link
        self.phases, self.progress = phases, progress
        self.now = int(time.time())
        self.target = find_target(link, job.category)
        link.lock(self.target.id)
        self.has_state = sql.STATE_TABLE in self.target.optional
        self.last = read_last(link, self.target.id) if self.has_state else Last()
        self.state = self.last.state()
        self.path = find_list(job, category)
        self.mark = self.make_mark()
        self.digest = ""
        self.scope = self._find_scope()
        phases.end("connecting")

    def _find_scope(self) -> Scope:
        """Return what to look at: all, unless the last scan saw what is outside of the paths."""
        scope = scope_of(self.job.paths, self.target.topdir)
        is_list = self.path is not None
        if not has_same_task(self.mark, self.last.mark) or not (is_list or self.state.seen):
            return EVERYTHING
        return scope

    def make_mark(self) -> str:
        """Return a text that changes when something else than the primary calls for a scan."""
        category = self.category
        about = {
            "configuration": self.job.settings.digest,
            "source": f"{category.type} {category.url} {self.path}",
            "ages": self.job.ages,
            "target": (self.target.product, self.target.topdir),
        }
        return make_mark(self.link, self.target.id, about)

    def is_known(self) -> bool:
        """Whether the list is that of the last scan: by its stamp, or else by its digest."""
        if self.path is None or not self.holds(self.last.digest):
            return False
        now = settled_stamp(self.path)
        if now and now == self.state.stamp:
            return True
        # To read all rows takes ten times as long as the digest alone.
        self.digest = list_digest(self.path)
        if self.digest != self.last.digest:
            return False
        self.remember(now, {})
        return True

    def holds(self, digest: str) -> bool:
        """Whether a scan of a listing with this digest would write nothing."""
        return (
            not (self.job.full or self.scope)
            and self.last.holds(self.mark, digest, self.now)
            and self._is_pending_still()
        )

    def _is_pending_still(self) -> bool:
        """Whether the files that could not be read cannot be read now either."""
        if self.category.type != "directory":
            return not self.state.pending
        root = self.category.url
        return not any(os.access(os.path.join(root, one), os.R_OK) for one in self.state.pending)

    def unchanged(self, seen: dict[str, Seen] | None = None) -> ScanResult:
        """Return the result of a scan that found nothing new."""
        self.phases.end("comparing")
        return ScanResult(
            unchanged=True,
            changes=Changes(),
            problems=self.state.problems,
            phases=self.phases.done,
            seen=self.state.seen if seen is None else seen,
            file=self.path,
        )

    def remember(self, stamp: str, seen: dict[str, Seen]) -> None:
        """Keep what spares the next scan a look, although no row of the primary changed."""
        old = self.state
        state = State(stamp, old.read, seen, old.pending, old.problems)
        if ((stamp and stamp != old.stamp) or seen != old.seen) and not self.job.dry_run:
            self.link.begin()
            self.keep(state, self.last.digest, self.last.due, self.mark)
            self.link.end(commit=True)

    def keep(self, state: State, digest: str, due: int | None, mark: str) -> None:
        """Write what the next scan of this category is to know."""
        values = {
            "category": self.target.id,
            "serial": self.last.serial + 1,
            "mark": mark,
            "digest": digest,
            "due": due,
            "state": packed(state),
        }
        self.link.execute(sql.WRITE_STATE, values)
