"""Imports of packages into a real PostgreSQL: the rows of SQLite, and never half of them."""

import hashlib
import re
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from loadtest.packages.release import Release
from snapshot.export.database import parse_url, read_only
from snapshot.export.exporter import export
from snapshot.export.imported import TABLES as TABLES_OF_EXPORTS
from snapshot.export.imported import may_read_packages
from snapshot.export.job import Job
from snapshot.export.leftout import LeftOutRows
from snapshot.export.newest import read_newest
from snapshot.file.errors import DatabaseError, PackagesError
from snapshot.file.model import PackedSums
from snapshot.file.reader import Snapshot
from snapshot.link import linked
from snapshot.packages.find import find
from snapshot.packages.job import ImportJob
from snapshot.packages.primary import MOST_TEXT
from snapshot.packages.run import SUBJECT, import_packages
from tests.command import run_program
from tests.packaged import ARM, TABLES, X86, Rpm, Site, hosts, joined, tables
from tests.postgresql import PASSWORD, Server, engine, run_server
from tests.scanned import statements

pytestmark = pytest.mark.system

DIRECTORIES = [one.directory for one in Release(repositories=2).places()]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server with a filled database to copy."""
    with run_server() as server:
        server.create_filled("filled", tables(*DIRECTORIES))
        server.create_filled("small", tables(X86, ARM))
        yield server


def made(server: Server, name: str, template: str) -> str:
    """Make a copy of a database and return its URL."""
    server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.url(name)


def found(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the tables say."""
    with engine(url) as of_database, of_database.connect() as connection:
        return {
            name: [tuple(map(_plain, row)) for row in connection.exec_driver_sql(sql)]
            for name, sql in TABLES.items()
        }


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def test_the_same_rows(server: Server, tmp_path: Path) -> None:
    """Both databases have the same rows after each of five imports, by as many statements."""
    url = made(server, "same", "filled")
    site = Site(tmp_path, *DIRECTORIES)
    steps = (Release(0.002, 2), Release(0.002, 2, 20), Release(0.002, 2, 20), Release(0.001, 2))
    for step, release in enumerate(steps):
        release.write(site.source)
        counts = []
        results = []
        for database in (url, site.url):
            with statements() as sent:
                results.append(site.run(database=database, full=step == 3))
            counts.append(len(sent))
        assert found(url) == site.contents()
        assert results[0].packages_added == results[1].packages_added
        assert bool(results[0].imported) == (step != 2)
        # PostgreSQL takes statistics of four tables, and waits for a lock; SQLite has settings.
        assert abs(counts[0] - counts[1]) <= 5
    shutil.rmtree(site.source / DIRECTORIES[0])
    assert site.run(database=url).deleted == site.run().deleted == DIRECTORIES[:1]
    assert found(url) == site.contents()
    assert site.contents()["package"]


def test_names_in_any_alphabet(server: Server, tmp_path: Path) -> None:
    """Capabilities are told apart by their bytes: case, accents and what a backslash would mean."""
    url = made(server, "names", "small")
    site = Site(tmp_path)
    odd = tuple(f'name="{one}"' for one in ("a", "A", "é", "e&#769;", "\\N", "\\t", "a b", "😀"))
    site.write(X86, Rpm("tea", provides=odd))
    site.write(ARM, Rpm("Tea", provides=odd[:2]))
    site.run()
    site.run(database=url)
    assert found(url) == site.contents()
    assert len(site.contents()["capability"]) == 8


def test_the_longest_names(server: Server, tmp_path: Path) -> None:
    """An index has room for the longest name and capability, of digits that do not repeat."""
    url = made(server, "longest", "small")
    site = Site(tmp_path)
    long = "".join(hashlib.sha512(bytes([n])).hexdigest() for n in range(16))[:MOST_TEXT]
    site.write(X86, Rpm(long, path="a.rpm", provides=(f'name="{long}"',)))
    site.write(ARM, Rpm(f"{long}b"), Rpm("cup"))
    assert site.run(database=url).packages_added == 2


