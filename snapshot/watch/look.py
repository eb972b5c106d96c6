"""A look at a database: enough to tell that something was committed, and in which table."""

from enum import Enum
from typing import NamedTuple, Protocol


class Look(NamedTuple):
    """What a probe saw of a database at one moment.

    `version` changes with every commit, whatever it is about. `marks` has the database's own
    counters by table, for the tables that an export reads; counters may be late.
    """

    version: str
    marks: dict[str, str]


class LookResult(Enum):
    """What happened between two looks."""

    NOTHING = "nothing was committed"
    UNSURE = "something was committed, and nothing says what"
    CHANGED = "something that an export reads was changed"


class Probe(Protocol):
    """Looks at a database over one kept connection."""

    def look(self, since: Look | None) -> Look | None:
        """Return the present look; None while the database is locked; raises DatabaseError.

        Returns `since` itself if nothing was committed after it. After an error, the next look
        opens a new connection.
        """

    def close(self) -> None:
        """Close the connection."""

    def shown(self) -> str:
        """Return the database and what is looked at, for people, without a password."""


def judge(before: Look | None, now: Look) -> tuple[LookResult, list[str]]:
    """Compare two looks; the second value names the tables that changed."""
    if before is None:
        return LookResult.UNSURE, []
    # Without a commit, different marks are late counters of changes that were exported already.
    if now.version == before.version:
        return LookResult.NOTHING, []
    names = [name for name in {**before.marks, **now.marks} if _differs(name, before, now)]
    return (LookResult.CHANGED if names else LookResult.UNSURE), names


def _differs(name: str, before: Look, now: Look) -> bool:
    return before.marks.get(name) != now.marks.get(name)
