"""The demo database: the same at each build, recognisably Fedora, with every oddity."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from snapshot.demo import build_demo
from snapshot.demo.tree import NOW
from snapshot.file.errors import OutputError
from tests.demo_queries import CARRIED, USABLE, column, one

DAY = 24 * 3600
ISO = "pub/fedora/linux/releases/43/Server/x86_64/iso"

BUILD = "import sys, pathlib, snapshot.demo; snapshot.demo.build_demo(pathlib.Path(sys.argv[1]))"

Rows = list[tuple[object, ...]]


@dataclass(frozen=True)
class Built:
    """The demo's database file, built in the place of an older one, and what progress heard."""

    path: Path
    told: list[str]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The one build that all look at."""
    found = Built(tmp_path_factory.mktemp("demo") / "demo.sqlite", [])
    found.path.write_text("an older file")
    build_demo(found.path, found.told.append)
    return found


@pytest.fixture(scope="module")
def path(built: Built) -> Path:
    """The demo's database file."""
    return built.path


@pytest.fixture
def demo(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the demo's database."""
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def _tables(demo: sqlite3.Connection) -> list[object]:
    return column(demo, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")


def _dump(path: Path) -> dict[object, Rows]:
    with closing(sqlite3.connect(path)) as demo:
        return {
            table: demo.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()
            for table in _tables(demo)
        }


@pytest.mark.system
def test_is_the_same_at_each_build(path: Path, tmp_path: Path) -> None:
    """Another process, with another order of its sets, writes equal rows into all tables."""
    again = tmp_path / "again.sqlite"
    subprocess.run(
        [sys.executable, "-c", BUILD, str(again)],
        check=True,
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"PYTHONHASHSEED": "7"},
    )
    assert _dump(again) == _dump(path)


def test_replaces_the_file_whole(path: Path) -> None:
    """A build replaces an older file and leaves nothing beside it."""
    assert path.read_bytes().startswith(b"SQLite format 3\0")
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_directory_is_an_output_error(tmp_path: Path) -> None:
    """A file that cannot be written is an OutputError that names it."""
    path = tmp_path / "missing" / "demo.sqlite"
    with pytest.raises(OutputError, match=r"missing/demo\.sqlite: cannot be written"):
        build_demo(path)


def test_tells_its_progress(built: Built) -> None:
    """Progress hears of each table that gets rows."""
    assert "host: 65 rows" in built.told
    assert built.told[-1].startswith("host_category_")


def test_references_hold(demo: sqlite3.Connection) -> None:
    """Every foreign key refers to a row that exists."""
    assert demo.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize(
    ("query", "least", "most"),
    [
        pytest.param("SELECT count(*) FROM host", 55, 70, id="hosts"),
        pytest.param("SELECT count(*) FROM site", 40, 50, id="sites"),
        pytest.param("SELECT count(DISTINCT upper(country)) FROM host", 30, 35, id="countries"),
        pytest.param("SELECT count(*) FROM category", 4, 10, id="categories"),
        pytest.param("SELECT count(*) FROM directory", 1500, 3000, id="directories"),
        pytest.param("SELECT count(*) FROM host_category_dir", 50_000, 100_000, id="carried"),
        pytest.param("SELECT count(*) FROM repository WHERE prefix IS NULL", 2, 6, id="no prefix"),
        pytest.param("SELECT count(*) FROM host WHERE bandwidth_int IS NULL", 2, 5, id="no speed"),
        pytest.param("SELECT min(bandwidth_int) FROM host", 100, 100, id="slowest"),
        pytest.param("SELECT max(bandwidth_int) FROM host", 40_000, 40_000, id="fastest"),
        pytest.param("SELECT count(*) FROM repository_redirect", 4, 10, id="redirects"),
    ],
)
def test_sizes(demo: sqlite3.Connection, query: str, least: int, most: int) -> None:
    """The demo is small, but has enough of everything."""
    assert least <= int(str(one(demo, query))) <= most


@pytest.mark.parametrize(
    ("country", "least"),
    [("DE", 3), ("BR", 3), ("JP", 3), ("US", 5), ("CA", 1), ("ZA", 1), ("AU", 1), ("CN", 1)],
)
def test_hosts_in_a_country(demo: sqlite3.Connection, country: str, least: int) -> None:
    """The countries used in examples have enough hosts, and no continent is without."""
    hosts = column(demo, f"SELECT name FROM ({USABLE}) WHERE country = ?", country)
    assert len(hosts) >= least


def test_a_country_without_usable_host(demo: sqlite3.Connection) -> None:
    """Portugal's only host is inactive, so its clients see what comes after the country."""
    assert one(demo, f"SELECT count(*) FROM ({USABLE}) WHERE country = 'PT'") == 0


@pytest.mark.parametrize(
    ("prefix", "arch", "directory"),
    [
        ("fedora-43", "x86_64", "pub/fedora/linux/releases/43/Everything/x86_64/os"),
        ("fedora-43", "ppc64le", "pub/fedora-secondary/releases/43/Everything/ppc64le/os"),
        (
            "fedora-debug-43",
            "aarch64",
            "pub/fedora/linux/releases/43/Everything/aarch64/debug/tree",
        ),
        ("fedora-source-43", "source", "pub/fedora/linux/releases/43/Everything/source/tree"),
        ("updates-released-f44", "x86_64", "pub/fedora/linux/updates/44/Everything/x86_64"),
        (
            "updates-released-debug-f42",
            "aarch64",
            "pub/fedora/linux/updates/42/Everything/aarch64/debug",
        ),
        (
            "updates-released-source-f42",
            "source",
            "pub/fedora/linux/updates/42/Everything/source/tree",
        ),
        ("updates-testing-f44", "x86_64", "pub/fedora/linux/updates/testing/44/Everything/x86_64"),
        ("rawhide", "x86_64", "pub/fedora/linux/development/rawhide/Everything/x86_64/os"),
        ("rawhide-source", "source", "pub/fedora/linux/development/rawhide/Everything/source/tree"),
        ("epel-10", "x86_64", "pub/epel/10/Everything/x86_64"),
        ("epel-debug-10", "ppc64le", "pub/epel/10/Everything/ppc64le/debug"),
        ("testing-epel9", "aarch64", "pub/epel/testing/9/Everything/aarch64"),
        ("fedora-cisco-openh264-43", "x86_64", "pub/openh264/43/x86_64/os"),
        ("fedora-install-44", "x86_64", "pub/fedora/linux/releases/44/Server/x86_64/os"),
        ("fedora-41", "x86_64", "pub/archive/fedora/linux/releases/41/Everything/x86_64/os"),
    ],
)
def test_repositories(demo: sqlite3.Connection, prefix: str, arch: str, directory: str) -> None:
    """Prefixes follow MirrorManager's rules and point to the directories that Fedora has."""
    found = demo.execute(
        "SELECT directory.name, disabled, repository.name = directory.name FROM repository"
        " JOIN directory ON directory.id = directory_id JOIN arch ON arch.id = arch_id"
        " WHERE prefix = ? AND arch.name = ?",
        (prefix, arch),
    ).fetchall()
    assert found == [(directory, 0, 1)]


def test_a_disabled_repository(demo: sqlite3.Connection) -> None:
    """One prefix is disabled, for all its arches."""
    query = "SELECT DISTINCT prefix FROM repository WHERE disabled"
    assert one(demo, query) == "fedora-modular-38"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("fedora-rawhide", "rawhide"),
        ("updates-released-f45", "rawhide"),
        ("epel-latest", "epel-10"),
    ],
)
def test_redirects(demo: sqlite3.Connection, old: str, new: str) -> None:
    """A redirect leads from a prefix that no repository has to one that some have."""
    assert one(demo, "SELECT to_repo FROM repository_redirect WHERE from_repo = ?", old) == new
    prefixes = column(demo, "SELECT prefix FROM repository")
    assert (old in prefixes, new in prefixes) == (False, True)


