"""Globs over directories' names, as `select=` takes them: `releases/44/**`.

The rules within a component are those of Python's fnmatch: `*`, `?`, `[abc]`, `[!abc]`. The
component `**` stands for any number of components, none included.
"""

import re
from collections.abc import Callable, Sequence
from fnmatch import translate

_Component = Callable[[str], object]


class PathGlob:
    """A glob that a whole name must match; slashes at its ends do not count."""

    def __init__(self, text: str) -> None:
        """Compile a glob; there is none that is not valid."""
        runs: list[list[_Component]] = [[]]
        for component in text.strip("/").split("/"):
            if component == "**":
                runs.append([])
            elif component:
                # What it makes takes no more than the product of both lengths: no backtracking.
                runs[-1].append(re.compile(translate(component)).match)
        self._first, *middle = runs
        self._is_open = bool(middle)
        self._last = middle.pop() if middle else []
        self._middle = middle

    def matches(self, name: str) -> bool:
        """Return whether a name matches; its root is the empty name."""
        components = name.split("/") if name else []
        start, end = len(self._first), len(components) - len(self._last)
        if start > end if self._is_open else start != end:
            return False
        if not _all(self._first, components, 0) or not _all(self._last, components, end):
            return False
        # The first place that fits a run leaves the most to those behind it.
        for run in self._middle:
            places = range(start, end - len(run) + 1)
            found = next((place for place in places if _all(run, components, place)), None)
            if found is None:
                return False
            start = found + len(run)
        return True


def _all(run: Sequence[_Component], components: Sequence[str], place: int) -> bool:
    return all(
        match(component)
        for match, component in zip(run, components[place : place + len(run)], strict=True)
    )
