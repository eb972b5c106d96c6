"""Repositories that are moved and expired in a real PostgreSQL, as in SQLite; never half."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from snapshot.file.errors import BusyScan
from snapshot.link import linked
from snapshot.repo.choice import Choice
from snapshot.repo.destination import Order, Places
from snapshot.repo.expiring import expire
from snapshot.repo.listing import list_repositories
from snapshot.repo.moving import move_repositories
from snapshot.scan.statements import CREATE_STATE
from tests.command import run_program
from tests.postgresql import Server, engine, run_server
from tests.releases import released, releases
from tests.scanned import TABLES, Primary, contents, empty, statements

pytestmark = pytest.mark.system

TO_ARCHIVE = Order(category="Fedora Archive", kept=("Fedora Codecs",))
TO_RELEASE = Order(
    places=Places("development/44", "releases/44"), category="Fedora Linux", version="44"
)
OF_41 = Choice(version="41")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server with a filled database to copy."""
    with run_server() as server:
        server.create_filled("filled", releases())
        server.execute(CREATE_STATE, database="filled")
        yield server


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """A database of one test."""
    name = f"repo_{abs(hash(request.node.nodeid))}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE filled")
    return server.url(name)


def test_a_tree_that_went_to_another_category(server: Server, tmp_path: Path) -> None:
    """A scan that loses a repository points its row to where its metadata is now."""
    primary, place = Primary(tmp_path), "pub/other/9/x86_64"
    url = server.create_filled("moved", empty())
    for table in ("directory", "version", "repository", "file_detail"):
        server.execute(f"SELECT setval('{table}_id_seq', 100)", database="moved")
    primary.repository("9/Everything/x86_64")
    primary.put("keep")
    primary.scan(url)
    server.execute(
        f"INSERT INTO directory (name, readable) VALUES ('{place}', true),"
        f" ('{place}/repodata', true)",
        f"INSERT INTO category_directory SELECT 2, id FROM directory WHERE name LIKE '{place}%%'",
        "INSERT INTO file_detail (filename, sha256, directory_id) SELECT filename, sha256,"
        f" (SELECT id FROM directory WHERE name = '{place}/repodata') FROM file_detail",
        database="moved",
    )
    shutil.rmtree(primary.root / "9")
    changes = primary.scan(url).changes
    assert changes.repositories_moved == [("pub/epel/9/Everything/x86_64", place)]
    assert [row[:3] for row in found(url)["repository"]] == [(place, "epel-9", "Other")]


def found(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the tables say, as SQLite would."""
    with engine(url) as of_database, of_database.connect() as connection:
        return {
            name: sorted((tuple(row) for row in connection.exec_driver_sql(sql)), key=repr)
            for name, sql in TABLES.items()
        }


def in_order(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return what a SQLite database's tables say, in the same order as `found`."""
    return {name: sorted(some, key=repr) for name, some in contents(url).items()}


def test_the_same_tables(url: str, tmp_path: Path) -> None:
    """Each command does the same to both databases, by the same number of statements."""
    sqlite = released(tmp_path)
    for work in (
        lambda where: list_repositories(where, Choice()),
        lambda where: expire(where, Choice(prefix="*debug*"), dry_run=True),
        lambda where: expire(where, Choice(prefix="*debug*")),
        lambda where: expire(where, Choice(directory="pub/codecs")),
        lambda where: move_repositories(where, OF_41, TO_ARCHIVE, dry_run=True),
        lambda where: move_repositories(where, OF_41, TO_ARCHIVE),
        lambda where: move_repositories(where, Choice(category="Fedora Linux"), TO_RELEASE),
    ):
        with statements() as one:
            first = work(url)
        with statements() as other:
            second = work(sqlite)
        assert first == second
        assert _as_sqlite(found(url)) == in_order(sqlite)
        # PostgreSQL locks categories, and SQLite has a statement for its temporary tables.
        assert abs(len(one) - len(other)) <= 4
    assert len(one) < 30


def _as_sqlite(tables: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    plain = {
        name: [tuple(int(one) if isinstance(one, bool) else one for one in row) for row in some]
        for name, some in tables.items()
    }
    return {name: sorted(some, key=repr) for name, some in plain.items()}


def test_a_running_scan(url: str) -> None:
    """While a scan of one of the categories runs, nothing is moved or expired."""
    before = found(url)
    with linked(url) as link:
        link.lock(2)
        with pytest.raises(BusyScan, match="a scan of one of the categories is running"):
            move_repositories(url, OF_41, TO_ARCHIVE)
        with pytest.raises(BusyScan, match="nothing was changed: try again"):
            expire(url, Choice(directory="pub/archive"))
        assert found(url) == before
        assert expire(url, Choice(category="Fedora Linux")).expired
    assert move_repositories(url, OF_41, TO_ARCHIVE).moved


def test_a_row_that_somebody_else_changes(url: str, server: Server) -> None:
    """A move that finds its repository changed meanwhile does nothing."""
    name = url.rpartition("/")[2]
    server.execute(
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        # An UPDATE that finds no row as it was, which takes two transactions at one moment.
        "CREATE TRIGGER meddling BEFORE UPDATE ON repository FOR EACH ROW"
        " EXECUTE FUNCTION meddle()",
        database=name,
    )
    before = found(url)
    with pytest.raises(BusyScan, match="a repository was changed meanwhile"):
        move_repositories(url, OF_41, TO_ARCHIVE)
    assert found(url) == before


@pytest.mark.parametrize(
    "words",
    [
        ("move", "--product", "Fedora", "--version", "41", "--to-archive"),
        ("expire", "--product", "Fedora"),
    ],
    ids=lambda words: words[0],
)
def test_killed_at_statements(url: str, words: tuple[str, ...]) -> None:
    """Killed before a statement, a command has done nothing; then it does all."""
    before = found(url)
    command = ["repo", words[0], "--database", url, *words[1:]]
    for step in range(1, 50, 2):
        done = run_program(f"from tests.killed_scan import run; run({step}, {command!r})")
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert found(url) == before
    assert step > 10
    assert found(url) != before
