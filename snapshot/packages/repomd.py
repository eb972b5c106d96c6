"""Reads a repomd.xml: where the files of a repository's metadata are, and their sums."""

import hashlib
from collections.abc import Mapping
from xml.parsers.expat import ExpatError, ParserCreate

from msgspec import Struct, structs

from snapshot.file.errors import UnusableRepository

REPOMD = "repodata/repomd.xml"
"""Where a repository has it."""
MOST_BYTES = 16 << 20
"""The largest repomd.xml that is read; a real one has some kilobytes."""
MOST_OPENED = 8 << 30
"""The largest file of repodata as it is unpacked; Fedora's primary.xml has 400 MB."""
SUMS = {
    "md5": "md5",
    "sha": "sha1",
    "sha1": "sha1",
    "sha224": "sha224",
    "sha256": "sha256",
    "sha384": "sha384",
    "sha512": "sha512",
}
"""The kinds of sums in repodata, with hashlib's names for them."""
_DIGITS = {kind: hashlib.new(name).digest_size * 2 for kind, name in SUMS.items()}


class RepomdRecord(Struct, frozen=True):
    """What a repomd.xml says of a file, such as primary.xml; the word is createrepo_c's.

    `path` is below the repository. `size` is the file's, and `opened` its size when unpacked: None
    if it is not given. `opened_sum` is `KIND:SUM` of what is unpacked.
    """

    revision: str = ""
    path: str = ""
    sum_kind: str = ""
    sum: str = ""
    size: int | None = None
    opened: int | None = None
    opened_sum: str = ""
    timestamp: str = ""

    @property
    def most_opened(self) -> int:
        """How many bytes the file may unpack to: what repomd.xml says, within the limit."""
        return MOST_OPENED if self.opened is None else min(self.opened, MOST_OPENED)


def read_repomd(data: bytes) -> RepomdRecord:
    """Return what a repomd.xml says of primary.xml; raises UnusableRepository."""
    return _checked("primary", _read(data).get("primary", RepomdRecord()))


def read_all(data: bytes) -> dict[str, RepomdRecord]:
    """Return what a repomd.xml says of each file, by the file's type; raises UnusableRepository."""
    found = _read(data)
    return {kind: _checked(kind, one) for kind, one in {"primary": RepomdRecord(), **found}.items()}


def _read(data: bytes) -> dict[str, RepomdRecord]:
    reading = _Reading()
    parser = ParserCreate("utf-8")
    parser.StartElementHandler, parser.EndElementHandler = reading.start, reading.end
    parser.CharacterDataHandler = reading.text
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except ExpatError as error:
        raise UnusableRepository(f"repomd.xml is not XML: {error}") from error
    revision = reading.revision
    return {kind: structs.replace(one, revision=revision) for kind, one in reading.files.items()}


def refuse_doctype(*_: object) -> None:
    """Refuse a document type: repodata has none, and with it a few bytes can become gigabytes."""
    raise UnusableRepository("the XML has a DOCTYPE, which repodata never has")


def _checked(kind: str, found: RepomdRecord) -> RepomdRecord:
    if not found.path:
        raise UnusableRepository(f"repomd.xml names no {kind[:40]}")
    if not is_below(found.path):
        raise UnusableRepository(f"the {kind} is not below the repository: {found.path[:200]!r}")
    if not is_sum(found.sum_kind, found.sum):
        shown = f"{found.sum_kind[:40]} {found.sum[:140]}".strip()
        raise UnusableRepository(f"repomd.xml has no usable sum of the {kind}: {shown!r}")
    return found


def is_sum(kind: str, text: str) -> bool:
    """Whether a text is a sum of a kind, in small letters."""
    return len(text) == _DIGITS.get(kind) and not text.strip("0123456789abcdef")


def is_below(path: str) -> bool:
    """Whether a path leads to a file below its repository, in any way of reading it."""
    parts = path.split("/")
    return path.isprintable() and "\\" not in path and not {"", ".", ".."} & {*parts}


class _Reading:
    """The handlers of expat, and what they have found."""

    def __init__(self) -> None:
        self.files: dict[str, RepomdRecord] = {}
        self.revision = ""
        self._open: list[str] = []
        self._type = ""
        self._kind = ""
        self._text: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        name = name.rpartition(":")[2]
        self._open.append(name)
        self._text.clear()
        if self._open == ["repomd", "data"]:
            self._type = attributes.get("type", "")
        elif self._is_data():
            if name == "location":
                self._set(path=attributes.get("href", ""))
            elif name in ("checksum", "open-checksum"):
                self._kind = attributes.get("type", "").lower()

    def text(self, text: str) -> None:
        self._text.append(text)

    def end(self, name: str) -> None:
        text = "".join(self._text).strip()
        self._text.clear()
        if self._open == ["repomd", "revision"]:
            self.revision = text[:200]
        elif self._is_data():
            self._take(name.rpartition(":")[2], text)
        self._open.pop()

    def _take(self, name: str, text: str) -> None:
        if name == "checksum":
            self._set(sum_kind=self._kind, sum=text.lower())
        elif name == "open-checksum" and is_sum(self._kind, text.lower()):
            self._set(opened_sum=f"{self._kind}:{text.lower()}")
        elif name == "timestamp":
            self._set(timestamp=text[:40])
        elif name == "size":
            self._set(size=_number(text))
        elif name == "open-size":
            self._set(opened=_number(text))

    def _is_data(self) -> bool:
        return self._open[:2] == ["repomd", "data"]

    def _set(self, **values: object) -> None:
        known = self.files.get(self._type, RepomdRecord())
        self.files[self._type] = structs.replace(known, **values)


def _number(text: str) -> int | None:
    """Return a size, or None, which createrepo_c means by nothing."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise UnusableRepository(f"repomd.xml has a size that is not one: {text[:40]!r}")
    return int(text)
