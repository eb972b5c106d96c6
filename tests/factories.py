"""Small MirrorManager databases for tests: valid rows by default, one thing changed per test."""

import atexit
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, StaticPool, Table, create_engine

from snapshot.demo.tables import create_tables
from snapshot.export import schema
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.export.pipeline import ExportResult
from snapshot.file.reader import Snapshot

Row = dict[str, Any]
Tables = dict[str, list[Row]]

MD5, SHA1, SHA256, SHA512 = "0a" * 16, "1b" * 20, "2c" * 32, "3d" * 64


def site(id: int, **changes: Any) -> Row:
    """Return an active, public site."""
    return {"id": id, "name": f"site {id}", "created_by": "test", **changes}


def host(id: int, **changes: Any) -> Row:
    """Return an active, public host in Germany, of the site with the same id."""
    return {"id": id, "name": f"host{id}.example", "site_id": id, "country": "DE", **changes}


def world(**changes: list[Row]) -> Tables:
    """Return a small, complete database; a table given as a keyword replaces that table.

    Hosts: 1 and 2 in DE, 3 in FR, 4 in US, 5 in JP, 6 private with netblocks and an ASN,
    7 inactive, 8 public but lagging, 9 rsync only. All carry Linux; 1 alone carries EPEL too.
    """
    countries = {1: "DE", 2: "de", 3: "FR", 4: "US", 5: "JP", 6: "DE", 7: "DE", 8: "DE", 9: "NL"}
    tables: Tables = {
        "site": [site(id) for id in countries],
        "host": [host(id, country=country) for id, country in countries.items()],
        "directory": [
            {"id": 1, "name": "pub/linux", "ctime": 100},
            {"id": 2, "name": "pub/linux/40/x86_64/os", "ctime": 200},
            {"id": 3, "name": "pub/linux/40/x86_64/os/repodata", "ctime": 300},
            {"id": 4, "name": "pub/epel", "ctime": 400},
            {"id": 5, "name": "pub/epel/9/x86_64", "ctime": 500},
            {"id": 6, "name": "pub/epel/9/x86_64/repodata", "ctime": 600},
            {"id": 7, "name": "pub/elsewhere", "ctime": 700},
        ],
        "category": [
            {"id": 1, "name": "Linux", "topdir_id": 1},
            {"id": 2, "name": "EPEL", "topdir_id": 4},
        ],
        "category_directory": [
            *({"category_id": 1, "directory_id": id} for id in (1, 2, 3)),
            *({"category_id": 2, "directory_id": id} for id in (4, 5, 6)),
        ],
        "arch": [{"id": 1, "name": "x86_64"}, {"id": 2, "name": "source"}],
        "version": [{"id": 1, "name": "40"}],
        "repository": [
            _repository(1, "linux-40", 1, 2),
            _repository(2, "epel-9", 1, 5),
            _repository(3, "old-39", 1, 5, disabled=True),
        ],
        "repository_redirect": [{"id": 1, "from_repo": "linux-latest", "to_repo": "linux-40"}],
        "file_detail": [file_detail(1, 3), file_detail(2, 6)],
        "host_netblock": [{"id": 1, "host_id": 6, "netblock": "192.0.2.0/24"}],
    }
    _carry(tables)
    tables["host"][5].update(private=True, asn=64500)
    tables["host"][6].update(user_active=False)
    return {**tables, **changes}


def _repository(id: int, prefix: str, arch: int, directory: int, disabled: bool = False) -> Row:
    return {
        "id": id,
        "name": f"{prefix}-{arch}",
        "prefix": prefix,
        "arch_id": arch,
        "version_id": 1,
        "directory_id": directory,
        "disabled": disabled,
    }


def file_detail(id: int, directory: int, **changes: Any) -> Row:
    """Return the details of a repomd.xml with all four hashes."""
    return {
        "id": id,
        "directory_id": directory,
        "filename": "repomd.xml",
        "timestamp": 1_700_000_000 + id,
        "size": 4000 + id,
        "md5": MD5,
        "sha1": SHA1,
        "sha256": SHA256,
        "sha512": SHA512,
        **changes,
    }


