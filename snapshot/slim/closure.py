"""Adds to some packages what they require within their repository.

A requirement that a kept package already satisfies adds nothing. Else the best package that
satisfies it is added: one that can be installed beside, named like the requirement, with the
shortest name, the newest. A requirement that no package of the repository satisfies is counted,
because another repository may satisfy it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from snapshot.export.versions import newness
from snapshot.slim.needs import Need, Rich, Simple, does_provide, shown
from snapshot.slim.pool import Entry, Pool


class Closure:
    """The kept packages, by their places in a pool, and what is missing for them."""

    def __init__(
        self,
        pool: Pool,
        kept: AbstractSet[int],
        hidden: AbstractSet[int],
        owners: Mapping[str, Sequence[int]],
    ) -> None:
        """Take packages; `hidden` are never added, `owners` have the files that are required."""
        self._pool, self._hidden, self._owners = pool, hidden, owners
        self.kept = {*kept}
        self.added: set[int] = set()
        self.missing: set[str] = set()
        self._providers = self._index()
        self._known: dict[Simple, tuple[int, ...]] = {}

    def close(self, *, weak: bool) -> None:
        """Add what the kept packages require, and what those require; `weak`: or recommend."""
        waiting, met = sorted(self.kept), set[tuple[int, str]]()
        while waiting:
            entry = self._pool.entries[waiting.pop()]
            for number in (*entry.requires, *(entry.recommends if weak else ())):
                # Many packages require the same.
                if (number, entry.arch) not in met:
                    met.add((number, entry.arch))
                    need = self._pool.needs[number]
                    for found in self._wanted(need, entry) if need is not None else ():
                        if found not in self.kept:
                            self.kept.add(found)
                            self.added.add(found)
                            waiting.append(found)

    def _index(self) -> dict[str, list[tuple[int, int, str]]]:
        """Return who provides each name that anybody requires, in which version."""
        names = {one.name for one in self._pool.required()}
        wanted = {
            number: one for number, one in enumerate(self._pool.capabilities) if one[0] in names
        }
        found: defaultdict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for at, entry in enumerate(self._pool.entries):
            for number in entry.provides if at not in self._hidden else ():
                if (capability := wanted.get(number)) is not None:
                    name, flags, evr = capability
                    found[name].append((at, flags, evr))
        return found

    def _wanted(self, need: Need, entry: Entry) -> Iterator[int]:
        """Yield the packages that a need takes."""
        several = _for_several(need)
        if several is None:
            yield from self._best(need, entry)
        elif several.word == "or":
            if not self._is_met(several, entry):
                possible = [part for part in several.parts if self._can_be_met(part)]
                yield from self._wanted((possible or several.parts)[0], entry)
        elif several.word == "and":
            for part in several.parts:
                yield from self._wanted(part, entry)
        else:
            # `a if b else c`: whether b will be installed is not known, so both are taken.
            for part in (several.parts[0], *several.parts[2:]):
                if self._can_be_met(part):
                    yield from self._wanted(part, entry)

    def _best(self, need: Need, entry: Entry) -> Iterator[int]:
        found = self._fitting(need, entry)
        if not found:
            self.missing.add(shown(need))
        elif self.kept.isdisjoint(found):
            yield max(found, key=lambda at: self._rank(at, need))

    def _is_met(self, need: Need, entry: Entry) -> bool:
        return _holds(need, lambda part: not self.kept.isdisjoint(self._fitting(part, entry)))

    def _can_be_met(self, need: Need) -> bool:
        return _holds(need, lambda part: bool(self._providing(part)))

    def _fitting(self, need: Need, entry: Entry) -> Sequence[int]:
        """Return the packages that satisfy a need for another one: those for the same machine.

        If there are no such packages, those for another machine: i686 may do for x86_64.
        """
        found = self._providing(need)
        return [at for at in found if self._is_beside(at, entry)] or found

    def _providing(self, need: Need) -> tuple[int, ...]:
        """Return the packages that satisfy a need, each alone."""
        if isinstance(need, Simple):
            found = self._known.get(need)
            if found is None:
                found = self._known[need] = tuple(dict.fromkeys(self._matching(need)))
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
        """Whether two packages are for the same machine, which noarch is for any."""
        arches = {self._pool.entries[at].arch, entry.arch}
        return "noarch" in arches or len(arches) == 1

    def _rank(self, at: int, need: Need) -> tuple[object, ...]:
        entry = self._pool.entries[at]
        is_namesake = isinstance(need, Simple) and entry.name == need.name
        return is_namesake, -len(entry.name), entry.name, newness(entry.evr), -at


def _for_several(need: Need) -> Rich | None:
    """Return a need that several packages may satisfy together; None if one must do so alone."""
    return need if isinstance(need, Rich) and need.word not in ("with", "without") else None


def _holds(need: Need, does: Callable[[Need], bool]) -> bool:
    """Whether a need holds, if `does` says it of each part that one package must satisfy alone."""
    several = _for_several(need)
    if several is None:
        return does(need)
    # Of a condition, only what is needed under it: whether it is given is not known.
    parts = several.parts if several.word in ("and", "or") else several.parts[:1]
    each = (_holds(part, does) for part in parts)
    return any(each) if several.word == "or" else all(each)
