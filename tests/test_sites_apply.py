"""A file is brought into a database: what differs, all or nothing, and no more than allowed."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from snapshot.export import schema
from snapshot.export.database import parse_url
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.errors import BackendError, DatabaseError, RefusedSnapshot
from snapshot.file.reader import Snapshot
from snapshot.sites.apply import apply
from snapshot.sites.database import undo_unfinished, writing
from snapshot.sites.difference import RefusedChange, SiteDifference
from snapshot.sites.load import load
from snapshot.sites.reading import read_only
from tests.factories import make_database, world
from tests.in_process import make_service
from tests.small_sites import HEAD, applied, mirror, site_text, write
from tests.statements import statements

THREE = site_text(mirror("a"), mirror("b", "FR"), mirror("c", "US"))


@pytest.fixture
def database(tmp_path: Path) -> str:
    """The URL of a database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'm.db'}"


def _query(database: str, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
        found = connection.execute(sql).fetchall()
        connection.commit()
    return found


def _exported(database: str, tmp_path: Path) -> Snapshot:
    export(database, Job(tmp_path / "m.snap", resolve_dns=False))
    return Snapshot(tmp_path / "m.snap")


def _listed(found: Snapshot, query: bytes) -> str:
    """Return the list that a client without a place gets."""
    return make_service(found).respond(False, query, "203.0.113.1", []).body.decode()


def test_it_is_served(tmp_path: Path, database: str) -> None:
    """An export of a new database has the mirrors, with all that the file says of them."""
    more = ("weight = 1000", "asn = 64500", 'netblocks = ["192.0.2.0/24", "2001:db8::/32"]')
    text = site_text(
        mirror("a", "DE", *more),
        mirror("b", "de", "private = true", 'countries_allowed = ["DE"]'),
        mirror("c", "FR", 'countries_allowed = ["DE", "FR"]', "active = false"),
    )
    applied(database, write(tmp_path, text))
    found = _exported(database, tmp_path)
    a, b, c = found.hosts
    assert (a.name, a.country, a.bandwidth, a.asns) == ("a", "DE", 1000, (64500,))
    assert (b.country, b.private, b.countries_allowed) == ("DE", True, ("DE",))
    assert (c.countries_allowed, bool(c.inactive)) == (("DE", "FR"), True)
    assert {row.prefix for row in found.repositories} == {"baseos-9", "baseos-10"}
    assert found.report.left_out == ()
    # MirrorManager's own exporter ignores case, but not blanks.
    rows = _query(database, "SELECT country FROM host_country_allowed ORDER BY id")
    assert rows == [("DE",), ("De",), ("FR",)]
    body = _listed(found, b"repo=baseos-10&arch=aarch64&ip=192.0.2.9")
    assert "https://a.example/pub/10/BaseOS/aarch64/os/" in body


@pytest.mark.parametrize(
    "text",
    [
        THREE,
        site_text(
            mirror("a", "DE", 'netblocks = ["192.0.2.0/24"]', 'countries_allowed = ["at"]'),
            mirror("b", "DE", 'countries_allowed = ["AT", "DE"]', 'repositories = ["baseos"]'),
            mirror("c", "DE", 'versions = ["9"]', 'arches = ["aarch64"]', 'sponsor = "b"'),
        ),
        site_text(
            '[[repository]]\nprefix = "kitten"\nversions = ["10"]\narches = ["x86_64"]\n'
            'path = "{version}/os"\ntree = "kitten"\n',
            mirror("a", "DE", 'trees.kitten = ["https://k.example/"]'),
            mirror("b", "DE", 'versions = ["10"]', 'trees.kitten = ["http://k.example/"]'),
        ),
    ],
)
def test_a_second_time(tmp_path: Path, database: str, text: str) -> None:
    """The database says what the file says, so nothing is different and nothing is written."""
    file = write(tmp_path, text)
    first = applied(database, file)
    assert first.mirrors.added == ["a", "b", "c"][: len(first.mirrors.added)]
    second = applied(database, file, prune=True)
    assert second.mirrors.is_empty
    assert second.repositories.is_empty
    assert not second.changes_anything


def test_one_goes_and_one_comes(tmp_path: Path, database: str) -> None:
    """A new mirror has its own URLs, though SQLite gives it the id of one that is gone."""
    applied(database, write(tmp_path, site_text(mirror("a"), mirror("b"))))
    applied(database, write(tmp_path, site_text(mirror("a"), mirror("c"))), prune=True)
    body = _listed(_exported(database, tmp_path), b"repo=baseos-9&arch=x86_64&protocol=https")
    assert "https://c.example/pub/" in body
    assert "https://b.example/" not in body


KILLED = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("DELETE FROM repository")
connection.execute("CREATE TABLE large (text)")
connection.executemany("INSERT INTO large VALUES (?)", [("x" * 3000,)] * 100)
os._exit(0)
"""


def test_a_killed_writer(tmp_path: Path, database: str) -> None:
    """What it wrote and did not commit is undone, after which the database can be read again."""
    applied(database, write(tmp_path, THREE))
    subprocess.run([sys.executable, "-c", KILLED, tmp_path / "m.db"], check=True)
    with pytest.raises(DatabaseError, match="readonly"):
        _exported(database, tmp_path)
    undo_unfinished(parse_url(database))
    assert len(_exported(database, tmp_path).repositories) == 4


def test_trees(tmp_path: Path, database: str) -> None:
    """A repository of a tree is at the URLs that mirrors have for the tree."""
    text = site_text(
        '[[repository]]\nprefix = "kitten"\nversions = ["10"]\narches = ["x86_64"]\n'
        'path = "{version}/os"\ntree = "kitten"\n',
        mirror("a", "DE", 'trees.kitten = ["https://k.example/x"]'),
        mirror("b"),
    )
    applied(database, write(tmp_path, text))
    found = _exported(database, tmp_path)
    body = _listed(found, b"repo=kitten-10&arch=x86_64")
    assert body.splitlines()[1:] == ["https://k.example/x/10/os/"]
    assert "b.example" in _listed(found, b"repo=baseos-10&arch=x86_64")


def test_a_mirror_that_has_not_all(tmp_path: Path, database: str) -> None:
    """It is offered only for the versions and arches that it has."""
    text = site_text(mirror("a"), mirror("b", "DE", 'versions = ["9"]', 'arches = ["x86_64"]'))
    file = write(tmp_path, text)
    applied(database, file)
    found = _exported(database, tmp_path)
    for query, there in ((b"9&arch=x86_64", 1), (b"9&arch=aarch64", 0), (b"10&arch=x86_64", 0)):
        assert _listed(found, b"repo=baseos-" + query).count("https://b.example") == there
    write(tmp_path, site_text(mirror("a"), mirror("b")))
    (changed,) = applied(database, file).mirrors.changed
    assert [*changed.fields] == ["has"]
    assert "b.example" in _listed(_exported(database, tmp_path), b"repo=baseos-10&arch=x86_64")


def test_changes(tmp_path: Path, database: str) -> None:
    """What differs is told with both values, and exactly that is written."""
    file = write(tmp_path, THREE)
    applied(database, file)
    ids = _query(database, "SELECT id, name FROM host ORDER BY id")
    text = THREE.replace('"FR"', '"BE"', 1).replace("https://b.", "http://b2.") + mirror("d")
    told: list[object] = []
    found = applied(database, write(tmp_path, text), told=told.append)
    assert told == [found]
    assert found.mirrors.added == ["d"]
    (changed,) = found.mirrors.changed
    assert changed.name == "b"
    assert changed.fields["country"] == ("FR", "BE")
    assert [*changed.fields] == ["country", "urls"]
    assert _query(database, "SELECT id, name FROM host ORDER BY id")[:3] == ids
    urls = {url for (url,) in _query(database, "SELECT url FROM host_category_url")}
    assert "http://b2.example/pub" in urls
    assert "https://b.example/pub" not in urls
    assert len(urls) == 8


def test_gone(tmp_path: Path, database: str) -> None:
    """What is gone from the file stays until --prune, which leaves nothing of it behind."""
    file = write(tmp_path, THREE.replace('"9", "10"', '"8", "9", "10"'))
    applied(database, file)
    write(tmp_path, site_text(mirror("a"), mirror("b", "FR")))
    found = applied(database, file)
    assert found.mirrors.gone == ["c"]
    assert found.repositories.gone == ["baseos-8 aarch64", "baseos-8 x86_64"]
    assert not found.changes_anything
    assert len(_exported(database, tmp_path).hosts) == 3
    applied(database, file, prune=True, max_loss=40)
    for sql in (
        "SELECT * FROM host WHERE name = 'c'",
        "SELECT * FROM site WHERE name = 'c'",
        "SELECT * FROM host_category_url WHERE url LIKE '%c.example%'",
        "SELECT * FROM directory WHERE name LIKE 'pub/8%'",
        "SELECT * FROM repository WHERE prefix = 'baseos-8'",
        "PRAGMA foreign_key_check",
    ):
        assert _query(database, sql) == []


def test_paths_that_swap(tmp_path: Path, database: str) -> None:
    """Two repositories may take each other's directory in one apply."""
    file = write(tmp_path, site_text(mirror("a")))
    applied(database, file)
    text = site_text(mirror("a")).replace(
        "[[mirror]]",
        '[[repository.exception]]\nversions = ["9"]\npath = "10/BaseOS/{arch}/os"\n'
        '[[repository.exception]]\nversions = ["10"]\npath = "9/BaseOS/{arch}/os"\n[[mirror]]',
    )
    found = applied(database, write(tmp_path, text))
    assert len(found.repositories.changed) == 4
    body = _listed(_exported(database, tmp_path), b"repo=baseos-9&arch=x86_64")
    assert "/pub/10/BaseOS/x86_64/os/" in body


def test_nothing_is_written(tmp_path: Path, database: str) -> None:
    """--dry-run tells the difference, and leaves no file and no row behind."""
    file = write(tmp_path, THREE)
    assert applied(database, file, dry=True).mirrors.added == ["a", "b", "c"]
    assert not (tmp_path / "m.db").exists()
    applied(database, file)
    before = (tmp_path / "m.db").read_bytes()
    applied(database, write(tmp_path, site_text(mirror("a"))), dry=True, prune=True, max_loss=100)
    assert (tmp_path / "m.db").read_bytes() == before


@pytest.mark.parametrize("dry", [True, False])
def test_another_writer_of_a_new_file(tmp_path: Path, database: str, dry: bool) -> None:
    """An apply that fails or only looks does not remove the file that another one has made."""
    file = write(tmp_path, THREE)

    def told(found: SiteDifference) -> None:
        if dry:
            # Another process, which began earlier, commits meanwhile.
            applied(database, file)
        else:
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        apply(database, load(file).config, told, prune=False, dry=dry, max_loss=30)
    assert (tmp_path / "m.db").exists() is dry
    found = applied(database, file)
    assert found.changes_anything is not dry


def test_statements_do_not_grow(tmp_path: Path, database: str) -> None:
    """200 mirrors take as many statements as two do."""
    counts = []
    for number, count in enumerate((2, 200)):
        file = write(tmp_path, site_text(*(mirror(f"m{at}") for at in range(count))))
        with statements() as sent:
            applied(f"{database}{number}", file)
        counts.append(len(sent))
    assert counts[0] == counts[1]


def test_too_much_at_once(tmp_path: Path, database: str) -> None:
    """One mirror may go while another stays; more than the limit needs --max-loss."""
    file = write(tmp_path, THREE)
    applied(database, file)
    write(tmp_path, site_text(mirror("a")))
    before = (tmp_path / "m.db").read_bytes()
    with pytest.raises(RefusedChange, match=r"2 of 3 public mirrors .*\(b, c\).*--max-loss 100"):
        applied(database, file, prune=True)
    assert (tmp_path / "m.db").read_bytes() == before
    applied(database, file, prune=True, max_loss=100)
    write(tmp_path, site_text(mirror("a", "DE", "private = true")))
    with pytest.raises(RefusedChange, match="1 of 1 public mirrors"):
        applied(database, file)


def test_the_export_accepts_what_was_declared(tmp_path: Path, database: str) -> None:
    """A declared loss is published at once, and the same loss by accident is refused."""
    file = write(tmp_path, THREE)
    applied(database, file)
    _exported(database, tmp_path)
    write(tmp_path, site_text(mirror("a"), mirror("b", "FR")))
    applied(database, file, prune=True)
    assert len(_exported(database, tmp_path).hosts) == 2
    _query(database, "DELETE FROM host_category_url WHERE url LIKE '%b.example%'")
    with pytest.raises(RefusedSnapshot, match="lost 1 of 2"):
        _exported(database, tmp_path)


def test_an_addition_opens_nothing(tmp_path: Path, database: str) -> None:
    """Only what takes something away lets the next export lose something."""
    file = write(tmp_path, site_text(mirror("a"), mirror("b")))
    applied(database, file)
    write(tmp_path, site_text(mirror("a"), mirror("b", "DE", "weight = 7"), mirror("c")))
    applied(database, file)
    assert _query(database, "SELECT reduced FROM mirrorlist_site") == [(None,)]


def _foreign(edit: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        url = make_database(folder / "m.db", world())
        _query(url, edit)
        return url

    return make


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ("INSERT INTO product VALUES (9, 'Example Linux', 1)", "a product Example Linux that is n"),
        (
            "UPDATE category SET name = 'Example Linux' WHERE id = 1",
            "a category Example Linux that",
        ),
        (
            "UPDATE host_category_url SET url = 'https://a.example/pub' WHERE id = 110",
            "https://a.example/pub belongs to a host of the database that is not from this file",
        ),
        (
            "UPDATE repository SET prefix = 'baseos-9' WHERE id = 1",
            "a repository baseos-9 in linux",
        ),
    ],
)
def test_what_belongs_to_others(tmp_path: Path, edit: str, words: str) -> None:
    """A name or URL that the database has already is told, and nothing is written."""
    url = _foreign(edit)(tmp_path)
    before = _query(url, "SELECT count(*) FROM directory")
    with pytest.raises(BackendError, match=words):
        applied(url, write(tmp_path, THREE))
    assert _query(url, "SELECT count(*) FROM directory") == before


