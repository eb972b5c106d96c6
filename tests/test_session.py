"""A session says the same of both kinds of databases."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from psycopg import OperationalError

from snapshot.export.database import parse_url, read_only
from tests.postgresql import Server, engine, run_server

NUMBERS = 25_000
COMMANDS = (
    "CREATE TABLE here (id INTEGER PRIMARY KEY, name TEXT)",
    "CREATE INDEX no_table ON here (name)",
    "CREATE VIEW seen AS SELECT id FROM here",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server for the tests of this module."""
    with run_server() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def url(request: pytest.FixtureRequest, tmp_path: Path, numbers: Iterator[int]) -> str:
    """A database with a table, a view and an index."""
    if request.param == "sqlite":
        with closing(sqlite3.connect(tmp_path / "a.sqlite")) as connection:
            for command in COMMANDS:
                connection.execute(command)
        return f"sqlite:///{tmp_path}/a.sqlite"
    server: Server = request.getfixturevalue("server")
    made = server.create(f"session{next(numbers)}")
    name = made.rpartition("/")[2]
    server.execute(*COMMANDS, "CREATE SCHEMA far", "CREATE TABLE far.away (id INT)", database=name)
    return made


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    """Numbers for the names of databases."""
    return count()


def test_the_names(url: str) -> None:
    """Tables and views are named; indexes, system tables and those of other schemas are not."""
    with read_only(parse_url(url)) as session:
        assert session.names() == {"here", "seen"}


def test_a_stream(url: str) -> None:
    """A stream has all rows, in their order, also if they are more than are held at a time."""
    sql = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        f" WHERE i < {NUMBERS}) SELECT i, 'a%' FROM n"
    )
    with read_only(parse_url(url)) as session:
        assert list(session.stream(sql)) == [(i, "a%") for i in range(1, NUMBERS + 1)]
        assert session.query("SELECT 1") == [(1,)]


def test_parameters(url: str) -> None:
    """A value goes in by its name; without parameters a percent sign is one."""
    with read_only(parse_url(url)) as session:
        sql = "SELECT CAST(%(a)s AS BIGINT) + CAST(%(a)s AS BIGINT)"
        assert session.query(sql, {"a": 3}) == [(6,)]
        assert session.query("SELECT 7 WHERE 'ab' LIKE 'a%'") == [(7,)]


def test_rows_that_are_made_later(url: str) -> None:
    """The rows of a statement can be made when others were sent after it."""
    with read_only(parse_url(url)) as session:
        rows = session.ask("SELECT 1, 'a'")
        assert session.query("SELECT 2") == [(2,)]
        assert rows() == [(1, "a")]


@pytest.mark.system
def test_rows_that_are_made_beside_a_statement(server: Server) -> None:
    """They are made while another thread waits for the server, and after it is cut off."""
    with read_only(parse_url(server.url())) as session, ThreadPoolExecutor() as pool:
        rows = [session.ask("SELECT i, 'a' || i FROM generate_series(1, 3) AS i") for _ in "ab"]
        sleeping = pool.submit(session.query, "SELECT pg_sleep(60)")
        assert rows[0]() == [(1, "a1"), (2, "a2"), (3, "a3")]
        session.cut_off()
        assert rows[1]() == [(1, "a1"), (2, "a2"), (3, "a3")]
        with pytest.raises(OperationalError):
            sleeping.result(10)


@pytest.mark.system
def test_a_session_that_is_lost(server: Server) -> None:
    """It is one error of the driver, and can be cut off all the same: that hides no other error."""
    with read_only(parse_url(server.url())) as session:
        session.query("SELECT 1")
        server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'mirrorlist export'"
        )
        with pytest.raises(OperationalError):
            session.query("SELECT 1")
        session.cut_off()


@pytest.mark.system
def test_rights(server: Server) -> None:
    """It is known whether a role may read a table, and the transaction goes on."""
    url = server.create("rights")
    server.execute(*COMMANDS, "CREATE ROLE reader LOGIN PASSWORD 'x'", database="rights")
    server.execute("GRANT SELECT ON seen TO reader", database="rights")
    with read_only(parse_url(url)) as session:
        assert session.may_read("here")
    with read_only(parse_url(server.url("rights", "reader", "x"))) as session:
        assert not session.may_read("here")
        assert session.may_read("seen")


@pytest.mark.system
def test_the_transaction_ends(server: Server) -> None:
    """A read ends its transaction before it closes: a connection pooler keeps the session then."""
    server.create("ended")
    server.execute("ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
    try:
        with read_only(parse_url(server.url("ended"))) as session:
            session.query("SELECT 'the last one'")
        with engine(server.url()) as of, of.connect() as connection:
            found = connection.exec_driver_sql("SELECT pg_read_file('../log')").scalar_one()
    finally:
        server.execute("ALTER SYSTEM RESET log_statement", "SELECT pg_reload_conf()")
    after = found.rpartition("'the last one'")[2]
    assert "ROLLBACK" in after
