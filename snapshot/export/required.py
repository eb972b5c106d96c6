"""Queries that a snapshot must be able to answer with a host, or it is not published.

A canary: the checks of losses compare two snapshots, and this one asks for what clients must get,
whatever was published before. A host counts if strangers are offered it: public, active, with an
http or https URL.
"""

from collections.abc import Iterable

from msgspec import Struct

from snapshot.export.continents import built_in_continents
from snapshot.export.usable import is_listed, is_web
from snapshot.file.description import find_repository
from snapshot.file.errors import RefusedSnapshot
from snapshot.file.reader import Snapshot

_HINT = "nothing was published; if this is meant, export with --force or without this --require"


class Required(Struct, frozen=True):
    """A query of `--require`: a path, or the prefix and the arch of a repository."""

    text: str
    path: str | None = None
    repo: str = ""
    arch: str = ""


def check_required(new: Snapshot, required: Iterable[Required]) -> None:
    """Raise RefusedSnapshot if a snapshot has no host for one of the queries."""
    for one in required:
        if missing := _missing(new, one):
            raise RefusedSnapshot(
                f"the new snapshot has no host for {one.text} (--require): {missing}; {_HINT}"
            )


def _missing(snapshot: Snapshot, wanted: Required) -> str | None:
    """Return why a query has no host, or None if it has one."""
    if wanted.path is not None:
        index = _directory(snapshot, wanted.path)
        return "no such directory" if index is None else _hostless(snapshot, index)
    prefix = snapshot.redirects.get(wanted.repo, wanted.repo)
    if any(row.disabled for row in snapshot.repositories if row.prefix == prefix):
        return "the repository is disabled"
    index = find_repository(snapshot, wanted.repo, wanted.arch)
    if index is None:
        return "no such repository and arch"
    name = snapshot.directory(index).name
    metadata = None if name.endswith("/repodata") else snapshot.find_directory(f"{name}/repodata")
    # A mirrorlist is of the directory, a metalink of its repodata.
    both = [index] if metadata is None else [index, metadata]
    return next(filter(None, (_hostless(snapshot, one) for one in both)), None)


def _directory(snapshot: Snapshot, path: str) -> int | None:
    """Return the directory of a path, or that of a file in it."""
    found = snapshot.find_directory(path)
    return snapshot.find_directory(path.rpartition("/")[0]) if found is None else found


def _hostless(snapshot: Snapshot, index: int) -> str | None:
    """Return a text if no stranger is offered a host for a directory."""
    name, (category, host_set) = snapshot.directory(index).name, snapshot.place_of(index)
    if category is None or host_set is None:
        return f"{name} is in no category"
    known = snapshot.continents.keys() | built_in_continents().keys()
    carriers = set(snapshot.host_set(host_set))
    for one in snapshot.categories[category].hosts:
        listed = one.host in carriers and is_listed(snapshot.hosts[one.host], known)
        if listed and any(map(is_web, one.urls)):
            return None
    return f"no active, public host with an http or https URL has {name}"
