"""What a scan is asked to do, and what it did."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from snapshot.scan.config import Settings
from snapshot.scan.unchanged import Seen

Progress = Callable[[str, int, int], None]
"""Told a phase, and how many of its steps are done, of how many."""

UMDL_STALE_DAYS, UMDL_PROPAGATION_DAYS = 4, 3
"""The ages of MirrorManager's Python scanner, whose configuration has them as defaults."""
MOST_DELETED = 10
"""A scan that would delete more percent of a category's directories or repositories is refused."""
_DAY = 24 * 3600


class ScanJob(Struct, frozen=True, kw_only=True):
    """A scan of one category, or of some paths in it; `source` replaces the configuration's url."""

    database: str
    settings: Settings
    category: str
    source: str | None = None
    list: Path | None = None
    dry_run: bool = False
    allow_deletions: bool = False
    umdl_ages: bool = False
    full: bool = False
    walk: bool = False
    paths: tuple[str, ...] = ()

    @property
    def ages(self) -> tuple[int, int]:
        """Seconds until an alternate may go, and until the newest has reached all mirrors."""
        if self.umdl_ages:
            return UMDL_STALE_DAYS * _DAY, UMDL_PROPAGATION_DAYS * _DAY
        return self.settings.max_stale_days * _DAY, self.settings.max_propagation_days * _DAY


class Changes(Struct, kw_only=True):
    """What a scan wrote, or with --dry-run would have written; directories by their names."""

    directories_added: list[str] = []
    directories_changed: list[str] = []
    directories_deleted: list[str] = []
    repositories_added: list[str] = []
    repositories_moved: list[tuple[str, str]] = []
    repositories_deleted: list[str] = []
    versions_added: list[str] = []
    details_added: int = 0
    details_aged: int = 0


class ScanResult(Struct, kw_only=True):
    """What came of a scan: numbers of what was found, the changes, and what could not be used.

    `seen` are the directories of a tree, `file` is the full list that was read.
    """

    unchanged: bool
    directories: int = 0
    repositories: int = 0
    links: int = 0
    files_read: int = 0
    changes: Changes
    problems: list[str]
    phases: list[tuple[str, float]]
    seconds: float = 0.0
    seen: dict[str, Seen] = {}
    file: Path | None = None
