"""How a site is kept at present, for the pages and metrics of its keeper."""

from msgspec import Struct


class KeeperState(Struct):
    """How `mirrorlist run` keeps its site; times in seconds since 1970."""

    applied: float | None = None
    """When the file was applied last, since the start."""
    file_error: str | None = None
    """What is wrong with the file as it is now; what was applied before stays."""
    probed: float | None = None
    """When the last probe of the mirrors ended, since the start."""
    probe_seconds: float = 0.0
    """The seconds that it took."""
    probe_error: str | None = None
    """Why the last probe told nothing at all."""
    primary_error: str | None = None
    """The first repository that the primary did not give, and why; the others may be known."""
    repositories: int = 0
    """How many repositories were read from the primary, each version and arch counted."""
    repositories_failed: int = 0
    """How many of them it did not give, or half."""
    probes_due: int = 0
    """How many probes of the mirrors were due."""
    probes_ended: int = 0
    """How many of them have ended, or a later one has."""
    due_since: float | None = None
    """When the oldest probe that has not ended was due; null if all have."""
    urls: int = 0
    """How many URLs of mirrors were asked."""
    urls_troubled: int = 0
    """How many of them have a trouble, such as a stale repository."""
    urls_hidden: int = 0
    """How many of them are not offered, because they do not answer."""
