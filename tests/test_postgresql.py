"""PostgreSQL: the same snapshot as from SQLite, one consistent read, and clear refusals."""

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from snapshot.demo import build_demo, demo_asn_lines, fill_demo
from snapshot.export.database import parse_url, read_only
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.errors import DatabaseError
from snapshot.file.reader import Snapshot
from snapshot.watch.postgresql import PostgresqlProbe
from tests.command import assert_refused, run
from tests.factories import Row, Tables, edited, export_tables, world
from tests.postgresql import PASSWORD, Server, engine, run_server
from tests.snapshots import sections_of
from tests.statements import statements

pytestmark = pytest.mark.system

MakeDatabase = Callable[..., str]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server that runs for all tests."""
    with run_server() as server:
        yield server


@pytest.fixture
def make_database(server: Server) -> Iterator[MakeDatabase]:
    """Makes a database with MirrorManager's tables and rows; gone after the test."""
    names: list[str] = []

    def make(tables: Tables, options: str = "") -> str:
        names.append(f"mm{len(names)}")
        return server.create_filled(names[-1], tables, options)

    yield make
    server.execute(*(f"DROP DATABASE {name} WITH (FORCE)" for name in names))


def _name(url: str) -> str:
    return url.rpartition("/")[2]


def _content(path: Path) -> dict[str, bytes]:
    sections = sections_of(path.read_bytes())
    return {section.name: bytes(section.data) for section in sections if section.content}


ODD_NAMES: list[tuple[str, int | None, Row]] = [
    ("directory", None, {"id": 100 + number, "name": f"pub/linux/{name}"})
    for number, name in enumerate(["a", "B", "ä", "Z", "z", "_", "a-b", "a/b", "aB", "\U0001f600"])
]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param("", id="bytes"),
        pytest.param("LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C.UTF-8'", id="German"),
    ],
)
def test_the_same_snapshot(tmp_path: Path, make_database: MakeDatabase, options: str) -> None:
    """Equal rows in SQLite and in PostgreSQL give one id, whatever the database's collation."""
    tables = edited(
        *ODD_NAMES,
        ("host", 1, {"bandwidth_int": None, "asn": 64500}),
        ("host_netblock", None, {"id": 2, "host_id": 1, "netblock": "10.1.2.3/255.0.0.0"}),
        ("host_netblock", None, {"id": 3, "host_id": 1, "netblock": "10.0.0.0/33"}),
        ("host_peer_asn", None, {"id": 1, "host_id": 2, "asn": 64501}),
        ("netblock_country", None, {"id": 1, "netblock": "192.0.2.0/24", "country": "at"}),
    )
    sqlite, sqlite_result = export_tables(tmp_path, tables)
    result = export(make_database(tables, options), Job(tmp_path / "pg.snap"))
    assert Snapshot(tmp_path / "pg.snap").id == sqlite.id
    assert _content(tmp_path / "pg.snap") == _content(tmp_path / "mm.snap")
    assert result.left_out == sqlite_result.left_out
    assert result.counts == sqlite_result.counts


def test_the_same_demo(tmp_path: Path, server: Server) -> None:
    """The demo database gives the same snapshot id from either kind of database."""
    (tmp_path / "asn").write_text("\n".join(demo_asn_lines()))
    build_demo(tmp_path / "demo.sqlite")
    with engine(server.create("demo")) as empty:
        fill_demo(empty)
    for name, url in (
        ("sqlite", f"sqlite:///{tmp_path / 'demo.sqlite'}"),
        ("postgresql", server.url("demo")),
    ):
        export(url, Job(tmp_path / name, asn=tmp_path / "asn", resolve_dns=False))
    assert Snapshot(tmp_path / "sqlite").id == Snapshot(tmp_path / "postgresql").id
    assert _content(tmp_path / "sqlite") == _content(tmp_path / "postgresql")


