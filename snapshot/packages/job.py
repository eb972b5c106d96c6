"""What an import of packages is asked to do, and what it did."""

from collections.abc import Callable

from msgspec import Struct

Progress = Callable[[str, int, int], None]
"""Told a phase, and how many of its steps are done, of how many."""
MOST_GONE = 10
"""An import in which more percent of the known repositories would leave is refused."""


class ImportJob(Struct, frozen=True, kw_only=True):
    """An import from a source, which is a folder or a URL, into a database."""

    database: str
    source: str
    repo: str | None = None
    """Only repositories of this prefix."""
    arch: str | None = None
    """Only repositories of this arch."""
    topdir: str = ""
    """The directory of the database that the source itself is; "" if it has all of them."""
    dry_run: bool = False
    """Roll back at the end."""
    allow_deletions: bool = False
    """Let more than `MOST_GONE` percent of the known repositories leave."""
    full: bool = False
    """Read also what has not changed since the last import."""


class ImportResult(Struct, kw_only=True):
    """What came of an import; repositories are named by their directories."""

    unchanged: list[str] = []
    imported: list[str] = []
    deleted: list[str] = []
    """Those that are no longer at their source, or in the database."""
    without: int = 0
    """How many are neither at the source nor known from an earlier import."""
    unread: list[str] = []
    """Those that could not be read; `problems` says why."""
    packages: int = 0
    """How many packages the imported repositories have, together."""
    packages_added: int = 0
    packages_deleted: int = 0
    capabilities_added: int = 0
    capabilities_deleted: int = 0
    problems: list[str] = []
    phases: list[tuple[str, float]] = []
    """What the time was spent on, in seconds."""
    seconds: float = 0.0