def test_a_repository_in_no_category(demo: sqlite3.Connection) -> None:
    """ELN's directories are in no category, so nobody can carry them."""
    query = """
        SELECT DISTINCT prefix FROM repository WHERE directory_id NOT IN
        (SELECT directory_id FROM category_directory)
    """
    assert one(demo, query) == "eln"


def test_directories_in_two_categories(demo: sqlite3.Connection) -> None:
    """IoT's topdir lies within another one, whose category lists its directories too."""
    query = """
        SELECT category.name FROM category_directory JOIN category ON category.id = category_id
        JOIN directory ON directory.id = directory_id WHERE directory.name = ?
        ORDER BY category.id
    """
    found = column(demo, query, "pub/alt/iot/43/IoT/x86_64/iso")
    assert found == ["Fedora Other", "Fedora IoT"]


def test_every_topdir_is_in_its_category(demo: sqlite3.Connection) -> None:
    """Each category lists its topdir."""
    query = """
        SELECT count(*) FROM category JOIN category_directory listed
        ON listed.category_id = category.id AND listed.directory_id = topdir_id
    """
    assert one(demo, query) == one(demo, "SELECT count(*) FROM category")


def test_parents_are_directories_too(demo: sqlite3.Connection) -> None:
    """Between a directory and `pub` there is no gap."""
    names = {str(name) for name in column(demo, "SELECT name FROM directory")}
    assert {name.rpartition("/")[0] for name in names} <= names | {""}


