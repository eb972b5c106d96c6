"""Reading rows: a fixed number of statements, one moment, and only MirrorManager's tables."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from snapshot.export import schema
from snapshot.export.carried import read_carried
from snapshot.export.database import parse_url, read_only
from snapshot.export.directories import Carried
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.export.leftout import LeftOutRows
from snapshot.export.pipeline import silent
from snapshot.export.session import Session
from snapshot.export.source import reading
from snapshot.file.errors import DatabaseError
from snapshot.file.reader import Snapshot
from tests.factories import (
    Row,
    Tables,
    export_tables,
    file_detail,
    host,
    make_database,
    site,
    world,
)
from tests.statements import statements

READ_TABLES = {
    *("site", "host", "category", "host_category", "host_category_url", "directory"),
    *("category_directory", "host_category_dir", "repository", "arch", "file_detail"),
    *("host_netblock", "host_country_allowed", "host_peer_asn", "repository_redirect"),
    *("country_continent_redirect", "netblock_country"),
}


def _large() -> Tables:
    """The small world with ten times as many hosts, directories, URLs and everything else."""
    tables = world()
    numbers = range(100, 200)
    tables["site"] += [site(number) for number in numbers]
    tables["host"] += [host(number) for number in numbers]
    tables["directory"] += [{"id": id, "name": f"pub/linux/{id}"} for id in numbers]
    tables["category_directory"] += [{"category_id": 1, "directory_id": id} for id in numbers]
    tables["host_category"] += [{"id": id, "host_id": id, "category_id": 1} for id in numbers]
    tables["host_category_url"] += [
        {"id": 5000 + id, "host_category_id": id, "url": f"http://{id}.example/"} for id in numbers
    ]
    tables["host_category_dir"] += [
        {"host_category_id": one, "directory_id": other, "path": str(other)}
        for one in numbers
        for other in numbers
    ]
    tables["file_detail"] += [file_detail(id, id) for id in numbers]
    tables["host_netblock"] += [
        {"id": id, "host_id": id, "netblock": f"10.{id}.0.0/16"} for id in numbers
    ]
    return tables


def test_a_fixed_number_of_statements(tmp_path: Path) -> None:
    """However many rows there are, each table is read by one statement."""
    sent: dict[str, list[str]] = {}
    for name, tables in (("empty", {}), ("small", world()), ("large", _large())):
        folder = tmp_path / name
        folder.mkdir()
        database = make_database(folder / "mm.sqlite", tables)
        with statements() as sent[name]:
            result = export(database, Job(folder / "mm.snap", max_loss=None))
    assert result.counts["hosts"] == 109
    assert sent["empty"] == sent["small"] == sent["large"]
    selects = [one for one in sent["large"] if "sqlite_master" not in one and "SELECT" in one]
    read = Counter(one.split("FROM")[1].split()[0] for one in selects)
    assert read == dict.fromkeys(READ_TABLES, 1)
    # What is not a table's statement begins the transaction or asks which tables there are.
    assert len(sent["large"]) - len(selects) <= 3


def test_nothing_is_written(tmp_path: Path) -> None:
    """An export leaves the database's bytes as they are, and nothing beside it."""
    database = make_database(tmp_path / "mm.sqlite", world())
    before = (tmp_path / "mm.sqlite").read_bytes()
    export(database, Job(tmp_path / "mm.snap"))
    assert (tmp_path / "mm.sqlite").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"mm.sqlite", "mm.snap"}


