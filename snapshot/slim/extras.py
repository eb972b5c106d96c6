"""Groups and advisories of a repository, less what they say of packages that are left out."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError, TreeBuilder, XMLParser, fromstring, tostring

from snapshot.file.errors import UnusableRepository
from snapshot.packages.sources import whole
from snapshot.slim.nevra import Nevra
from snapshot.slim.written import Checked

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_GROUPS_BYTES = 16 << 20
"""The largest comps.xml, which is in memory at once; Fedora's has 2 MB."""
MOST_UPDATE_BYTES = 8 << 20
"""The largest advisory of an updateinfo.xml, about as it stands there; real ones have 1 MB."""
_HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def without_names(blocks: Iterable[bytes], lost: frozenset[str]) -> Iterator[bytes]:
    """Yield a comps.xml whose groups do not name some packages; they stay even if empty."""
    data = whole(blocks, MOST_GROUPS_BYTES, "comps.xml has ")
    checked = Checked("comps.xml")
    checked.feed(data, is_last=True)
    try:
        root = fromstring(data)
    except ParseError as error:
        # An entity that a document type elsewhere may define is no fault for expat.
        raise UnusableRepository(f"comps.xml is not XML: {error}") from error
    for lists in root.iter("packagelist"):
        for one in list(lists):
            if (one.text or "").strip() in lost:
                lists.remove(one)
    yield _HEAD + _text(root, "comps.xml")


def with_packages(blocks: Iterable[bytes], kept: frozenset[Nevra]) -> Iterator[bytes]:
    """Yield an updateinfo.xml whose advisories name kept packages alone, each at least one."""
    yield _HEAD + b"<updates>\n"
    for update in _updates(blocks):
        if _keep(update, kept):
            yield b"  " + _text(update, "updateinfo.xml") + b"\n"
    yield b"</updates>\n"


def _updates(blocks: Iterable[bytes]) -> "Iterator[Element]":
    """Yield the advisories; each is forgotten before the next one."""
    checked = Checked("updateinfo.xml")
    handlers = _Handlers()
    parser = XMLParser(target=handlers)
    size = 0
    try:
        for block in blocks:
            size += len(block)
            parser.feed(checked.feed(block))
            if found := handlers.taken():
                size = 0
                yield from found
            elif size > MOST_UPDATE_BYTES:
                # In memory until it ends, and a single tag is read again with each block.
                raise UnusableRepository(
                    f"updateinfo.xml has an advisory of more than {MOST_UPDATE_BYTES:,} bytes"
                )
        checked.feed(b"", is_last=True)
        parser.close()
    except ParseError as error:
        raise UnusableRepository(f"updateinfo.xml is not XML: {error}") from error
    yield from handlers.taken()


class _Handlers:
    """Builds the tree of each advisory, and of nothing else."""

    def __init__(self) -> None:
        self._builder: TreeBuilder | None = None
        self._found: list[Element] = []

    def taken(self) -> "list[Element]":
        """Return the advisories that have ended since the last call."""
        found, self._found = self._found, []
        return found

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the begin of an element."""
        if self._builder is None and tag == "update":
            self._builder = TreeBuilder()
        if self._builder is not None:
            self._builder.start(tag, attributes)

    def data(self, text: str) -> None:
        """Take text."""
        if self._builder is not None:
            self._builder.data(text)

    def end(self, tag: str) -> None:
        """Take the end of an element."""
        if self._builder is not None:
            self._builder.end(tag)
            if tag == "update":
                self._found.append(self._builder.close())
                self._builder = None

    def close(self) -> None:
        """Take the end of the file."""


def _text(element: "Element", name: str) -> bytes:
    """Return an element as it is written."""
    try:
        return tostring(element)
    except RecursionError:
        raise UnusableRepository(f"{name} has elements too deep in each other") from None


def _keep(update: "Element", kept: frozenset[Nevra]) -> bool:
    """Remove packages that are left out from an advisory; return whether any stays."""
    found = False
    for collection in update.iter("collection"):
        for package in collection.findall("package"):
            if _nevra(package) in kept:
                found = True
            else:
                collection.remove(package)
    return found


def _nevra(package: "Element") -> Nevra:
    epoch = package.get("epoch") or "0"
    name, version, release, arch = (
        package.get(key, "") for key in ("name", "version", "release", "arch")
    )
    return name, epoch, version, release, arch
