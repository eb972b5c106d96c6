"""What a query asks for: a directory, and perhaps a file in it.

Source: docs/protocol.md#the-target.
"""

import re
from functools import reduce
from operator import and_

from msgspec import Struct, structs

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.roster import Carriers
from mirrorlist.catalog.urls import Path, path_below
from mirrorlist.errors import (
    Disabled,
    NoDetails,
    NotFound,
    UnknownDirectory,
    UnknownRepository,
    Unspecified,
)
from mirrorlist.lists.metalink4 import SUFFIX
from mirrorlist.request.query import Query, echo
from snapshot.file.model import FileDetail

METADATA = "repomd.xml"
# librepo asks for a 404 twelve times: "So its body is under 1 KiB", also with a metalink's frame
# around it (docs/clients.md#the-answer-to-an-unknown-repository).
MOST_ERROR_BYTES = 640
_ALL_REPOSITORIES = "# all repositories are listed at /repositories"
# The longest name that the file systems of mirrors can hold.
MOST_NAME_BYTES = 255
_SLASHES = re.compile("/+")
# No directory and no file has these names: a URL with them leads elsewhere.
_DOTS = frozenset((".", ".."))


class Target(Struct, frozen=True):
    """A directory that hosts carry, or a file in it.

    `file` is the file's path below the directory, in most cases its name alone. `path` is what
    follows a host's URL; `heading` is the beginning of a text list's first line. `is_meta4` says
    that a metalink of version 4 is asked for.
    """

    directory: int
    name: str
    file: str | None
    category: int
    host_set: int
    carriers: Carriers
    path: Path
    heading: str
    is_meta4: bool = False

    @property
    def file_name(self) -> str:
        """The file's name without directories; empty for a directory."""
        return (self.file or "").rpartition("/")[2]


def find_target(query: Query, catalog: Catalog) -> Target:
    """Return what a query asks for; raises Unspecified, Disabled or NotFound."""
    if query.path is not None:
        return _by_path(query, query.path, catalog)
    if query.repo is None or query.arch is None:
        raise Unspecified("# either path=, or repo= and arch= must be specified")
    return _by_repository(query, query.repo, query.arch, catalog)


def find_details(target: Target, catalog: Catalog) -> tuple[FileDetail, ...]:
    """Return the versions of a target's file, newest first; raises NoDetails if it has none."""
    details = known_details(target, catalog)
    if not details:
        file = f"{echo(target.name)}/{echo(target.file or '')}"
        raise NoDetails(f"{file} not found or has not metalink")
    return details


def known_details(target: Target, catalog: Catalog) -> tuple[FileDetail, ...]:
    """Return the versions of a target's file, newest first; empty if none are known."""
    return catalog.file_details(target.directory, target.name, target.file or "")


def normalised(path: str) -> str:
    """Return a path without slashes at its ends, and with single slashes in it."""
    path = path.strip("/")
    return _SLASHES.sub("/", path) if "//" in path else path


def _by_path(query: Query, path: str, catalog: Catalog) -> Target:
    name, file = normalised(path), None
    heading = f"# path = {echo(name)} "
    directory = catalog.snapshot.find_directory(name)
    if directory is None:
        # "Else its last component is a file in the directory before it. A file's name has at most
        # 255 bytes, because no file system has longer names" (docs/protocol.md#the-target), and a
        # long name would be repeated for each URL. The directory before a single name is the root,
        # which is found only if the database has it as a directory.
        if len(name.rpartition("/")[2].encode()) > MOST_NAME_BYTES:
            raise UnknownDirectory("error: invalid path")
        directory, name, file = _holder(name, query.metalink, catalog)
    target = _target(directory, name, file, heading, catalog)
    if query.metalink and file and file.endswith(SUFFIX):
        return _meta4(target, file.removesuffix(SUFFIX), catalog)
    return target


def _holder(path: str, is_metalink: bool, catalog: Catalog) -> tuple[int, str, str]:
    """Return the directory that has a file, its name, and the file's path below it.

    "A file whose size and SHA-256 come from a package import may be further below"
    (docs/protocol.md#the-target), because a site's file names no directories in its repositories.
    Raises UnknownDirectory.
    """
    name = path.rpartition("/")[0]
    directory = catalog.snapshot.find_directory(name)
    # One look-up, unless the path may be that of a Metalink 4.
    paths = {path, path.removesuffix(SUFFIX)} if is_metalink else {path}
    is_tidy = _DOTS.isdisjoint(path.split("/"))
    if directory is None and is_tidy and any(map(catalog.file_sum, paths)):
        while name and directory is None:
            name = name.rpartition("/")[0]
            directory = catalog.snapshot.find_directory(name)
    if directory is None:
        raise UnknownDirectory("error: invalid path")
    return directory, name, path[len(name) :].lstrip("/")


