"""Database URLs and databases: what is read, what is refused, and that no password gets out."""

import inspect
import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

import psycopg
import pytest

from snapshot.export.database import _OF_PYTHON, explain, parse_url, read_only
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.errors import DatabaseError, DatabaseURLError
from snapshot.link import linked
from snapshot.sites.database import writing
from snapshot.sites.reading import read_only as reading_sites
from snapshot.watch.probes import make_probe
from tests.command import run_program
from tests.factories import make_database, world

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("text", "driver", "database"),
    [
        ("sqlite:///mm.sqlite", "sqlite", "mm.sqlite"),
        ("sqlite:////srv/mm.sqlite", "sqlite", "/srv/mm.sqlite"),
        ("sqlite+pysqlite:///mm.sqlite", "sqlite+pysqlite", "mm.sqlite"),
        ("postgresql://u:p@h:5433/mm", "postgresql+psycopg", "mm"),
        ("postgres://u:p@h/mm", "postgresql+psycopg", "mm"),
        ("postgresql+psycopg2://u@h/mm", "postgresql+psycopg", "mm"),
        ("postgresql:///mm?host=/run/postgresql", "postgresql+psycopg", "mm"),
    ],
)
def test_kinds_of_databases(text: str, driver: str, database: str) -> None:
    """SQLite and PostgreSQL are read, the latter under MirrorManager's own name too."""
    url = parse_url(text)
    assert (url.drivername, url.database) == (driver, database)


def test_url_in_a_file(tmp_path: Path) -> None:
    """`@FILE` stands for the file's first line, whatever follows it."""
    path = tmp_path / "url"
    path.write_text(f" postgres://u:{SECRET}@h/mm \nsecond line\n")
    url = parse_url(f"@{path}")
    assert (url.username, url.password, url.database) == ("u", SECRET, "mm")


def _refused(text: str) -> str:
    """Parse a text that is not a known URL; return the one-line error."""
    with pytest.raises(DatabaseURLError) as caught:
        parse_url(text)
    assert caught.value.exit_code == 2
    line = str(caught.value)
    assert "\n" not in line
    assert SECRET not in line
    return line


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "mm.sqlite", "/srv/mm.sqlite", "host=h dbname=mm", "sqlite:mm", "://", "x"),
        *("sqlite://", f"mysql://u:{SECRET}@h/mm", f"oracle+x://u:{SECRET}@h/mm", "postgresql"),
        *("http://h/mm", f"postgresql://u:{SECRET}@h:port/mm", f"u:{SECRET}@h/mm", "file:///mm"),
        f"{SECRET}",
    ],
)
def test_unknown_urls(text: str) -> None:
    """Anything else is refused in one line that says what to use, and shows no password."""
    assert "use sqlite:///FILE, postgresql://USER@HOST/NAME or @FILE" in _refused(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("sqlite:///a%00b", "a NUL byte", id="NUL in a file's name"),
        pytest.param(f"postgresql://u:{SECRET}%00@h/mm", "a NUL byte", id="NUL in a password"),
        pytest.param("postgresql://h/mm?a=%00", "a NUL byte", id="NUL in an option"),
        pytest.param(f"postgresql://u:{SECRET}\udcff@h/mm", "not UTF-8", id="password"),
        pytest.param("postgresql://h\udcff/mm", "not UTF-8", id="host"),
        *(
            pytest.param(f"postgres://h/mm?{name}=1", f"?{name}=: not an option", id=name)
            for name in sorted(_OF_PYTHON)
        ),
    ],
)
def test_odd_urls(text: str, says: str) -> None:
    """What a driver cannot be given is refused in one line, before it is connected to."""
    assert says in _refused(text)


def test_all_options_of_psycopg_itself() -> None:
    """They are all that its `connect` takes by name, itself included, but for libpq's own."""
    names = inspect.signature(psycopg.Connection.connect.__func__).parameters  # type: ignore[attr-defined]
    assert {*names} - {"kwargs"} == _OF_PYTHON


@pytest.mark.parametrize("kind", ["postgresql", "postgres", "sqlite", "mysql"])
def test_an_at_sign_in_the_password(kind: str) -> None:
    """A password with an @ that is not escaped would be half a host name: it is refused."""
    assert "write it as %40" in _refused(f"{kind}://u:p@{SECRET}@h/mm")


