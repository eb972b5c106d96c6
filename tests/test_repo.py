"""Repositories that are moved and expired in SQLite: what the tables and the metalinks say then."""

import sqlite3
import time
from pathlib import Path

import pytest

from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.errors import BackendError, DatabaseError, NoSuchRepository
from snapshot.repo.choice import Choice
from snapshot.repo.destination import Order, Places
from snapshot.repo.expiring import Expired, expire
from snapshot.repo.listing import list_repositories
from snapshot.repo.moving import Left, move_repositories
from tests.metalink_document import Document
from tests.releases import ARCHIVED, CODECS, DEVELOPED, OLD, RELEASED, metalink, released
from tests.scanned import contents, execute, rows, statements

TO_ARCHIVE = Order(category="Fedora Archive", kept=("Fedora Codecs",))
TO_RELEASE = Order(
    places=Places("development/44", "releases/44"), category="Fedora Linux", version="44"
)
OF_41 = Choice(product="Fedora", version="41")
OF_LINUX = Choice(category="Fedora Linux")
COLUMNS = """SELECT r.prefix, r.name, d.name, c.name, v.name FROM repository r
    JOIN directory d ON d.id = r.directory_id JOIN category c ON c.id = r.category_id
    JOIN version v ON v.id = r.version_id ORDER BY r.id"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database with releases, a development tree and an archive."""
    return released(tmp_path)


def exported(url: str, folder: Path, prefix: str) -> Document:
    """Return the metalink of a repository in a new export of a database."""
    path = folder / f"{time.monotonic_ns()}.snap"
    export(url, Job(path, max_loss=None))
    return metalink(path, prefix)


def hosts(document: Document) -> list[str]:
    """Return the names of the hosts in a metalink."""
    return sorted({link.url.split("/")[2] for link in document.links})


def test_to_the_archive(url: str, tmp_path: Path) -> None:
    """All repositories of a version go there with their names; codecs stay, prefixes too."""
    before = exported(url, tmp_path, "fedora-41")
    details = rows(url, "SELECT * FROM file_detail")
    result = move_repositories(url, OF_41, TO_ARCHIVE)
    assert [(one.prefix, one.old, one.new, one.hosts) for one in result.moved] == [
        ("fedora-41", OLD, ARCHIVED, 1),
        ("fedora-debug-41", f"{OLD}-debug", f"{ARCHIVED}-debug", 1),
    ]
    assert result.skipped == [Left("fedora-codecs-41 x86_64", "is in the category Fedora Codecs")]
    assert rows(url, COLUMNS) == [
        ("fedora-41", ARCHIVED, ARCHIVED, "Fedora Archive", "41"),
        ("fedora-debug-41", f"{ARCHIVED}-debug", f"{ARCHIVED}-debug", "Fedora Archive", "41"),
        ("fedora-44", DEVELOPED, DEVELOPED, "Fedora Linux", "development"),
        ("fedora-codecs-41", CODECS, CODECS, "Fedora Codecs", "41"),
    ]
    assert rows(url, "SELECT * FROM file_detail") == details
    after = exported(url, tmp_path, "fedora-41")
    assert (hosts(before), hosts(after)) == (["host1.example", "host2.example"], ["host1.example"])
    below = "releases/41/Everything/x86_64/os/repodata/repomd.xml"
    assert f"http://host1.example/1/{below}" in [link.url for link in before.links]
    assert after.links[0].url == f"http://host1.example/2/fedora/linux/{below}"
    assert len(after.versions) == 2
    assert before.versions != after.versions
    with pytest.raises(NoSuchRepository, match="fedora-41 x86_64: is there already"):
        move_repositories(url, OF_41, TO_ARCHIVE)


