"""Judges mirrors by their files: which directories they have up to date.

"Unknown" is never "stale": a mirror without an answer keeps what it had, until it has failed
several times in a row. While the primary is silent, a mirror is only found up to date.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from snapshot.sites.content import Content
from snapshot.sites.getting import UNCHANGED, Reply
from snapshot.sites.parts import MISSING


class Verdict(StrEnum):
    """What a mirror has of a repository; of several answers the first in this order decides."""

    WRONG = "wrong"
    """Something that the primary never had, or no file of this kind."""
    MISSING = "missing"
    """No such file."""
    BEHIND = "behind"
    """An older file than mirrors may have."""
    PARTIAL = "partial"
    """A right repomd.xml, but not the file that it names: the mirror is being updated."""
    ALTERNATE = "alternate"
    """What the primary had, while mirrors may still lag."""
    CURRENT = "current"
    """What the primary has."""
    AHEAD = "ahead"
    """A newer file than the primary had a moment ago: the next probe tells."""
    UNSURE = "unsure"
    """Something else than the primary had last, while the primary does not tell what it has."""
    UNREACHABLE = "unreachable"
    """No answer, or an answer that says that there is a trouble."""


GOOD = frozenset((Verdict.CURRENT, Verdict.ALTERNATE))
UNKNOWN = frozenset((Verdict.AHEAD, Verdict.UNSURE, Verdict.UNREACHABLE))
_BAD = frozenset(Verdict) - GOOD - UNKNOWN
_PLAIN = GOOD | {Verdict.UNREACHABLE}
_ORDER = tuple(Verdict)
_DAY = 86_400


class Known(Struct, frozen=True):
    """What the primary has of a file: SHA-256 sums, and a time in seconds since 1970.

    `lag` is how many seconds mirrors may be behind or ahead.
    """

    current: str
    alternates: frozenset[str]
    timestamp: int | None
    lag: int
    is_time: bool = False
    """Whether the file tells a time, and is judged by it."""
    is_old: bool = False
    """Whether the primary did not give the file in this probe; then this is what it had last."""

    def has(self, sha256: str) -> bool:
        """Return whether a sum is that of the current state or of an alternate."""
        return sha256 == self.current or sha256 in self.alternates


class Memory(Struct, frozen=True):
    """What a URL answered last for a file, how that was judged, and since when it is so."""

    etag: str = ""
    sha256: str = ""
    timestamp: int | None = None
    verdict: str = ""
    since: int = 0


def judge(reply: Reply, known: Known, before: Memory | None, now: int) -> Verdict:
    """Return what a reply says of a mirror; `now` is in seconds since 1970.

    While the primary is silent, a mirror may have what the primary had last. Anything else is not
    held against the mirror, because the primary may have it by now.
    """
    found = _judge(reply, known, before, now)
    return Verdict.UNSURE if known.is_old and found not in _PLAIN else found


def _judge(reply: Reply, known: Known, before: Memory | None, now: int) -> Verdict:
    if reply.status == UNCHANGED and reply.error is None and before is not None:
        return _compare(before.sha256, before.timestamp, known, before, now)
    if reply.content is not None:
        if reply.content.error is not None:
            return Verdict.WRONG
        found = _compare(reply.content.sha256, reply.content.timestamp, known, before, now)
        return Verdict.PARTIAL if reply.lacks and found in GOOD else found
    missing = reply.error is None and reply.status in MISSING
    return Verdict.MISSING if missing else Verdict.UNREACHABLE


def _compare(
    sha256: str, timestamp: int | None, known: Known, before: Memory | None, now: int
) -> Verdict:
    if sha256 == known.current:
        return Verdict.CURRENT
    if sha256 in known.alternates:
        return Verdict.ALTERNATE
    if timestamp is None or known.timestamp is None:
        return Verdict.WRONG
    if timestamp == known.timestamp:
        return Verdict.CURRENT if known.is_time else Verdict.WRONG
    if timestamp < known.timestamp:
        may_lag = known.is_time and timestamp >= known.timestamp - known.lag
        return Verdict.ALTERNATE if may_lag else Verdict.BEHIND
    return Verdict.AHEAD if _may_be_ahead(timestamp, known, before, now) else Verdict.WRONG


def _may_be_ahead(timestamp: int, known: Known, before: Memory | None, now: int) -> bool:
    """Whether a newer file may be what the primary has next: not for ever, nor from tomorrow."""
    began = before.since if before is not None and before.verdict == Verdict.AHEAD else now
    return timestamp <= now + _DAY and now - began <= known.lag


# Asked for in full the next time, because the files that it names are looked for only then.
_IN_FULL = (Verdict.PARTIAL, Verdict.AHEAD, Verdict.UNSURE)


def remember(replies: Sequence[Reply], verdict: Verdict, before: Memory | None, now: int) -> Memory:
    """Return what to keep of the answers for a file; what is unknown keeps the earlier answer."""
    old = before or Memory()
    if verdict is Verdict.UNSURE and old.verdict in _BAD:
        # Why it is not offered is known, and holds until the primary tells.
        return old
    since = old.since if old.verdict == verdict else now
    content, etag = _content(replies)
    if verdict in _IN_FULL:
        etag = None
    if content is not None:
        return Memory(etag or "", content.sha256, content.timestamp, verdict, since)
    if verdict is Verdict.MISSING:
        return Memory(verdict=verdict, since=since)
    return Memory(old.etag, old.sha256, old.timestamp, verdict, since)


def _content(replies: Iterable[Reply]) -> tuple[Content | None, str | None]:
    """Return the first file that came; a wrong one is asked for in full the next time."""
    for one in replies:
        if one.content is not None:
            return one.content, None if one.content.error else one.etag
    return None, None


def combined(verdicts: Iterable[Verdict]) -> Verdict:
    """Return what several answers tell: the worst that is known decides."""
    found = set(verdicts)
    if Verdict.UNSURE in found:
        return Verdict.UNSURE
    return min(found - UNKNOWN or found, key=_ORDER.index)


def up_to_date(by_url: Mapping[int, Verdict]) -> bool | None:
    """Return whether a mirror has a repository up to date; None if no URL tells, or one cannot."""
    if Verdict.UNSURE in by_url.values():
        return None
    told = [one for one in by_url.values() if one not in UNKNOWN]
    return all(one in GOOD for one in told) if told else None


def is_late(by_url: Mapping[int, Verdict]) -> bool:
    """Return whether the worst that is known of a mirror's repository is that it is old."""
    return combined(by_url.values()) in (Verdict.BEHIND, Verdict.PARTIAL)


def by_directory(
    verdicts: Mapping[tuple[int, str], Verdict],
) -> dict[str, dict[int, Verdict]]:
    """Return verdicts on (URL, directory) by directory, and then by URL."""
    found: dict[str, dict[int, Verdict]] = defaultdict(dict)
    for (url, directory), verdict in verdicts.items():
        found[directory][url] = verdict
    return found