def test_an_unreadable_directory_is_on_no_host(demo: sqlite3.Connection) -> None:
    """The next release is not readable yet, and no host has a copy that a crawler saw."""
    unreadable = column(demo, "SELECT name FROM directory WHERE NOT readable")
    assert "pub/fedora/linux/releases/test/45_Beta/Everything/x86_64/os" in unreadable
    assert column(demo, f"{CARRIED} WHERE NOT readable") == []


@pytest.mark.parametrize(
    ("name", "youngest", "oldest"),
    [
        ("pub/fedora/linux/updates/44/Everything/x86_64/repodata", 0, 1),
        ("pub/fedora/linux/development/rawhide/Everything/x86_64/os/repodata", 0, 1),
        ("pub/fedora/linux/updates/44/Everything/x86_64/Packages/k", 0, 22),
        ("pub/fedora/linux/releases/44/Everything/x86_64/os/repodata", 190, 210),
        ("pub/archive/fedora/linux/releases/41/Everything/x86_64/os/repodata", 700, 800),
    ],
)
def test_ctimes(demo: sqlite3.Connection, name: str, youngest: int, oldest: int) -> None:
    """What is updated daily changed lately, a release changed when it was made (in days)."""
    ctime = int(str(one(demo, "SELECT ctime FROM directory WHERE name = ?", name)))
    assert youngest * DAY <= NOW - ctime <= oldest * DAY


def test_every_repository_has_a_repomd(demo: sqlite3.Connection) -> None:
    """Each repository's repodata has a repomd.xml with size, time and all four hashes."""
    query = """
        SELECT count(DISTINCT directory.id) FROM repository
        JOIN directory ON directory.name = repository.name || '/repodata'
        JOIN file_detail ON file_detail.directory_id = directory.id
        WHERE filename = 'repomd.xml' AND size BETWEEN 3000 AND 6500 AND length(md5) = 32
        AND length(sha1) = 40 AND length(sha256) = 64 AND length(sha512) = 128
    """
    assert one(demo, query) == one(demo, "SELECT count(*) FROM repository")


@pytest.mark.parametrize(
    ("prefix", "alternates"),
    [("fedora-43", 0), ("updates-released-f43", 2), ("rawhide", 2), ("epel-10", 1)],
)
def test_alternates(demo: sqlite3.Connection, prefix: str, alternates: int) -> None:
    """Daily repositories have older repomd.xml files a day apart, added before the current one."""
    times = column(
        demo,
        "SELECT timestamp FROM file_detail detail"
        " JOIN directory ON directory.id = detail.directory_id"
        " JOIN repository ON directory.name = repository.name || '/repodata'"
        " JOIN arch ON arch.id = arch_id"
        " WHERE prefix = ? AND arch.name = 'x86_64' ORDER BY detail.id",
        prefix,
    )
    newest = int(str(times[-1]))
    assert times == [newest - age * DAY for age in range(alternates, -1, -1)]


@pytest.mark.parametrize(
    ("directory", "filename"),
    [
        (ISO, "Fedora-Server-dvd-x86_64-43-1.6.iso"),
        (ISO.replace("Server", "Workstation"), "Fedora-Workstation-Live-43-1.6.x86_64.iso"),
    ],
)
def test_images_have_sha256_only(demo: sqlite3.Connection, directory: str, filename: str) -> None:
    """An image has what a checksum file says: one hash; its size is more than 2 GiB."""
    ((sha256, others, size),) = demo.execute(
        "SELECT length(sha256), coalesce(md5, sha1, sha512), file_detail.size FROM file_detail"
        " JOIN directory ON directory.id = directory_id"
        " WHERE directory.name = ? AND filename = ?",
        (directory, filename),
    ).fetchall()
    assert (sha256, others) == (64, None)
    assert size > 2 << 30


def test_lists_the_files_of_a_directory(demo: sqlite3.Connection) -> None:
    """A directory's list of files is JSON, sorted by name."""
    files = one(demo, "SELECT files FROM directory WHERE name = ?", ISO)
    assert isinstance(files, bytes)
    assert files.startswith(b'[{"name":"Fedora-Server-dvd-x86_64-43-1.6.iso","size":')
