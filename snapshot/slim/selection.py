"""Chooses the newest versions of each package, and of each stream of a module."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from msgspec import Struct

from snapshot.export.versions import newness
from snapshot.slim.modules import Module
from snapshot.slim.nevra import Nevra
from snapshot.slim.pool import Entry

_T = TypeVar("_T")


class Selection(Struct, frozen=True):
    """Which packages are kept, by their places; and the modules of which something is kept.

    `hidden` are packages of modules that are not kept: dnf would not see them.
    """

    kept: set[int]
    hidden: set[int]
    modules: list[Module]


def select(entries: Sequence[Entry], modules: Iterable[Module], most: int) -> Selection:
    """Return the newest `most` versions of each name and arch, and of each stream of a module.

    This is how `dnf reposync --newest-only` chooses. A package of a module belongs to the versions
    of its module: another stream is not a newer version.
    """
    modules = list(modules)
    newest = _newest(
        [one for one in modules if one.stream],
        lambda one: one.stream,
        lambda one: one.version,
        most,
    )
    all_of, kept_of = _artifacts(modules), _artifacts(newest)
    is_modular = [one.nevra in all_of for one in entries]
    plain = [at for at, modular in enumerate(is_modular) if not modular]
    kept = _newest(
        plain,
        lambda at: (entries[at].name, entries[at].arch),
        lambda at: newness(entries[at].evr),
        most,
    )
    of_modules = {at for at, modular in enumerate(is_modular) if modular}
    shown = {at for at in of_modules if entries[at].nevra in kept_of}
    shown_modules = {id(one) for one in newest}
    documents = [one for one in modules if not one.stream or id(one) in shown_modules]
    return Selection({*kept} | shown, of_modules - shown, documents)


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
    found = []
    for members in groups.values():
        if len(members) > 1:
            ranked = sorted(((rank(one), at) for at, one in enumerate(members)), reverse=True)
            distinct, last = 0, None
            for value, at in ranked:
                distinct += last is None or value != last
                last = value
                if distinct > most:
                    break
                found.append(members[at])
        else:
            found += members
    return found
