"""The state of a `mirrorlist scan --watch`, for its status page and for programs."""

import time
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from mirrorlist.status.signed_hook import Hooks
    from snapshot.scan.agenda import Progress
    from snapshot.scan.watching import Watching


class Events(Struct, frozen=True):
    """Events since the start: of the hook, of signals, and changes that were noticed."""

    received: int = 0
    """Events received since the start."""
    processed: int = 0
    """Events that a successful scan has taken."""
    backlog: int = 0
    """Events that no successful scan has taken yet."""
    waiting_seconds: float = 0.0
    """The age of the oldest event in the backlog."""


class Scans(Struct, frozen=True):
    """Scans since the start, and what they take."""

    succeeded: int = 0
    """Scans that succeeded."""
    unchanged: int = 0
    """Successful scans of everything that found nothing changed."""
    failed: int = 0
    """Scans that failed; their events wait, and are tried again."""
    last_seconds: float = 0.0
    """The seconds that the last successful scan took."""
    last_success: float | None = None
    """The time when the last successful scan ended, in seconds since 1970."""


class ScannedCategory(Struct, frozen=True):
    """A category, as its last scans found it."""

    name: str
    """The name of the category."""
    events: Events
    scans: Scans
    directories: int
    """Directories that the last scan with changes found."""
    repositories: int
    """Repositories that the last scan with changes found."""
    problems: int
    """Names that the last scan left out, or could not read."""
    error: str | None
    """The text of the last error."""
    error_at: float | None
    """The time of the last error, in seconds since 1970."""

    @property
    def is_failing(self) -> bool:
        """Whether the newest scan failed."""
        return self.error_at is not None and self.error_at > (self.scans.last_success or 0)


class HookState(Struct, frozen=True):
    """Requests to `/hook` since the start."""

    accepted: int = 0
    """Requests that became events."""
    refused: int = 0
    """Requests that were refused, such as for a wrong signature."""


class ScanState(Struct, frozen=True):
    """The state of a `scan --watch`."""

    stale: bool
    """Whether an event or a regular scan has waited for longer than `--stale`."""
    late_seconds: float
    """For how many seconds the oldest event or the regular scan has waited."""
    categories: list[ScannedCategory]
    hook: HookState


def scan_state_of(watching: "Watching", hooks: "Hooks", stale: float) -> ScanState:
    """Return the state of a watch that is stale if something has waited for `stale` seconds."""
    now, late = time.monotonic(), watching.late()
    return ScanState(
        late > stale,
        round(late, 1),
        [_category(name, one, now) for name, one in watching.progress.items()],
        HookState(hooks.accepted, hooks.refused),
    )


def _category(name: str, one: "Progress", now: float) -> ScannedCategory:
    return ScannedCategory(
        name=name,
        events=Events(one.received, one.processed, one.backlog, round(one.waiting(now), 1)),
        scans=Scans(
            one.succeeded, one.unchanged, one.failed, round(one.last_seconds, 3), one.success_at
        ),
        directories=one.directories,
        repositories=one.repositories,
        problems=one.problems,
        error=one.error,
        error_at=one.error_at,
    )