# A database that came all the way from MirrorManager 1:
# docs/mirrormanager.md#a-grown-database-differs.
MIGRATED = [
    "ALTER TABLE host ALTER COLUMN crawl_failures DROP NOT NULL",
    "UPDATE host SET crawl_failures = NULL, config = '\\x80', last_crawls = '\\x80'",
    "UPDATE category SET admin_only = NULL",
    "ALTER TABLE host RENAME CONSTRAINT host_idx TO host_name_key",
    "ALTER TABLE host RENAME CONSTRAINT pk_host TO host_pkey",
    "ALTER TABLE directory DROP CONSTRAINT uq_directory_name",
    "ALTER INDEX t_hostcategory_host_id_idx RENAME TO host_category_host_id_idx",
    "DROP INDEX ix_host_country",
    "ALTER TABLE host_category_dir DROP CONSTRAINT host_category_dir_hcdindex",
    "ALTER TABLE host_category_dir ALTER COLUMN host_category_id DROP NOT NULL",
    "INSERT INTO host_category_dir (id, up2date, directory_id) VALUES (9000, true, 2)",
    "ALTER TABLE host ALTER COLUMN asn TYPE BIGINT",
    "ALTER TABLE host ALTER COLUMN name TYPE VARCHAR(255)",
    "ALTER TABLE category_directory ADD COLUMN ctime BIGINT",
    "ALTER TABLE host ADD COLUMN another JSONB",
    "CREATE TABLE embargo (id SERIAL PRIMARY KEY)",
    "CREATE SCHEMA other CREATE TABLE host (id INTEGER)",
    "UPDATE alembic_version SET version_num = '24681dabe5fa'",
]


def test_a_migrated_database(tmp_path: Path, server: Server, make_database: MakeDatabase) -> None:
    """Other names of constraints, NULLs, columns and tables make no difference."""
    expected, _ = export_tables(tmp_path, world())
    url = make_database(world())
    server.execute(*MIGRATED, database=_name(url))
    result = export(url, Job(tmp_path / "pg.snap"))
    assert Snapshot(tmp_path / "pg.snap").id == expected.id
    assert result.left_out == ()


def test_a_large_asn(tmp_path: Path, server: Server, make_database: MakeDatabase) -> None:
    """Where the column was widened, an ASN above 2,147,483,647 is kept."""
    url = make_database(world())
    server.execute(
        "ALTER TABLE host ALTER COLUMN asn TYPE BIGINT",
        "UPDATE host SET asn = 4200000000 WHERE id = 1",
        database=_name(url),
    )
    export(url, Job(tmp_path / "pg.snap"))
    assert Snapshot(tmp_path / "pg.snap").hosts[0].asns == (4200000000,)


def test_the_transaction(make_database: MakeDatabase) -> None:
    """The read is one REPEATABLE READ transaction that is read-only, and says who it is."""
    settings = {
        "transaction_isolation": "repeatable read",
        "transaction_read_only": "on",
        "application_name": "mirrorlist export",
        "client_encoding": "UTF8",
        "work_mem": "128MB",
        "lock_timeout": "1min",
    }
    with read_only(parse_url(make_database({}))) as session:
        found = {name: session.query(f"SHOW {name}")[0][0] for name in settings}
    assert found == settings


def test_a_connection_cannot_write(make_database: MakeDatabase) -> None:
    """The transaction refuses to write, which is an error of the database."""
    with (
        pytest.raises(DatabaseError, match="read-only transaction"),
        read_only(parse_url(make_database(world()))) as session,
    ):
        session.query("DELETE FROM host_category_dir")


def test_a_password_in_the_servers_words(server: Server) -> None:
    """What the server says is shown without the password, wherever it stands."""
    with (
        pytest.raises(DatabaseError, match=r'column "\*\*\*" does not exist') as caught,
        read_only(parse_url(server.url())) as session,
    ):
        session.query(f"SELECT {PASSWORD}")
    assert PASSWORD not in str(caught.value)