def test_beside_others(tmp_path: Path) -> None:
    """In a database of MirrorManager, rows from elsewhere stay as they are, even with --prune."""
    url = make_database(tmp_path / "m.db", world())
    before = _query(url, "SELECT id, name FROM host")
    file = write(tmp_path, THREE)
    applied(url, file, prune=True)
    write(tmp_path, site_text(mirror("a"), mirror("b", "FR")))
    applied(url, file, prune=True)
    assert {*before} <= {*_query(url, "SELECT id, name FROM host")}
    body = _listed(_exported(url, tmp_path), b"repo=linux-40&arch=x86_64")
    assert "host1.example" in body
    assert "a.example/pub" not in body


def test_a_site_with_a_new_name(tmp_path: Path, database: str) -> None:
    """The old site's mirrors stand in its way, and it is said what to do."""
    file = write(tmp_path, THREE)
    applied(database, file)
    write(tmp_path, THREE.replace("Example Linux", "Other Linux"))
    with pytest.raises(BackendError, match=r"the site Example Linux of this database; .*--state"):
        applied(database, file)


def test_a_directory_that_others_have_too(tmp_path: Path) -> None:
    """It leaves the site with --prune, and the rows of others about it stay."""
    url = make_database(tmp_path / "m.db", world())
    _query(url, "INSERT INTO directory (id, name, readable, ctime) VALUES (99, 'pub/9', 1, 7)")
    _query(url, "INSERT INTO category_directory (category_id, directory_id) VALUES (1, 99)")
    row = "(99, 11, 'pub/9', 1, 99)"
    columns = "(id, host_category_id, path, up2date, directory_id)"
    _query(url, f"INSERT INTO host_category_dir {columns} VALUES {row}")
    file = write(tmp_path, site_text(mirror("a"), mirror("b", "FR", 'versions = ["9"]')))
    applied(url, file)
    links = "SELECT category_id FROM category_directory WHERE directory_id = 99"
    assert len(_query(url, links)) == 2
    write(tmp_path, site_text(mirror("a"), head=HEAD.replace('["9", "10"]', '["10"]')))
    applied(url, file, prune=True, max_loss=100)
    assert _query(url, "SELECT name, ctime FROM directory WHERE id = 99") == [("pub/9", 7)]
    assert _query(url, links) == [(1,)]
    rows = "SELECT id FROM host_category_dir WHERE directory_id = 99"
    assert _query(url, rows) == [(99,)]