def test_to_a_release(url: str, tmp_path: Path) -> None:
    """A development tree becomes a release, with its version; other repositories stay."""
    result = move_repositories(url, OF_LINUX, TO_RELEASE)
    assert [(one.prefix, one.old, one.new) for one in result.moved] == [
        ("fedora-44", DEVELOPED, RELEASED)
    ]
    assert rows(url, COLUMNS)[2] == ("fedora-44", RELEASED, RELEASED, "Fedora Linux", "44")
    after = exported(url, tmp_path, "fedora-44")
    assert "/releases/44/" in after.links[0].url
    assert len(after.versions) == 2
    with pytest.raises(NoSuchRepository, match="no repository is to be moved"):
        move_repositories(url, OF_LINUX, TO_RELEASE)


def test_whole_components_only() -> None:
    """Version 4 is not a part of version 44, and a dot is a dot."""
    places = Places("development/4", "releases/4")
    assert places.of("pub/development/44/x") is None
    assert places.of("pub/development/4/x") == "pub/releases/4/x"
    assert places.of("development/4") == "releases/4"
    assert Places("9.1", "b").of("a/9x1/c") is None


@pytest.mark.parametrize(
    ("command", "why"),
    [
        pytest.param(
            f"UPDATE directory SET name = 'other' WHERE name = '{ARCHIVED}'",
            f"{ARCHIVED}: no such directory in the database; scan Fedora Archive first",
            id="missing",
        ),
        pytest.param(
            f"DELETE FROM category_directory WHERE directory_id IN"
            f" (SELECT id FROM directory WHERE name = '{ARCHIVED}')",
            f"{ARCHIVED}: not a directory of Fedora Archive; scan Fedora Archive first",
            id="of another category",
        ),
        pytest.param(
            f"UPDATE directory SET readable = 0 WHERE name = '{ARCHIVED}'",
            f"{ARCHIVED}: not readable on the primary; scan Fedora Archive when it is",
            id="unreadable",
        ),
        pytest.param(
            f"DELETE FROM file_detail WHERE directory_id IN"
            f" (SELECT id FROM directory WHERE name = '{ARCHIVED}/repodata')",
            f"{ARCHIVED}: its repomd.xml has no file details; scan Fedora Archive first",
            id="no details",
        ),
        pytest.param(
            f"INSERT INTO repository (name, prefix, directory_id, disabled)"
            f" SELECT 'x', 'mine', id, 0 FROM directory WHERE name = '{ARCHIVED}'",
            f"{ARCHIVED}: the repository mine is there already",
            id="taken",
        ),
        pytest.param(
            f"INSERT INTO repository (name, prefix, disabled) VALUES ('{ARCHIVED}', 'mine', 0)",
            f"{ARCHIVED}: the repository mine has this name; rename or delete it",
            id="name taken",
        ),
        pytest.param(
            f"INSERT INTO repository (name, disabled) VALUES ('{ARCHIVED}', 0)",
            f"{ARCHIVED}: the repository without a prefix has this name; rename or delete it",
            id="name taken by one without a prefix",
        ),
    ],
)
def test_a_target_that_is_not_ready(url: str, command: str, why: str) -> None:
    """Nothing is moved and the reason is named; told to skip it, the others are moved."""
    execute(url, command)
    before = contents(url)
    result = move_repositories(url, OF_41, TO_ARCHIVE)
    assert result.refused
    assert result.unready == [Left("fedora-41 x86_64", why)]
    assert contents(url) == before
    skipped = move_repositories(url, OF_41, TO_ARCHIVE, skip=True)
    assert not skipped.refused
    assert [one.prefix for one in skipped.moved] == ["fedora-debug-41"]
    assert contents(url) != before


def test_what_has_no_prefix_or_directory(url: str) -> None:
    """It stays and is named, as with MirrorManager's scripts."""
    execute(
        url,
        "UPDATE repository SET prefix = NULL WHERE id = 1",
        "UPDATE repository SET directory_id = NULL WHERE id = 2",
    )
    with pytest.raises(NoSuchRepository, match=r"has no prefix.*has no directory"):
        move_repositories(url, OF_41, TO_ARCHIVE)


def test_a_name_of_an_administrator(url: str) -> None:
    """A row whose name is not that of its directory keeps it."""
    execute(url, "UPDATE repository SET name = 'mine' WHERE id = 1")
    move_repositories(url, OF_41, TO_ARCHIVE)
    assert rows(url, COLUMNS)[0][:3] == ("fedora-41", "mine", ARCHIVED)


