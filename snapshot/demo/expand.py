"""Expands the demo's tables of repositories and images into directories and file details.

Nothing here is random: times, sizes and hashes are computed from a hash of the file's name.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from functools import cache

from snapshot.demo.tree import NOW, DemoFamily, DemoImage, demo_tree, families, images

HOUR = 3600
DAY = 24 * HOUR

_DAILY_SPREAD = 21 * DAY
_FREEZE = 6 * DAY  # a release is composed some days before it is announced


@dataclass(frozen=True, slots=True)
class DemoRepository:
    """One repository: a family's prefix with version and arch filled in, and its directory."""

    prefix: str | None
    category: str | None
    version: str
    arch: str
    directory: str
    disabled: bool


@dataclass(frozen=True, slots=True)
class DemoFileDetail:
    """One version of a file; timestamp in Unix seconds, size in bytes, hashes as hexadecimal."""

    directory: str
    filename: str
    timestamp: int
    size: int
    sha256: str
    md5: str | None = None
    sha1: str | None = None
    sha512: str | None = None


@dataclass(frozen=True, slots=True)
class DemoDirectory:
    """A directory by its full path, with the categories that it is in; ctime in Unix seconds."""

    name: str
    ctime: int
    readable: bool
    categories: tuple[str, ...]


@cache
def repositories() -> tuple[DemoRepository, ...]:
    """Return all repositories, in the order of the table of families."""
    return tuple(repository for repository, _ in _repositories())


@cache
def file_details() -> tuple[DemoFileDetail, ...]:
    """Return all file details; the details of one file are sorted by time, oldest first."""
    found = [
        detail for repository, family in _repositories() for detail in _repomd(repository, family)
    ]
    return (*found, *_images())


@cache
def directories() -> tuple[DemoDirectory, ...]:
    """Return all directories by name, parents up to the topdir included."""
    ctimes = dict.fromkeys(demo_tree().outside, _released()["38"])
    unreadable = demo_tree().unreadable
    for name, ctime in _leaves():
        ctimes[name] = ctime
    for name in sorted(ctimes, reverse=True):
        _add_parents(name, ctimes)
    return tuple(
        DemoDirectory(name, ctime, not is_below_any(name, unreadable), _categories(name))
        for name, ctime in sorted(ctimes.items())
    )


def is_below(path: str, top: str) -> bool:
    """Say whether a path is `top` or lies below it, by whole components; any path is below ""."""
    return not top or path == top or path.startswith(top + "/")


def is_below_any(path: str, tops: tuple[str, ...]) -> bool:
    """Say whether a path lies at or below one of several directories."""
    return any(is_below(path, top) for top in tops)


def vary(name: str, below: int) -> int:
    """Return a number from 0 up to, not including, `below` that depends on the name only."""
    return int(_digest("sha256", name)[:12], 16) % below


@cache
def _repositories() -> tuple[tuple[DemoRepository, DemoFamily], ...]:
    return tuple(
        (_repository(family, version, arch), family)
        for family in families()
        for version in family.versions
        for arch in family.arches
    )


def _repository(family: DemoFamily, version: str, arch: str) -> DemoRepository:
    prefix = family.prefix and family.prefix.format(v=version)
    path = family.path.format(v=version, a=arch)
    return DemoRepository(prefix, family.category, version, arch, path, family.disabled)


@cache
def _released() -> dict[str, int]:
    """When each version was released, in Unix seconds."""
    return {
        version.name: int(datetime.combine(version.day, time(), UTC).timestamp())
        for version in demo_tree().versions
    }


@cache
def _topdirs() -> dict[str, str]:
    return {category.name: category.topdir for category in demo_tree().categories}


def _repomd(repository: DemoRepository, family: DemoFamily) -> Iterator[DemoFileDetail]:
    """The current repomd.xml and its alternates, oldest first, a day apart."""
    for age in range(family.alternates, -1, -1):
        timestamp = _composed(repository, family) - age * DAY
        name = f"{repository.directory}/repodata/repomd.xml as of {timestamp}"
        yield DemoFileDetail(
            directory=f"{repository.directory}/repodata",
            filename="repomd.xml",
            timestamp=timestamp,
            size=3000 + vary(name, 3500),
            sha256=_digest("sha256", name),
            md5=_digest("md5", name),
            sha1=_digest("sha1", name),
            sha512=_digest("sha512", name),
        )


def _composed(repository: DemoRepository, family: DemoFamily) -> int:
    if family.alternates:
        return NOW - HOUR - vary(repository.directory, 8 * HOUR)
    return _released()[repository.version] - _FREEZE + vary(repository.directory, 6 * HOUR)


@cache
def _images() -> tuple[DemoFileDetail, ...]:
    """The images' file details."""
    return tuple(
        _image_detail(image, version, arch)
        for image in images()
        for version in image.versions
        for arch in image.arches
    )


def _image_detail(image: DemoImage, version: str, arch: str) -> DemoFileDetail:
    filename = image.filename.format(a=arch, v=version, c=demo_tree().composes[version])
    directory = image.path.format(v=version, a=arch)
    return DemoFileDetail(
        directory=directory,
        filename=filename,
        timestamp=_released()[version] - _FREEZE + vary(directory, 6 * HOUR),
        size=(image.size << 20) + vary(filename, 1 << 14) * 2048,
        # A checksum file has only SHA-256, so the other hashes are unknown.
        sha256=_digest("sha256", filename),
    )


def _leaves() -> Iterator[tuple[str, int]]:
    """The directories that the tables name themselves, with their ctimes."""
    for repository, family in _repositories():
        yield from _repository_directories(repository, family)
    for detail in _images():
        yield detail.directory, detail.timestamp + HOUR


def _repository_directories(
    repository: DemoRepository, family: DemoFamily
) -> Iterator[tuple[str, int]]:
    top, composed = repository.directory, _composed(repository, family)
    spread = _DAILY_SPREAD if family.alternates else HOUR
    letters = demo_tree().letters[family.letters]
    # The scanner sees repodata a little after the compose; packages may have changed long before.
    yield f"{top}/repodata", composed + HOUR // 2
    for path in (top, f"{top}/Packages", *(f"{top}/Packages/{x}" for x in letters)):
        yield path, composed - vary(path, spread)


def _add_parents(name: str, ctimes: dict[str, int]) -> None:
    """Add the directories between a directory and its topdir, each as old as its oldest child."""
    topdirs = _topdirs().values()
    while name not in topdirs and "/" in name:
        child, name = name, name.rpartition("/")[0]
        ctimes[name] = min(ctimes.get(name, ctimes[child]), ctimes[child])


def _categories(name: str) -> tuple[str, ...]:
    return tuple(category for category, topdir in _topdirs().items() if is_below(name, topdir))


def _digest(algorithm: str, text: str) -> str:
    return hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()
