"""What a package requires, as rpm reads it: names with versions, and rich dependencies of them."""

from itertools import repeat

from msgspec import Struct

from snapshot.export.versions import compare
from snapshot.packages.primary import FLAGS

_LESS, _GREATER = FLAGS["LT"], FLAGS["GT"]
_SIGNS = {"<": "LT", ">": "GT", "=": "EQ", "<=": "LE", ">=": "GE"}
_CHAINS = ("and", "or", "with")
_CONDITIONS = ("if", "unless")
_WORDS = (*_CHAINS, *_CONDITIONS, "without")
MOST_DEPTH = 30
"""How deep the brackets of a rich dependency may be."""


class Simple(Struct, frozen=True):
    """A capability: `flags` are rpm's, `evr` is `EPOCH:VERSION-RELEASE` or a part of it."""

    name: str
    flags: int = 0
    evr: str = ""


class Rich(Struct, frozen=True):
    """Needs joined by a word of rich dependencies; `else` follows `if` or `unless`."""

    word: str
    parts: "tuple[Need, ...]"


Need = Simple | Rich


def need_of(name: str, flags: int, evr: str) -> Need | None:
    """Return what an entry of primary.xml means; None for a feature of rpm, or for nonsense."""
    if name.startswith("rpmlib("):
        return None
    if not name.startswith("("):
        return Simple(name, flags, evr)
    try:
        return _Reading(name).all()
    except ValueError:
        return None


def simple_needs(need: Need) -> list[Simple]:
    """Return every capability that a need speaks of."""
    if isinstance(need, Simple):
        return [need]
    return [one for part in need.parts for one in simple_needs(part)]


def does_provide(flags: int, evr: str, need: Simple) -> bool:
    """Whether a provided version of the need's name is one that the need is content with."""
    if not need.flags:
        return True
    if not flags:
        # As libsolv: what has no version is not of a certain one.
        return False
    order = _compare(evr, need.evr)
    if order < 0:
        return bool(flags & _GREATER or need.flags & _LESS)
    if order > 0:
        return bool(flags & _LESS or need.flags & _GREATER)
    return bool(flags & need.flags)


def shown(need: Need) -> str:
    """Return a need as rpm writes it."""
    if isinstance(need, Rich):
        first, *others = map(shown, need.parts)
        words = (need.word, "else") if need.word in _CONDITIONS else repeat(need.word)
        rest = [f" {word} {other}" for word, other in zip(words, others, strict=False)]
        return f"({first}{''.join(rest)})"
    sign = next((sign for sign, name in _SIGNS.items() if FLAGS[name] == need.flags), "")
    return f"{need.name} {sign} {need.evr}" if sign else need.name


def split_evr(evr: str) -> tuple[str, str, str]:
    """Return epoch, version and release; the last is empty if it is not given."""
    epoch, mark, rest = evr.partition(":")
    if not mark:
        epoch, rest = "0", evr
    version, _, release = rest.partition("-")
    return epoch or "0", version, release


def _compare(one: str, other: str) -> int:
    first, second = split_evr(one), split_evr(other)
    # A release that one of them does not give is not compared.
    count = 3 if first[2] and second[2] else 2
    pairs = zip(first[:count], second[:count], strict=True)
    return next((found for a, b in pairs if (found := compare(a, b))), 0)


class _Reading:
    """Reads the text of a rich dependency, such as `(a and (b >= 2 or c))`."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def all(self) -> Need:
        """Return the whole; raises ValueError."""
        found = self._rich(0)
        if self._at != len(self._text):
            raise ValueError(self._text)
        return found

    def _rich(self, depth: int) -> Need:
        self._at += 1
        if depth > MOST_DEPTH:
            raise ValueError("too deep")
        parts = [self._operand(depth)]
        words: list[str] = []
        while (word := self._token()) != ")":
            words.append(word)
            parts.append(self._operand(depth))
        if not words:
            return parts[0]
        first = words[0]
        is_chain = first in _CHAINS and set(words) == {first}
        is_condition = words[1:] in ([], ["else"]) and first in _CONDITIONS
        if not (is_chain or is_condition or words == ["without"]):
            raise ValueError(self._text)
        return Rich(first, tuple(parts))

    def _operand(self, depth: int) -> Need:
        self._skip()
        if self._text[self._at : self._at + 1] == "(":
            return self._rich(depth + 1)
        name = self._token()
        if name in (")", *_WORDS):
            raise ValueError(self._text)
        before = self._at
        sign = self._token() if self._rest() else ""
        if sign in _SIGNS:
            return Simple(name, FLAGS[_SIGNS[sign]], self._token())
        self._at = before
        return Simple(name)

    def _rest(self) -> bool:
        self._skip()
        return self._at < len(self._text)

    def _skip(self) -> None:
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1

    def _token(self) -> str:
        """Return the next word; brackets within belong to it, one that only closes stands alone."""
        self._skip()
        start, open_ = self._at, 0
        while self._at < len(self._text) and not self._text[self._at].isspace():
            character = self._text[self._at]
            if character == ")" and not open_:
                break
            open_ += (character == "(") - (character == ")")
            self._at += 1
        if self._at == start:
            if self._text[start : start + 1] != ")":
                raise ValueError(self._text)
            self._at += 1
        return self._text[start : self._at]
