"""The demo's content (categories, repositories, images): reads and checks tree.toml."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import TypeVar

from msgspec import Struct, convert
from msgspec.structs import replace

NOW = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
"""The demo's present, in Unix seconds: all its times are fixed, so each build is the same."""


class DemoVersion(Struct, frozen=True, forbid_unknown_fields=True):
    """A version of a product; day is its release."""

    name: str
    product: str
    display_name: str
    day: date
    is_test: bool = False
    display: bool = True


class DemoFamily(Struct, frozen=True, forbid_unknown_fields=True):
    """Repositories that differ only in version and arch.

    `letters` is a name in `DemoTree.letters`. `alternates` counts the older repomd.xml files still
    accepted. A family with alternates gets new packages daily, other families stay as released.
    """

    path: str
    prefix: str | None = None
    category: str | None = None
    versions: tuple[str, ...] = ()
    arches: tuple[str, ...] = ()
    letters: str = "none"
    alternates: int = 0
    disabled: bool = False


class DemoImage(Struct, frozen=True, forbid_unknown_fields=True):
    """A file for a person to download, with a checksum file beside it; size in MiB."""

    path: str
    filename: str
    size: int
    versions: tuple[str, ...] = ()
    arches: tuple[str, ...] = ()


class DemoCategory(Struct, frozen=True, forbid_unknown_fields=True):
    """A category: its topdir, the path it has on most hosts, and what is below the topdir."""

    name: str
    topdir: str
    product: str
    usual_path: str
    versions: tuple[str, ...]
    arches: tuple[str, ...]
    repositories: tuple[DemoFamily, ...] = ()
    images: tuple[DemoImage, ...] = ()
    admin_only: bool = False


class DemoTree(Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    products: tuple[str, ...]
    arches: tuple[str, ...]
    versions: tuple[DemoVersion, ...]
    categories: tuple[DemoCategory, ...]
    without_category: tuple[DemoFamily, ...]
    letters: dict[str, str]
    composes: dict[str, str]
    redirects: dict[str, str]
    outside: tuple[str, ...]
    unreadable: tuple[str, ...]


_Entry = TypeVar("_Entry", DemoFamily, DemoImage)


@cache
def demo_tree() -> DemoTree:
    """Return what tree.toml says."""
    text = (files("snapshot.demo") / "tree.toml").read_text(encoding="utf-8")
    return convert(tomllib.loads(text), DemoTree)


def families() -> Iterator[DemoFamily]:
    """Yield all families with their category, their full path, their versions and arches."""
    for category in demo_tree().categories:
        for family in category.repositories:
            yield replace(_placed(family, category), category=category.name)
    yield from demo_tree().without_category


def images() -> Iterator[DemoImage]:
    """Yield all images with their full path, their versions and arches."""
    for category in demo_tree().categories:
        for image in category.images:
            yield _placed(image, category)


def _placed(entry: _Entry, category: DemoCategory) -> _Entry:
    """The entry with the category's values where the entry has none of its own."""
    return replace(
        entry,
        path=f"{category.topdir}/{entry.path}",
        versions=entry.versions or category.versions,
        arches=entry.arches or category.arches,
    )
