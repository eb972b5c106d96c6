"""A writer that looks up each row before it writes it, as the software does that a scan replaces.

    python -m loadtest.scans.naive DATABASE FOLDER

It reads the same list by the same code, follows the same rules, and reads each repomd.xml, as both
other scanners do. Then it asks the database, as MirrorManager's Python scanner does in each run:
for each directory found, its row, its link to the category, and whether it is a repository; for
each repository its arch, its version and the row with its prefix; for each checksum its row. It
inserts or updates what differs. With --commit it commits after each row that it changed, with --orm
it asks through SQLAlchemy's sessions, as MirrorManager does. At its end it prints as JSON what its
parts took, and how many statements it sent.
"""

import sys
import time
from pathlib import Path

import msgspec

from loadtest.scans.tree import CATEGORY
from snapshot.link import STATEMENT, Link, linked
from snapshot.scan.checksums import Detail, details
from snapshot.scan.config import read_settings
from snapshot.scan.full_list import read_full_list
from snapshot.scan.inventory import Inventory, children
from snapshot.scan.reading import LocalFiles, gather
from snapshot.scan.repositories import Rules, Wanted, places
from snapshot.scan.rules import Version

_DIRECTORY = "SELECT id, ctime, readable, files FROM directory WHERE name = %(name)s"
_UPDATE = """UPDATE directory SET ctime = %(ctime)s, readable = %(readable)s, files = %(files)s
    WHERE id = %(id)s"""
_INSERT = """INSERT INTO directory (name, ctime, readable, files)
    VALUES (%(name)s, %(ctime)s, %(readable)s, %(files)s) RETURNING id"""
_LINK = """SELECT 1 FROM category_directory
    WHERE category_id = %(category)s AND directory_id = %(id)s"""
_INSERT_LINK = """INSERT INTO category_directory (category_id, directory_id)
    VALUES (%(category)s, %(id)s)"""
_IS_REPOSITORY = "SELECT id FROM repository WHERE directory_id = %(id)s"
_ARCH = "SELECT id FROM arch WHERE id = %(arch)s"
_VERSION = "SELECT id FROM version WHERE name = %(name)s AND product_id = %(product)s"
_INSERT_VERSION = """INSERT INTO version
        (name, product_id, is_test, display, ordered_mirrorlist, sortorder)
    VALUES (%(name)s, %(product)s, CAST(0 AS BOOLEAN), CAST(1 AS BOOLEAN), CAST(1 AS BOOLEAN), 0)
    RETURNING id"""
_REPOSITORY = "SELECT id FROM repository WHERE prefix = %(prefix)s AND arch_id = %(arch)s"
_INSERT_REPOSITORY = """INSERT INTO repository
        (name, prefix, category_id, version_id, arch_id, directory_id, disabled)
    VALUES (%(name)s, %(prefix)s, %(category)s, %(version)s, %(arch)s, %(directory)s,
        CAST(0 AS BOOLEAN))"""
_DETAIL = """SELECT id FROM file_detail WHERE directory_id = %(id)s AND filename = %(filename)s
    AND timestamp = %(timestamp)s AND size = %(size)s AND sha256 = %(sha256)s"""
_INSERT_DETAIL = """INSERT INTO file_detail
        (directory_id, filename, timestamp, size, md5, sha1, sha256, sha512)
    VALUES (%(id)s, %(filename)s, %(timestamp)s, %(size)s, %(md5)s, %(sha1)s, %(sha256)s,
        %(sha512)s)"""


