"""A directory tree on this machine, or mounted on it: listed by several threads.

A directory whose change time is the one of the last scan is not listed again; only the files in
it that a scan reads are looked at, because a file that is written in place does not change the
time of its directory. Names that begin with a dot are left out, as scan-primary-mirror does.
"""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import msgspec
from msgspec import Struct

from snapshot.file.errors import ListingError
from snapshot.scan.inventory import Directory, Inventory
from snapshot.scan.names import is_read
from snapshot.scan.scope import EVERYTHING, Scope
from snapshot.scan.unchanged import Entry, Seen

_THREADS = 8
_BATCH = 64
# A directory that changed this shortly before may change again within the same tick of the clock.
_SETTLED_NS = 2_000_000_000
_KINDS = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a pipe",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


class _Looked(Struct):
    """What came of looking at one directory."""

    path: str
    seen: Seen | None = None
    problems: list[tuple[str, str]] = []
    links: int = 0
    error: OSError | None = None


def walk(
    root: str,
    inventory: Inventory,
    known: Mapping[str, Seen],
    tell: Callable[[int], None],
    scope: Scope = EVERYTHING,
) -> tuple[dict[str, Seen], str]:
    """Read a tree into an inventory; return what was seen and its digest. Raises ListingError.

    `tell` is called with the number of directories that have been looked at. What is not in the
    scope is taken as it is known.
    """
    seen: dict[str, Seen] = {}
    level = [""]
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="tree") as pool:
        while level:
            found = list(pool.map(_Look(root, known, scope), _batches(level)))
            level = [
                below for one in found for looked in one for below in _take(looked, inventory, seen)
            ]
            tell(len(seen))
    if "" not in seen:
        why = _reason(root, found[0][0].error)
        raise ListingError(f"{root}: cannot be listed: {why}; what is in the database stays")
    inventory.finish()
    return seen, _digest(seen)


def _batches(paths: list[str]) -> Iterator[list[str]]:
    rest = iter(paths)
    while batch := list(islice(rest, _BATCH)):
        yield batch


def _take(looked: _Looked, inventory: Inventory, seen: dict[str, Seen]) -> list[str]:
    """Add a directory to the inventory; return the directories below it."""
    path, found = looked.path, looked.seen
    if found is None:
        _report(looked, inventory)
        return []
    directory = inventory.directory(path)
    if directory is None:
        return []
    seen[path] = found
    _fill(directory, found)
    inventory.links += looked.links
    for name, why in looked.problems:
        inventory.leave_out(f"{path}/{name}" if path else name, why)
    return [f"{path}/{name}" if path else name for name in found.names]


def _fill(directory: Directory, found: Seen) -> None:
    directory.ctime, directory.readable = found.modified, found.readable
    directory.packages, directory.pages, directory.files = (
        found.packages,
        found.pages,
        found.files,
    )


def _reason(root: str, error: OSError | None) -> str:
    """Return why the folder itself cannot be listed."""
    if "://" in root:
        return "a source is a folder, or rsync://HOST/PATH"
    return (error and error.strerror) or "unknown"


def _report(looked: _Looked, inventory: Inventory) -> None:
    """Report a directory that could not be listed; if it is still there, its rows stay."""
    error = looked.error
    if error is None:
        # Outside of the scope, and the last scan could not list it either.
        inventory.unlisted.append(looked.path)
        return
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        inventory.leave_out(looked.path, "it vanished while the tree was listed")
        return
    if looked.path:
        inventory.unlisted.append(looked.path)
    inventory.leave_out(
        looked.path, f"cannot be listed: {error.strerror}; what the database has of it stays"
    )


def _digest(seen: Mapping[str, Seen]) -> str:
    """Return a digest of all that was seen, but for when each directory changed."""
    digest = hashlib.blake2b(digest_size=16)
    encode = msgspec.msgpack.Encoder().encode
    for path in sorted(seen):
        one = seen[path]
        row = (path, one.modified, one.readable, one.packages, one.pages, one.names, one.files)
        digest.update(encode(row))
    return digest.hexdigest()


