"""Reads a primary.xml, a package at a time, and parses only those that are new.

A package whose bytes were in the last revision is skipped by the digest of these bytes: to cut the
file at `</package>` and to hash the pieces takes a seventh of the time that parsing takes. All
other bytes go through one XML parser. It refuses a document type, so no entity can be defined.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from xml.parsers.expat import ExpatError, ParserCreate

import msgspec
from msgspec import Struct

from snapshot.file.errors import UnusableRepository
from snapshot.file.text import CONTROL
from snapshot.packages.pieces import pieces
from snapshot.packages.repomd import SUMS, is_below, is_sum, refuse_doctype

MOST_PACKAGES = 1_000_000
"""The most packages of one repository."""
MOST_TEXT = 2000
"""The longest name, version, path or capability, in bytes: an index has no room for more.

PostgreSQL's indexes take 2,704 bytes a row; a real capability has some hundreds.
"""
_CERTAIN = MOST_TEXT // 4
KINDS = (
    "provides",
    "requires",
    "conflicts",
    "obsoletes",
    "recommends",
    "suggests",
    "supplements",
    "enhances",
)
"""The kinds of capabilities; the database has their places in this tuple."""
FLAGS = {"": 0, "LT": 2, "GT": 4, "EQ": 8, "LE": 10, "GE": 12}
"""How a capability's version is compared: rpm's numbers."""
_RPM = "http://linux.duke.edu/metadata/rpm"
# The digest of a piece also depends on what is read of it, which another version may change.
_PERSON = b"mirrorlist pkg 1"
_KIND_OF = {name: number for number, name in enumerate(KINDS)}

Capability = tuple[int, str, int, str]
"""Kind, name, flags, and `EPOCH:VERSION-RELEASE` with what of it is given."""


class Package(Struct, array_like=True):
    """A package of a repository; `key` is the digest of its bytes in primary.xml.

    `content` is a digest of all other fields but the path: the same in any repository that has it.
    """

    key: bytes
    path: str
    name: str
    epoch: str
    version: str
    release: str
    arch: str
    size: int
    sum_kind: str
    sum: str
    capabilities: list[Capability]
    content: bytes = b""


class Content(Struct):
    """What is in a primary.xml beside its packages: their number, and why some are left out."""

    count: int = 0
    left_out: list[str] = []


def new_packages(
    blocks: Iterable[bytes], left: set[bytes], found: Content, *, full: bool = False
) -> Iterator[Package]:
    """Yield the packages that are not in `left`; remove from it those that are still there.

    With `full`, yield those as well. A package that cannot be used is left out. Raises
    UnusableRepository for anything that is not a primary.xml.
    """
    parser = _Parser()
    new: set[bytes] = set()
    for piece in pieces(blocks, parser.outside):
        found.count += 1
        if found.count > MOST_PACKAGES:
            raise UnusableRepository(f"it has more than {MOST_PACKAGES:,} packages")
        key = key_of(piece)
        if key in left:
            left.remove(key)
            if not full:
                continue
        if key not in new:
            new.add(key)
            package = parser.package(key, piece)
            if why := _fault(package):
                found.left_out.append(f"{package.name[:200] or 'without a name'}: {why}")
            else:
                package.content = _content(package)
                yield package


def key_of(piece: bytes) -> bytes:
    """Return the digest of a package's bytes."""
    return hashlib.blake2b(piece, digest_size=16, person=_PERSON).digest()


