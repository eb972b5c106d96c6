"""The results of a replay: counts, and the unexplained differences without any client's address."""

from collections import Counter
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from mirrorlist.replay.compare import Verdict
from mirrorlist.replay.meaning import Meaning
from mirrorlist.replay.request import Request

# The most unexplained differences that are kept in memory and printed with --json.
MOST_KEPT = 1000
_MOST_SHOWN = 600
ADDRESS = "ADDRESS"
"""Stands for the address of a client in a report."""


class Finding(Struct, frozen=True):
    """One part of the answers that differs."""

    what: str
    """The part of the answer that differs."""
    a: str
    """This part in the answer of the first `--against`."""
    b: str
    """This part in the answer of the second `--against`."""


class Unexplained(Struct, frozen=True):
    """A request whose difference no known difference explains."""

    line: int
    """Its line in the log."""
    request: str
    """The request, without the client's address."""
    findings: list[Finding]


class Replayed(Struct, frozen=True):
    """The results of a replay, for programs."""

    against: list[str]
    """Both sides, as `--against` names them."""
    requests: int
    """How many requests were compared."""
    equal: int
    """How many had answers of the same meaning."""
    known: dict[str, int]
    """How many requests showed each known difference, by its name in docs/protocol.md."""
    with_known_differences: int
    """How many requests differed only by known differences."""
    unexplained: int
    """How many requests differed by something else."""
    lines_skipped: int
    """How many lines of the log are not a request for a list."""
    seconds: float
    """How long it took."""
    differences: list[Unexplained]


class Tally:
    """The counts of a replay while it runs."""

    def __init__(self, names: tuple[str, str], swapped: bool) -> None:
        """Take the names of both sides; `swapped` if the second one is mirrorlist-server."""
        self.names = names
        self.outcomes = Counter[str]()
        self.known = Counter[str]()
        self.skipped = 0
        self.interrupted = False
        self.kept: list[Unexplained] = []
        self._swapped = swapped

    @property
    def requests(self) -> int:
        """How many requests were compared."""
        return self.outcomes.total()

    def add(self, line: int, verdict: Verdict) -> None:
        """Count a verdict."""
        self.outcomes[verdict.outcome] += 1
        if verdict.differences:
            if len(self.kept) < MOST_KEPT:
                self.kept.append(self._unexplained(line, verdict))
        else:
            self.known.update(verdict.known)

    def replayed(self, seconds: float) -> Replayed:
        """Return the tally for programs."""
        return Replayed(
            against=list(self.names),
            requests=self.requests,
            equal=self.outcomes["equal"],
            known=dict(self.known.most_common()),
            with_known_differences=self.outcomes["known"],
            unexplained=self.outcomes["unexplained"],
            lines_skipped=self.skipped,
            seconds=round(seconds, 3),
            differences=self.kept,
        )

    def _unexplained(self, line: int, verdict: Verdict) -> Unexplained:
        request = verdict.request
        findings = []
        for name in verdict.differences:
            theirs, ours = (_part(one, name, request) for one in (verdict.theirs, verdict.ours))
            a, b = (ours, theirs) if self._swapped else (theirs, ours)
            findings.append(Finding(name, a, b))
        return Unexplained(line, without_addresses(request.target, request), findings)


def without_addresses(text: str, request: Request) -> str:
    """Return a text with the addresses of the request's client replaced, also encoded ones."""
    wish = request.value("ip") or ""
    for address in {request.forwarded, wish, unquote(wish)} - {None, ""}:
        text = text.replace(str(address), ADDRESS)
    return text


def _part(meaning: Meaning, name: str, request: Request) -> str:
    part: object = getattr(meaning, name.partition(":")[0])
    text = part if isinstance(part, str) else msgspec.json.encode(part, order="sorted").decode()
    text = without_addresses(text, request)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]} ..."
