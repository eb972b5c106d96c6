"""Judges the answers to one request: equal, different in a known way, or unexplained."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from mirrorlist.replay.meaning import APART, Heading, Meaning
from mirrorlist.replay.request import Request


class Asking(Struct, frozen=True):
    """How often both sides are asked: at least `fewest` and at most `most` times.

    With `drawn`, theirs is a single draw, and ours describes all possible draws.
    """

    fewest: int
    most: int
    drawn: bool


REPEATEDLY = Asking(12, 3072, drawn=False)
"""For two sides that only show draws: tiers are inferred from the order of hosts in many answers.

Two hosts of one tier with equal bandwidth come in the same order in all of 12 answers in one of
2048 cases, and hosts with 100 and 1000 Mbit/s in one of three cases. So up to 3072 are drawn."""
ONCE = Asking(1, 1, drawn=True)
"""For a server of this project, which says what its tiers are."""

# The differences that more answers may remove.
_BY_CHANCE = {"tiers", "redirects"}
_COMPARED = (
    *("status", "type", "error", "well_formed", "document", "versions", "preferences"),
    *("redirects", "unsteady"),
)

Change = tuple[str, str]


class Source(Protocol):
    """A side that returns what its answers to a request mean."""

    def see(self, request: Request, asks: int) -> Meaning:
        """Return what at least `asks` answers have in common."""


class Rewritten(Struct, frozen=True):
    """A request whose answer by mirrorlist-server must have the meaning of our answer.

    `back` has pairs of texts: each first text in that answer stands as the second one in ours.
    """

    request: Request
    back: tuple[Change, ...] = ()


class Rule(Struct, frozen=True):
    """One known difference: `what` is its row in docs/protocol.md.

    `rewrite` returns a request that mirrorlist-server understands as we understand the original, or
    None. `adjust` takes the request, their meaning and ours, and returns their meaning without the
    difference, or unchanged.
    """

    what: str
    rewrite: Callable[[Request], Rewritten | None] = lambda request: None
    adjust: Callable[[Request, Meaning, Meaning], Meaning] = lambda request, theirs, ours: theirs


class Verdict(Struct, frozen=True):
    """The result for one request: its unexplained `differences`, and the `known` rules used."""

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


def judge(
    request: Request,
    theirs: Source,
    ours: Source,
    rules: Sequence[Rule],
    asking: Asking = REPEATEDLY,
) -> Verdict:
    """Compare the answers; if they differ, find the smallest set of rules that explains it."""
    plain = _settle(request, theirs, ours, (), asking)
    if not plain.differences or not rules:
        return plain
    # First without the rules that rewrite the request, because those must ask again.
    unchanged = [rule for rule in rules if rule.rewrite(request) is None]
    explained = _settle(request, theirs, ours, unchanged, asking)
    if explained.differences and len(unchanged) < len(rules):
        explained = _settle(request, theirs, ours, rules, asking)
    if explained.differences:
        return explained
    needed = list(explained.known)
    # The last rule is dropped first: it may be needed only because of an earlier one.
    for what in reversed(explained.known):
        fewer = [rule for rule in rules if rule.what in needed and rule.what != what]
        if not _settle(request, theirs, ours, fewer, asking).differences:
            needed.remove(what)
    return Verdict(request, tuple(needed), (), explained.theirs, explained.ours)


def differences(theirs: Meaning, ours: Meaning, drawn: bool = False) -> tuple[str, ...]:
    """Return the names of all that differs in meaning; `drawn` is that of `Asking`."""
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
    if drawn:
        found = [name for name in found if not _is_chance(name, theirs, ours)]
    return tuple(found)


def _is_chance(name: str, theirs: Meaning, ours: Meaning) -> bool:
    """Tell whether chance alone explains this difference between one draw and our description."""
    match name:
        case "tiers":
            return not ours.tiers or _is_draw(theirs.tiers, ours.tiers)
        case "redirects":
            return bool(theirs.redirects) and theirs.redirects <= ours.redirects
        case "unsteady":
            # Two hosts with one name: by chance their links stand together or apart.
            return {*theirs.unsteady, *ours.unsteady} == {APART}
        case "links" | "preferences" if APART in {*theirs.unsteady, *ours.unsteady}:
            return _all_links(theirs) == _all_links(ours)
        case _:
            return False


def _is_draw(order: Sequence[frozenset[str]], tiers: Sequence[frozenset[str]]) -> bool:
    """Tell whether an order of hosts is a possible draw of the tiers; a name may be in several."""
    rank = 0
    for name in (name for single in order for name in single):
        ranks = [place for place, tier in enumerate(tiers) if name in tier and place >= rank]
        if not ranks:
            return False
        rank = ranks[0]
    return True


def _all_links(meaning: Meaning) -> list[str]:
    return sorted(repr(link) for links in meaning.links.values() for link in links)


def _of_headings(theirs: Heading | None, ours: Heading | None) -> list[str]:
    if theirs is None or ours is None:
        return [] if theirs is ours else ["heading"]
    names = Heading.__struct_fields__
    return [f"heading: {name}" for name in names if getattr(theirs, name) != getattr(ours, name)]


def _settle(
    request: Request, theirs: Source, ours: Source, rules: Sequence[Rule], asking: Asking
) -> Verdict:
    """Ask both sides until they are equal, differ not by chance, or were asked often enough."""
    rewritten, back, used = _rewrite(request, rules)
    asks = asking.fewest
    while True:
        our_meaning = ours.see(request, asks)
        their_meaning = put_back(theirs.see(rewritten, asks), back)
        known = list(used)
        for rule in rules:
            adjusted = rule.adjust(request, their_meaning, our_meaning)
            if adjusted != their_meaning:
                known.append(rule.what)
                their_meaning = adjusted
        found = differences(their_meaning, our_meaning, asking.drawn)
        if not found or asks >= asking.most or not _BY_CHANCE.issuperset(found):
            names = tuple(dict.fromkeys(known))
            return Verdict(request, names, found, their_meaning, our_meaning)
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
    """Return a meaning with the texts of the rewritten request changed back to the original's."""
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
