"""The state of a `mirrorlist watch`, and how a server asks the watch beside it for it."""

from contextlib import suppress
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from mirrorlist.status.asking import ASK_SECONDS, NotAnswered, NotOurs, asked

# Any program may answer: pages can show these numbers, as times too, and JSON can tell them.
_Count = Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]
_Seconds = Annotated[float, Meta(ge=-1e11, le=1e11)]


class Published(Struct, frozen=True):
    """The published snapshot, if there is one; age in seconds, `read` in seconds since 1970."""

    id: str | None = None
    """The snapshot's id."""
    read: _Count | None = None
    """The time when its database was read."""
    age: _Count | None = None
    """Seconds since its database was read."""
    bytes: _Count = 0
    """The size of its file."""


class Changes(Struct, frozen=True):
    """Changes since the start; `waiting_seconds` is the age of the oldest in the backlog."""

    seen: _Count = 0
    """Changes seen since the start."""
    processed: _Count = 0
    """Changes exported."""
    backlog: _Count = 0
    """Changes that were seen and are not exported yet."""
    waiting_seconds: _Seconds = 0.0
    """The age of the oldest change in the backlog."""
    missed: _Count = 0
    """Changes that only a regular export found, because no look had seen them."""


class Exports(Struct, frozen=True):
    """Exports since the start, and what they take; `last_success` is in seconds since 1970."""

    ended_well: _Count = 0
    """Exports that ended well since the start."""
    published: _Count = 0
    """Exports that published a snapshot."""
    unchanged: _Count = 0
    """Exports that found nothing changed."""
    failed: _Count = 0
    """Exports that failed."""
    last_seconds: _Seconds = 0.0
    """The seconds that the last export took."""
    mean_seconds: _Seconds = 0.0
    """The seconds that an export takes on average."""
    last_success: _Seconds | None = None
    """The time when the last export ended well."""


class LastError(Struct, frozen=True):
    """The last error, if there was one, and when, in seconds since 1970."""

    text: str | None = None
    """The text of the error."""
    at: _Seconds | None = None
    """The time of the error."""


class PushState(Struct, frozen=True):
    """Runs of `--push` since the start; times in seconds since 1970."""

    succeeded: _Count = 0
    """Runs that succeeded."""
    failed: _Count = 0
    """Runs that failed or took too long."""
    backlog: _Count = 0
    """Publications that no successful run has taken yet."""
    waiting_seconds: _Seconds = 0.0
    """The age of the oldest publication in the backlog."""
    last_seconds: _Seconds = 0.0
    """The seconds that the last successful run took."""
    last_success: _Seconds | None = None
    """The time when the last successful run ended."""
    error: str | None = None
    """How the last failed run ended."""
    error_at: _Seconds | None = None
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
    with suppress(NotAnswered, NotOurs, ValueError, RecursionError):
        return msgspec.json.decode(asked(host, port, "/status.json", seconds), type=WatchState)
    return None
