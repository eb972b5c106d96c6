"""Repeated answers to one request, drawn together: what is the same, and the sets in order.

The order within a tier is chance. A cut between two hosts is a border between tiers as long as
the same set of hosts stands before it in every answer.
"""

from msgspec.structs import fields, replace

from mirrorlist.replay.meaning import Meaning, SeenAnswer, parse

_BY_CHANCE = {"tiers", "redirects", "unsteady"}
_STEADY = [field.name for field in fields(Meaning) if field.name not in _BY_CHANCE]


class Pile:
    """The answers to one request so far."""

    def __init__(self) -> None:
        """Start without an answer."""
        self.count = 0
        self._first: Meaning | None = None
        self._order: tuple[str, ...] = ()
        self._cuts: dict[int, frozenset[str]] = {}
        self._redirects: set[str] = set()
        self._unsteady: set[str] = set()
        self._known: set[int] = set()

    def add(self, answer: SeenAnswer) -> None:
        """Take one more answer."""
        self.count += 1
        if hash(answer) in self._known:
            return
        self._known.add(hash(answer))
        meaning, order = (single := parse(answer)).meaning, single.order
        self._redirects |= meaning.redirects
        self._unsteady.update(meaning.unsteady)
        if self._first is None:
            self._first, self._order = meaning, order
            self._cuts = {size: frozenset(order[:size]) for size in range(1, len(order))}
            return
        changed = [name for name in _STEADY if getattr(meaning, name) != getattr(self._first, name)]
        self._unsteady.update(changed)
        self._cuts = {
            size: hosts for size, hosts in self._cuts.items() if frozenset(order[:size]) == hosts
        }

    def meaning(self) -> Meaning:
        """Return what the answers have in common; needs one at least."""
        assert self._first is not None
        sets, before = [], frozenset[str]()
        for hosts in [*self._cuts.values(), frozenset(self._order)]:
            sets.append(hosts - before)
            before = hosts
        return replace(
            self._first,
            tiers=tuple(tier for tier in sets if tier),
            redirects=frozenset(self._redirects),
            unsteady=tuple(sorted(self._unsteady)),
        )
