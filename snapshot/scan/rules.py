"""The rules that name a repository: its arch, its version and its prefix, from its path.

They are tried on the paths of repositories only. A path is a directory's name in the database,
such as `pub/epel/9/Everything/x86_64`. Each rule is scan-primary-mirror's; docs/scan.md has the
differences.
"""

import re
from collections.abc import Iterable, Sequence
from re import Pattern

from msgspec import Struct

from snapshot.scan.config import Mapping, Settings
from snapshot.scan.patterns import first_found, replaced

RAWHIDE, DEVELOPMENT = "rawhide", "development"
"""A version is called development in the database, and rawhide in paths and prefixes."""
_VERSION = re.compile(r"/([.\d]+(?:[-_]\w+)?)/")
_SOURCES = ("/source", "/SRPMS", "/src")
_SOURCE_ARCH = "source"


class Version(Struct, frozen=True):
    """A version as the table `version` has it, or as it will; `id` is None for a new one."""

    id: int | None
    name: str
    is_test: bool = False
    display: bool = True

    @property
    def shown(self) -> str:
        """The version's name in paths and prefixes."""
        return RAWHIDE if self.name == DEVELOPMENT else self.name


def find_arch(path: str, arches: Iterable[tuple[int, str]]) -> int | None:
    """Return the id of the first arch whose name is a part of the path, or None."""
    parts, by_name = set(path.split("/")), {}
    for id, name in arches:
        if name in parts:
            return id
        by_name[name] = id
    is_source = "SRPMS" in path or "/src" in path
    return by_name.get(_SOURCE_ARCH) if is_source else None


def find_version(path: str, versions: Iterable[Version], settings: Settings) -> Version | None:
    """Return the first version whose name is a part of the path, or a new one, or None."""
    parts = set(path.split("/"))
    by_name: dict[str, Version] = {}
    for version in versions:
        if version.shown in parts:
            return version
        by_name.setdefault(version.name, version)
    name = new_version(path)
    if not name or name in by_name:
        # Of `rawhide-test` the version is development, which may be there.
        return by_name.get(name)
    is_test = any(one in path for one in settings.test_paths)
    hidden = any(one in path for one in settings.do_not_display_paths)
    return Version(None, name, is_test, not hidden)


def new_version(path: str) -> str:
    """Return the name of the version that a path speaks of; empty if it speaks of none."""
    if RAWHIDE in path:
        return DEVELOPMENT
    found = _VERSION.search(path)
    return found[1] if found else ""


def find_prefix(
    path: str,
    version: str,
    mappings: Sequence[tuple[Pattern[str], Mapping]],
    aliases: Iterable[tuple[str, str]],
) -> str:
    """Return the prefix of a repository by the first mapping that fits; empty if none does."""
    number = first_found((pattern for pattern, _ in mappings), path)
    return "" if number is None else _prefix(path, version, *mappings[number], aliases)


def _prefix(
    path: str,
    version: str,
    pattern: Pattern[str],
    mapping: Mapping,
    aliases: Iterable[tuple[str, str]],
) -> str:
    name = mapping.prefix
    kind = _kind(path)
    if "$" in name:
        name = replaced(pattern, path, name)
    if version == RAWHIDE:
        return f"{name}{kind}"
    name = f"{name}{kind}-"
    for old, new in aliases:
        if name == old:
            name = new
    return f"{name}{mapping.version_prefix}{version}"


def _kind(path: str) -> str:
    if any(one in path for one in _SOURCES):
        return "-source"
    return "-debug" if "/debug" in path else ""


def is_skipped(path: str, below: str, settings: Settings) -> bool:
    """Whether the configuration wants no repository there; `below` is the path below the topdir.

    Only the metadata's directory is compared with skip_repository_paths.
    """
    return path.startswith(tuple(settings.skip_paths_for_version)) or any(
        one in below for one in settings.skip_repository_paths
    )
