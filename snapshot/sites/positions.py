"""Finds the line of each key and value in a TOML text, because tomllib does not tell it.

tomlkit does not tell it either (its issue 55 is open since 2019), and the parsers that do are not
maintained. So tomllib reads the values, and this module only looks for places: it takes a text
that tomllib has read without an error.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

Path = tuple[str | int, ...]
"""Keys and indexes from the top of the file to a value: ("mirror", 0, "country")."""

_TOKEN = re.compile(
    r"""
    (?P<skip>[ \t\r]+|\#[^\n]*)
    |(?P<text>\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*')
    |(?P<mark>[\n\[\]{}=,.])
    |(?P<word>[^\s\[\]{}=,."'\#]+)
    """,
    re.DOTALL | re.VERBOSE,
)
_END = "end"


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def find_positions(text: str) -> dict[Path, int]:
    """Return the line of each key, table and element of a list, counted from 1."""
    return _Finder(text).positions


def line_of(positions: dict[Path, int], path: Path) -> int:
    """Return the line of a path, or of the nearest table around it; 1 if nothing is known."""
    while path and path not in positions:
        path = path[:-1]
    return positions.get(path, 1)


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for found in _TOKEN.finditer(text):
        if found.lastgroup != "skip":
            yield _Token(found.lastgroup or "", found[0], line)
        line += found[0].count("\n")
    yield _Token(_END, "", line)


class _Finder:
    """Walks through the tokens once, as a parser does, and keeps places only."""

    def __init__(self, text: str) -> None:
        self.positions: dict[Path, int] = {}
        self._counts: dict[Path, int] = defaultdict(int)
        self._tokens = _tokens(text)
        self._next = next(self._tokens)
        table: Path = ()
        while self._skip_lines().kind != _END:
            if self._next.text == "[":
                table = self._header()
            else:
                self._pair(table)

    def _take(self) -> _Token:
        taken, self._next = self._next, next(self._tokens, self._next)
        return taken

    def _skip_lines(self) -> _Token:
        while self._next.text == "\n":
            self._take()
        return self._next

    def _header(self) -> Path:
        line = self._take().line
        is_list = self._next.text == "["
        if is_list:
            self._take()
        *above, last = self._key()
        path: Path = ()
        for key in above:
            path = self._newest((*path, key))
        path = (*path, last)
        if is_list:
            self._counts[path] += 1
            self.positions.setdefault(path, line)
        path = self._newest(path)
        self.positions.setdefault(path, line)
        while self._next.text == "]":
            self._take()
        return path

    def _newest(self, path: Path) -> Path:
        """Return a path with the index of the newest table of a list of tables behind it."""
        return (*path, self._counts[path] - 1) if path in self._counts else path

    def _key(self) -> list[str]:
        """Take a key with its dots, up to the `=` or `]` behind it."""
        keys = []
        while self._next.text not in ("=", "]") and self._next.kind != _END:
            token = self._take()
            if token.kind == "text":
                keys.append(str(tomllib.loads(f"key = {token.text}")["key"]))
            elif token.kind == "word":
                keys.append(token.text)
        return keys

    def _pair(self, table: Path) -> None:
        line = self._next.line
        path = table
        for key in self._key():
            path = (*path, key)
            self.positions.setdefault(path, line)
        self._take()
        self._value(path)

    def _value(self, path: Path) -> None:
        self.positions.setdefault(path, self._next.line)
        if self._next.text == "[":
            self._list(path)
        elif self._next.text == "{":
            self._inline(path)
        else:
            # A date may have blanks in it, and a number dots: take all up to what ends a value.
            while self._next.text not in ("\n", ",", "]", "}") and self._next.kind != _END:
                self._take()

    def _list(self, path: Path) -> None:
        self._take()
        index = 0
        while self._skip_lines().text != "]" and self._next.kind != _END:
            if self._next.text == ",":
                self._take()
                index += 1
            else:
                self._value((*path, index))
        self._take()

    def _inline(self, path: Path) -> None:
        self._take()
        while self._skip_lines().text != "}" and self._next.kind != _END:
            if self._next.text == ",":
                self._take()
            else:
                self._pair(path)
        self._take()
