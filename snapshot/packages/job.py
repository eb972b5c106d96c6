"""What an import of packages is asked to do, and what it did."""

from collections.abc import Callable

from msgspec import Struct

Progress = Callable[[str, int, int], None]
"""Told a phase, and how many of its steps are done, of how many."""
MOST_GONE = 10
"""An import in which more percent of the known repositories would leave is refused."""


class ImportJob(Struct, frozen=True, kw_only=True):
    """An import; `repo` and `arch` limit it to repositories of that prefix and arch.

    `topdir` is the directory of the database that the source itself is; empty if the source is
    the folder or URL that has all of them.
    """

    database: str
    source: str
    repo: str | None = None
    arch: str | None = None
    topdir: str = ""
    dry_run: bool = False
    allow_deletions: bool = False
    full: bool = False


class ImportResult(Struct, kw_only=True):
    """What came of an import: repositories by their directories, and numbers of rows."""

    unchanged: list[str] = []
    imported: list[str] = []
    left: list[str] = []
    without: int = 0
    unread: list[str] = []
    packages: int = 0
    packages_added: int = 0
    packages_deleted: int = 0
    capabilities_added: int = 0
    capabilities_deleted: int = 0
    problems: list[str] = []
    phases: list[tuple[str, float]] = []
    seconds: float = 0.0