def test_two_that_would_become_one(url: str) -> None:
    """Two directories that become the same one are refused."""
    execute(url, f"UPDATE directory SET name = 'fedora/{OLD[11:]}' WHERE name = '{OLD}-debug'")
    result = move_repositories(url, OF_41, TO_ARCHIVE)
    assert [one.why for one in result.unready] == [
        f"{ARCHIVED}: two directories would become this one"
    ] * 2


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(category="Fedora Linus"), "category Fedora Linus: not in the database .perhaps"),
        (Choice(version="99"), "version 99: not in the database; mirrorlist repo list shows"),
        (Choice(prefix="fedora-4"), "prefix fedora-4: no repository has it .perhaps fedora-44"),
    ],
)
def test_a_wrong_name(url: str, choice: Choice, words: str) -> None:
    """It is refused, with the nearest one or with what shows them."""
    for work in (
        lambda: move_repositories(url, choice, TO_ARCHIVE),
        lambda: expire(url, choice),
        lambda: list_repositories(url, choice),
    ):
        with pytest.raises(NoSuchRepository, match=words):
            work()


def test_prefixes(url: str) -> None:
    """Only * and ? stand for others; a row without a prefix is not chosen by one."""
    execute(
        url,
        "UPDATE repository SET prefix = NULL WHERE id = 1",
        "UPDATE repository SET prefix = 'a[4]_%' WHERE id = 2",
    )

    def chosen(prefix: str) -> list[str | None]:
        return [one.prefix for one in list_repositories(url, Choice(prefix=prefix))]

    assert chosen("a[4]_%") == chosen("a[*") == ["a[4]_%"]
    assert chosen("*") == ["a[4]_%", "fedora-44", "fedora-codecs-41"]
    for prefix in ("", "[a]*", "a[4]__"):
        with pytest.raises(NoSuchRepository):
            expire(url, Choice(prefix=prefix))


def test_a_wrong_destination(url: str) -> None:
    """An archive, or a version of the release, that is not there is refused."""
    with pytest.raises(NoSuchRepository, match="category Archive: not in the database"):
        move_repositories(url, OF_41, Order(category="Archive"))
    execute(url, "DELETE FROM version WHERE name = '44'")
    with pytest.raises(NoSuchRepository, match="the product of Fedora Linux has no such version"):
        move_repositories(url, OF_LINUX, TO_RELEASE)
    execute(url, "UPDATE category SET topdir_id = NULL")
    with pytest.raises(NoSuchRepository, match="Fedora Archive: has no topdir"):
        move_repositories(url, OF_41, TO_ARCHIVE)


def test_expire(url: str, tmp_path: Path) -> None:
    """The metalink has no alternates any more, and the newest stays; others keep theirs."""
    before = exported(url, tmp_path, "fedora-41")
    dry = expire(url, Choice(prefix="fedora-41"), dry_run=True)
    assert len(exported(url, tmp_path, "fedora-41").versions) == 2
    result = expire(url, Choice(prefix="fedora-41"))
    assert result.expired == dry.expired
    ((newest,),) = rows(url, f"SELECT id FROM directory WHERE name = '{OLD}/repodata'")
    assert result.expired == [Expired(f"{OLD}/repodata", "repomd.xml", 1_700_000_000 + 10 * newest)]
    after = exported(url, tmp_path, "fedora-41")
    assert (after.versions, after.links) == (before.versions[:1], before.links)
    # A name that only begins alike is another directory.
    assert len(exported(url, tmp_path, "fedora-debug-41").versions) == 2
    assert expire(url, Choice(prefix="fedora-41")).expired == []


def test_expire_what_has_no_time(url: str, tmp_path: Path) -> None:
    """The newest is the same as in an export: a row without a time, or else of the highest id."""
    execute(url, "UPDATE file_detail SET timestamp = NULL")
    before = exported(url, tmp_path, "fedora-41")
    expire(url, Choice(prefix="fedora-41"))
    assert exported(url, tmp_path, "fedora-41").versions == before.versions[:1]