def _meta4(target: Target, file: str, catalog: Catalog) -> Target:
    """Return the file of which a metalink 4 is asked for, unless the `.meta4` is itself a file.

    Source: docs/protocol.md#metalink-4.
    """
    if not file or known_details(target, catalog):
        return target
    path = path_below(_subpath(target.name, target.category, catalog), file)
    return structs.replace(target, file=file, path=path, is_meta4=True)


def _subpath(name: str, category: int, catalog: Catalog) -> str:
    """Return what a directory's name has below the topdir of its category."""
    return name[len(catalog.categories[category].topdir) :].lstrip("/")


def _by_repository(query: Query, repo: str, arch: str, catalog: Catalog) -> Target:
    # Once only: "a redirect's target is not redirected again" (docs/protocol.md#the-target).
    prefix = catalog.redirects.get(repo, repo)
    heading = f"# repo = {echo(prefix)} arch = {echo(arch)} "
    # Before it is looked up: "a repository with this prefix is disabled, in any arch"
    # (docs/protocol.md#errors).
    if prefix in catalog.disabled:
        raise Disabled("repo disabled")
    directory = catalog.repositories.get((prefix, arch))
    if directory is None and arch in catalog.open_arches:
        return _of_any_arch(query, prefix, arch, catalog)
    if directory is None:
        raise UnknownRepository(_unknown_repository(prefix, arch, heading, catalog))
    name = catalog.snapshot.directory(directory).name
    if not query.metalink:
        return _target(directory, name, None, heading, catalog)
    # "A repository's metalink is about `repomd.xml` in its directory's `repodata`". The directory
    # of some repositories is `repodata` itself.
    if not name.endswith("/repodata"):
        name += "/repodata"
        found = catalog.snapshot.find_directory(name)
        if found is None:
            raise NotFound(f"error: {echo(name)} is not known: the repository has no metadata")
        directory = found
    return _target(directory, name, METADATA, heading, catalog)


def _of_any_arch(query: Query, prefix: str, arch: str, catalog: Catalog) -> Target:
    """Return the directory of a prefix with an arch like $basearch in it, for clients to fill in.

    "Such a list has the hosts that have it for each of its arches"
    (docs/protocol.md#requests-in-other-words).
    """
    heading = f"# repo = {echo(prefix)} arch = {arch} "
    found = {one: catalog.repositories[prefix, one] for one in catalog.arches(prefix)}
    targets = [
        _target(at, catalog.snapshot.directory(at).name, None, heading, catalog)
        for at in found.values()
    ]
    names = {_with_arch(row.name, one, arch) for one, row in zip(found, targets, strict=True)}
    if len(names) != 1:
        raise UnknownRepository(_unknown_repository(prefix, arch, heading, catalog))
    if query.metalink:
        raise NoDetails(f"{echo(prefix)} has other checksums for each arch: ask with arch=")
    sets = [catalog.snapshot.host_set_bits(row.host_set) for row in targets]
    carriers = catalog.roster.carriers(reduce(and_, sets))
    if not carriers:
        raise NotFound(f"error: no active host carries {echo(prefix)} for all arches")
    name = names.pop()
    path = path_below(_subpath(name, targets[0].category, catalog), None)
    return structs.replace(targets[0], name=name, carriers=carriers, path=path)


def _with_arch(name: str, arch: str, other: str) -> str:
    """Return a directory's name with another arch in the place of its own."""
    return "/".join(other if part == arch else part for part in name.split("/"))


def _target(directory: int, name: str, file: str | None, heading: str, catalog: Catalog) -> Target:
    category, host_set = catalog.snapshot.place_of(directory)
    if category is None or host_set is None:
        raise NotFound(f"error: {echo(name)} is in no category: no host can carry it")
    # A query may still get an empty list of a directory that has hosts: `why_nothing` is for that.
    carriers = catalog.carriers(host_set)
    if not carriers:
        raise NotFound(f"error: no active host carries {echo(name)}")
    return Target(
        directory,
        name,
        file,
        category,
        host_set,
        carriers,
        path_below(_subpath(name, category, catalog), file),
        heading,
    )


def _unknown_repository(prefix: str, arch: str, heading: str, catalog: Catalog) -> str:
    text, last = f"{heading}\nerror: invalid repo or arch\n", _ALL_REPOSITORIES
    room = MOST_ERROR_BYTES - len(text) - len(last) - 1
    spelled = catalog.spelled
    # As many of the ten closest as fit.
    for name, other in catalog.closest(prefix, arch):
        line = f"# repo={spelled.get(name, name)}&arch={spelled.get(other, other)}\n"
        room -= len(line)
        if room < 0:
            break
        text += line
    return text + last
