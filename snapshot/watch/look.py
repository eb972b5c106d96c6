"""What a probe sees of a database: enough to tell that something was committed, and where."""

from enum import Enum
from typing import NamedTuple, Protocol


class Look(NamedTuple):
    """What a database looked like at one moment.

    `version` is another one whenever anything was committed at all, ours or not; `marks` are what
    the database counts of each thing that an export reads, and may lag behind.
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
        """Return what it looks like now; None while it is locked; raises DatabaseError.

        Returns `since` itself if nothing was committed after it. After an error the next look
        connects anew.
        """

    def close(self) -> None:
        """Close the connection."""

    def shown(self) -> str:
        """Say what is looked at, for people, without a password."""


def judge(before: Look | None, now: Look) -> tuple[LookResult, list[str]]:
    """Compare two looks; the second value names what changed."""
    if before is None:
        return LookResult.UNSURE, []
    # What the marks say beyond that came late: it was there to be read before.
    if now.version == before.version:
        return LookResult.NOTHING, []
    names = [name for name in {**before.marks, **now.marks} if _differs(name, before, now)]
    return (LookResult.CHANGED if names else LookResult.UNSURE), names


def _differs(name: str, before: Look, now: Look) -> bool:
    return before.marks.get(name) != now.marks.get(name)
