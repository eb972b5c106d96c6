"""Adds to some packages what they require within their repository.

A requirement that a kept package already satisfies adds nothing. Else the best package that
satisfies it is added: one that can be installed beside, named like the requirement, with the
shortest name, the newest. A requirement that no package of the repository satisfies is counted,
because another repository may satisfy it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from snapshot.export.versions import newness
from snapshot.slim.catalogue import Catalogue, Entry
from snapshot.slim.needs import Need, Rich, Simple, does_provide


class Closure:
    """The kept packages, by their places in a catalogue, and what is missing for them."""

    def __init__(
        self,
        catalogue: Catalogue,
        kept: AbstractSet[int],
        hidden: AbstractSet[int],
        owners: Mapping[str, Sequence[int]],
    ) -> None:
        """Take packages; `hidden` are never added, `owners` have the files that are required."""
        self._catalogue, self._hidden, self._owners = catalogue, hidden, owners
        self.kept = {*kept}
        self.added: set[int] = set()
        self.missing: set[str] = set()
        self._providers = self._index()
        self._fitting: dict[Simple, tuple[int, ...]] = {}

    def close(self, *, weak: bool = False) -> None:
        """Add what the kept packages require, and what those require; `weak`: or recommend."""
        waiting, met = sorted(self.kept), set[tuple[int, str]]()
        while waiting:
            entry = self._catalogue.entries[waiting.pop()]
            for number in (*entry.needs, *(entry.likes if weak else ())):
                # Many packages require the same.
                if (number, entry.arch) not in met:
                    met.add((number, entry.arch))
                    need = self._catalogue.needs[number]
                    for found in self._wanted(need, entry) if need is not None else ():
                        if found not in self.kept:
                            self.kept.add(found)
                            self.added.add(found)
                            waiting.append(found)

    def _index(self) -> dict[str, list[tuple[int, int, str]]]:
        """Return who provides each name that anybody requires, in which version."""
        names = {one.name for one in self._catalogue.required()}
        wanted = {
            number: one
            for number, one in enumerate(self._catalogue.capabilities)
            if one[0] in names
        }
        found: defaultdict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for at, entry in enumerate(self._catalogue.entries):
            for number in entry.provides if at not in self._hidden else ():
                if (capability := wanted.get(number)) is not None:
                    name, flags, evr = capability
                    found[name].append((at, flags, evr))
        return found

    def _wanted(self, need: Need, entry: Entry) -> Iterator[int]:
        """Yield the packages that a need takes."""
        if isinstance(need, Simple) or need.word in ("with", "without"):
            yield from self._best(need, entry)
        elif need.word == "or":
            if not any(self._is_met(part, entry) for part in need.parts):
                possible = [part for part in need.parts if self._can_be_met(part)]
                for part in (possible or need.parts)[:1]:
                    yield from self._wanted(part, entry)
        elif need.word == "and":
            for part in need.parts:
                yield from self._wanted(part, entry)
        else:
            # `a if b else c`: whether b will be installed is not known, so both are taken.
            for part in (need.parts[0], *need.parts[2:]):
                if self._can_be_met(part):
                    yield from self._wanted(part, entry)

    def _best(self, need: Need, entry: Entry) -> Iterator[int]:
        found = self._providing(need)
        beside = [at for at in found if self._is_beside(at, entry)] or found
        if any(at in self.kept for at in beside):
            return
        if beside:
            yield max(beside, key=lambda at: self._rank(at, need))
        else:
            self.missing.add(shown(need))

    def _is_met(self, need: Need, entry: Entry) -> bool:
        if isinstance(need, Simple) or need.word in ("with", "without"):
            found = self._providing(need)
            beside = [at for at in found if self._is_beside(at, entry)] or found
            return any(at in self.kept for at in beside)
        parts = need.parts if need.word in ("and", "or") else need.parts[:1]
        each = [self._is_met(part, entry) for part in parts]
        return any(each) if need.word == "or" else all(each)

    def _can_be_met(self, need: Need) -> bool:
        if isinstance(need, Simple) or need.word in ("with", "without"):
            return bool(self._providing(need))
        parts = need.parts if need.word in ("and", "or") else need.parts[:1]
        each = [self._can_be_met(part) for part in parts]
        return any(each) if need.word == "or" else all(each)

    def _providing(self, need: Need) -> tuple[int, ...]:
        """Return the packages that satisfy a need, each alone."""
        if isinstance(need, Simple):
            found = self._fitting.get(need)
            if found is None:
                found = self._fitting[need] = tuple(dict.fromkeys(self._matching(need)))
            return found
        each = [self._providing(part) for part in need.parts]
        first, others = each[0], [{*some} for some in each[1:]]
        if need.word == "with":
            return tuple(at for at in first if all(at in other for other in others))
        if need.word == "without":
            return tuple(at for at in first if at not in others[0])
        return tuple(dict.fromkeys(at for some in each for at in some))

    def _matching(self, need: Simple) -> Iterator[int]:
        for at, flags, evr in self._providers.get(need.name, ()):
            if does_provide(flags, evr, need):
                yield at
        for at in self._owners.get(need.name, ()):
            if at not in self._hidden:
                yield at

    def _is_beside(self, at: int, entry: Entry) -> bool:
        """Whether a package is for the same machine: x86_64 needs not be content with i686."""
        return "noarch" in (found := {self._catalogue.entries[at].arch, entry.arch}) or (
            len(found) == 1
        )

    def _rank(self, at: int, need: Need) -> tuple[object, ...]:
        entry = self._catalogue.entries[at]
        is_namesake = isinstance(need, Simple) and entry.name == need.name
        return is_namesake, -len(entry.name), entry.name, newness(entry.evr), -at


def shown(need: Need) -> str:
    """Return a need as rpm writes it."""
    if isinstance(need, Rich):
        return f"({f' {need.word} '.join(map(shown, need.parts))})"
    signs = "".join(sign for flag, sign in ((2, "<"), (4, ">"), (8, "=")) if need.flags & flag)
    return f"{need.name} {signs} {need.evr}" if signs else need.name
