"""A scan into a real PostgreSQL: the same tables as in SQLite, and never half of them."""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from snapshot.file.errors import BusyScan, DatabaseError
from snapshot.link import linked
from snapshot.scan.job import Changes
from snapshot.scan.run import scan
from tests.command import run_program
from tests.postgresql import PASSWORD, Server, engine, run_server
from tests.scanned import (
    TABLES,
    TOML,
    X86,
    Primary,
    contents,
    database,
    empty,
    repomd,
    sql_of_page,
    statements,
)

pytestmark = pytest.mark.system

# What SQLite's factory has too: ids that the sequences must not give again.
SEQUENCES = [
    f"SELECT setval('{name}_id_seq', 100)"
    for name in ("directory", "category", "arch", "product", "version", "repository")
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server with a filled database to copy."""
    with run_server() as server:
        server.create_filled("filled", empty())
        server.execute(*SEQUENCES, database="filled")
        yield server


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """A database of one test."""
    name = f"scan_{abs(hash(request.node.nodeid))}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE filled")
    return server.url(name)


@pytest.fixture
def primary(tmp_path: Path) -> Primary:
    """A primary with two repositories, a checksum file and a directory to delete."""
    primary = Primary(tmp_path)
    primary.repository(X86)
    primary.repository("testing/9/Everything/aarch64")
    primary.put("9/images/a.iso", b"iso")
    primary.put("9/images/x-CHECKSUM", b"SHA256 (a.iso) = " + b"ab" * 32)
    primary.put("old/file")
    return primary


def found(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the tables say, as SQLite would."""
    with engine(url) as of_database, of_database.connect() as connection:
        rows = {
            name: [tuple(row) for row in connection.exec_driver_sql(sql.replace("%", "%%"))]
            for name, sql in TABLES.items()
        }
    return {
        name: sorted((tuple(map(_plain, row)) for row in some), key=repr)
        for name, some in rows.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, memoryview):
        return bytes(value)
    return int(value) if isinstance(value, bool) else value


def change(primary: Primary) -> None:
    """Push one repository, delete a directory, and make a new one."""
    primary.put(f"{X86}/repodata/repomd.xml", repomd(int(time.time())), int(time.time()))
    shutil.rmtree(primary.root / "old")
    primary.repository("10/Everything/x86_64")


def sorted_contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return what a SQLite database's tables say, in the same order as `found`."""
    return {name: sorted(some, key=repr) for name, some in contents(url).items()}


def test_the_same_tables(primary: Primary, url: str, tmp_path: Path) -> None:
    """Both databases have the same tables after each of three scans, by the same statements."""
    sqlite = database(tmp_path)
    for step in range(3):
        if step == 1:
            change(primary)
        with statements() as one:
            first = primary.scan(url)
        with statements() as other:
            second = primary.scan(sqlite)
        assert found(url) == sorted_contents(sqlite)
        assert first.changes == second.changes
        assert first.unchanged == second.unchanged == (step == 2)
        # SQLite has one for its temporary tables; PostgreSQL locks, and asks for a right.
        assert abs(len(one) - len(other)) <= 2
    assert primary.scan(url, full=True).changes == Changes()


def test_a_dry_run(primary: Primary, url: str) -> None:
    """It changes nothing."""
    before = found(url)
    assert primary.scan(url, dry_run=True).changes.repositories_added
    assert found(url) == before


def test_two_scans_of_one_category(primary: Primary, url: str) -> None:
    """The second is refused while the first is running, even while it still lists."""
    with linked(url) as link:
        link.lock(1)
        with pytest.raises(BusyScan, match="another scan of this category is running"):
            primary.scan(url)
    assert primary.scan(url).changes.repositories_added


def test_a_role_that_may_not_create_tables(primary: Primary, url: str, server: Server) -> None:
    """It scans without the state of the last scan, and says so."""
    name = url.rpartition("/")[2]
    server.execute(
        f"DO $$ BEGIN CREATE ROLE writer LOGIN PASSWORD '{PASSWORD}';"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO writer",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO writer",
        database=name,
    )
    writer = server.url(name, user="writer")
    result = primary.scan(writer)
    assert [one for one in result.problems if "may not create the table" in one]
    again = primary.scan(writer)
    assert not again.unchanged
    assert again.changes == Changes()


def test_a_role_that_may_only_read(primary: Primary, url: str, server: Server) -> None:
    """It is refused in one line without a password, and nothing is changed."""
    name = url.rpartition("/")[2]
    server.execute(
        f"DO $$ BEGIN CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}';"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
        database=name,
    )
    with pytest.raises(DatabaseError, match="cannot be used: permission denied") as refused:
        primary.scan(server.url(name, user="reader"))
    assert PASSWORD not in str(refused.value)


def test_the_first_scan_of_the_page(primary: Primary, server: Server) -> None:
    """The rows and rights of docs/scan.md are enough for a role in a database without rows."""
    url = server.create_filled("page", {})
    rows, rights = sql_of_page()
    password = f"CREATE ROLE scanner LOGIN PASSWORD '{PASSWORD}'"
    server.execute(password, *rows, *rights, database="page")
    scanner = server.url("page", user="scanner")
    added = primary.scan(scanner).changes.repositories_added
    assert [one.split()[0] for one in added] == ["epel-9", "testing-epel9"]
    assert primary.scan(scanner).unchanged
    change(primary)
    primary.scan(scanner, allow_deletions=True)
    assert "old" not in {name.rpartition("/")[2] for name, *_ in found(url)["directory"]}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_at_every_statement(primary: Primary, url: str, tmp_path: Path, kind: str) -> None:
    """Killed before any of its statements, a scan has written all or nothing; the next works."""
    (tmp_path / "scan.toml").write_text(TOML)
    target = url if kind == "postgresql" else database(tmp_path)
    read = found if kind == "postgresql" else sorted_contents
    primary.scan(target)
    change(primary)
    job = primary.job(target, allow_deletions=True)
    words = ["scan", "--database", target, "--config", str(tmp_path / "scan.toml")]
    words += ["--category", job.category, "--source", str(primary.root), "--allow-deletions"]
    words += ["--list", str(primary.list)]
    old = read(target)
    for step in range(1, 100, 1 if kind == "sqlite" else 3):
        done = run_program(f"from tests.killed_scan import run; run({step}, {words!r})")
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert read(target) == old
    assert step > 30
    assert read(target) != old
    assert scan(job).changes == Changes()


def test_a_server_that_goes(primary: Primary, url: str, server: Server) -> None:
    """A server that ends under a scan gives one line, and the next scan does all of the work."""
    primary.scan(url)
    change(primary)
    job = primary.job(url, allow_deletions=True)

    def stop(phase: str, *_: int) -> None:
        if phase == "writing":
            server.kill()

    with pytest.raises(DatabaseError, match="cannot be used"):
        scan(job, stop)
    server.start()
    assert scan(job).changes.repositories_added == ["epel-10 pub/epel/10/Everything/x86_64"]


def test_no_server(primary: Primary) -> None:
    """A server that cannot be reached, and a wrong URL, are refused in one line."""
    with pytest.raises(DatabaseError, match="cannot be used: connection failed"):
        primary.scan("postgresql://mm:secret@127.0.0.1:1/mm")


def test_a_full_disk(primary: Primary, tmp_path: Path) -> None:
    """A SQLite file that cannot grow is left as it was."""
    sqlite = database(tmp_path)
    primary.scan(sqlite)
    before = contents(sqlite)
    for number in range(300):
        primary.put(f"9/many/{number:03}/{'x' * 200}")
    size = (tmp_path / "mm.sqlite").stat().st_size + 4096
    done = run_program(
        "import resource, signal; from pathlib import Path; from snapshot.scan.run import scan;"
        f"from tests.scanned import Primary; primary = Primary.at(Path({str(tmp_path)!r}));"
        f"signal.signal(signal.SIGXFSZ, signal.SIG_IGN); job = primary.job({sqlite!r});"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); scan(job)"
    )
    assert "cannot be used: " in done.stderr
    assert contents(sqlite) == before
    assert primary.scan(sqlite).changes.directories_added