def test_one_consistent_read(tmp_path: Path, make_database: MakeDatabase) -> None:
    """What others commit during the read is not seen; one transaction does all of it."""
    url = make_database(world())
    export(url, Job(tmp_path / "before.snap"))
    transactions: set[tuple[object, ...]] = set()
    with engine(url) as others, others.connect() as connection:

        def write(phase: str, done: int, total: int) -> None:
            if phase == "reading category":
                connection.exec_driver_sql("DELETE FROM repository")
                connection.exec_driver_sql("UPDATE host_category_url SET url = url || '/new'")
            found = connection.exec_driver_sql(
                "SELECT pid, xact_start FROM pg_stat_activity"
                " WHERE application_name = 'mirrorlist export'"
            )
            transactions.update(tuple(row) for row in found)

        export(url, Job(tmp_path / "during.snap"), progress=write)
    export(url, Job(tmp_path / "after.snap"))
    ids = [Snapshot(tmp_path / f"{name}.snap").id for name in ("before", "during", "after")]
    assert ids[0] == ids[1] != ids[2]
    assert len(transactions) == 1


def test_a_fixed_number_of_statements(tmp_path: Path, make_database: MakeDatabase) -> None:
    """An empty database and a full one are read by the same statements."""
    sent: list[list[str]] = []
    for url in (make_database({}), make_database(world())):
        with statements() as found:
            export(url, Job(tmp_path / "mm.snap", max_loss=None))
        sent.append(found)
    assert sent[0] == sent[1]
    assert len(sent[0]) < 30


