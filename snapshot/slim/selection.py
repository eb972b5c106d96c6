"""Chooses the newest versions of each package, and of each stream of a module."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import groupby, islice
from typing import Any, TypeVar

from msgspec import Struct

from snapshot.export.versions import newness
from snapshot.slim.modules import Module
from snapshot.slim.nevra import Nevra
from snapshot.slim.pool import Entry

_T = TypeVar("_T")


class Selection(Struct, frozen=True):
    """Which packages are kept, by their places; and which documents of modules.yaml are.

    `hidden` are packages of modules that are not kept: dnf would not see them.
    """

    kept: set[int]
    hidden: set[int]
    modules: list[Module]


def select(entries: Sequence[Entry], modules: Sequence[Module], most: int) -> Selection:
    """Return the newest `most` versions of each name and arch, and of each stream of a module.

    This is how `dnf reposync --newest-only` chooses. A package of a module belongs to the versions
    of its module: another stream is not a newer version.
    """
    newest = _newest_modules(modules, most)
    all_of, kept_of = _artifacts(modules), _artifacts(newest)
    modular = {at for at, one in enumerate(entries) if one.nevra in all_of}
    shown = {at for at in modular if entries[at].nevra in kept_of}
    plain = _newest(
        (at for at in range(len(entries)) if at not in modular),
        lambda at: (entries[at].name, entries[at].arch),
        lambda at: newness(entries[at].evr),
        most,
    )
    return Selection(shown.union(plain), modular - shown, newest)


def _newest_modules(modules: Sequence[Module], most: int) -> list[Module]:
    """Return the newest versions of each stream in their order, and all that is of no stream."""
    # What is of no stream has one version, 0.
    newest = _newest(modules, lambda one: one.stream, lambda one: one.version, most)
    kept = {id(one) for one in newest}
    return [one for one in modules if id(one) in kept]


def named(entries: Sequence[Entry], kept: set[int], globs: Sequence[str]) -> set[int]:
    """Return those of the kept packages whose name is one of some, in which `*` may stand."""
    names = {entries[at].name for at in kept}
    wanted = {name for name in names if any(fnmatchcase(name, glob) for glob in globs)}
    return {at for at in kept if entries[at].name in wanted}


def _artifacts(modules: Iterable[Module]) -> set[Nevra]:
    return {nevra for module in modules for nevra in module.artifacts}


def _newest(
    some: Iterable[_T], group: Callable[[_T], Hashable], rank: Callable[[_T], Any], most: int
) -> list[_T]:
    """Return those of each group whose rank is one of the highest; of equal ranks all."""
    groups: defaultdict[Hashable, list[_T]] = defaultdict(list)
    for one in some:
        groups[group(one)].append(one)
    found: list[_T] = []
    for members in groups.values():
        ranked = groupby(sorted(members, key=rank, reverse=True), key=rank)
        for _, alike in islice(ranked, most):
            found += alike
    return found
