"""What came out of a replay: counts, and the unexplained differences without any address."""

from collections import Counter
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from mirrorlist.replay.compare import Verdict
from mirrorlist.replay.meaning import Meaning
from mirrorlist.replay.request import Request

# More than anybody reads, and a bound for what is kept.
MOST_KEPT = 1000
_MOST_SHOWN = 600
ADDRESS = "ADDRESS"
"""What stands in a report for the address of a client."""


class Finding(Struct, frozen=True):
    """One thing that differs, as both sides say it: `a` is the first `--against`."""

    what: str
    """What differs."""
    a: str
    """As the first `--against` says it."""
    b: str
    """As the second one says it."""


class Unexplained(Struct, frozen=True):
    """A request that nothing explains, with its line in the log."""

    line: int
    """Its line in the log."""
    request: str
    """The request, without the client's address."""
    findings: list[Finding]


class Replayed(Struct, frozen=True):
    """What came out of a replay, for programs."""

    against: list[str]
    """Both sides, as `--against` names them."""
    requests: int
    """How many requests were compared."""
    equal: int
    """How many had answers of the same meaning."""
    known: dict[str, int]
    """How often each known difference was seen, by its name in docs/protocol.md."""
    with_known_differences: int
    """How many differed by known differences alone."""
    unexplained: int
    """How many differed by something else."""
    lines_skipped: int
    """Lines of the log that are no request for a list."""
    seconds: float
    """How long it took."""
    differences: list[Unexplained]


class Tally:
    """Counts of a replay, as it goes on."""

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
    """Return a text without the addresses of the request's client, however it wrote them."""
    wish = request.value("ip") or ""
    for address in {request.forwarded, wish, unquote(wish)} - {None, ""}:
        text = text.replace(str(address), ADDRESS)
    return text


def _part(meaning: Meaning, name: str, request: Request) -> str:
    part: object = getattr(meaning, name.partition(":")[0])
    text = part if isinstance(part, str) else msgspec.json.encode(part, order="sorted").decode()
    text = without_addresses(text, request)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]} ..."
