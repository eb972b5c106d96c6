"""Globs over directories' names, as `select=` takes them: `releases/44/**`.

The rules within a component are those of Python's fnmatch: `*`, `?`, `[abc]`, `[!abc]`. The
component `**` stands for any number of components, none included.

All globs of a request become one automaton, which reads each name once, whatever the globs are. A
*state* is a number with a bit for each position in a glob that a match may have reached. There is
no backtracking, so the work is at most one step for each character of a name. Steps are counted,
and a request that needs too many of them is refused.
"""

from collections.abc import Iterable

from mirrorlist.errors import BadQuery
from mirrorlist.rsync.charset import CharSet, parse_set

# The limit of a request, at most about 0.8 s of CPU. An ordinary glob takes a few hundred steps for
# 16,000 names, because components that names share are read once.
MOST_STEPS = 1_000_000
# One step moves this many bits; longer globs take more steps for the same character.
_BITS_A_STEP = 512
# This many results of a state and a component are remembered for a request: at most 1 KB each.
_MOST_KNOWN = 4096


class PathGlobs:
    """Globs of which one must match a whole name; slashes at their ends do not count.

    Quickest for sorted names, because components that a name shares with the name before it are not
    read again.
    """

    def __init__(self, globs: Iterable[str]) -> None:
        """Compile globs; every text is a valid glob."""
        self.steps = 0
        self._literals: dict[str, int] = {}
        self._sets: list[tuple[CharSet, int]] = []
        self._any = self._stars = self._skips = self._skipping = self._ends = self._size = 0
        begins = 0
        for glob in globs:
            begins |= 1 << self._size
            self._add(glob)
        self._price = 1 + self._size // _BITS_A_STEP
        self._set_steps = sum(one.size for one, _ in self._sets)
        self._moves: dict[str, tuple[int, int]] = {}
        self._known: dict[tuple[int, str], int] = {}
        # The components of the last name; the state before each of them, and behind the last one.
        self._last: list[str] = []
        self._states = [self._closed(begins)]

    def matches(self, name: str) -> bool:
        """Return whether a glob matches a name; the name of the root is empty.

        Raises BadQuery when all names together have taken too many steps.
        """
        components = name.split("/") if name else []
        last, states = self._last, self._states
        shared = 0
        for one, other in zip(last, components, strict=False):
            if one != other:
                break
            shared += 1
        del states[shared + 1 :]
        for component in components[shared:]:
            states.append(self._behind(states[-1], component))
        self._last = components
        return states[-1] & self._ends != 0

    def _behind(self, state: int, component: str) -> int:
        """Return the state behind a component and its slash."""
        # No glob can match any more, whatever follows.
        if not state:
            return 0
        found = self._known.get((state, component))
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[state, component] = self._read(state, component + "/")
        return found

    def _read(self, state: int, text: str) -> int:
        moves = self._moves
        for index, character in enumerate(text):
            advancing, staying = moves.get(character) or self._move(character)
            # All positions of all globs move at once.
            state = self._closed((state & advancing) << 1 | (state & staying))
            if not state:
                self._spend(self._price * (index + 1))
                return 0
        self._spend(self._price * len(text))
        return state

    def _closed(self, state: int) -> int:
        # Add the positions that need no character: behind `**`, which takes two bits, and behind
        # `*`, which takes one. `_add` merges repeated stars, so each is passed only once.
        state |= (state & self._skips) << 2
        return state | (state & self._stars) << 1

    def _spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MOST_STEPS:
            raise BadQuery(
                "# select=: too much work for all these directories: give fewer or shorter ones,"
                " or such as begin with a name and not with **"
            )

    def _move(self, character: str) -> tuple[int, int]:
        """Return the positions that a character moves on from, and those that it stays at."""
        if character == "/":
            found = self._literals.get("/", 0) | self._skipping, self._skipping
        else:
            advancing = self._literals.get(character, 0) | self._any | self._skips
            for one, bit in self._sets:
                if character in one:
                    advancing |= bit
            self._spend(self._set_steps)
            found = advancing, self._stars | self._skipping
        self._moves[character] = found
        return found

    def _add(self, glob: str) -> None:
        before = ""
        for component in glob.split("/"):
            if component == "**":
                if before != "**":
                    # The first bit stands before a component, the second in a skipped component.
                    self._skips |= self._take()
                    self._skipping |= self._take()
            elif component:
                self._add_component(component)
            else:
                # Slashes at the ends, and runs of them, do not count.
                continue
            before = component
        self._ends |= self._take()

    def _add_component(self, component: str) -> None:
        index, before = 0, ""
        while index < len(component):
            character = component[index]
            end = index + 1
            if character == "*":
                if before != "*":
                    self._stars |= self._take()
            elif character == "?":
                self._any |= self._take()
            elif character == "[" and (found := parse_set(component, index)):
                charset, end = found
                self._sets.append((charset, self._take()))
            else:
                self._add_literal(character)
            index, before = end, character
        self._add_literal("/")

    def _add_literal(self, character: str) -> None:
        self._literals[character] = self._literals.get(character, 0) | self._take()

    def _take(self) -> int:
        bit = 1 << self._size
        self._size += 1
        return bit
