"""What a scan found on the primary mirror: directories, and of each the files that matter.

All that a row of `directory` needs of a large directory is its ten newest files, so no more of
its packages is kept while a list is read.
"""

from collections.abc import Iterable, Sequence
from re import Pattern

import msgspec

from snapshot.scan.names import is_read
from snapshot.scan.patterns import first_found
from snapshot.scan.unchanged import Entry

SHORT = 10
"""A directory with more packages or pages than this shows this many newest files to crawlers."""
_PACKAGES, _PAGES = ".rpm", ".html"
# So many kept files of a large directory are cut down again.
_COMPACT = 50 * SHORT
_STRANGE = {"", ".", ".."}
# An entry of a PostgreSQL index has at most 2,704.
_MOST_BYTES = 2600

_encode = msgspec.json.Encoder().encode


class Directory:
    """A directory; `files` has all files or those that matter.

    `ctime` is in seconds; None if nothing told it, and then the database keeps what it has.
    `linked` has the names of links that a scan reads; crawlers are not shown them, because a
    listing has a link's own size and not that of the file behind it.
    """

    __slots__ = ("ctime", "files", "linked", "packages", "pages", "readable")

    def __init__(self, ctime: int | None = None, readable: bool = True) -> None:
        """Begin without files."""
        self.ctime, self.readable = ctime, readable
        self.files: list[Entry] = []
        self.linked: list[str] = []
        self.packages = self.pages = 0

    def is_large(self) -> bool:
        """Whether crawlers are shown the newest files only."""
        return self.packages > SHORT or self.pages > SHORT

    def add(
        self, paths: Sequence[str], sizes: Sequence[str], times: Sequence[str], start: int = 0
    ) -> None:
        """Add files in the inventory's order; numbers as digits. Raises ValueError.

        A file's name begins at `start` of its path.
        """
        # One count in one text instead of a comparison for each name.
        text = "\n".join(paths) + "\n"
        packages = text.count(".rpm\n")
        pages = text.count(".html\n") if packages < len(paths) else 0
        self.packages += packages
        self.pages += pages
        seconds = list(map(int, times))
        if not self.is_large():
            names = [path[start:] for path in paths]
            self._keep(list(zip(names, map(int, sizes), seconds, strict=True)))
            return
        chosen = _newest(seconds)
        if packages + pages < len(paths):
            others = (i for i, path in enumerate(paths) if not path.endswith((_PACKAGES, _PAGES)))
            chosen = [*{*chosen, *others}]
        self._keep([(paths[i][start:], int(sizes[i]), seconds[i]) for i in sorted(chosen)])
        if len(self.files) > _COMPACT:
            self._compact()

    def _keep(self, entries: list[Entry]) -> None:
        for name, size, time in entries:
            if not (is_64_bits(size) and is_64_bits(time)):
                raise ValueError(f"a size or time beyond 64 bits at {name}")
        self.files += entries

    def _compact(self) -> None:
        newest = set(_newest([one[2] for one in self.files]))
        self.files = [
            one
            for i, one in enumerate(self.files)
            if i in newest or not one[0].endswith((_PACKAGES, _PAGES))
        ]

    def shown(self) -> bytes:
        """Return the files that crawlers check as JSON, newest first, like scan-primary-mirror."""
        files = sorted(self.files, key=lambda one: one[2], reverse=True)
        if self.is_large():
            files = files[:SHORT]
        return _encode([{"name": n, "size": size, "timestamp": time} for n, size, time in files])

    def named(self) -> dict[str, Entry]:
        """Return the files by name."""
        return {one[0]: one for one in self.files}


def is_64_bits(number: int) -> bool:
    """Whether a column of the database can hold a number."""
    # The sign is what is left when all other bits are shifted out.
    return number >> 63 in (0, -1)


def _newest(seconds: Sequence[int]) -> list[int]:
    """Return where the newest files are; of files with one time, the first ones.

    A whole sort in C is three times as fast as heapq.nlargest, which runs Python for each file.
    """
    limit = sorted(seconds)[-SHORT:][0]
    found = [i for i, one in enumerate(seconds) if one >= limit]
    return sorted(found, key=seconds.__getitem__, reverse=True)[:SHORT]


class Inventory:
    """Directories by their path below the category's topdir, which is the empty path."""

    def __init__(self, topdir: str, excludes: Sequence[Pattern[str]] = ()) -> None:
        """Begin with the topdir alone; a directory below an excluded one is excluded too."""
        self.directories: dict[str, Directory] = {"": Directory()}
        self.problems: list[str] = []
        self.links = 0
        self.unlisted: list[str] = []
        self._top = topdir
        self._excludes = excludes
        self._excluded: set[str] = set()
        if self._matches(""):
            self.problems.append("the topdir itself is excluded by the configuration; it stays")

    def directory(self, path: str) -> Directory | None:
        """Return the directory of a path, made if it is new; None if it is excluded."""
        found = self.directories.get(path)
        if found is not None or path in self._excluded:
            return found
        if why := self._unfit(path):
            self.leave_out(path, why)
            self._excluded.add(path)
            return None
        # Not by recursion: a listing may name a thousand directories in each other.
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            if not self._add("/".join(parts[:depth])):
                self._excluded.add(path)
                return None
        return self.directories[path]

    def _add(self, path: str) -> bool:
        """Add a directory in one that is there; False if it is excluded."""
        if path in self.directories:
            return True
        if path in self._excluded or self._matches(path):
            self._excluded.add(path)
            return False
        self.directories[path] = Directory()
        return True

    def _unfit(self, path: str) -> str:
        """Return why no directory can have this name; empty if one can."""
        if not _STRANGE.isdisjoint(path.split("/")):
            return "not a path below the topdir, so it is left out"
        if len(self.full(path).encode()) > _MOST_BYTES:
            return f"longer than {_MOST_BYTES:,} bytes, which an index of the database cannot hold"
        return ""

    def _matches(self, path: str) -> bool:
        if not self._excludes:
            return False
        full = self.full(path) if path or not self._top else f"{self._top}/"
        return first_found(self._excludes, full) is not None

    def full(self, path: str) -> str:
        """Return the name of a directory in the database."""
        return f"{self._top}/{path}" if self._top and path else self._top or path

    def link(self, path: str) -> None:
        """Count a link; one with the name of a metadata or checksum file is read all the same."""
        self.links += 1
        parent, _, name = path.rpartition("/")
        directory = self.directory(parent) if is_read(name) else None
        if directory is not None:
            directory.linked.append(name)

    def finish(self) -> None:
        """Let directories below an unreadable one be unreadable too."""
        for path in sorted(self.directories):
            if path and not self.directories[path.rpartition("/")[0]].readable:
                self.directories[path].readable = False

    def leave_out(self, path: str, why: str) -> None:
        """Report a name that is left out, with all that is not text in it escaped."""
        text = f"{path}: {why}".encode("utf-8", "surrogateescape")
        self.problems.append(text.decode("utf-8", "backslashreplace"))


def children(paths: Iterable[str]) -> dict[str, set[str]]:
    """Return the names of the directories in each directory."""
    found: dict[str, set[str]] = {}
    for path in paths:
        if path:
            above, _, name = path.rpartition("/")
            found.setdefault(above, set()).add(name)
    return found
