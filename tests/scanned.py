"""Small primaries to scan, the databases to scan them into, and the tables that come of it."""

import os
import re
import sqlite3
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from snapshot.scan.config import Settings
from snapshot.scan.job import ScanJob, ScanResult
from snapshot.scan.run import scan
from tests.factories import Tables, make_database
from tests.statements import statements as statements

CATEGORY, TOPDIR = "Fedora EPEL", "pub/epel"
X86, ARM = "9/Everything/x86_64", "9/Everything/aarch64"
"""Two repositories of the primary, below the topdir."""
TOML = r"""
excludes = ['.*\.snapshot', '.*/\.~tmp~']
test_paths = ["/test/", "/stage/"]
skip_repository_paths = ["Cloud", "drpms"]
skip_paths_for_version = ["pub/epel/alt"]
do_not_display_paths = ["_Beta"]

[[category]]
name = "Fedora EPEL"
type = "directory"
url = "/nowhere"

[[repository_mapping]]
regex = '^pub/epel/testing/[\d.]+/Everything/'
prefix = "testing-epel"

[[repository_mapping]]
regex = '^pub/epel/([\d._Beta]+|rawhide)/Everything/'
prefix = "epel"

[[repository_mapping]]
regex = '^pub/epel/ostree/\d+'
prefix = "atomic"

[[repository_aliases]]
from = "testing-epel-"
to = "testing-epel"
"""
SETTINGS = msgspec.convert({**tomllib.loads(TOML), "_digest": "tests"}, Settings)
ARCHES = ("source", "x86_64", "aarch64")
NOW = 1_700_000_000


def empty() -> Tables:
    """Return a database with the category, its product, three arches, and a foreign category."""
    return {
        "product": [{"id": 1, "name": "EPEL"}, {"id": 2, "name": "Fedora"}],
        "directory": [{"id": 1, "name": TOPDIR}, {"id": 2, "name": "pub/other"}],
        "category": [
            {"id": 1, "name": CATEGORY, "topdir_id": 1, "product_id": 1},
            {"id": 2, "name": "Other", "topdir_id": 2, "product_id": 2},
        ],
        "category_directory": [
            {"category_id": 1, "directory_id": 1},
            {"category_id": 2, "directory_id": 2},
        ],
        "arch": [{"id": number, "name": name} for number, name in enumerate(ARCHES, 1)],
    }


def repomd(stamp: int) -> bytes:
    """Return a repomd.xml with a timestamp."""
    return f"<repomd><data><timestamp>{stamp}</timestamp></data></repomd>".encode()


class Primary:
    """A tree in a folder, as files with their content and time, and a full list of it."""

    def __init__(self, folder: Path) -> None:
        """Begin with an empty tree, and a list beside it."""
        self.root = folder / "primary"
        self.list = folder / "list"
        self.root.mkdir(parents=True)

    @classmethod
    def at(cls, folder: Path) -> "Primary":
        """Return the primary that is in a folder already."""
        found = cls.__new__(cls)
        found.root, found.list = folder / "primary", folder / "list"
        return found

    def put(self, path: str, content: bytes = b"", time: int = NOW) -> None:
        """Write a file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (time, time))

    def repository(self, path: str, stamp: int = NOW) -> None:
        """Write a repository with one package."""
        self.put(f"{path}/repodata/repomd.xml", repomd(stamp), stamp)
        self.put(f"{path}/Packages/a.rpm", b"a", stamp)

    def write_list(self, times: Mapping[str, int] | None = None) -> Path:
        """Write the full list of the tree; a directory's time is NOW unless given."""
        rows = []
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            found = path.lstat()
            if path.is_symlink():
                rows.append(f"{int(found.st_mtime)}\tl\t{found.st_size}\t{name}\n")
            elif path.is_dir():
                rows.append(f"{(times or {}).get(name, NOW)}\td\t4096\t{name}\n")
            else:
                rows.append(f"{int(found.st_mtime)}\tf\t{found.st_size}\t{name}\n")
        self.list.write_text("[Version]\n2\n\n[Files]\n" + "".join(rows) + "\n[End]\n")
        os.utime(self.list, (NOW, NOW))
        return self.list

    def job(self, database: str, **changes: Any) -> ScanJob:
        """Return a scan of the tree's list as it is now."""
        listed = {} if {"walk", "list"} & changes.keys() else {"list": self.write_list()}
        given = {"settings": SETTINGS, "category": CATEGORY, "source": str(self.root), **listed}
        return ScanJob(**{"database": database, **given, **changes})

    def scan(self, database: str, **changes: Any) -> ScanResult:
        """Scan the tree's list as it is now, with its deletions."""
        return scan(self.job(database, **{"allow_deletions": True, **changes}))


def database(folder: Path, tables: Tables | None = None) -> str:
    """Write an empty SQLite database, or one with rows, and return its URL."""
    return make_database(folder / "mm.sqlite", empty() if tables is None else tables)


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on a SQLite database."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def execute(url: str, *commands: str) -> None:
    """Execute SQL in a SQLite database."""
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        for command in commands:
            connection.execute(command)
    connection.close()


def sql_of_page() -> list[list[str]]:
    """Return the statements of each block of SQL in docs/scan.md: the rows, and the rights."""
    page = (Path(__file__).parents[1] / "docs/scan.md").read_text()
    blocks = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    return [[one for one in block.split(";\n") if one.strip()] for block in blocks]


TABLES = {
    "directory": "SELECT name, readable, ctime, files FROM directory ORDER BY name",
    "category_directory": """SELECT c.name, d.name FROM category_directory cd
        JOIN category c ON c.id = cd.category_id JOIN directory d ON d.id = cd.directory_id
        ORDER BY c.name, d.name""",
    "repository": """SELECT r.name, r.prefix, c.name, v.name, a.name, d.name, r.disabled
        FROM repository r LEFT JOIN category c ON c.id = r.category_id
        LEFT JOIN version v ON v.id = r.version_id LEFT JOIN arch a ON a.id = r.arch_id
        LEFT JOIN directory d ON d.id = r.directory_id ORDER BY r.name""",
    "file_detail": """SELECT d.name, f.filename, f.timestamp, f.size, f.md5, f.sha1, f.sha256,
        f.sha512 FROM file_detail f JOIN directory d ON d.id = f.directory_id
        ORDER BY d.name, f.filename, f.timestamp""",
    "version": """SELECT v.name, p.name, v.is_test, v.display, v.ordered_mirrorlist, v.sortorder
        FROM version v JOIN product p ON p.id = v.product_id ORDER BY v.name""",
}
"""What the tables say, apart from ids."""


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return what a SQLite database's tables say, apart from ids."""
    return {name: rows(url, sql) for name, sql in TABLES.items()}


def stamps(url: str) -> list[int]:
    """Return the timestamps of all rows of repomd.xml."""
    sql = "SELECT timestamp FROM file_detail WHERE filename = 'repomd.xml' ORDER BY timestamp"
    return [stamp for (stamp,) in rows(url, sql)]
