"""The state of a `mirrorlist watch`, and how a server asks the watch beside it for it."""

from contextlib import suppress

import msgspec
from msgspec import Struct

from mirrorlist.status.asking import ASK_SECONDS, NotAnswered, NotOurs, asked


class Published(Struct, frozen=True):
    """The published snapshot, if there is one; age in seconds, `read` in seconds since 1970."""

    id: str | None = None
    """The snapshot's id."""
    read: int | None = None
    """The time when its database was read."""
    age: int | None = None
    """Seconds since its database was read."""
    bytes: int = 0
    """The size of its file."""


class Changes(Struct, frozen=True):
    """Changes since the start; `waiting_seconds` is the age of the oldest in the backlog."""

    seen: int = 0
    """Changes seen since the start."""
    processed: int = 0
    """Changes exported."""
    backlog: int = 0
    """Changes that were seen and are not exported yet."""
    waiting_seconds: float = 0.0
    """The age of the oldest change in the backlog."""
    missed: int = 0
    """Changes that only a regular export found, because no look had seen them."""


class Exports(Struct, frozen=True):
    """Exports since the start, and what they take; `last_success` is in seconds since 1970."""

    ended_well: int = 0
    """Exports that ended well since the start."""
    published: int = 0
    """Exports that published a snapshot."""
    unchanged: int = 0
    """Exports that found nothing changed."""
    failed: int = 0
    """Exports that failed."""
    last_seconds: float = 0.0
    """The seconds that the last export took."""
    mean_seconds: float = 0.0
    """The seconds that an export takes on average."""
    last_success: float | None = None
    """The time when the last export ended well."""


class LastError(Struct, frozen=True):
    """The last error, if there was one, and when, in seconds since 1970."""

    text: str | None = None
    """The text of the error."""
    at: float | None = None
    """The time of the error."""


class PushState(Struct, frozen=True):
    """Runs of `--push` since the start; times in seconds since 1970."""

    succeeded: int = 0
    """Runs that succeeded."""
    failed: int = 0
    """Runs that failed or took too long."""
    backlog: int = 0
    """Publications that no successful run has taken yet."""
    waiting_seconds: float = 0.0
    """The age of the oldest publication in the backlog."""
    last_seconds: float = 0.0
    """The seconds that the last successful run took."""
    last_success: float | None = None
    """The time when the last successful run ended."""
    error: str | None = None
    """How the last failed run ended."""
    error_at: float | None = None
    """The time when the last failed run ended."""


class WatchState(Struct, frozen=True):
    """The state of a watch."""

    connected: bool
    """Whether the database answers."""
    stale: bool
    """Whether the last export that ended well is longer ago than `--stale`."""
    snapshot: Published
    changes: Changes
    exports: Exports
    error: LastError
    push: PushState = PushState()


def ask_watch(host: str, port: int, seconds: float = ASK_SECONDS) -> WatchState | None:
    """Return the state of the watch at an address, or None if no watch answers there in time."""
    # Any program may listen at that address.
    with suppress(NotAnswered, NotOurs, ValueError):
        return msgspec.json.decode(asked(host, port, "/status.json", seconds), type=WatchState)
    return None
