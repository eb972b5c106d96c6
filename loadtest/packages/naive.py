"""An import in the shape that software has which dies of it: a look-up for each row.

    python -m loadtest.packages.naive DATABASE SOURCE [--commit]

It reads the same files by the same code, and writes into the same tables. It asks the database for
each package by its checksum, and for each capability by its name, and inserts what is missing. With
--commit it commits after each package. What has left is deleted a row at a time.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from loadtest.packages.release import TOPDIR
from snapshot.link import Link, linked
from snapshot.packages.primary import Content, Package, new_packages
from snapshot.packages.repomd import read_repomd
from snapshot.packages.sources import Folder, verified
from snapshot.packages.tables import INDEXES, NAMES, creating
from snapshot.packages.unpacking import unpacked

_REPODATA = "SELECT id FROM mirrorlist_repodata WHERE directory = %(directory)s"
_INSERT_REPODATA = """INSERT INTO mirrorlist_repodata (directory, source, revision, sum, packages)
    VALUES (%(directory)s, '', '', '', 0) RETURNING id"""
_PACKAGE = "SELECT id FROM mirrorlist_package WHERE content = %(content)s"
_INSERT_PACKAGE = """INSERT INTO mirrorlist_package
        (content, name, epoch, version, release, arch, size, sum_kind, sum)
    VALUES (%(content)s, %(name)s, %(epoch)s, %(version)s, %(release)s, %(arch)s, %(size)s,
        %(sum_kind)s, %(sum)s) RETURNING id"""
_CAPABILITY = """SELECT id FROM mirrorlist_capability
    WHERE name = %(name)s AND flags = %(flags)s AND evr = %(evr)s"""
_INSERT_CAPABILITY = """INSERT INTO mirrorlist_capability (name, flags, evr)
    VALUES (%(name)s, %(flags)s, %(evr)s) RETURNING id"""
_INSERT_USE = """INSERT INTO mirrorlist_package_capability (package_id, kind, capability_id)
    VALUES (%(package)s, %(kind)s, %(capability)s)"""
_LOCATION = """SELECT package_id FROM mirrorlist_location
    WHERE repodata_id = %(repodata)s AND key = %(key)s"""
_INSERT_LOCATION = """INSERT INTO mirrorlist_location (repodata_id, key, package_id, path)
    VALUES (%(repodata)s, %(key)s, %(package)s, %(path)s)"""
_LOCATIONS = "SELECT key, package_id FROM mirrorlist_location WHERE repodata_id = %(repodata)s"
_DELETE = (
    "DELETE FROM mirrorlist_location WHERE repodata_id = %(repodata)s AND key = %(key)s",
    "DELETE FROM mirrorlist_package_capability WHERE package_id = %(package)s",
    "DELETE FROM mirrorlist_package WHERE id = %(package)s",
)


class Naive:
    """Writes one row after the other."""

    def __init__(self, link: Link, *, commit: bool) -> None:
        """Take the connection, and whether each package is committed."""
        self._link, self._commit = link, commit

    def write(self, directory: str, packages: Iterator[Package]) -> None:
        """Write a repository."""
        repodata = self._one(_REPODATA, _INSERT_REPODATA, {"directory": directory})
        seen = set()
        for package in packages:
            seen.add(package.key)
            self._package(repodata, package)
            if self._commit:
                self._link.end(commit=True)
                self._link.begin()
        for key, id in self._link.query(_LOCATIONS, {"repodata": repodata}):
            if bytes(key) not in seen:
                for statement in _DELETE:
                    values = {"repodata": repodata, "key": key, "package": id}
                    self._link.execute(statement, values)

    def _one(self, query: str, insert: str, values: dict[str, object]) -> int:
        rows = self._link.query(query, values) or self._link.query(insert, values)
        return int(rows[0][0])

    def _package(self, repodata: int, package: Package) -> None:
        values = {name: getattr(package, name) for name in package.__struct_fields__}
        known = self._link.query(_PACKAGE, values)
        ((id,),) = known or self._link.query(_INSERT_PACKAGE, values)
        for kind, name, flags, evr in package.capabilities:
            about = {"name": name, "flags": flags, "evr": evr}
            capability = self._one(_CAPABILITY, _INSERT_CAPABILITY, about)
            if not known:
                use = {"package": id, "kind": kind, "capability": capability}
                self._link.execute(_INSERT_USE, use)
        where = {"repodata": repodata, "key": package.key, "package": id, "path": package.path}
        if not self._link.query(_LOCATION, where):
            self._link.execute(_INSERT_LOCATION, where)


def main(database: str, source: Path, *, commit: bool) -> None:
    """Import the repositories of the set."""
    with linked(database, "loadtest.packages.naive") as link:
        if not link.tables(NAMES):
            for statement in (*creating(link.kind), *INDEXES):
                link.execute(statement)
        link.begin()
        naive = Naive(link, commit=commit)
        for path in sorted(source.glob(f"{TOPDIR}/**/repomd.xml")):
            folder = path.parents[1]
            primary = read_repomd(path.read_bytes())
            blocks = verified(Folder(folder).blocks(primary.path), primary)
            packages = new_packages(unpacked(blocks, 8 << 30), set(), Content())
            naive.write(folder.relative_to(source).as_posix(), packages)
        link.end(commit=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), commit="--commit" in sys.argv)
