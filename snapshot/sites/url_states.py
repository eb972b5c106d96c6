"""How the URLs of mirrors answer: what is wrong with them, and how often in a row."""

import socket
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from snapshot.sites.getting import CERTIFICATE, UNCHANGED, Reply
from snapshot.sites.judging import GOOD, Verdict
from snapshot.sites.parts import MISSING

FAMILIES = {0: "", int(socket.AF_INET): "IPv4", int(socket.AF_INET6): "IPv6"}
"""The families in which a question may be asked; 0 if it does not matter."""


class UrlState(Struct, frozen=True):
    """How a URL answered; times in seconds since 1970. `failures` are tries in a row.

    `since` is when it left the lists or came back; `ipv4` and `ipv6` are None if they were not
    asked apart, else "" or what is wrong.
    """

    failures: int = 0
    checked: int = 0
    good: int | None = None
    error: str | None = None
    tls_expires: int | None = None
    since: int | None = None
    ipv4: str | None = None
    ipv6: str | None = None


def next_state(
    before: UrlState,
    replies: Mapping[int, Sequence[Reply]],
    verdicts: Iterable[Verdict],
    now: int,
    *,
    anybody: bool,
    limit: int,
    trusts: bool = True,
) -> UrlState:
    """Return a URL's state after a probe; the replies are by family, as in `socket`.

    Without an answer of any URL at all (`anybody`), the trouble is here and not at the mirrors, so
    nothing counts as a failure. A certificate that clients refuse counts as the `limit` of
    failures, unless this machine refuses all certificates (`trusts` is false).
    """
    found = Counter(verdicts)
    troubles = {family: _trouble(of) for family, of in replies.items()}
    every = [one for of in replies.values() for one in of]
    silent = found.keys() <= {Verdict.UNREACHABLE}
    failures = 0
    if silent:
        tries = min(max((one.tries for one in of), default=1) for of in replies.values())
        refused = all((one or "").startswith(CERTIFICATE) for one in troubles.values())
        counts = anybody and (trusts or not refused)
        failures = before.failures + (tries if counts else 0)
        if refused and trusts:
            failures = max(failures, limit)
    return UrlState(
        failures=failures,
        checked=now,
        good=now if any(found[one] for one in GOOD) else before.good,
        error=_error(found, troubles, next((one.lacks for one in every if one.lacks), None)),
        tls_expires=max(
            (one.tls_expires for one in every if one.tls_expires),
            default=before.tls_expires if silent else None,
        ),
        since=before.since,
        ipv4=_family(troubles, socket.AF_INET),
        ipv6=_family(troubles, socket.AF_INET6),
    )


def _family(troubles: Mapping[int, str | None], family: int) -> str | None:
    return troubles[family] or "" if family in troubles else None


def _trouble(replies: Sequence[Reply]) -> str | None:
    """Return the last trouble of a family; None if it gave any answer that can be judged."""
    errors = [
        one.error or f"status {one.status}"
        for one in replies
        if one.error or (one.content is None and one.status not in (UNCHANGED, *MISSING))
    ]
    return errors[-1] if errors and len(errors) == len(replies) else None


_NO_TROUBLE = GOOD | {Verdict.AHEAD, Verdict.UNREACHABLE}


def _error(
    found: Mapping[Verdict, int], troubles: Mapping[int, str | None], lacks: str | None
) -> str | None:
    """Return what is wrong with a URL: files, else what keeps it or a family from answering."""
    worst = next((one for one in Verdict if one not in _NO_TROUBLE and found[one]), None)
    if worst:
        return f"{worst.value}: {lacks}" if worst is Verdict.PARTIAL else worst.value
    silent = {family: why for family, why in troubles.items() if why is not None}
    if len(silent) == len(troubles) == 1:
        return next(iter(silent.values()))
    return "; ".join(f"{FAMILIES[one]}: {why}" for one, why in silent.items()) or None