@pytest.mark.parametrize("options", ["?password=p@{}&user=u", "?user=u&password=p@{}&a=b"])
def test_an_at_sign_in_a_password_among_the_options(options: str) -> None:
    """A password that is an option has no @ either: its rest would be shown as a host name."""
    url = f"postgresql://127.0.0.1:1/mm{options.format(SECRET)}"
    assert "write it as %40" in _refused(url)


def test_files_without_url(tmp_path: Path) -> None:
    """A file that cannot be read, or holds no URL, is refused in one line."""
    path = tmp_path / "url"
    for content in (b"", b"\n", f"not a url {SECRET}\n".encode()):
        path.write_bytes(content)
        assert "not a database URL" in _refused(f"@{path}")
    path.write_bytes(b"\xff\xfe")
    assert _refused(f"@{path}") == f"{path}: cannot be read: not text"
    for missing in (tmp_path / "none", tmp_path):
        assert _refused(f"@{missing}").startswith(f"{missing}: cannot be read: ")


def _export_fails(url: str, folder: Path) -> str:
    """Export a database that cannot be read; the one line that says why."""
    with pytest.raises(DatabaseError) as caught:
        export(url, Job(folder / "mm.snap"))
    assert caught.value.exit_code == 3
    assert not (folder / "mm.snap").exists()
    assert not list(folder.glob(".mm.snap*"))
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_missing_file(tmp_path: Path) -> None:
    """A missing SQLite file is refused by name, and not created; nor is a directory one."""
    for path in (tmp_path / "none.sqlite", tmp_path):
        found = _export_fails(f"sqlite:///{path}", tmp_path)
        why = "cannot be read: Is a directory" if path.is_dir() else "no such database file"
        assert found == f"{path}: {why}"
    assert list(tmp_path.iterdir()) == []
    assert "no such database file" in _export_fails("sqlite:///:memory:", tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"a text file\n" * 99, "file is not a database", id="text"),
        pytest.param(b"SQLite format 3\0" + bytes(999), "the database cannot be read", id="header"),
        pytest.param(b"", "it has no table", id="empty"),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, says: str) -> None:
    """A file that is no SQLite database, or an empty one, is refused and stays as it is."""
    path = tmp_path / "mm.sqlite"
    path.write_bytes(content)
    assert says in _export_fails(f"sqlite:///{path}", tmp_path)
    assert path.read_bytes() == content


