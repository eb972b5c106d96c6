"""The judgement on one request: equal, different in a known way, or unexplained."""

from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from tests.comparison.answers import Heading, Meaning
from tests.comparison.requests import Request
from tests.comparison.sources import Source

FEWEST_ASKS = 12
"""So often each is asked at least: two hosts of one tier that are drawn with equal chances look
like two tiers in one of 2048 runs, and 100 Mbit/s beside 1000 in one of three; see MOST_ASKS."""
MOST_ASKS = 3072
"""So often each is asked at most, before sets of hosts that differ are believed to differ."""

# What more answers can change.
_BY_CHANCE = {"tiers", "redirects"}
_COMPARED = (
    *("status", "type", "error", "well_formed", "document", "versions", "preferences"),
    *("redirects", "unsteady"),
)

Change = tuple[str, str]


class Rewritten(Struct, frozen=True):
    """A request whose answer by the incumbent has the meaning that ours must have.

    `back` are texts of that answer with what stands for them in ours.
    """

    request: Request
    back: tuple[Change, ...] = ()


class Rule(Struct, frozen=True):
    """One known difference: `what` is its row in docs/protocol.md.

    `rewrite` gives a request that the incumbent understands as we understand the original, or
    None. `adjust` takes the request, their meaning and ours, and returns theirs without the
    difference, or as it is.
    """

    what: str
    rewrite: Callable[[Request], Rewritten | None] = lambda request: None
    adjust: Callable[[Request, Meaning, Meaning], Meaning] = lambda request, theirs, ours: theirs


class Verdict(Struct, frozen=True):
    """What came out for one request: no `differences` is equal, or known by the `known` rules."""

    request: Request
    known: tuple[str, ...]
    differences: tuple[str, ...]
    theirs: Meaning
    ours: Meaning

    @property
    def outcome(self) -> str:
        """`unexplained`, `known` or `equal`."""
        if self.differences:
            return "unexplained"
        return "known" if self.known else "equal"


def judge(request: Request, incumbent: Source, ours: Source, rules: Sequence[Rule]) -> Verdict:
    """Compare the two, by as few of the rules as explain a difference."""
    plain = _settle(request, incumbent, ours, ())
    if not plain.differences:
        return plain
    explained = _settle(request, incumbent, ours, rules)
    if explained.differences:
        return explained
    needed = list(explained.known)
    # The last first: a later rule may only follow up what an earlier one did.
    for what in reversed(explained.known):
        fewer = [rule for rule in rules if rule.what in needed and rule.what != what]
        if not _settle(request, incumbent, ours, fewer).differences:
            needed.remove(what)
    return Verdict(request, tuple(needed), (), explained.theirs, explained.ours)


def differences(theirs: Meaning, ours: Meaning) -> tuple[str, ...]:
    """Return the names of all that differs in meaning."""
    found = [name for name in _COMPARED if getattr(theirs, name) != getattr(ours, name)]
    found += _of_headings(theirs.heading, ours.heading)
    if theirs.hosts != ours.hosts:
        found.append("hosts")
    elif theirs.links != ours.links:
        found.append("links")
    elif theirs.tiers != ours.tiers:
        found.append("tiers")
    if None not in (theirs.log, ours.log) and theirs.log != ours.log:
        found.append("log")
    return tuple(found)


def _of_headings(theirs: Heading | None, ours: Heading | None) -> list[str]:
    if theirs is None or ours is None:
        return [] if theirs is ours else ["heading"]
    names = Heading.__struct_fields__
    return [f"heading: {name}" for name in names if getattr(theirs, name) != getattr(ours, name)]


def _settle(request: Request, incumbent: Source, ours: Source, rules: Sequence[Rule]) -> Verdict:
    """Ask both until they are equal, differ in what chance cannot change, or were asked enough."""
    rewritten, back, used = _rewrite(request, rules)
    asks = FEWEST_ASKS
    while True:
        mine = ours.see(request, asks)
        theirs = put_back(incumbent.see(rewritten, asks), back)
        known = list(used)
        for rule in rules:
            adjusted = rule.adjust(request, theirs, mine)
            if adjusted != theirs:
                known.append(rule.what)
                theirs = adjusted
        found = differences(theirs, mine)
        if not found or asks >= MOST_ASKS or not _BY_CHANCE.issuperset(found):
            return Verdict(request, tuple(dict.fromkeys(known)), found, theirs, mine)
        asks *= 2


def _rewrite(request: Request, rules: Sequence[Rule]) -> tuple[Request, list[Change], list[str]]:
    back: list[Change] = []
    used = []
    for rule in rules:
        rewritten = rule.rewrite(request)
        if rewritten is not None:
            request, changes = rewritten.request, rewritten.back
            back = [*changes, *back]
            used.append(rule.what)
    return request, back, used


def put_back(meaning: Meaning, back: Sequence[Change]) -> Meaning:
    """Return a meaning with other texts in it: those of the original request."""
    if not back:
        return meaning
    return _convert(meaning, back)


def _convert(meaning: Meaning, back: Sequence[Change]) -> Meaning:
    def change(value: object) -> object:
        if isinstance(value, str):
            for old, new in back:
                value = value.replace(old, new)
            return value
        if isinstance(value, dict):
            return {key: change(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [change(one) for one in value]
        return value

    return msgspec.convert(change(msgspec.to_builtins(meaning)), Meaning)