def test_one_consistent_read(tmp_path: Path) -> None:
    """What another process commits during the read is not seen, in no table."""
    database = make_database(tmp_path / "mm.sqlite", world())
    with closing(sqlite3.connect(tmp_path / "mm.sqlite")) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        steps: list[str] = []

        def write(phase: str, done: int, total: int) -> None:
            steps.append(phase)
            if phase == "reading category":
                writer.execute("DELETE FROM repository")
                writer.execute("UPDATE host_category_url SET url = url || '/new'")
                writer.execute("UPDATE file_detail SET size = 1")
                writer.commit()

        export(database, Job(tmp_path / "during.snap"), progress=write)
        export(database, Job(tmp_path / "after.snap"))
    export(make_database(tmp_path / "mm2.sqlite", world()), Job(tmp_path / "before.snap"))
    during, after, before = (
        Snapshot(tmp_path / f"{name}.snap") for name in ("during", "after", "before")
    )
    assert during.id == before.id
    assert after.id != before.id
    assert after.repositories == []
    assert len(steps) == len(READ_TABLES) + 1


class _Waiting(LeftOutRows):
    """Reports rows only once the largest table is being read."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = Event()

    def read_up2date(self, session: Session) -> Carried:
        """Read the largest table."""
        self.begun.set()
        return read_carried(session)

    def add(self, table: str, id: int | None, reason: str) -> None:
        """Wait, then do as exports do."""
        assert self.begun.wait(10), f"{table} is converted before the largest table is read"
        super().add(table, id, reason)


def test_rows_are_made_while_the_largest_table_is_read(tmp_path: Path) -> None:
    """All other tables are read before, and their rows are converted meanwhile."""
    database = make_database(tmp_path / "mm.sqlite", world())
    with closing(sqlite3.connect(tmp_path / "mm.sqlite")) as connection:
        connection.execute("UPDATE site SET private = 'perhaps' WHERE id = 1")
        connection.commit()
    left_out = _Waiting()
    with (
        statements() as sent,
        read_only(parse_url(database)) as session,
        reading(session, silent, left_out, left_out.read_up2date) as rows,
    ):
        assert rows.up2date().rows
    assert [(one.table, one.id) for one in left_out.sorted()] == [("site", 1)]
    assert "host_category_dir" in sent[-1]


def test_progress(tmp_path: Path) -> None:
    """Progress names each table once, in steps that count up to the whole."""
    steps: list[tuple[str, int, int]] = []
    database = make_database(tmp_path / "mm.sqlite", world())
    export(database, Job(tmp_path / "mm.snap"), progress=lambda *step: steps.append(step))
    phases = [phase for phase, _, _ in steps]
    assert phases == [f"reading {phase[8:]}" for phase in phases[:-1]] + ["applying the rules"]
    assert {phase[8:] for phase in phases[:-1]} == READ_TABLES
    assert [done for _, done, _ in steps] == list(range(len(READ_TABLES) + 1))
    assert {total for _, _, total in steps} == {len(READ_TABLES)}


def test_row_counts(tmp_path: Path) -> None:
    """The report counts the rows read of each table; of the largest, those up to date."""
    late: Row = {"host_category_id": 81, "directory_id": 1, "path": "", "up2date": False}
    tables = world()
    tables["host_category_dir"].append(late)
    snapshot, _ = export_tables(tmp_path, tables)
    assert snapshot.report.row_counts == {
        **{name: len(tables.get(name, ())) for name in READ_TABLES},
        "host_category_dir": len(tables["host_category_dir"]) - 1,
    }
    assert list(snapshot.report.row_counts) == sorted(READ_TABLES)


def _execute(path: Path, *commands: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for command in commands:
            connection.execute(command)
        connection.commit()


@pytest.mark.parametrize("table", sorted(READ_TABLES - {"host_peer_asn"}))
def test_a_missing_table(tmp_path: Path, table: str) -> None:
    """A database without one of the tables is not MirrorManager's, and the error names it."""
    database = make_database(tmp_path / "mm.sqlite", world())
    _execute(tmp_path / "mm.sqlite", f"DROP TABLE {table}")
    expected = f"not a MirrorManager database: it has no table {table}; check the URL"
    with pytest.raises(DatabaseError) as caught:
        export(database, Job(tmp_path / "mm.snap"))
    assert str(caught.value) == expected
    assert not (tmp_path / "mm.snap").exists()


