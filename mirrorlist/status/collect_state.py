"""The state of a `mirrorlist stats collect --watch`, for its pages, metrics and programs."""

from msgspec import Struct


class WaitingFiles(Struct, frozen=True):
    """What waits in the spools now."""

    files: int = 0
    """The spool files."""
    requests: int = 0
    """The requests in those that a collection could not add; files of this minute are not read."""
    uncounted: int = 0
    """The files whose requests are not known yet."""
    oldest_seconds: float = 0.0
    """For how long the oldest file has been in its spool."""


class CollectState(Struct, frozen=True):
    """The state of a `mirrorlist stats collect --watch`; counts since its start."""

    fresh: bool
    """Whether the database can be used, and no file has waited for longer than it should."""
    received: int
    """The files that came to the spools."""
    processed: int
    """The files of which all batches are in the database."""
    waiting: WaitingFiles
    limit_seconds: float
    """A file that waits for longer is late."""
    batches: int
    """The batches that were added."""
    again: int
    """The batches that were passed over, because they had been added before."""
    requests: int
    """The requests that were added."""
    other: int
    """How many of them are in rows of (other)."""
    damaged: int
    """The files that could not be used, and were moved to the folder `damaged`."""
    collections: int
    """The collections that ended well."""
    failed: int
    """The collections that did not."""
    last_seconds: float
    """The seconds that the last one that ended well took."""
    last_success: float | None
    """The time when it ended, in seconds since 1970."""
    outage_since: float | None
    """Since when the database, a spool or a file cannot be used; null while all can."""
    outage_seconds: float
    """For how many seconds; 0 while all can be used."""
    held: bool
    """Whether the error is about single files or spools, which wait while all others are added."""
    error: str | None
    """Why; null while all can be used."""
