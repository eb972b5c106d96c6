"""Which known names are closest to an unknown one, from an index that is built at load.

librepo repeats a failed request twelve times (docs/clients.md#twelve-tries), so a search takes a
bounded number of steps, however many names there are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import chain, islice

MOST_STEPS = 2000
# The shared groups of this many names are counted at once; for more names it would take megabytes.
FEW_NAMES = 512
_MOST_IN_BYTE = 255

# Dice's coefficient (twice the shared groups, over the groups of both names) and a name. The
# coefficient is negative, so the best one sorts first, and of equal ones the first by name.
_Scored = tuple[float, str]


class ClosestNames:
    """An index of names by the groups of three letters in them (trigrams)."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the known names."""
        self._sizes: dict[str, int] = {}
        self._names: dict[str, list[str]] = defaultdict(list)
        for name in sorted(set(names)):
            groups = _groups(name)
            self._sizes[name] = len(groups)
            for group in groups:
                self._names[group].append(name)
        self._groups = frozenset(self._names)
        is_few = len(self._sizes) <= FEW_NAMES
        is_countable = max(self._sizes.values(), default=0) <= _MOST_IN_BYTE
        self._few = _Few(self._sizes, self._names) if is_few and is_countable else None

    def find(self, name: str, most: int) -> list[str]:
        """Return the known names that share most groups with a name, best first."""
        if name in self._sizes:
            return [name]
        groups = _groups(name)
        shared = groups & self._groups
        if self._few:
            best = self._few.best(shared, len(groups), most)
        else:
            best = self._scored(shared, len(groups))
        return [one for _, one in sorted(best)[:most]]

    def _scored(self, shared: Set[str], size: int) -> list[_Scored]:
        """Score the names that have groups of a name; this has `size` groups, some are shared."""
        sizes, names = self._sizes, self._names
        sharing = chain.from_iterable(map(names.__getitem__, _rarest_first(shared, names)))
        counts = Counter(islice(sharing, MOST_STEPS))
        return [(-2 * count / (size + sizes[one]), one) for one, count in counts.items()]


class _Few:
    """So few names that a number can have a byte for each.

    The number of a group has 1 in the bytes of the names with that group. So the sum of the numbers
    of some groups has in each byte how many of these groups the name has.
    """

    def __init__(self, sizes: dict[str, int], names: dict[str, list[str]]) -> None:
        # Of names that share equally many groups the shorter ones are better: they come first, in
        # the order of their names, which `sizes` has.
        self._names = sorted(sizes, key=sizes.__getitem__)
        self._sizes = [sizes[name] for name in self._names]
        self._most = max(self._sizes, default=0)
        self._names_with = names
        self._places = {name: at for at, name in enumerate(self._names)}
        self._ones = {group: self._sum(names[group]) for group in names}

    def best(self, shared: Set[str], size: int, most: int) -> list[_Scored]:
        """Return the best `most` of what `_scored` returns, and perhaps some more."""
        counts = self._counted(shared).to_bytes(len(self._names), "little")
        sizes, names = self._sizes, self._names
        best: list[_Scored] = []
        worst = 0.0
        for count in range(min(len(shared), self._most), 0, -1):
            # The best of this count would be a name that has no other groups.
            if -2 * count / (size + count) > worst:
                break
            at, left = counts.find(count), most
            while at >= 0 and left and (score := -2 * count / (size + sizes[at])) <= worst:
                best.append((score, names[at]))
                at, left = counts.find(count, at + 1), left - 1
            if len(best) >= most > 0:
                best = sorted(best)[:most]
                worst = best[-1][0]
        return best

    def _counted(self, shared: Set[str]) -> int:
        """Return the sum of the groups' numbers, as far as the steps go."""
        ones, names = self._ones, self._names_with
        if sum(map(len, map(names.__getitem__, shared))) <= MOST_STEPS:
            return sum(map(ones.__getitem__, shared))
        counted, left = 0, MOST_STEPS
        for group in _rarest_first(shared, names):
            count = len(names[group])
            if count >= left:
                return counted + self._sum(names[group][:left])
            counted, left = counted + ones[group], left - count
        return counted

    def _sum(self, names: Iterable[str]) -> int:
        return sum([1 << 8 * self._places[name] for name in names])


def _rarest_first(groups: Set[str], names: Mapping[str, Sequence[str]]) -> list[str]:
    # Rare groups say most: `fed` is in half of all names, and the steps may end before it.
    return [group for _, group in sorted([(len(names[group]), group) for group in groups])]


def _groups(name: str) -> set[str]:
    # Padded, so that the first letters count more than those in the middle.
    padded = f"  {name.lower()} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}
