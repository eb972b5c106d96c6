"""Which files a slim repository's repodata has, and what of each is kept."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from snapshot.slim.catalogue import Entry
from snapshot.slim.extras import with_packages, without_names
from snapshot.slim.filtering import by_key, by_sum, filtered
from snapshot.slim.modules import Module, written
from snapshot.slim.repository import Repository
from snapshot.slim.written import Data, write_copy, write_packed

_LISTS = ("filelists", "filelists-ext", "other")
_GROUPS = ("group", "group_gz", "group_xz", "group_zst")
# Databases and chunked files say again what others say; deltas lead to versions that are gone.
_LEFT_OUT = ("_db", "_zck", "_gz_zck")
_DELTAS = ("prestodelta", "deltainfo")


def write_all(
    repository: Repository,
    folder: Path,
    entries: list[Entry],
    before: list[Entry],
    modules: list[Module],
) -> list[Data]:
    """Write the files of a repository with some of its packages, in the order of its own."""
    writing = _Writing(entries, before, modules)
    found = []
    for kind, about in repository.files.items():
        if kind.endswith(_LEFT_OUT) or kind in _DELTAS:
            continue
        blocks = writing.blocks(repository, kind)
        if blocks is None:
            found.append(write_copy(folder, kind, about, repository.copy(kind)))
            continue
        ending = "yaml" if kind == "modules" else "xml"
        name = f"{'comps' if kind in _GROUPS else kind}.{ending}"
        like = repository.copy(kind)
        found.append(write_packed(folder, kind, name, like, blocks, about.timestamp))
    return found


class _Writing:
    """Says what is in each file."""

    def __init__(self, entries: list[Entry], before: list[Entry], modules: list[Module]) -> None:
        self._entries, self._modules = entries, modules
        names = {one.name for one in entries}
        self._lost = frozenset({one.name for one in before} - names)

    def blocks(self, repository: Repository, kind: str) -> Iterable[bytes] | None:
        """Return what a file consists of; None for a file that stays as it was."""
        if kind == "primary":
            return self._filtered(repository, kind)
        if kind in _LISTS:
            return self._filtered(repository, kind)
        if kind == "updateinfo":
            kept = frozenset(one.nevra for one in self._entries)
            return with_packages(repository.opened(kind), kept)
        if kind == "modules":
            return [written(self._modules).encode()]
        if kind in _GROUPS and self._lost:
            return without_names(repository.opened(kind), self._lost)
        return None

    def _filtered(self, repository: Repository, kind: str) -> Iterator[bytes]:
        entries = self._entries
        sums = {one.sum for one in entries}
        is_primary = kind == "primary"
        is_kept = by_key(one.key for one in entries) if is_primary else by_sum(sums)
        count = len(entries) if is_primary else len(sums)
        return filtered(repository.opened(kind), f"{kind}.xml", is_kept, count)
