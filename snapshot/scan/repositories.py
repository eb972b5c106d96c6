"""Which repositories an inventory has, and what that changes in the table `repository`."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from snapshot.scan.config import Settings
from snapshot.scan.inventory import Inventory
from snapshot.scan.names import OBJECTS, REPODATA, SUMMARY
from snapshot.scan.rules import Version, find_arch, find_prefix, find_version, is_skipped

_OSTREE_ARCH = "x86_64"


class Wanted(Struct, frozen=True):
    """A repository as the rules name it; `name` is its directory's."""

    name: str
    prefix: str
    arch: int
    version: str


class Existing(Struct, frozen=True):
    """A row of `repository`; `here`, `elsewhere`: whether its directory is in this category."""

    id: int
    name: str
    prefix: str | None
    arch: int | None
    directory: str | None
    here: bool
    elsewhere: bool


class Plan(Struct):
    """What is to be written: repositories without an id are new, those with one change."""

    rows: list[tuple[int | None, Wanted]]
    versions: list[Version]
    places: set[str]
    problems: list[str]
    moved: list[tuple[str, str]]


def places(inventory: Inventory, below: Mapping[str, set[str]]) -> list[tuple[str, bool]]:
    """Return the paths of directories that are repositories, and whether each is of ostree."""
    found = []
    for path, names in below.items():
        if REPODATA in names:
            found.append((path, False))
        elif OBJECTS in names and SUMMARY in inventory.directories[path].named():
            found.append((path, True))
    return sorted(found)


class Rules(Struct):
    """All that names a repository: the configuration, and rows of the database."""

    settings: Settings
    arches: Sequence[tuple[int, str]]
    versions: list[Version]
    new_versions: list[Version] = []

    def name(
        self, inventory: Inventory, found: Iterable[tuple[str, bool]], problems: list[str]
    ) -> list[Wanted]:
        """Return the repositories in these places; one that cannot be named is a problem."""
        mappings, aliases = self.settings.mappings(), self.settings.aliases()
        wanted = []
        for path, is_ostree in found:
            full = inventory.full(path)
            inner = SUMMARY if is_ostree else REPODATA
            if is_skipped(full, f"{path}/{inner}" if path else inner, self.settings):
                continue
            arch, version = self._arch(full, is_ostree), self._version(full, is_ostree)
            prefix = find_prefix(full, version.shown, mappings, aliases) if version else ""
            if arch is None or version is None or not prefix:
                problems.append(_unnamed(full, arch, version))
                continue
            self._add(version)
            wanted.append(Wanted(full, prefix, arch, version.name))
        return wanted

    def _arch(self, full: str, is_ostree: bool) -> int | None:
        found = find_arch(full, self.arches)
        if found is None and is_ostree:
            return {name: id for id, name in self.arches}.get(_OSTREE_ARCH)
        return found

    def _version(self, full: str, is_ostree: bool) -> Version | None:
        # An ostree repository is the directory of its version.
        return find_version(f"{full}/" if is_ostree else full, self.versions, self.settings)

    def _add(self, version: Version) -> None:
        if version.id is None and version not in self.versions:
            self.versions.append(version)
            self.new_versions.append(version)


def _unnamed(full: str, arch: int | None, version: Version | None) -> str:
    if arch is None:
        return f"{full}: no arch of the database is in this path; the repository is left out"
    if version is None:
        return f"{full}: no version is in this path; the repository is left out"
    return f"{full}: no repository_mapping fits; the repository is left out"


def plan(
    wanted: Iterable[Wanted],
    existing: Sequence[Existing],
    listed: set[str],
    unlisted: Sequence[str],
    problems: list[str],
) -> Plan:
    """Return what changes; `listed` are the directories with metadata, in the database's names.

    A row whose directory is no longer a repository is pointed to the new place of its prefix and
    arch. No other row changes: an administrator may have named it.
    """
    found = Plan([], [], listed, problems, [])
    by_key = {(one.prefix, one.arch): one for one in existing}
    by_name = {one.name: one for one in existing}
    by_name.update({one.directory: one for one in existing if one.directory is not None})
    taken: dict[tuple[str, int], str] = {}
    for one in wanted:
        key = (one.prefix, one.arch)
        row, there = by_key.get(key), by_name.get(one.name)
        if key in taken:
            problems.append(_double(one, taken[key]))
            continue
        if row is None and there is None:
            found.rows.append((None, one))
        elif row is None and there is not None:
            _keep_or_name(one, there, found)
        elif row is not None and row.directory != one.name:
            if not _is_gone(row, listed, unlisted):
                problems.append(_double(one, row.directory or row.name))
                continue
            if there is not None and there is not row:
                problems.append(
                    f"{one.name}: is {there.prefix} already, so {one.prefix} stays away"
                )
                continue
            found.rows.append((row.id, one))
            found.moved.append((row.directory or row.name, one.name))
        taken[key] = one.name
    return found


def _keep_or_name(one: Wanted, there: Existing, found: Plan) -> None:
    if not there.prefix:
        found.rows.append((there.id, one))
    else:
        found.problems.append(
            f"{one.name}: the database calls it {there.prefix}, the rules {one.prefix}; it stays"
        )


def _double(one: Wanted, place: str) -> str:
    return f"{one.name}: {one.prefix} is at {place} already; this one is left out"


def _is_gone(row: Existing, listed: set[str], unlisted: Sequence[str]) -> bool:
    """Whether a repository is no longer in the place that its row names."""
    if row.directory is None:
        return True
    if row.directory in listed or (row.elsewhere and not row.here):
        return False
    # Nothing tells of a place in a directory that could not be listed, or whose metadata could not.
    place, inner = f"{row.directory}/", (f"{row.directory}/{name}" for name in (REPODATA, OBJECTS))
    return not any(place.startswith(f"{one}/") for one in unlisted) and not {*inner} & {*unlisted}