def test_the_connection_breaks(tmp_path: Path, make_database: MakeDatabase, server: Server) -> None:
    """A server that ends the connection during the read is one line, and no file."""
    url = make_database(world())

    def end(phase: str, done: int, total: int) -> None:
        if done == 5:
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'mirrorlist export'"
            )

    with pytest.raises(DatabaseError) as caught:
        export(url, Job(tmp_path / "mm.snap"), progress=end)
    assert "terminating connection" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_table_is_locked(
    tmp_path: Path,
    make_database: MakeDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A migration that holds a table ends the export with one line, instead of holding it too."""
    url = make_database(world())
    monkeypatch.setattr("snapshot.export.database.LOCK_SECONDS", 1)
    with engine(url) as other, other.connect() as connection, connection.begin():
        connection.exec_driver_sql("BEGIN; LOCK TABLE host IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseError, match="lock timeout"):
            export(url, Job(tmp_path / "mm.snap"))
        connection.exec_driver_sql("ROLLBACK")


def _wrong(server: Server, what: str) -> str:
    good = server.url("postgres")
    return {
        "password": good.replace(PASSWORD, "wr0ng"),
        "user": server.url("postgres", user="nobody"),
        "database": server.url("nowhere"),
        "port": good.replace(f":{server.port}/", ":1/"),
        "tables": good,
        "option": f"{good}?nonsense=1",
    }[what]


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("password", "password authentication failed"),
        ("user", "password authentication failed"),
        ("database", 'database "nowhere" does not exist'),
        ("port", "refused"),
        ("tables", "not a MirrorManager database"),
        ("option", "nonsense"),
    ],
)
def test_what_can_be_wrong(tmp_path: Path, server: Server, what: str, says: str) -> None:
    """A wrong password, user, database, port or option ends the command with one line and 3."""
    done = run("export", "--output", tmp_path / "mm.snap", MIRRORLIST_DATABASE=_wrong(server, what))
    assert_refused(done, 3, says)
    assert PASSWORD not in done.stderr
    assert "wr0ng" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_permission(tmp_path: Path, server: Server, make_database: MakeDatabase) -> None:
    """A user who may not read a table is told which; one who may read needs nothing more."""
    url = make_database(world())
    database = _name(url)
    server.execute("CREATE ROLE reader LOGIN PASSWORD 'only-reads'")
    reader = server.url(database, user="reader", password="only-reads")
    with pytest.raises(DatabaseError, match="permission denied for table"):
        export(reader, Job(tmp_path / "mm.snap"))
    server.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", database=database)
    assert export(reader, Job(tmp_path / "mm.snap")).counts["hosts"] == 9
    # Its tables are as good as not there then.
    server.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC", database=database)
    with pytest.raises(DatabaseError, match="its user has USAGE on their schema"):
        export(reader, Job(tmp_path / "mm.snap"))
    server.execute("DROP OWNED BY reader", database=database)
    server.execute("DROP ROLE reader")


def test_the_old_scheme(tmp_path: Path, make_database: MakeDatabase) -> None:
    """`postgres://` in a file, as MirrorManager's configuration has it, is the same database."""
    url = make_database(world())
    (tmp_path / "url").write_text(url.replace("postgresql://", "postgres://") + "\n")
    done = run("export", "--database", f"@{tmp_path / 'url'}", "--output", tmp_path / "mm.snap")
    assert done.returncode == 0, done.stderr
    assert len(Snapshot(tmp_path / "mm.snap").hosts) == 9


def test_broken_text(tmp_path: Path, server: Server, make_database: MakeDatabase) -> None:
    """In a database without an encoding, a row with broken bytes is left out or shown with `?`."""
    url = make_database(world(), "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    server.execute(
        "UPDATE site SET name = E'Universit\\344t' WHERE id = 2",
        "UPDATE host SET name = E'\\xff' WHERE id = 1",
        "UPDATE host SET name = 'h\u00f6st' WHERE id = 2",
        "UPDATE host SET country = E'\\xe4' WHERE id = 7",
        "UPDATE host_category_url SET url = E'http://\\xff/' WHERE id = 110",
        "UPDATE directory SET name = E'pub/\\xe4' WHERE id = 7",
        "UPDATE host_netblock SET netblock = E'\\xe4.example'",
        "UPDATE category SET name = E'Li\\xe4nux' WHERE id = 1",
        "UPDATE repository SET prefix = E'\\xe4' WHERE id = 3",
        "UPDATE file_detail SET sha1 = E'\\xe4' WHERE id = 2",
        database=_name(url),
    )
    result = export(url, Job(tmp_path / "mm.snap", max_loss=None))
    assert [(one.table, one.id) for one in result.left_out] == [
        *(("directory", 7), ("file_detail", 2), ("host", 7), ("host_category", 71)),
        *(("host_category_url", 110), ("host_netblock", 1), ("repository", 3)),
    ]
    assert "not valid UTF-8" in result.left_out[0].reason
    snapshot = Snapshot(tmp_path / "mm.snap")
    assert [host.name for host in snapshot.hosts][:2] == ["?", "h\u00f6st"]
    assert snapshot.hosts[1].site == "Universit?t"
    assert snapshot.categories[0].name == "Li?nux"


@pytest.mark.parametrize("encoding", ["WIN1252", "LATIN1", "KOI8R", "LATIN9", "EUC_JP"])
def test_other_encodings(
    tmp_path: Path, server: Server, make_database: MakeDatabase, encoding: str
) -> None:
    """Text of a server of another encoding is the same text, and what it cannot hold is `?`."""
    url = make_database(world(), f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
    letter = {"KOI8R": "\u0436", "EUC_JP": "\u6771"}.get(encoding, "\u00e4")
    server.execute(f"UPDATE site SET name = 'a{letter}b' WHERE id = 2", database=_name(url))
    if encoding == "WIN1252":
        # Bytes that stand for nothing come into a database by clients of the same encoding.
        bare = server.url(_name(url)) + "?client_encoding=WIN1252"
        with psycopg.connect(bare) as connection:
            connection.execute(b"UPDATE site SET name = E'a\\x81b' WHERE id = 3")
    result = export(url, Job(tmp_path / "mm.snap"))
    assert result.left_out == ()
    hosts = Snapshot(tmp_path / "mm.snap").hosts
    assert hosts[1].site == f"a{letter}b"
    assert hosts[2].site == ("a?b" if encoding == "WIN1252" else "site 3")


def test_what_a_watch_sees_without_an_encoding(server: Server, make_database: MakeDatabase) -> None:
    """A watch names the tables of a database without an encoding as those of any other."""
    url = make_database(world(), "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
    probe = PostgresqlProbe(url)
    found = probe.look(None)
    probe.close()
    assert found is not None
    assert {"host", "site"} < found.marks.keys()
