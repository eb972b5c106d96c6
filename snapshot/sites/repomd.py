"""Reads a repomd.xml: its sums and size, its newest timestamp, and the files that it names."""

import hashlib
from typing import Any
from xml.parsers import expat

from msgspec import Struct

MOST_BYTES = 4 << 20
"""A hundred times the size of real ones."""
MOST_FILES = 1000
_MOST_LEVELS = 50
MOST_SECONDS = 1 << 40
"""A time that no file tells: it is 30,000 years away, and fits into every database."""


class Metadata(Struct, frozen=True):
    """What a metalink says of a repomd.xml, and the files that it names, relative to it."""

    timestamp: int
    size: int
    md5: str
    sha1: str
    sha256: str
    sha512: str
    files: tuple[tuple[str, int | None], ...]
    """Their places, and their sizes where it tells them."""
    primary: tuple[str, int | None] | None = None
    """The one of them that lists the packages, which every client needs."""


def read_repomd(data: bytes) -> Metadata:
    """Return what a repomd.xml says; a ValueError says why it is not one."""
    reader = _Reader()
    try:
        reader.parse(data)
    except LookupError as error:
        raise ValueError(f"not XML, not a repomd.xml: {error}") from error
    except expat.ExpatError as error:
        start = data[:200].lstrip().lower()
        what = "a web page" if start.startswith((b"<!doctype", b"<html")) else "not XML"
        raise ValueError(f"{what}, not a repomd.xml: {error}") from error
    if not reader.timestamps:
        raise ValueError("a repomd.xml without a timestamp")
    sums = {name: hashlib.new(name, data).hexdigest() for name in _SUMS}
    return Metadata(
        timestamp=max(reader.timestamps),
        size=len(data),
        files=tuple(reader.files),
        primary=reader.primary,
        **sums,
    )


_SUMS = ("md5", "sha1", "sha256", "sha512")


class _Reader:
    """Collects timestamps and files; refuses a document type, which an XML bomb needs."""

    def __init__(self) -> None:
        self.timestamps: list[int] = []
        self.files: list[tuple[str, int | None]] = []
        self.primary: tuple[str, int | None] | None = None
        self._kind: str | None = None
        self._file: str | None = None
        self._size: int | None = None
        self._depth: list[str] = []
        self._text = ""

    def parse(self, data: bytes) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartDoctypeDeclHandler = self._refuse
        parser.StartElementHandler = self._begin
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._read
        parser.Parse(data, True)

    def _refuse(self, name: str, *about: Any) -> None:
        if name.lower() == "html":
            raise ValueError("a web page, not a repomd.xml")
        raise ValueError("an XML bomb, not a repomd.xml: it has a document type")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        plain = name.rpartition(" ")[2]
        if not self._depth and plain != "repomd":
            raise ValueError(f"not a repomd.xml: it begins with <{plain:.40}>")
        self._depth.append(plain)
        if len(self._depth) > _MOST_LEVELS:
            raise ValueError(f"an XML bomb, not a repomd.xml: more than {_MOST_LEVELS} levels")
        self._text = ""
        if plain == "data" and len(self._depth) == 2:
            self._kind = attributes.get("type")
        if plain == "location" and len(self._depth) == 3:
            self._file = attributes.get("href", "")

    def _read(self, text: str) -> None:
        self._text = (self._text + text)[:40]

    def _end(self, name: str) -> None:
        if self._depth[-1] == "timestamp":
            self.timestamps.append(_seconds(self._text))
        if self._depth[-1] == "size" and len(self._depth) == 3 and self._text.isdecimal():
            self._size = int(self._text)
        self._depth.pop()
        if len(self._depth) == 1:
            self._end_of_data()

    def _end_of_data(self) -> None:
        if self._file is not None:
            self.files.append((self._file, self._size))
            if len(self.files) > MOST_FILES:
                raise ValueError(f"a repomd.xml with more than {MOST_FILES} files")
            if self._kind == "primary":
                self.primary = self.files[-1]
        self._file = self._size = None


def _seconds(text: str) -> int:
    try:
        found = int(float(text))
    except (ValueError, OverflowError):
        raise ValueError(f"a timestamp that is no number: {text:.40}") from None
    if abs(found) > MOST_SECONDS:
        raise ValueError(f"a timestamp that is no time: {text:.40}")
    return found
