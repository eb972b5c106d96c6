"""The load test's tree: directories, repositories and file details of a full primary mirror.

All possible subtrees stand in one order, by what clients ask for most; a tree of a given size
has the first ones. So a small tree is the popular part of a big one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from loadtest.dataset.families import (
    CATEGORIES,
    FAMILIES,
    NEWEST,
    Category,
    Family,
    Shape,
    Stage,
    SubtreeContent,
)

CATEGORY = {category.name: category for category in CATEGORIES}
"""The categories by name."""

REPODATA = "repodata"

_ARCH_RANK = {"x86_64": 0.0, "aarch64": 0.6, "ppc64le": 1.5, "s390x": 1.9}
_CONTENT_RANK = {
    SubtreeContent.MAIN: 0.0,
    SubtreeContent.DEBUG: 1.3,
    SubtreeContent.SOURCE: 1.1,
    SubtreeContent.IMAGES: 0.0,
}
# Before older releases run out: what is in the archive is asked for less, but it is there.
_ARCHIVE_RANK = -2.6
_BOOT = ("EFI/BOOT", "images/pxeboot", "isolinux")


@dataclass(frozen=True, slots=True)
class Subtree:
    """A part of the tree that is composed, and copied by hosts, as one.

    `path` is a full one; `leaves` are below it. `age` counts releases, 0 for the newest. A
    lower `rank` is asked for more often. What is `daily` gets new packages each day.
    """

    category: Category
    path: str
    leaves: tuple[str, ...]
    prefix: str | None
    product: str
    version: str
    arch: str
    stage: Stage
    content: SubtreeContent
    daily: bool
    age: float
    readable: bool
    disabled: bool
    rank: float

    @property
    def is_repository(self) -> bool:
        """Say whether it is a repository, that is, no directory of images."""
        return self.content is not SubtreeContent.IMAGES

    def directories(self) -> Iterator[str]:
        """Yield the full paths of its directories, parents first."""
        yield self.path
        seen = {""}
        for leaf in self.leaves:
            parts = leaf.split("/")
            for size in range(1, len(parts) + 1):
                below = "/".join(parts[:size])
                if below not in seen:
                    seen.add(below)
                    yield f"{self.path}/{below}"


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory by its full path; its category is none above the topdirs.

    `subtree` is the place of its subtree, or none for what lies above all of them, which each
    host has that carries the category.
    """

    id: int
    name: str
    category: Category | None
    subtree: int | None


class DatasetTree:
    """The most requested subtrees, as many as the scale needs, and all their directories."""

    def __init__(self, directories: int) -> None:
        """Take subtrees until there are that many directories."""
        owners: dict[str, int | None] = {}
        subtrees = []
        for index, subtree in enumerate(all_subtrees()):
            if len(owners) >= directories:
                break
            subtrees.append(subtree)
            for name in subtree.directories():
                owners[name] = index
            _add_parents(subtree.path, owners)
        self.subtrees = tuple(subtrees)
        self.directories = tuple(
            Directory(id, name, category_of(name), owners[name])
            for id, name in enumerate(sorted(owners, key=str.encode), 1)
        )

    @cached_property
    def repositories(self) -> tuple[Subtree, ...]:
        """The subtrees that are repositories."""
        return tuple(subtree for subtree in self.subtrees if subtree.is_repository)

    @cached_property
    def categories(self) -> tuple[Category, ...]:
        """The categories that have directories."""
        used = {subtree.category.name for subtree in self.subtrees}
        return tuple(category for category in CATEGORIES if category.name in used)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Each directory's id by its full path."""
        return {directory.name: directory.id for directory in self.directories}


def all_subtrees() -> list[Subtree]:
    """Return every possible subtree, the most requested ones first."""
    found = [
        _subtree(family, shape, version, arch, content)
        for family in FAMILIES
        for version in family.versions
        for shape in family.shapes
        for content in shape.contents
        for arch in _arches(family, content)
    ]
    return sorted(found, key=lambda subtree: (subtree.rank, subtree.path))


def category_of(name: str) -> Category | None:
    """Return the category in whose topdir a directory lies."""
    for category in CATEGORIES:
        if name == category.topdir or name.startswith(category.topdir + "/"):
            return category
    return None


def age_of(version: str, product: str) -> float:
    """Return how many releases ago a version was the newest; 0 if it is not released yet."""
    number = version.partition("_")[0]
    return 0.0 if number == "development" else max(0.0, NEWEST[product] - float(number))


def _arches(family: Family, content: SubtreeContent) -> tuple[str, ...]:
    if content is SubtreeContent.SOURCE:
        return ("source",) if "x86_64" in family.arches else ()
    return family.arches


def _subtree(
    family: Family, shape: Shape, version: str, arch: str, content: SubtreeContent
) -> Subtree:
    category = CATEGORY[family.category]
    product = "EPEL" if shape.prefix and "epel" in shape.prefix else category.product
    age = age_of(version, product)
    rank = age + shape.rank + _ARCH_RANK.get(arch, 0.0) + _CONTENT_RANK[content]
    below = f"{category.topdir}/{family.below}{shape.path}".format(v=version, a=arch)
    prefix = shape.prefix and shape.prefix.format(v=version, **_marks(content))
    return Subtree(
        category=category,
        path=below + _content_path(shape, arch, content),
        leaves=_leaves(shape, content),
        prefix=prefix,
        product=product,
        version=version,
        arch=arch,
        stage=shape.stage,
        content=content,
        daily=not family.archived and shape.stage is not Stage.RELEASES,
        age=age,
        readable=shape.readable,
        disabled=shape.disabled,
        rank=rank + (_ARCHIVE_RANK if family.archived else 0.0),
    )


def _marks(content: SubtreeContent) -> dict[str, str]:
    if content in (SubtreeContent.DEBUG, SubtreeContent.SOURCE):
        return {"m": f"{content}-", "s": f"-{content}"}
    return {"m": "", "s": ""}


def _content_path(shape: Shape, arch: str, content: SubtreeContent) -> str:
    match content:
        case SubtreeContent.IMAGES:
            return ""
        case SubtreeContent.SOURCE:
            return "/source/tree"
        case SubtreeContent.DEBUG:
            return f"/{arch}/debug/tree" if shape.composed else f"/{arch}/debug"
        case SubtreeContent.MAIN:
            return f"/{arch}/os" if shape.composed else f"/{arch}"


def _leaves(shape: Shape, content: SubtreeContent) -> tuple[str, ...]:
    if content is SubtreeContent.IMAGES:
        return ()
    packages = [f"Packages/{letter}" for letter in shape.letters] or ["Packages"]
    boot = _BOOT if shape.composed and shape.letters and content is SubtreeContent.MAIN else ()
    return (*packages, REPODATA, *boot)


def _add_parents(name: str, owners: dict[str, int | None]) -> None:
    """Add what lies above a subtree; what belongs to another one stays with it."""
    while "/" in name:
        name = name.rpartition("/")[0]
        owners.setdefault(name, None)