@pytest.mark.parametrize(
    ("encoding", "has", "lacks"), [("LATIN1", "é", "€"), ("EUC_JP", "東", "😀")]
)
def test_other_encodings(
    server: Server, tmp_path: Path, encoding: str, has: str, lacks: str
) -> None:
    """A package with a letter that the database's encoding lacks is left out, and no other."""
    options = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    url = server.create_filled(f"in_{encoding.lower()}", tables(X86, ARM), options)
    site = Site(tmp_path)
    wrong = (Rpm(lacks), Rpm("b", provides=(f'name="{lacks}"',)))
    site.write(X86, Rpm("tea", has), *wrong)
    site.write(ARM, Rpm("cup"))
    result = site.run(database=url)
    assert result.packages_added == 2
    assert [one.version for one in find(url, "tea").packages] == [f"{has}-1"]
    (problem,) = result.problems
    assert "2 packages are left out" in problem
    assert "has no such letters" in problem
    assert not find(url, lacks).packages


def test_the_newest(server: Server, tmp_path: Path) -> None:
    """What `export --newest` reads is what it reads of SQLite (tests/test_newest.py)."""
    site = Site(tmp_path)
    site.write(X86, Rpm("a"), Rpm("a", "2"), Rpm("b"), Rpm("b", "9", release="1.module7"))
    url = made(server, "newest", "small")
    site.run(database=url)
    with read_only(parse_url(url)) as session:
        assert read_newest(session) == {f"{X86}/Packages/a": "a-2-1.noarch.rpm"}


def test_packages_that_may_not_be_read(server: Server, tmp_path: Path) -> None:
    """An export whose role lacks a table of packages goes on without them, and says which."""
    site = Site(tmp_path)
    site.write(X86, Rpm("a"))
    url = made(server, "rights", "small")
    site.run(database=url)
    server.execute("CREATE ROLE exporter LOGIN PASSWORD 'x'")
    granted = ", ".join(TABLES_OF_EXPORTS[:2])
    server.execute(f"GRANT SELECT ON {granted} TO exporter", database="rights")
    left_out, wanted = LeftOutRows(), {*TABLES_OF_EXPORTS}
    with read_only(parse_url(server.url("rights", user="exporter", password="x"))) as session:
        assert not may_read_packages(session, wanted, "--newest", left_out)
    assert left_out.notes == (
        "--newest: the database's user may not read mirrorlist_location: grant SELECT on it",
    )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_at_statements(server: Server, tmp_path: Path, kind: str) -> None:
    """Killed before any of its statements, an import has written all or nothing."""
    site = Site(tmp_path)
    target = made(server, "killed", "small") if kind == "postgresql" else site.url

    def contents() -> dict[str, list[tuple[Any, ...]]]:
        return found(target) if kind == "postgresql" else site.contents()

    site.write(X86, Rpm("tea"), Rpm("cup", provides=('name="c"',)))
    site.write(ARM, Rpm("cup", provides=('name="c"',)))
    site.run(database=target)
    site.write(X86, Rpm("tea", "2", provides=('name="t"',)))
    shutil.rmtree(site.source / ARM)
    old, step = contents(), 1
    words = ["packages", "import", "--database", target, str(site.source), "--allow-deletions"]
    while True:
        done = run_program(f"from tests.killed_scan import run; run({step}, {words!r})")
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert contents() == old
        step += 8
    assert step > 40
    assert contents() != old
    assert site.run(database=target).unchanged == [X86]


def test_find(server: Server, tmp_path: Path) -> None:
    """A package is found as in SQLite, on as many mirrors."""
    url = server.create_filled("hosts", joined(tables(X86, ARM), hosts()))
    site = Site(tmp_path, X86, ARM, more=hosts())
    site.write(X86, Rpm("tea"), Rpm("tea", "2"))
    site.write(ARM, Rpm("tea", "2"))
    for database in (url, site.url):
        site.run(database=database)
    found = find(url, "tea")
    assert found == find(site.url, "tea")
    assert [one.mirrors for one in found.packages] == [0, 2, 2]