class _Parser:
    """One expat parser for a whole file, and the package that it is in."""

    def __init__(self) -> None:
        self._expat = ParserCreate("utf-8")
        if hasattr(self._expat, "SetReparseDeferralEnabled"):
            # A piece ends where a token ends, so what is parsed late is never parsed twice.
            self._expat.SetReparseDeferralEnabled(False)
        self._expat.StartElementHandler, self._expat.EndElementHandler = self._start, self._end
        self._expat.XmlDeclHandler = _check_encoding
        self._expat.StartDoctypeDeclHandler = refuse_doctype
        self._expat.buffer_text = True
        self._depth = 0
        self._entry, self._prefix = "rpm:entry", "rpm:"
        self._clear()

    def _clear(self) -> None:
        self._ended = 0
        self._kind: int | None = None
        self._text: list[str] = []
        self._values: dict[str, str] = {}
        self._attributes: dict[str, Mapping[str, str]] = {}
        self._capabilities: list[Capability] = []

    def outside(self, data: bytes, is_last: bool) -> None:
        """Parse bytes outside of packages."""
        self._feed(data, is_last)

    def _feed(self, data: bytes, is_last: bool = False) -> None:
        try:
            self._expat.Parse(data, is_last)
        except ExpatError as error:
            raise UnusableRepository(f"primary.xml is not XML: {error}") from error

    def package(self, key: bytes, piece: bytes) -> Package:
        """Return the package of a piece."""
        self._clear()
        self._feed(piece)
        if self._depth != 1 or self._ended != 1:
            raise UnusableRepository("primary.xml has something in its metadata beside packages")
        return self._made(key)

    def _made(self, key: bytes) -> Package:
        values, attributes = self._values, self._attributes
        version, location = attributes.get("version", {}), attributes.get("location", {})
        size = attributes.get("size", {}).get("package", "")
        return Package(
            key,
            # With xml:base, the package is not in this repository's directory.
            "" if "xml:base" in location else location.get("href", ""),
            values.get("name", ""),
            version.get("epoch") or "0",
            version.get("ver", ""),
            version.get("rel", ""),
            values.get("arch", ""),
            int(size) if size.isascii() and size.isdigit() and len(size) < 19 else -1,
            SUMS.get(attributes.get("checksum", {}).get("type", "").lower(), ""),
            values.get("checksum", "").lower(),
            # Sorted, and each once: a package may require a thing before its scripts, too.
            sorted({*self._capabilities}),
        )

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if name == self._entry:
            self._capability(attributes)
        elif self._depth == 3:
            self._attributes.setdefault(name, attributes)
            self._text = []
            if name in ("name", "arch", "checksum"):
                self._expat.CharacterDataHandler = self._text.append
        elif self._depth == 4 and name.startswith(self._prefix):
            self._kind = _KIND_OF.get(name[len(self._prefix) :])
        elif self._depth == 1:
            self._root(name, attributes)

    def _end(self, name: str) -> None:
        if self._depth == 3:
            self._expat.CharacterDataHandler = None
            if self._text:
                self._values.setdefault(name, "".join(self._text).strip())
        elif self._depth == 2 and name == "package":
            self._ended += 1
        self._depth -= 1

    def _root(self, name: str, attributes: Mapping[str, str]) -> None:
        if name != "metadata":
            raise UnusableRepository(f"primary.xml begins with <{name[:40]}>, not <metadata>")
        for attribute, value in attributes.items():
            if value == _RPM and attribute.startswith("xmlns:"):
                self._prefix = attribute.removeprefix("xmlns:") + ":"
                self._entry = self._prefix + "entry"

    def _capability(self, attributes: Mapping[str, str]) -> None:
        if self._kind is None or self._depth != 5 or "name" not in attributes:
            return
        flags, evr = attributes.get("flags", ""), ""
        if version := attributes.get("ver"):
            epoch, release = attributes.get("epoch", ""), attributes.get("rel", "")
            evr = f"{epoch}:{version}" if epoch else version
            if release:
                evr = f"{evr}-{release}"
        self._capabilities.append((self._kind, attributes["name"], FLAGS.get(flags, 0), evr))


def _check_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise UnusableRepository(f"primary.xml is in {encoding[:40]}, not in UTF-8")


def _fault(package: Package) -> str:
    """Return why a package cannot be used; nothing if it can."""
    if not package.name or CONTROL.search(package.name):
        return "it has no name that can be used"
    if package.size < 0:
        return "it has no size"
    if not is_sum(package.sum_kind, package.sum):
        return "it has no sum that can be used"
    if not package.path:
        return "it is not in the directory of the repository"
    if not is_below(package.path):
        return "its path is not below the repository"
    if package.path.startswith("repodata/"):
        return "its path is one of repodata"
    return f"it has a text of more than {MOST_TEXT:,} bytes" if _has_long(package) else ""


def _has_long(package: Package) -> bool:
    texts = (package.epoch, package.version, package.release, package.arch)
    if _is_long(package.name) or _is_long(package.path) or any(map(_is_long, texts)):
        return True
    # In one call for nearly all: some packages have thousands.
    longest = max((len(one[1]) + len(one[3]) for one in package.capabilities), default=0)
    return longest > _CERTAIN and any(_is_long(one[1] + one[3]) for one in package.capabilities)


def _is_long(text: str) -> bool:
    return len(text) > _CERTAIN and len(text.encode()) > MOST_TEXT


def _content(package: Package) -> bytes:
    fields = msgspec.structs.astuple(package)[2:-1]
    return hashlib.blake2b(msgspec.msgpack.encode(fields), digest_size=16).digest()