def test_damaged_database(tmp_path: Path) -> None:
    """A SQLite file that was cut short is refused in one line."""
    url = make_database(tmp_path / "mm.sqlite", world())
    content = (tmp_path / "mm.sqlite").read_bytes()
    (tmp_path / "mm.sqlite").write_bytes(content[: len(content) // 2])
    assert "the database cannot be read" in _export_fails(url, tmp_path)


def test_a_writer_that_was_cut_off(tmp_path: Path) -> None:
    """What it left unfinished, only a writer can undo: the line says so, and then it is read."""
    make_database(tmp_path / "mm.sqlite", world())
    (tmp_path / "killed").mkdir()
    with closing(sqlite3.connect(tmp_path / "mm.sqlite")) as writer:
        # Changed pages are written before the end.
        writer.execute("PRAGMA cache_spill = 1")
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("UPDATE directory SET name = name || hex(zeroblob(999))")
        for name in ("mm.sqlite", "mm.sqlite-journal"):
            copy(tmp_path / name, tmp_path / "killed" / name)
    left = tmp_path / "killed" / "mm.sqlite"
    url = f"sqlite:///{left}"
    assert "such as sqlite3 FILE .tables" in _export_fails(url, tmp_path)
    with pytest.raises(DatabaseError, match="a program was cut off"):
        make_probe(url).look(None)
    with (
        pytest.raises(DatabaseError, match="a program was cut off"),
        reading_sites(parse_url(url)) as connection,
    ):
        connection.exec_driver_sql("SELECT 1 FROM host")
    with closing(sqlite3.connect(left)) as writer:
        writer.execute("SELECT 1 FROM sqlite_master").fetchall()
    assert export(url, Job(tmp_path / "mm.snap")).counts["hosts"] == 9


READ = """
import os, sys
from snapshot.export.database import parse_url, read_only
from snapshot.file.errors import DatabaseError
if os.getuid() == 0:
    os.setresuid(64977, 64977, 64977)
try:
    with read_only(parse_url(sys.argv[1])) as session:
        print(session.names())
except DatabaseError as error:
    print(error)
"""


def test_a_reader_of_wal(tmp_path: Path) -> None:
    """A reader who may not write the folder of a file in WAL mode is told what to do."""
    with TemporaryDirectory() as folder, closing(sqlite3.connect(f"{folder}/a")) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE here (id INTEGER)")
        writer.close()
        os.chmod(folder, 0o555)
        done = run_program(READ, f"sqlite:///{folder}/a")
        os.chmod(folder, 0o755)
    assert "let this user write its folder, or end that mode by" in done.stdout, done


def test_odd_file_names(tmp_path: Path) -> None:
    """A file whose name means something in a URI is opened as it is called."""
    path = tmp_path / "a b#c&d.sqlite"
    make_database(path, world())
    with read_only(parse_url(f"sqlite:///{path}")) as session:
        assert session.query("SELECT count(*) FROM host") == [(9,)]


def test_a_connection_cannot_write(tmp_path: Path) -> None:
    """The connection refuses to write, which is an error of the database."""
    url = parse_url(make_database(tmp_path / "mm.sqlite", world()))
    with pytest.raises(DatabaseError, match="readonly database"), read_only(url) as session:
        session.query("DELETE FROM host")


def test_broken_text(tmp_path: Path) -> None:
    """A row whose text is not UTF-8 is left out or shown with `?`; the others are read."""
    url = make_database(tmp_path / "mm.sqlite", world())
    with closing(sqlite3.connect(tmp_path / "mm.sqlite")) as connection:
        for sql in (
            "UPDATE host SET name = CAST(x'61ff62' AS TEXT) WHERE id = 1",
            "UPDATE host_category_url SET url = CAST(x'687474703a2f2fff' AS TEXT) WHERE id = 110",
            "UPDATE directory SET name = CAST(x'ff' AS TEXT) WHERE id = 7",
        ):
            connection.execute(sql)
        connection.commit()
    result = export(url, Job(tmp_path / "mm.snap"))
    assert [(one.table, one.id, one.reason) for one in result.left_out] == [
        ("directory", 7, "name is not valid UTF-8"),
        ("host_category_url", 110, "URL is not valid UTF-8"),
    ]


@pytest.fixture
def closed_port() -> int:
    """A port on the loopback address where nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cret@127.0.0.1:{port}/x",
        "postgres://u:s3cret@127.0.0.1:{port}/x",
        "postgresql://u@127.0.0.1:{port}/x?password=s3cret",
        "postgresql://127.0.0.1:{port}/x?user=u&password=s3cret&sslmode=disable",
        "postgresql://u:s3cret@127.0.0.1:{port}/x?passfile=s3cret",
        "postgresql://u:s3%63ret@127.0.0.1:{port}/x?nonsense=1",
        "postgresql://u:s3cret@127.0.0.1:99999/x",
        "postgresql://u:s3cret@/x?host=/nonexistent",
        "postgresql://u@127.0.0.1:{port}/x?sslpassword=s3cret&options=-c%20x",
        "postgresql://u@127.0.0.1:{port}/x?password=s3cret&password=s3cret",
        "postgresql://u@127.0.0.1:{port}/x?PGPASSWORD=s3cret",
        "postgresql://u@127.0.0.1:{port}/x?pwd=s3cret&a=b",
        "postgresql://u@127.0.0.1:{port}/x?user%20pass%20word=s3cret",
        "postgresql://u@127.0.0.1:{port}/x?oauth_client_secret=s3cret",
        "postgresql://u:s3cret@" + "h" * 300 + ":{port}/x",
        "postgresql://u:s3cret@a..b:{port}/x",
    ],
)
def test_no_password_in_errors(tmp_path: Path, closed_port: int, url: str) -> None:
    """A server that is not there is refused in one line that shows where, and no password."""
    line = _export_fails(url.format(port=closed_port), tmp_path)
    assert "the database cannot be read: " in line
    assert line.startswith("postgresql://")
    assert SECRET not in line


@pytest.mark.parametrize(
    "rest",
    [
        *("S3cr@t/Pass@127.0.0.1:1/mm", "a@s3cret?x@h/mm", "a@s3cret/c?d@h/mm", "a@s3cret:p@h/mm"),
        *("s3cret@a@h/mm", "a@s3cret?b=c&d@h/mm", "a@s3cret#@h/mm", "a@/s3cret@h/mm"),
    ],
)
@pytest.mark.parametrize("kind", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_password_that_breaks_a_url(kind: str, rest: str) -> None:
    """A bare @ in a password, with whatever beside it, is refused with the way to write it."""
    line = _refused(f"{kind}://mm:{rest}")
    assert "write it as %40" in line
    assert "t/Pass" not in line


@pytest.mark.parametrize(
    "password", ["a/b", "a?b", "a#b", "a:b", "%zz", "a b", "p%40q", "p%2Fq", "p%25q"]
)
def test_a_password_that_does_not(tmp_path: Path, closed_port: int, password: str) -> None:
    """Other characters in a password break nothing, and no error shows it."""
    line = _export_fails(f"postgresql://u:s3cret{password}@127.0.0.1:{closed_port}/x", tmp_path)
    assert line.startswith(f"postgresql://u:***@127.0.0.1:{closed_port}/x: ")
    assert SECRET not in line


@pytest.mark.parametrize(
    "text", ["postgresql://user@server:pw@h/mm", "postgresql:///mm?user=u@x&password=p@ss"]
)
def test_an_at_elsewhere(text: str) -> None:
    """A user's name or the value of an option may have an @."""
    assert parse_url(text).database == "mm"


def test_a_password_in_a_drivers_words() -> None:
    """Whatever a driver says, the password is not in it: plain, or as the URL has it."""
    url = parse_url("postgresql://u:p%40ss%2Fw%C3%B6rd!@h/x")
    error = ValueError(
        "no route to xp@ss/w\u00f6rd!y, p%40ss%2Fw%C3%B6rd%21 or p%40ss/w%C3%B6rd%21"
    )
    line = explain(url, error)
    assert "ss" not in line.replace("Address", "")
    assert line.count("***") == 4


def test_an_at_in_the_password(tmp_path: Path) -> None:
    """A password with a bare @ is refused with the way to write it, and not shown."""
    with pytest.raises(DatabaseURLError, match="%40") as caught:
        parse_url("postgresql://u:p@s3cret@127.0.0.1/x")
    assert SECRET not in str(caught.value)


def test_password_in_a_file(tmp_path: Path, closed_port: int) -> None:
    """A URL read from a file shows no password either."""
    (tmp_path / "url").write_text(f"postgres://u:{SECRET}@127.0.0.1:{closed_port}/x\n")
    assert SECRET not in _export_fails(f"@{tmp_path / 'url'}", tmp_path)


@pytest.mark.parametrize("host", ["a..b", "h" * 64, "."])
def test_a_host_that_cannot_be_a_name(tmp_path: Path, host: str) -> None:
    """It is refused in one line by all that connect, and not taken for rows that are refused."""
    url = f"postgresql://u:{SECRET}@{host}/x"
    assert "the host cannot be the name of one" in _export_fails(url, tmp_path)
    for connecting in (linked(url), writing(parse_url(url)), reading_sites(parse_url(url))):
        with pytest.raises(DatabaseError, match="the host cannot be") as caught, connecting:
            pass
        assert type(caught.value) is DatabaseError
        assert SECRET not in str(caught.value)
    with pytest.raises(DatabaseError, match="the host cannot be"):
        make_probe(url).look(None)


def test_unknown_server(tmp_path: Path) -> None:
    """A server name that does not exist is refused within seconds."""
    line = _export_fails(f"postgresql://u:{SECRET}@nowhere.invalid/x", tmp_path)
    assert "nowhere.invalid" in line
    assert SECRET not in line