def test_find_waits_for_no_lock(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search ends with an error if somebody has locked a table for longer than its limit."""
    url = made(server, "locked", "small")
    site = Site(tmp_path)
    site.write(X86, Rpm("tea"))
    site.run(database=url)
    monkeypatch.setattr("snapshot.packages.find.SECONDS", 1)
    with linked(url) as link:
        link.begin()
        link.execute("LOCK TABLE mirrorlist_package IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseError, match="due to statement timeout"):
            find(url, "tea")
    assert find(url, "tea").packages


def test_two_at_a_time(server: Server, tmp_path: Path) -> None:
    """The second one waits before it writes, until the first one has ended."""
    url = made(server, "two", "small")
    site = Site(tmp_path)
    site.write(X86, Rpm("tea"))
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with linked(url) as link, ThreadPoolExecutor(1) as pool:
        link.begin()
        link.wait_alone(SUBJECT)
        other = pool.submit(site.run, database=url)
        while not link.query(waiting)[0][0]:
            assert not other.done()
            time.sleep(0.01)
        link.end(commit=True)
        assert other.result().packages_added == 1


def test_rights(server: Server, tmp_path: Path) -> None:
    """The rights of docs/packages.md are enough, for each thing; without them one line says so."""
    url = made(server, "roles", "small")
    site = Site(tmp_path)
    site.write(X86, Rpm("tea"))
    text = (
        (Path(__file__).parents[1] / "docs/packages.md")
        .read_text()
        .partition("### Rights in PostgreSQL")[2]
    )
    (first, create), (read,) = (
        [f"{one};" for one in block.split(";\n")[:-1]]
        for block in re.findall(r"```sql\n(.*?)```", text.partition("\n## ")[0], re.DOTALL)
    )
    server.execute(
        *(f"CREATE ROLE {one} LOGIN PASSWORD '{PASSWORD}'" for one in ("packer", "reader")),
        *(first, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"),
        database="roles",
    )
    packer, reader = (server.url("roles", user=one) for one in ("packer", "reader"))
    with pytest.raises(DatabaseError, match="may not create tables"):
        site.run(database=packer)
    server.execute(create, database="roles")
    site.run(database=packer)
    server.execute("REVOKE CREATE ON SCHEMA public FROM packer", database="roles")
    site.write(X86, Rpm("cup"))
    assert site.run(database=packer).packages_added == 1
    with pytest.raises(DatabaseError, match=r"docs/packages\.md \(Rights in PostgreSQL\)"):
        find(reader, "cup")
    server.execute(read, database="roles")
    assert find(reader, "cup").packages
    with pytest.raises(DatabaseError, match=r"docs/packages\.md \(Rights in PostgreSQL\)"):
        site.run(database=reader, full=True)
    server.execute("DROP TABLE mirrorlist_capability", database="roles")
    with pytest.raises(PackagesError, match="has mirrorlist_location but no mirrorlist_capability"):
        site.run(database=url)


def test_a_server_that_goes(server: Server, tmp_path: Path) -> None:
    """A server that ends under an import gives one line, and the next import does all of it."""
    url = made(server, "going", "small")
    site = Site(tmp_path)
    site.write(X86, Rpm("tea"))
    job = ImportJob(database=url, source=str(site.source))

    def stop(phase: str, *_: int) -> None:
        if phase == "writing":
            server.kill()

    with pytest.raises(DatabaseError, match="cannot be used"):
        import_packages(job, stop)
    server.start()
    assert import_packages(job).packages_added == 1


def test_the_same_sums(server: Server, tmp_path: Path) -> None:
    """Exports of both databases with --files have the same bytes of sums."""
    site = Site(tmp_path, X86, ARM)
    site.write(X86, *[Rpm(f"p{number}") for number in range(300)])
    site.write(ARM, Rpm("tea"))
    packed: list[PackedSums | None] = []
    for url in (made(server, "sums", "small"), site.url):
        site.run(database=url)
        output = tmp_path / f"{len(packed)}.snap"
        result = export(url, Job(output, files=True, max_loss=None))
        assert result.counts["file_sums"] == 301
        packed.append(Snapshot(output).packed_sums())
    assert packed[0] is not None
    assert packed[0] == packed[1]