class _Look:
    """Looks at directories; in a thread."""

    def __init__(self, root: str, known: Mapping[str, Seen], scope: Scope) -> None:
        self._root, self._known, self._scope = root, known, scope
        self._now = time.time_ns()

    def __call__(self, paths: list[str]) -> list[_Looked]:
        return [self._look(path) for path in paths]

    def _look(self, path: str) -> _Looked:
        place = os.path.join(self._root, path) if path else self._root
        if self._scope and not self._scope.passes(path):
            return _Looked(path, self._known.get(path))
        try:
            found = os.stat(place) if not path else os.lstat(place)
            known = self._known.get(path)
            if known is not None and known.changed == found.st_ctime_ns:
                return _Looked(path, _refreshed(place, known))
            looked = self._list(path, place, found)
            return looked if not self._scope or self._scope.has(path) else self._above(looked)
        except OSError as error:
            return _Looked(path, error=error)

    def _above(self, looked: _Looked) -> _Looked:
        """Let a directory above the scope have, outside of the scope, the names that are known."""
        path, seen = looked.path, looked.seen
        assert seen is not None
        known = self._known.get(path)
        outside = {one for one in (known.names if known else ()) if not self._has(path, one)}
        names = sorted(outside.union(one for one in seen.names if self._has(path, one)))
        if names != seen.names:
            # Without its time, the next scan lists it again.
            looked.seen = msgspec.structs.replace(seen, names=names, changed=0)
        return looked

    def _has(self, path: str, name: str) -> bool:
        return self._scope.passes(f"{path}/{name}" if path else name)

    def _list(self, path: str, place: str, found: os.stat_result) -> _Looked:
        looked = _Looked(path, problems=[])
        names, directory = [], Directory()
        files: list[tuple[str, str, str]] = []
        with os.scandir(place) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                if entry.name[0] == "." or not _is_named(entry, looked):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    names.append(entry.name)
                elif row := _file(entry, looked):
                    files.append(row)
        if files:
            listed, sizes, times = zip(*files, strict=True)
            directory.add(listed, sizes, times)
        settled = self._now - found.st_ctime_ns > _SETTLED_NS
        looked.seen = Seen(
            found.st_ctime_ns if settled else 0,
            int(found.st_mtime),
            bool(found.st_mode & stat.S_IROTH),
            names,
            directory.packages,
            directory.pages,
            directory.files,
        )
        return looked


def _is_named(entry: "os.DirEntry[str]", looked: _Looked) -> bool:
    try:
        entry.name.encode()
    except UnicodeEncodeError:
        looked.problems.append((entry.name, "the name is not UTF-8"))
        return False
    return True


def _file(entry: "os.DirEntry[str]", looked: _Looked) -> tuple[str, str, str] | None:
    """Return a file's name, size and time; None for anything else, which is reported."""
    try:
        # A link is left out, but for the metadata of a repository, which may be one.
        if entry.is_symlink() and not is_read(entry.name):
            looked.links += 1
            return None
        found = entry.stat()
    except OSError as error:
        looked.problems.append((entry.name, f"cannot be looked at: {error.strerror}"))
        return None
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "not a file")
        looked.problems.append((entry.name, f"{kind}, which is left out"))
        return None
    return entry.name, str(found.st_size), str(int(found.st_mtime))


def _refreshed(place: str, known: Seen) -> Seen:
    """Return an unchanged directory with the files that a scan reads as they are now."""
    if not any(is_read(one[0]) for one in known.files):
        return known
    files = [_again(place, one) if is_read(one[0]) else one for one in known.files]
    return known if files == known.files else msgspec.structs.replace(known, files=files)


def _again(place: str, entry: Entry) -> Entry:
    try:
        found = os.stat(os.path.join(place, entry[0]))
    except OSError:
        return entry
    return entry[0], found.st_size, int(found.st_mtime)
