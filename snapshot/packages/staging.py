"""Reads the repositories that changed, and stages their new packages in temporary tables.

The rows of capabilities go to the database while primary.xml is read; the packages, of which there
are far fewer, wait in a file. So no packages are kept in memory, but a digest of each package of
the repository that is being read.
"""

from collections.abc import Iterator, Mapping
from tempfile import SpooledTemporaryFile

import msgspec
from msgspec import Struct

from snapshot.file.errors import UnusableRepository
from snapshot.link import SQLITE, Link, Row, temporary
from snapshot.packages.job import Progress
from snapshot.packages.primary import Content, Package, new_packages
from snapshot.packages.repomd import RepomdRecord
from snapshot.packages.sources import Missing, Source, verified
from snapshot.packages.statements import TEMPORARY
from snapshot.packages.unpacking import unpacked

_IN_MEMORY = 4 << 20
_KEY = 16


class Changed(Struct, frozen=True):
    """A repository to read: where it is below the source, and what its repomd.xml says."""

    directory: str
    path: str
    primary: RepomdRecord


class Read(Struct, frozen=True):
    """A repository that was read to its end; its `number` is of this import."""

    number: int
    changed: Changed
    packages: int


class Staging:
    """Fills the temporary tables."""

    def __init__(
        self,
        link: Link,
        source: Source,
        keys: Mapping[str, bytes],
        problems: list[str],
        *,
        full: bool,
    ) -> None:
        """Take the keys of the packages that each directory has, one after the other."""
        self._link, self._source, self._full = link, source, full
        self._keys, self._problems = keys, problems
        self._number = 0
        self.read: list[Read] = []

    def fill(self, changed: list[Changed], leaving: list[str], progress: Progress) -> None:
        """Read the repositories; what cannot be read is reported, and its rows are left alone."""
        link = self._link
        if link.kind == SQLITE:
            # In a file, and in one transaction, which does not lock the database.
            link.execute("PRAGMA temp_store = FILE")
            link.execute("PRAGMA cache_size = -32768")
            link.execute("BEGIN")
        with _Waiting() as packages, _Waiting() as gone:
            rows = self._capabilities(changed, (packages, gone), progress)
            self._load("import_capability", rows)
            self._load("import_package", packages.rows())
            self._load("import_gone", gone.rows())
        self._load("import_repodata", self._repositories(leaving))
        if link.kind == SQLITE:
            link.end(commit=True)

    def _load(self, table: str, rows: Iterator[Row]) -> None:
        temporary(self._link, table, TEMPORARY[table], rows)

    def _capabilities(
        self, changed: list[Changed], waiting: "tuple[_Waiting, _Waiting]", progress: Progress
    ) -> Iterator[Row]:
        counted = _Counted(progress, sum(one.primary.size or 0 for one in changed))
        for number, one in enumerate(changed):
            packed = self._keys.get(one.directory, b"")
            left = {packed[at : at + _KEY] for at in range(0, len(packed), _KEY)}
            content = Content()
            try:
                for package in self._packages(one, left, content, counted):
                    if self._link.codec == "utf-8" or _fits(package, self._link.codec):
                        yield from self._staged(number, package, waiting[0])
                    else:
                        why = f"the database, in {self._link.codec}, has no such letters"
                        content.left_out.append(f"{package.name[:200]}: {why}")
            except Missing:
                self._problems.append(f"{one.directory}: {one.primary.path} is missing")
            except UnusableRepository as error:
                self._problems.append(f"{one.directory}: {error}; its packages stay as they were")
            else:
                for key in left:
                    waiting[1].add((number, key))
                self._finish(Read(number, one, content.count - len(content.left_out)), content)

    def _packages(
        self, one: Changed, left: set[bytes], content: Content, counted: "_Counted"
    ) -> Iterator[Package]:
        packed = counted(self._source.blocks(one.path + one.primary.path))
        blocks = verified(packed, one.primary)
        opened = unpacked(blocks, one.primary.most_opened)
        yield from new_packages(opened, left, content, full=self._full)

    def _staged(self, repository: int, package: Package, packages: "_Waiting") -> Iterator[Row]:
        self._number += 1
        number = self._number
        # All fields but the capabilities, which have a table of their own.
        fields = msgspec.structs.astuple(package)
        packages.add((number, repository, *fields[:-2], fields[-1]))
        for kind, name, flags, evr in package.capabilities:
            yield number, kind, name, flags, evr

    def _finish(self, read: Read, content: Content) -> None:
        self.read.append(read)
        if content.left_out:
            self._problems.append(
                f"{read.changed.directory}: {len(content.left_out):,} packages are left out,"
                f" first {content.left_out[0]}"
            )

    def _repositories(self, leaving: list[str]) -> Iterator[Row]:
        for one in self.read:
            about = one.changed.primary
            sum = f"{about.sum_kind}:{about.sum}"
            where = (one.changed.directory, self._source.name)
            yield one.number, *where, about.revision, sum, one.packages, False
        for number, directory in enumerate(leaving, 1):
            yield -number, directory, "", "", "", 0, True


def _fits(package: Package, codec: str) -> bool:
    """Whether a database of an encoding has all letters of a package."""
    texts = (value for value in msgspec.structs.astuple(package) if isinstance(value, str))
    named = (text for _, name, _, evr in package.capabilities for text in (name, evr))
    try:
        "".join((*texts, *named)).encode(codec)
    except UnicodeEncodeError:
        return False
    return True


class _Counted:
    """Tells how many bytes of all files were read: one of them may take most of the time."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._done, self._total = progress, 0, total

    def __call__(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self._progress("reading packages", self._done, self._total)
            self._done += len(block)
            yield block


class _Waiting:
    """Rows that wait in a file until their table is loaded."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(_IN_MEMORY, prefix="mirrorlist-packages-")  # noqa: SIM115
        self._encode = msgspec.msgpack.Encoder().encode

    def __enter__(self) -> "_Waiting":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: Row) -> None:
        data = self._encode(row)
        self._file.write(len(data).to_bytes(4, "little") + data)

    def rows(self) -> Iterator[Row]:
        self._file.seek(0)
        decode = msgspec.msgpack.Decoder(tuple).decode
        while size := self._file.read(4):
            yield decode(self._file.read(int.from_bytes(size, "little")))