def test_many_missing_tables(tmp_path: Path) -> None:
    """An empty database is refused in one short line."""
    _execute(tmp_path / "mm.sqlite", "CREATE TABLE foreign_thing (id INTEGER)")
    with pytest.raises(DatabaseError, match=r"no table site, host, category \.\.\.; check"):
        export(f"sqlite:///{tmp_path / 'mm.sqlite'}", Job(tmp_path / "mm.snap"))


def test_a_missing_column(tmp_path: Path) -> None:
    """A table of that name with other columns is refused in one line that names the column."""
    database = make_database(tmp_path / "mm.sqlite", world())
    _execute(tmp_path / "mm.sqlite", "ALTER TABLE host DROP COLUMN asn_clients")
    with pytest.raises(DatabaseError, match=r"asn_clients") as caught:
        export(database, Job(tmp_path / "mm.snap"))
    assert "\n" not in str(caught.value)


def test_without_peer_asns(tmp_path: Path) -> None:
    """A copy made for mirrorlist-server, which lacks the table of peer ASNs, is read."""
    database = make_database(tmp_path / "mm.sqlite", world())
    _execute(tmp_path / "mm.sqlite", "DROP TABLE host_peer_asn")
    assert export(database, Job(tmp_path / "mm.snap")).counts["hosts"] == 9


def test_views(tmp_path: Path) -> None:
    """A view in the place of a table, without its passwords, is read like the table."""
    before, _ = export_tables(tmp_path / "whole", world())
    database = make_database(tmp_path / "mm.sqlite", world())
    kept = "id, name, private, admin_active, user_active"
    _execute(
        tmp_path / "mm.sqlite",
        "ALTER TABLE site RENAME TO secret_site",
        f"CREATE VIEW site AS SELECT {kept} FROM secret_site",
    )
    export(database, Job(tmp_path / "mm.snap"))
    assert Snapshot(tmp_path / "mm.snap").id == before.id


def test_ids_that_are_no_numbers(tmp_path: Path) -> None:
    """In a copy without constraints, a row whose own id is no number is left out and reported."""
    before, _ = export_tables(tmp_path / "whole", world())
    database = make_database(tmp_path / "mm.sqlite", world())
    _execute(
        tmp_path / "mm.sqlite",
        "CREATE TABLE copy AS SELECT * FROM repository_redirect",
        "INSERT INTO copy (id, from_repo, to_repo) VALUES (NULL, 'a', 'b'), ('x', 'c', 'd')",
        "DROP TABLE repository_redirect",
        "ALTER TABLE copy RENAME TO repository_redirect",
    )
    result = export(database, Job(tmp_path / "mm.snap"))
    assert Snapshot(tmp_path / "mm.snap").id == before.id
    assert [(one.table, one.id, one.reason) for one in result.left_out] == [
        ("repository_redirect", None, "an id that is no number: 'x'"),
        ("repository_redirect", None, "an id that is no number: None"),
    ]


def test_only_what_is_needed(tmp_path: Path) -> None:
    """Tables and columns that the export does not use may be missing; others may be there."""
    database = make_database(tmp_path / "mm.sqlite", world())
    unused = set(schema.metadata.tables) - READ_TABLES
    assert len(unused) > 10
    _execute(
        tmp_path / "mm.sqlite",
        *(f"DROP TABLE {name}" for name in sorted(unused)),
        "ALTER TABLE host DROP COLUMN config",
        "ALTER TABLE directory DROP COLUMN files",
        "ALTER TABLE category_directory ADD COLUMN ctime BIGINT",
        "CREATE TABLE another (id INTEGER)",
    )
    before, _ = export_tables(tmp_path / "whole", world())
    export(database, Job(tmp_path / "mm.snap"))
    assert Snapshot(tmp_path / "mm.snap").id == before.id
