"""Reads which packages are the newest ones, of directories that also have older ones.

Source: docs/packages.md#only-the-newest-by-the-rsync-filter. The rows are those of `mirrorlist
packages import`; two statements read them, however many repositories there are.
"""

from collections import defaultdict
from collections.abc import Iterable

from snapshot.export.session import Session
from snapshot.export.versions import newness
from snapshot.file.text import UNWRITABLE

# A package of a module is of a stream, which the tables do not have: it is always kept.
_PLAIN = "p.release NOT LIKE '%.module%'"
_SEVERAL = f"""SELECT l.repodata_id, p.name, p.arch FROM mirrorlist_location l
    JOIN mirrorlist_package p ON p.id = l.package_id WHERE {_PLAIN}
    GROUP BY l.repodata_id, p.name, p.arch HAVING count(DISTINCT p.id) > 1"""
_VERSIONS = f"""SELECT r.id, r.directory, l.path, p.name, p.arch, p.epoch, p.version, p.release
    FROM ({_SEVERAL}) s JOIN mirrorlist_repodata r ON r.id = s.repodata_id
    JOIN mirrorlist_location l ON l.repodata_id = r.id
    JOIN mirrorlist_package p ON p.id = l.package_id AND p.name = s.name AND p.arch = s.arch
    WHERE {_PLAIN}"""
_ALL = """SELECT r.id, r.directory, l.path FROM mirrorlist_repodata r
    JOIN mirrorlist_location l ON l.repodata_id = r.id"""

_PathAndVersion = tuple[str, tuple[str, str, str]]


def read_newest(session: Session) -> dict[str, str]:
    """Return the files to mirror of each directory that also has older packages.

    They are sorted, with line feeds between.
    """
    groups: defaultdict[tuple[int, str, str], list[_PathAndVersion]] = defaultdict(list)
    for id, *texts in session.query(_VERSIONS):
        # SQLite's columns take any type. What is not text was not written by an import.
        if all(isinstance(one, str) for one in texts):
            directory, path, name, arch, *evr = texts
            epoch, version, release = evr
            groups[id, name, arch].append((f"{directory}/{path}", (epoch, version, release)))
    old = {(id, path) for (id, _, _), group in groups.items() for path in _older(group)}
    kept: dict[str, set[str]] = {path.rpartition("/")[0]: set() for _, path in old}
    for id, directory, path in session.query(_ALL) if old else ():
        whole = f"{directory}/{path}"
        folder, _, name = whole.rpartition("/")
        # A directory may belong to two repositories, and a package be the newest of one of them.
        if folder in kept and (id, whole) not in old and not UNWRITABLE.search(name):
            kept[folder].add(name)
    return {folder: "\n".join(sorted(names)) for folder, names in kept.items()}


def _older(group: Iterable[_PathAndVersion]) -> set[str]:
    ranked = [(newness(version), path) for path, version in group]
    highest = max(rank for rank, _ in ranked)
    return {path for rank, path in ranked if rank != highest}