class Naive:
    """Writes one row after the other."""

    def __init__(self, link: Link, inventory: Inventory, *, commit: bool) -> None:
        """Take the connection, and whether each changed row is committed."""
        self._link, self._inventory, self._commit = link, inventory, commit
        self._category, self._product, _ = link.query(
            "SELECT id, product_id, topdir_id FROM category WHERE name = %(name)s",
            {"name": CATEGORY},
        )[0]
        self._ids: dict[str, int] = {}

    def write(self, wanted: list[Wanted], found: list[Detail]) -> None:
        """Write everything."""
        self._link.begin()
        for path in self._inventory.directories:
            self._directory(path)
        for repository in wanted:
            self._repository(repository)
        for detail in found:
            self._detail(detail)
        self._link.end(commit=True)

    def _changed(self) -> None:
        if self._commit:
            self._link.end(commit=True)
            self._link.begin()

    def _directory(self, path: str) -> None:
        name, one = self._inventory.full(path), self._inventory.directories[path]
        values = {"name": name, "ctime": one.ctime, "readable": one.readable, "files": one.shown()}
        rows = self._link.query(_DIRECTORY, values)
        if not rows:
            ((id,),) = self._link.query(_INSERT, values)
            self._changed()
        else:
            id, *old = rows[0]
            if (old[0], bool(old[1]), bytes(old[2] or b"")) != (*[*values.values()][1:],):
                self._link.execute(_UPDATE, {**values, "id": id})
                self._changed()
        self._ids[name] = id
        if not self._link.query(_LINK, {"category": self._category, "id": id}):
            self._link.execute(_INSERT_LINK, {"category": self._category, "id": id})
            self._changed()
        self._link.query(_IS_REPOSITORY, {"id": id})

    def _repository(self, one: Wanted) -> None:
        self._link.query(_ARCH, {"arch": one.arch})
        version = self._version(one.version)
        values = {
            "name": one.name,
            "prefix": one.prefix,
            "arch": one.arch,
            "category": self._category,
            "version": version,
            "directory": self._ids[one.name],
        }
        if not self._link.query(_REPOSITORY, values):
            self._link.execute(_INSERT_REPOSITORY, values)
            self._changed()

    def _version(self, name: str) -> int:
        values = {"name": name, "product": self._product}
        rows = self._link.query(_VERSION, values) or self._link.query(_INSERT_VERSION, values)
        return int(rows[0][0])

    def _detail(self, one: Detail) -> None:
        values = {name: getattr(one, name) for name in one.__struct_fields__}
        values["id"] = self._ids[one.directory]
        if not self._link.query(_DETAIL, values):
            self._link.execute(_INSERT_DETAIL, values)
            self._changed()


def main(database: str, folder: Path, *, commit: bool, orm: bool) -> None:
    """Scan a folder of the set into a database."""
    begun, sent = time.perf_counter(), [0]
    sys.addaudithook(lambda event, _: sent.__setitem__(0, sent[0] + (event == STATEMENT)))
    settings = read_settings(folder / "scan.toml")
    with linked(database) as link:
        inventory = Inventory("pub/epel", settings.excluded(settings.category[0]))
        read_full_list(folder / "fullfiletimelist-epel", inventory)
        gathered = gather(inventory, {}, LocalFiles(str(folder)))
        arches = [(int(id), str(name)) for id, name in link.query("SELECT id, name FROM arch")]
        versions = [Version(*row) for row in link.query("SELECT id, name FROM version")]
        rules = Rules(settings, arches, versions, [])
        wanted = rules.name(inventory, places(inventory, children(inventory.directories)), [])
        found = details(inventory, gathered.read)
        read = time.perf_counter()
        if orm:
            # Imported here, because the other writers do not need SQLAlchemy.
            from loadtest.scans.mapped import Mapped

            writer = Mapped(database, inventory)
            writer.write(wanted, found)
            sent[0] += writer.statements
        else:
            Naive(link, inventory, commit=commit).write(wanted, found)
    phases = [("reading", read - begun), ("writing", time.perf_counter() - read)]
    told = {
        "phases": [{"name": name, "seconds": round(seconds, 3)} for name, seconds in phases],
        "statements": sent[0],
    }
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), commit="--commit" in sys.argv, orm="--orm" in sys.argv)