def test_expire_a_directory(url: str) -> None:
    """All files in a directory and below it are meant, with or without a repository."""
    result = expire(url, Choice(directory="pub/archive"))
    assert {one.directory for one in result.expired} == {
        f"{ARCHIVED}/repodata",
        f"{ARCHIVED}-debug/repodata",
    }
    assert result.repositories == 0
    with pytest.raises(NoSuchRepository, match="directory pub/none: not in the database"):
        expire(url, Choice(directory="pub/none"))
    with pytest.raises(NoSuchRepository, match="no repository with a directory fits"):
        expire(url, Choice(directory="pub/archive", arch="x86_64"))


def test_list(url: str) -> None:
    """Each repository has its names, and the number and the newest of its file details."""
    execute(url, "UPDATE category SET product_id = NULL WHERE id = 1")
    found = {one.prefix: one for one in list_repositories(url, Choice())}
    assert list(found) == ["fedora-41", "fedora-44", "fedora-codecs-41", "fedora-debug-41"]
    one = found["fedora-41"]
    ((id,),) = rows(url, f"SELECT id FROM directory WHERE name = '{OLD}/repodata'")
    assert (one.arch, one.version, one.product, one.category, one.directory) == (
        ("x86_64", "41", "Fedora", "Fedora Linux", OLD)
    )
    assert (one.details, one.newest) == (2, 1_700_000_001 + 10 * id)
    assert [one.prefix for one in list_repositories(url, Choice(prefix="*debug*"))] == [
        "fedora-debug-41"
    ]
    assert len(list_repositories(url, Choice(directory=OLD))) == 1


def test_a_dry_run(url: str) -> None:
    """It says what would be done, and does none of it."""
    before = contents(url)
    dry = move_repositories(url, OF_41, TO_ARCHIVE, dry_run=True)
    assert contents(url) == before
    assert dry.moved == move_repositories(url, OF_41, TO_ARCHIVE).moved


def test_the_number_of_statements(tmp_path: Path) -> None:
    """It is the same for ten times as many repositories."""
    counts = []
    for size in (1, 10):
        (tmp_path / str(size)).mkdir()
        url = released(tmp_path / str(size), size)
        with statements() as listed:
            list_repositories(url, Choice())
        with statements() as expired:
            assert len(expire(url, OF_41).expired) == 2 + size
        with statements() as moved:
            assert len(move_repositories(url, OF_41, TO_ARCHIVE).moved) == 1 + size
        counts.append([len(listed), len(expired), len(moved)])
    assert counts[0] == counts[1]
    assert max(counts[0]) < 25


def test_the_next_scan_compares_everything(url: str) -> None:
    """What the last scan of the categories saw no longer counts."""
    execute(
        url,
        """CREATE TABLE mirrorlist_scan (category_id INTEGER PRIMARY KEY, serial BIGINT,
            mark TEXT, digest TEXT, due BIGINT, state BYTEA)""",
        "INSERT INTO mirrorlist_scan VALUES (1, 1, 'a', 'a', NULL, ''), (2, 1, 'a', 'a', NULL, '')",
        "INSERT INTO mirrorlist_scan VALUES (3, 1, 'a', 'a', NULL, '')",
    )
    move_repositories(url, OF_41, TO_ARCHIVE)
    assert rows(url, "SELECT mark FROM mirrorlist_scan") == [("",), ("",), ("a",)]


def test_a_database_that_is_not_one(tmp_path: Path) -> None:
    """It is refused in one line."""
    with pytest.raises(DatabaseError, match="no such database file"):
        list_repositories(f"sqlite:///{tmp_path}/none", Choice())
    sqlite3.connect(tmp_path / "empty").execute("CREATE TABLE x (y)").connection.close()
    with pytest.raises(BackendError, match="no such table"):
        move_repositories(f"sqlite:///{tmp_path}/empty", OF_41, TO_ARCHIVE)
