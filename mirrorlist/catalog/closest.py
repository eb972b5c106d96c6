"""Which known names are closest to an unknown one, from an index that is built at load.

librepo repeats a failed request twelve times (docs/clients.md#twelve-tries), so a search takes a
bounded number of steps, however many names there are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain, islice

MOST_STEPS = 2000


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

    def find(self, name: str, most: int) -> list[str]:
        """Return the known names that share most groups with a name, best first."""
        if name in self._sizes:
            return [name]
        groups, sizes, names = _groups(name), self._sizes, self._names
        known = [(len(names[group]), group) for group in groups if group in names]
        # Rare groups come first, because they say most: `fed` is in half of all names, and the
        # steps may end before it.
        sharing = chain.from_iterable([names[group] for _, group in sorted(known)])
        shared = Counter(islice(sharing, MOST_STEPS))
        size = len(groups)
        # Dice's coefficient: twice the shared groups, over the groups of both names.
        best = sorted([(-2 * count / (size + sizes[one]), one) for one, count in shared.items()])
        return [one for _, one in best[:most]]


def _groups(name: str) -> set[str]:
    # Padded, so that the first letters count more than those in the middle.
    padded = f"  {name.lower()} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}
