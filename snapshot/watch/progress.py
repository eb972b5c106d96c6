"""The counts of a watch since its start, for people, health checks and metrics."""

from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from snapshot.export.pipeline import ExportResult


class Pushes(Struct):
    """The counts of `--push`, written by its thread and by the loop; times as in `Progress`."""

    wanted: int = 0
    done: int = 0
    waiting_since: float | None = None
    succeeded: int = 0
    failed: int = 0
    last_seconds: float = 0.0
    success_at: float | None = None
    error: str | None = None
    error_at: float | None = None

    @property
    def backlog(self) -> int:
        """How many publications no successful push has taken yet."""
        return self.wanted - self.done

    def waiting(self, now: float) -> float:
        """Return for how many seconds the oldest publication has waited; 0 if none waits."""
        since = self.waiting_since
        return 0.0 if since is None else max(0.0, now - since)

    def see(self, now: float) -> None:
        """Count a publication."""
        self.wanted += 1
        if self.waiting_since is None:
            self.waiting_since = now

    def succeed(self, taken: int, began: float, now: float, wall: float) -> None:
        """Count a push of the first `taken` publications; `wall` is in seconds since 1970."""
        self.succeeded += 1
        self.done = taken
        # A publication during the push waits since the push began, or less.
        self.waiting_since = began if self.backlog else None
        self.last_seconds, self.success_at = now - began, wall


class Progress(Struct):
    """The counts of a watch, written by its loop, read by its admin pages.

    Times whose names end in `_at` are seconds since 1970. Times whose names end in `_since` are of
    `time.monotonic`, so that ages are right after the clock was set.
    """

    started_since: float
    connected: bool = False
    connections: int = 0
    seen: int = 0
    processed: int = 0
    waiting_since: float | None = None
    exports: int = 0
    published: int = 0
    unchanged: int = 0
    failed: int = 0
    missed: int = 0
    differed: int = 0
    survived: int = 0
    refused: int = 0
    last_seconds: float = 0.0
    all_seconds: float = 0.0
    success_since: float | None = None
    success_at: float | None = None
    error: str | None = None
    error_at: float | None = None
    id: str | None = None
    read: int | None = None
    hosts: int = 0
    bytes: int = 0
    push: Pushes = field(default_factory=Pushes)

    @property
    def backlog(self) -> int:
        """How many changes were seen that are not in the published file yet."""
        return self.seen - self.processed

    @property
    def mean_seconds(self) -> float:
        """The mean duration of an export in seconds; 0 before the first one."""
        return self.all_seconds / self.exports if self.exports else 0.0

    def waiting(self, now: float) -> float:
        """Return for how many seconds the oldest change has waited; 0 if none waits."""
        return 0.0 if self.waiting_since is None else max(0.0, now - self.waiting_since)

    def succeed(self, result: "ExportResult", now: float, wall: float) -> None:
        """Count an export or import that ended well; `wall` is in seconds since 1970."""
        self.exports += 1
        self.last_seconds = result.seconds
        self.all_seconds += result.seconds
        self.success_since, self.success_at = now, wall
        self.id, self.read, self.bytes = result.id, result.read, result.bytes
        self.hosts = result.counts["hosts"]

    def fail(self, error: Exception, wall: float) -> None:
        """Count an export or import that failed."""
        self.failed += 1
        self.error, self.error_at = str(error) or repr(error), wall

    def since_success(self, now: float) -> float:
        """Return the seconds since the last successful export, or since the start."""
        return now - (self.started_since if self.success_since is None else self.success_since)

    def see(self, now: float) -> None:
        """Count a change."""
        self.seen += 1
        if self.waiting_since is None:
            self.waiting_since = now