def _carry(tables: Tables) -> None:
    """Let every host carry Linux, host 1 EPEL too; host category ids are 10 * host + category."""
    pairs = [(row["id"], 1) for row in tables["host"]] + [(1, 2)]
    tables["host_category"], tables["host_category_url"] = [], []
    tables["host_category_dir"] = []
    for host_id, category in pairs:
        id = 10 * host_id + category
        tables["host_category"].append({"id": id, "host_id": host_id, "category_id": category})
        path = "linux" if category == 1 else "epel"
        for number, protocol in enumerate(
            ["rsync"] if host_id == 9 else ["http", "https", "rsync"]
        ):
            url = f"{protocol}://host{host_id}.example/{path}"
            tables["host_category_url"].append(
                {"id": 10 * id + number, "host_category_id": id, "url": url}
            )
        if host_id != 8:
            for row in tables["category_directory"]:
                if row["category_id"] == category:
                    tables["host_category_dir"].append(
                        {
                            "host_category_id": id,
                            "directory_id": row["directory_id"],
                            "path": str(row["directory_id"]),
                            "up2date": True,
                        }
                    )


def edited(*edits: tuple[str, int | None, Row]) -> Tables:
    """Return the small world after edits: table, id of the row or None for a new one, columns."""
    tables = world()
    for table, id, columns in edits:
        rows = tables.setdefault(table, [])
        if id is None:
            rows.append(dict(columns))
        else:
            next(row for row in rows if row["id"] == id).update(columns)
    return tables


def fill(engine: Engine, tables: Mapping[str, Sequence[Row]]) -> None:
    """Insert rows into MirrorManager's tables, parents first."""
    with engine.begin() as connection:
        for table in _sorted_tables():
            for _, rows in groupby(tables.get(table.name, ()), key=sorted):
                connection.execute(table.insert(), [_complete(table, row) for row in rows])


@cache
def _sorted_tables() -> list[Table]:
    """All tables, sorted once: that takes as long as filling some of them."""
    return schema.metadata.sorted_tables


def _complete(table: Table, row: Row) -> Row:
    # A fixed moment instead of the default's clock.
    stamps = {"created_at": datetime(2026, 1, 1)} if "created_at" in table.c else {}
    return {**stamps, **row}


class _Memory:
    """A database in memory with the rows of `world`, and the one engine of all that is filled here.

    Creating 39 tables in a file takes ten times as long as filling them, and an engine of its
    own for each database would put together each INSERT again. Most tests change a table or two of
    `world`: only tables with other rows are emptied and filled.
    """

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.engine = create_engine(
            "sqlite://", creator=lambda: self.connection, poolclass=StaticPool
        )
        create_tables(self.engine)
        self._world = world()
        fill(self.engine, self._world)
        self._filled = self.connection.serialize()
        atexit.register(self.connection.close)

    def filled(self, tables: Mapping[str, Sequence[Row]]) -> bytes:
        """Return the bytes of a database with some rows and nothing else."""
        self.connection.deserialize(self._filled)
        names = [table.name for table in _sorted_tables()]
        others = [one for one in names if tables.get(one, []) != self._world.get(one, [])]
        for name in others:
            self.connection.execute(f"DELETE FROM {name}")
        self.connection.commit()
        fill(self.engine, {name: tables.get(name, []) for name in others})
        return self.connection.serialize()


@cache
def _memory() -> _Memory:
    return _Memory()


def make_database(path: Path, tables: Mapping[str, Sequence[Row]]) -> str:
    """Write a SQLite database without foreign key checks and return its URL."""
    path.write_bytes(_memory().filled(tables))
    return f"sqlite:///{path}"


def export_tables(
    folder: Path, tables: Mapping[str, Sequence[Row]], **options: Any
) -> tuple[Snapshot, ExportResult]:
    """Export rows through a SQLite database and open the snapshot; nothing is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "mm.sqlite"
    database.unlink(missing_ok=True)
    job = Job(folder / "mm.snap", **{"max_loss": None, **options})
    result = export(make_database(database, tables), job)
    return Snapshot(folder / "mm.snap"), result
