"""Which files a slim repository's repodata has, and what of each is kept."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from snapshot.packages.repomd import RepomdRecord
from snapshot.slim.extras import with_packages, without_names
from snapshot.slim.filtering import by_key, by_sum, filtered
from snapshot.slim.modules import Module, written
from snapshot.slim.pool import Entry
from snapshot.slim.repository import Repository
from snapshot.slim.written import write_copy, write_packed

_OF_PACKAGES = ("primary", "filelists", "filelists-ext", "other")
_GROUPS = ("group", "group_gz", "group_xz", "group_zst")
# Databases and chunked files say again what others say; deltas lead to versions that are gone.
_LEFT_OUT = ("_db", "_zck")
_DELTAS = ("prestodelta", "deltainfo")


def write_all(
    repository: Repository,
    folder: Path,
    entries: list[Entry],
    before: list[Entry],
    modules: list[Module],
) -> dict[str, RepomdRecord]:
    """Write the files of a repository with some of its packages, in the order of its own."""
    writing = _Writing(entries, before, modules)
    found = {}
    for kind, record in repository.files.items():
        if kind.endswith(_LEFT_OUT) or kind in _DELTAS:
            continue
        copy, blocks = repository.copy(kind), writing.blocks(repository, kind)
        if blocks is None:
            found[kind] = write_copy(folder, record, copy)
        else:
            found[kind] = write_packed(folder, _name(kind), copy, blocks, record.timestamp)
    return found


def _name(kind: str) -> str:
    """Return the usual name of a file of a type, as createrepo_c has it behind the sum."""
    return "modules.yaml" if kind == "modules" else f"{'comps' if kind in _GROUPS else kind}.xml"


class _Writing:
    """Says what is in each file."""

    def __init__(self, entries: list[Entry], before: list[Entry], modules: list[Module]) -> None:
        self._entries, self._modules = entries, modules
        names = {one.name for one in entries}
        self._lost = frozenset({one.name for one in before} - names)

    def blocks(self, repository: Repository, kind: str) -> Iterable[bytes] | None:
        """Return what a file consists of; None for a file that stays as it was."""
        if kind in _OF_PACKAGES:
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
        if kind == "primary":
            is_kept, count = by_key(one.key for one in self._entries), len(self._entries)
        else:
            # Two packages of primary.xml may be the same file.
            sums = {one.sum for one in self._entries}
            is_kept, count = by_sum(sums), len(sums)
        return filtered(repository.opened(kind), f"{kind}.xml", is_kept, count)
