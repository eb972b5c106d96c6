"""What a `mirrorlist watch` says of itself, and how a server asks the one beside it."""

from http.client import HTTPConnection, HTTPException

import msgspec
from msgspec import Struct

ASK_SECONDS = 2.0
MOST_BYTES = 64 << 10


class Published(Struct, frozen=True):
    """The published snapshot, if there is one; age in seconds, `read` in seconds since 1970."""

    id: str | None = None
    read: int | None = None
    age: int | None = None
    bytes: int = 0


class Changes(Struct, frozen=True):
    """Changes since the start; `waiting_seconds` is the age of the oldest in the backlog."""

    seen: int = 0
    processed: int = 0
    backlog: int = 0
    waiting_seconds: float = 0.0
    missed: int = 0


class Exports(Struct, frozen=True):
    """Exports since the start, and what they take; `last_success` is in seconds since 1970."""

    ended_well: int = 0
    published: int = 0
    unchanged: int = 0
    failed: int = 0
    last_seconds: float = 0.0
    mean_seconds: float = 0.0
    last_success: float | None = None


class LastError(Struct, frozen=True):
    """The last error, if there was one, and when, in seconds since 1970."""

    text: str | None = None
    at: float | None = None


class WatchState(Struct, frozen=True):
    """How a watch is; `stale`: its last export that ended well is too long ago."""

    connected: bool
    stale: bool
    snapshot: Published
    changes: Changes
    exports: Exports
    error: LastError


def ask_watch(host: str, port: int) -> WatchState | None:
    """Return how the watch at an address is, or None if nobody there says it within 2 s."""
    connection = HTTPConnection(host, port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/status.json", headers={"Accept": "application/json"})
        answer = connection.getresponse()
        # One byte more than the limit is no JSON of ours.
        body = answer.read(MOST_BYTES + 1) if answer.status == 200 else b""
        return msgspec.json.decode(body[:MOST_BYTES], type=WatchState)
    # Whoever listens there may be anybody.
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
