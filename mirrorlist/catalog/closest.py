"""Which known names are closest to an unknown one, from an index built at load.

librepo repeats a failed request twelve times, so a look costs a bounded number of steps
however many names there are.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import chain, islice

MOST_STEPS = 2000


class ClosestNames:
    """An index of names by their groups of three letters."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the known names."""
        self._sizes: dict[str, int] = {}
        self._places: dict[str, list[str]] = defaultdict(list)
        for name in sorted(set(names)):
            groups = _groups(name)
            self._sizes[name] = len(groups)
            for group in groups:
                self._places[group].append(name)

    def find(self, name: str, most: int) -> list[str]:
        """Return the known names that share most with a name, best first."""
        if name in self._sizes:
            return [name]
        groups, sizes, places = _groups(name), self._sizes, self._places
        known = [(len(places[group]), group) for group in groups if group in places]
        # Rare groups say most; `fed` is in half of all names.
        sharing = chain.from_iterable([places[group] for _, group in sorted(known)])
        shared = Counter(islice(sharing, MOST_STEPS))
        size = len(groups)
        best = sorted([(-2 * count / (size + sizes[one]), one) for one, count in shared.items()])
        return [one for _, one in best[:most]]


def _groups(name: str) -> set[str]:
    padded = f"  {name.lower()} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}
