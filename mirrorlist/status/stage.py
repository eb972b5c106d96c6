"""A stage of the chain: what it received and processed, what waits, and what mends it.

The chain is what leads from a push to the primary to an answer, and from an answer to the
statistics. Each process tells its stages at `/stages` of its `--admin` address and in its metrics.
"""

from typing import Annotated

from msgspec import Meta, Struct

from mirrorlist.process.wording import visible

PATH = "/stages"
"""Where a process tells its stages."""
NAMES = ("scan", "probe", "export", "push", "swap", "spool", "collect")
"""The stages in the order of the chain."""
_DOCS = "docs/chain.md"
_MOST_TEXT = 500

_Count = Annotated[int, Meta(ge=0, le=1 << 53)]
_Seconds = Annotated[float, Meta(ge=0, le=1e12)]
_Text = Annotated[str, Meta(max_length=2 * _MOST_TEXT)]


class Stage(Struct, frozen=True):
    """A stage of the chain as its own process tells it; the counts are since its start."""

    stage: Annotated[str, Meta(max_length=20)]
    """Its name, such as `scan`."""
    received: _Count
    """What came to it."""
    processed: _Count
    """What of that it has done."""
    backlog: _Count
    """What waits now."""
    oldest_seconds: _Seconds
    """The age of the oldest thing that waits; 0 if nothing waits."""
    limit_seconds: _Seconds
    """The age beyond which the stage is behind."""
    error: _Text | None = None
    """Why it cannot go on; null while it can."""
    note: _Text | None = None
    """What else is to be known of it."""

    @property
    def is_late(self) -> bool:
        """Whether something has waited for longer than it should."""
        return self.oldest_seconds > self.limit_seconds


def cut(text: str | None) -> str | None:
    """Return a text in one line that is short enough to be told, and in Unicode."""
    if text is None:
        return None
    line = visible(" ".join(text.split()))
    return line if len(line) <= _MOST_TEXT else f"{line[:_MOST_TEXT]}..."


def docs_of(stage: str) -> str:
    """Return where the docs say what mends a stage."""
    return f"{_DOCS}#{stage}"