def test_a_new_name(tmp_path: Path, database: str) -> None:
    """A mirror that was renamed needs --prune, because no URL can be there twice."""
    file = write(tmp_path, THREE)
    applied(database, file)
    write(tmp_path, THREE.replace('name = "b"', 'name = "bee"'))
    with pytest.raises(BackendError, match=r"belongs to the mirror b, which is gone .* --prune"):
        applied(database, file)
    applied(database, file, prune=True)
    assert {host.name for host in _exported(database, tmp_path).hosts} == {"a", "bee", "c"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not a database, but long enough to be looked at" * 50, "file is not a database"),
        (None, "Is a directory"),
    ],
)
def test_no_database(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A file of another kind is refused and left as it is."""
    path = tmp_path / "m.db"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(DatabaseError, match=words):
        applied(f"sqlite:///{path}", write(tmp_path, THREE))
    assert content is None or path.read_bytes() == content


def test_another_program(tmp_path: Path, database: str) -> None:
    """A database of another program is left alone."""
    _query(database, "CREATE TABLE other (id INTEGER)")
    with pytest.raises(DatabaseError, match="not a MirrorManager database"):
        applied(database, write(tmp_path, THREE))
    assert _query(database, "SELECT name FROM sqlite_master") == [("other",)]


def test_an_empty_database_is_complete(tmp_path: Path, database: str) -> None:
    """A new database has the tables that MirrorManager's own programs need."""
    applied(database, write(tmp_path, THREE))
    assert _query(database, "SELECT version_num FROM alembic_version") != []


TRY_TO_WRITE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
"""


def test_a_lock_is_kept(tmp_path: Path) -> None:
    """A read of the same database by this process does not release the lock of a write.

    As the threads of `run` do it: an export reads while a probe writes.
    """
    file = tmp_path / "m.db"
    url = f"sqlite:///{file}"
    applied(url, write(tmp_path, site_text(mirror("a"))))
    with writing(parse_url(url)) as connection:
        connection.execute(schema.host.update().values(country="FR"))
        with read_only(parse_url(url)):
            pass
        done = run_script(TRY_TO_WRITE, file)
    assert "database is locked" in done.stderr
    assert run_script(TRY_TO_WRITE, file).returncode == 0


def run_script(text: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own."""
    command = [sys.executable, "-c", text, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
