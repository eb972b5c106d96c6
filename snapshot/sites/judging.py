"""Judges mirrors by their repomd.xml: which directories they have up to date, which URLs work.

"Unknown" is never "stale": a mirror without an answer keeps what it had, until it has failed
several times in a row.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from snapshot.sites.asking import CERTIFICATE, Reply
from snapshot.sites.repomd import read_repomd


class Verdict(StrEnum):
    """What a mirror has of a repository."""

    CURRENT = "current"
    """What the primary has."""
    ALTERNATE = "alternate"
    """What the primary had, while mirrors may still lag."""
    BEHIND = "behind"
    """An older repomd.xml, which is not in the metalink any more."""
    WRONG = "wrong"
    """Something that the primary never had, or no repomd.xml."""
    MISSING = "missing"
    """No such file."""
    AHEAD = "ahead"
    """A newer repomd.xml than the primary had a moment ago: the next probe tells."""
    UNREACHABLE = "unreachable"
    """No answer, or an answer that says that there is a trouble."""


GOOD = frozenset((Verdict.CURRENT, Verdict.ALTERNATE))
_UNKNOWN = frozenset((Verdict.AHEAD, Verdict.UNREACHABLE))
_MISSING = (403, 404, 410, 451)
_UNCHANGED = 304


class Known(Struct, frozen=True):
    """What the metalink has of a repository: SHA-256 sums and a time, in seconds since 1970."""

    current: str
    alternates: frozenset[str]
    timestamp: int


class Memory(Struct, frozen=True):
    """What a URL answered for a file; `timestamp` is None if the file is not a repomd.xml."""

    etag: str
    sha256: str
    timestamp: int | None


def remember(reply: Reply, before: Memory | None) -> Memory | None:
    """Return what to remember of a reply; None if the next request has to be a full one."""
    if reply.status == _UNCHANGED:
        return before
    if reply.body is None:
        return None
    try:
        timestamp = read_repomd(reply.body).timestamp
    except ValueError:
        timestamp = None
    return Memory(reply.etag or "", hashlib.sha256(reply.body).hexdigest(), timestamp)


def judge(reply: Reply, known: Known, found: Memory | None) -> Verdict:
    """Return what a reply says of a mirror; `found` is what `remember` made of it."""
    if found is None:
        missing = reply.error is None and reply.status in _MISSING
        return Verdict.MISSING if missing else Verdict.UNREACHABLE
    if found.sha256 == known.current:
        return Verdict.CURRENT
    if found.sha256 in known.alternates:
        return Verdict.ALTERNATE
    if found.timestamp is None or found.timestamp == known.timestamp:
        return Verdict.WRONG
    return Verdict.BEHIND if found.timestamp < known.timestamp else Verdict.AHEAD


class UrlState(Struct, frozen=True):
    """How a URL answered; times in seconds since 1970. `failures` are probes in a row."""

    failures: int = 0
    checked: int = 0
    good: int | None = None
    error: str | None = None
    tls_expires: int | None = None


def next_state(
    before: UrlState,
    replies: Iterable[Reply],
    verdicts: Iterable[Verdict],
    now: int,
    *,
    anybody: bool,
    limit: int,
) -> UrlState:
    """Return a URL's state after a probe.

    Without an answer of any URL at all (`anybody`), the trouble is here and not at the mirrors, so
    nothing counts as a failure. A certificate that clients refuse counts as the `limit` of
    failures.
    """
    found, replies = Counter(verdicts), [*replies]
    silent = found.keys() <= {Verdict.UNREACHABLE}
    errors = [
        one.error or f"status {one.status}"
        for one in replies
        if one.body is None and one.status != _UNCHANGED
    ]
    worst = next((one for one in Verdict if one not in GOOD | _UNKNOWN and found[one]), None)
    good = any(found[one] for one in GOOD)
    error = errors[-1] if errors and silent else worst.value if worst else None
    failures = before.failures + int(anybody) if silent else 0
    if silent and any(one.startswith(CERTIFICATE) for one in errors):
        failures = max(failures, limit)
    return UrlState(
        failures=failures,
        checked=now,
        good=now if good else before.good,
        error=error,
        tls_expires=max((one.tls_expires for one in replies if one.tls_expires), default=None),
    )


def up_to_date(by_url: Mapping[int, Verdict]) -> bool | None:
    """Return whether a mirror has a repository up to date; None if no URL tells."""
    told = [one for one in by_url.values() if one not in _UNKNOWN]
    return all(one in GOOD for one in told) if told else None


def by_directory(
    verdicts: Mapping[tuple[int, str], Verdict],
) -> dict[str, dict[int, Verdict]]:
    """Return verdicts on (URL, directory) by directory, and then by URL."""
    found: dict[str, dict[int, Verdict]] = defaultdict(dict)
    for (url, directory), verdict in verdicts.items():
        found[directory][url] = verdict
    return found
