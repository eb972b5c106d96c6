"""The packages of a repository, as far as it must be known which of them belong together."""

from array import array
from collections.abc import Iterable, Iterator
from functools import cached_property

from msgspec import Struct

from snapshot.packages.primary import KINDS, Content, Package, new_packages
from snapshot.slim.needs import Need, Simple, need_of, simple_needs
from snapshot.slim.nevra import Nevra

_PROVIDES, _REQUIRES, _RECOMMENDS = map(KINDS.index, ("provides", "requires", "recommends"))
_SOURCES = ("src", "nosrc")


class Entry(Struct, frozen=True):
    """A package; `key` is the digest of its bytes in primary.xml.

    The numbers are those of capabilities in its pool.
    """

    key: bytes
    path: str
    name: str
    evr: tuple[str, str, str]
    arch: str
    size: int
    sum: str
    provides: "array[int]"
    requires: "array[int]"
    recommends: "array[int]"

    @property
    def nevra(self) -> Nevra:
        """What the package is called."""
        return (self.name, *self.evr, self.arch)


class Pool:
    """All packages of a repository, and each capability once, by its number."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        """Read an unpacked primary.xml; raises UnusableRepository."""
        self.content = Content()
        self._numbers: dict[tuple[str, int, str], int] = {}
        packages = new_packages(blocks, set(), self.content)
        self.entries = [self._entry(package) for package in packages]
        self.capabilities = list(self._numbers)
        self._numbers.clear()

    @cached_property
    def needs(self) -> list[Need | None]:
        """What each capability means if it is required, by its number."""
        return [need_of(*one) for one in self.capabilities]

    def required(self) -> Iterator[Simple]:
        """Yield each capability that a requirement or a recommendation speaks of."""
        wanted = {number for one in self.entries for some in _both(one) for number in some}
        for number in wanted:
            need = self.needs[number]
            if need is not None:
                yield from simple_needs(need)

    def _entry(self, package: Package) -> Entry:
        lists: dict[int, array[int]] = {
            kind: array("I") for kind in (_PROVIDES, _REQUIRES, _RECOMMENDS)
        }
        # What a source package requires is needed to build it, and it provides nothing.
        if package.arch not in _SOURCES:
            for kind, name, flags, evr in package.capabilities:
                if kind in lists:
                    number = self._numbers.setdefault((name, flags, evr), len(self._numbers))
                    lists[kind].append(number)
        return Entry(
            package.key,
            package.path,
            package.name,
            (package.epoch, package.version, package.release),
            package.arch,
            package.size,
            package.sum,
            *lists.values(),
        )


def _both(entry: Entry) -> tuple["array[int]", "array[int]"]:
    return entry.requires, entry.recommends
