"""A scan into SQLite: what the tables hold afterwards, whatever they held before."""

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from snapshot.file.errors import BusyScan, DatabaseError, RefusedScan, ScanSettingsError
from snapshot.scan.job import Changes
from snapshot.scan.run import scan
from tests.factories import Tables
from tests.scanned import (
    CATEGORY,
    NOW,
    SETTINGS,
    X86,
    Primary,
    contents,
    database,
    empty,
    execute,
    repomd,
    rows,
    stamps,
    statements,
)

DAY = 86_400


@pytest.fixture
def primary(tmp_path: Path) -> Primary:
    """A primary with one repository."""
    primary = Primary(tmp_path)
    primary.repository(X86)
    return primary


def test_a_first_scan(primary: Primary, tmp_path: Path) -> None:
    """All of it is there: directories, the repository with its version, its checksums."""
    url = database(tmp_path)
    result = primary.scan(url)
    found = contents(url)
    assert not result.unchanged
    assert [row[0] for row in found["directory"]] == [
        "pub/epel", "pub/epel/9", "pub/epel/9/Everything", f"pub/epel/{X86}",
        f"pub/epel/{X86}/Packages", f"pub/epel/{X86}/repodata", "pub/other",
    ]  # fmt: skip
    assert found["repository"] == [
        (f"pub/epel/{X86}", "epel-9", CATEGORY, "9", "x86_64", f"pub/epel/{X86}", 0)
    ]
    assert found["version"] == [("9", "EPEL", 0, 1, 1, 0)]
    (detail,) = found["file_detail"]
    assert detail[:4] == (f"pub/epel/{X86}/repodata", "repomd.xml", NOW, len(repomd(NOW)))
    assert [len(one) for one in detail[4:]] == [32, 40, 64, 128]
    assert ("Other", "pub/other") in found["category_directory"]


def test_nothing_changed(primary: Primary, tmp_path: Path) -> None:
    """A second scan ends at once and writes nothing; --full compares all, and writes nothing."""
    url = database(tmp_path)
    primary.scan(url)
    before = contents(url)
    with statements() as sent:
        assert primary.scan(url).unchanged
    assert not [one for one in sent if one.startswith(("BEGIN", "UPDATE", "INSERT", "CREATE"))]
    result = primary.scan(url, full=True)
    assert not result.unchanged
    assert (result.changes, result.files_read) == (Changes(), 0)
    assert contents(url) == before


@pytest.mark.parametrize(
    "command",
    [
        "INSERT INTO arch (id, name, publiclist, primary_arch) VALUES (9, 'riscv64', 1, 1)",
        "DELETE FROM repository",
        "DELETE FROM category_directory WHERE directory_id = 3",
        "UPDATE category SET product_id = 2 WHERE id = 1",
    ],
)
def test_a_changed_database(primary: Primary, tmp_path: Path, command: str) -> None:
    """What else a scan depends on ends the quiet: an arch, a deleted repository, the product."""
    url = database(tmp_path)
    primary.scan(url)
    execute(url, command)
    assert not primary.scan(url).unchanged


def test_a_row_of_the_last_scan_with_nulls(primary: Primary, tmp_path: Path) -> None:
    """It says nothing, so the scan compares everything and writes the row again."""
    url, columns = database(tmp_path), "category_id INTEGER PRIMARY KEY, serial, mark, digest, due"
    execute(
        url,
        f"CREATE TABLE mirrorlist_scan ({columns}, state)",
        "INSERT INTO mirrorlist_scan (category_id) VALUES (1)",
    )
    assert not primary.scan(url).unchanged
    assert primary.scan(url).unchanged


def test_a_changed_configuration(primary: Primary, tmp_path: Path) -> None:
    """Other rules call for a scan."""
    url = database(tmp_path)
    primary.scan(url)
    changed = msgspec.structs.replace(SETTINGS, digest="other")
    assert not primary.scan(url, settings=changed).unchanged


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("9/Everything/riscv64", "no arch of the database", id="arch"),
        pytest.param("Everything/x86_64", "no version is in this path", id="version"),
        pytest.param("9/Other/x86_64", "no repository_mapping fits", id="prefix"),
        pytest.param("9/Everything/x86_64/b", "epel-9 is at pub/epel/9/Everything/x86_64 already",
                     id="two with one name"),
    ],
)  # fmt: skip
def test_a_repository_that_cannot_be_named(
    primary: Primary, tmp_path: Path, path: str, words: str
) -> None:
    """It alone is left out and reported; its directories and checksums are there."""
    primary.repository(path)
    url = database(tmp_path)
    result = primary.scan(url)
    assert [one for one in result.problems if words in one and f"pub/epel/{path}" in one]
    assert len(contents(url)["repository"]) == 1
    assert len(stamps(url)) == 2


def test_a_moved_repository(primary: Primary, tmp_path: Path) -> None:
    """Its row is pointed to the new place, with its id; what referred to it still does."""
    url = database(tmp_path)
    primary.scan(url)
    ((id,),) = rows(url, "SELECT id FROM repository")
    os.rename(primary.root / "9", primary.root / "old")
    primary.put("9/Everything/tree/x86_64/keep")
    os.rename(primary.root / f"old{X86[1:]}", primary.root / "9/Everything/tree/x86_64/os")
    result = primary.scan(url)
    place = "pub/epel/9/Everything/tree/x86_64/os"
    assert result.changes.repositories_moved == [(f"pub/epel/{X86}", place)]
    assert rows(url, "SELECT id, name, prefix FROM repository") == [(id, place, "epel-9")]


def test_a_row_of_an_administrator(primary: Primary, tmp_path: Path) -> None:
    """A repository that somebody named otherwise, or made by hand, stays as it is."""
    url = database(tmp_path)
    primary.put("9/install/a")
    primary.scan(url)
    execute(
        url,
        "UPDATE repository SET prefix = 'mine'",
        """INSERT INTO repository (name, prefix, category_id, arch_id, directory_id, disabled)
            SELECT 'by hand', 'install-9', 1, 2, id, 0 FROM directory
            WHERE name = 'pub/epel/9/install'""",
    )
    result = primary.scan(url)
    assert [one for one in result.problems if "the database calls it mine" in one]
    assert [row[1] for row in contents(url)["repository"]] == ["install-9", "mine"]


@pytest.mark.parametrize("prefix", ["''", "NULL"])
def test_a_row_without_a_prefix(primary: Primary, tmp_path: Path, prefix: str) -> None:
    """A repository to which another scanner could give no prefix gets the one of the rules."""
    url = database(tmp_path)
    primary.scan(url)
    execute(url, f"UPDATE repository SET prefix = {prefix}")
    primary.scan(url, full=True)
    assert [row[1] for row in contents(url)["repository"]] == ["epel-9"]


def test_deleted_directories(primary: Primary, tmp_path: Path) -> None:
    """All that refers to them goes, also statistics; what another category has stays there."""
    url = database(tmp_path)
    primary.repository("10/Everything/x86_64")
    primary.put("shared/a")
    primary.scan(url)
    execute(
        url,
        "INSERT INTO propagation_stat SELECT id, '2026-01-01', 0, 0, 0, 0, 0 FROM repository",
        "INSERT INTO host_category (id, host_id, category_id, always_up2date) VALUES (1, 1, 1, 0)",
        """INSERT INTO host_category_dir (host_category_id, path, up2date, directory_id)
            SELECT 1, name, 1, id FROM directory""",
        """INSERT INTO category_directory
            SELECT 2, id FROM directory WHERE name = 'pub/epel/shared'""",
    )
    for name in (f"{X86}/repodata/repomd.xml", f"{X86}/Packages/a.rpm", "shared/a"):
        (primary.root / name).unlink()
    for name in (f"{X86}/repodata", f"{X86}/Packages", X86, "9/Everything", "9", "shared"):
        (primary.root / name).rmdir()
    result = primary.scan(url)
    assert len(result.changes.directories_deleted) == 6
    assert result.changes.repositories_deleted == [f"pub/epel/{X86}"]
    found = contents(url)
    assert [row[1] for row in found["repository"]] == ["epel-10"]
    assert ("Other", "pub/epel/shared") in found["category_directory"]
    assert "pub/epel/shared" in [row[0] for row in found["directory"]]
    for table, column, other in (
        ("host_category_dir", "directory_id", "directory"),
        ("category_directory", "directory_id", "directory"),
        ("file_detail", "directory_id", "directory"),
        ("propagation_stat", "repository_id", "repository"),
    ):
        sql = f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT id FROM {other})"
        assert rows(url, sql) == [(0,)], table
    sql = "SELECT path FROM host_category_dir WHERE path = 'pub/epel/shared'"
    assert rows(url, sql) == []


def test_too_many_deletions(primary: Primary, tmp_path: Path) -> None:
    """They are refused, and nothing is changed; --allow-deletions takes them."""
    url = database(tmp_path)
    primary.repository("10/Everything/x86_64")
    primary.scan(url)
    before = contents(url)
    for name in ("repodata/repomd.xml", "Packages/a.rpm"):
        (primary.root / X86 / name).unlink()
        (primary.root / X86 / name).parent.rmdir()
    with pytest.raises(RefusedScan, match="2 of 11 directories would be deleted, more than 10 %"):
        primary.scan(url, allow_deletions=False)
    assert contents(url) == before
    assert primary.scan(url).changes.repositories_deleted == [f"pub/epel/{X86}"]


def test_a_dry_run(primary: Primary, tmp_path: Path) -> None:
    """It says what a scan would do, and does none of it."""
    url = database(tmp_path)
    before = contents(url)
    found = primary.scan(url, dry_run=True).changes
    assert contents(url) == before
    assert rows(url, "SELECT name FROM sqlite_master WHERE name = 'mirrorlist_scan'") == []
    assert primary.scan(url).changes == found
    assert found.repositories_added == [f"epel-9 pub/epel/{X86}"]


def test_two_scans_at_once(primary: Primary, tmp_path: Path) -> None:
    """A scan whose inventory may be older than what another one wrote changes nothing."""
    url = database(tmp_path)
    primary.scan(url)
    primary.repository("10/Everything/x86_64")
    job = primary.job(url)

    def other(phase: str, *_: int) -> None:
        if phase == "writing":
            execute(url, "UPDATE mirrorlist_scan SET serial = serial + 1")

    before = contents(url)
    with pytest.raises(BusyScan, match="ended meanwhile"):
        scan(job, other)
    assert contents(url) == before


def test_a_locked_database(primary: Primary, tmp_path: Path) -> None:
    """A scan waits until another writer of the file has ended."""
    url = database(tmp_path)
    writer = sqlite3.connect(tmp_path / "mm.sqlite", check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    threading.Timer(0.2, writer.rollback).start()
    assert primary.scan(url).changes.repositories_added
    writer.close()


def test_the_number_of_statements(tmp_path: Path) -> None:
    """It is the same for ten times as many rows, in a first scan and in one with all changes."""
    counts = []
    for size in (1, 10):
        folder = tmp_path / str(size)
        primary = Primary(folder)
        url = database(folder)
        for number in range(2, 2 + 3 * size):
            primary.repository(f"{number}/Everything/x86_64", int(time.time()))
        with statements() as first:
            primary.scan(url)
        for number in range(2, 2 + size):
            (primary.root / f"{number}/Everything/x86_64/repodata/repomd.xml").unlink()
            (primary.root / f"{number}/Everything/x86_64/repodata").rmdir()
        for number in range(2 + size, 2 + 2 * size):
            primary.repository(f"{number}/Everything/x86_64", int(time.time()) + 1)
        primary.repository("1/Everything/x86_64")
        with statements() as second:
            primary.scan(url)
        counts.append((len(first), len(second)))
    assert counts[0] == counts[1]
    assert max(counts[0]) < 60


def test_the_work_of_the_statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times as many rows are at most 15 times the steps of SQLite's machine."""
    steps = [0]
    real = sqlite3.connect

    def connect(*arguments: Any, **given: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = real(*arguments, **given)
        connection.set_progress_handler(lambda: steps.append(steps.pop() + 1), 100)
        return connection

    counts = []
    for size in (1, 10):
        folder = tmp_path / str(size)
        primary, url = Primary(folder), database(folder)
        for number in range(5 * size):
            primary.repository(f"{number}/Everything/x86_64")
        with monkeypatch.context() as patch:
            patch.setattr(sqlite3, "connect", connect)
            for change in ("first", "second", "third"):
                steps[0] = 0
                primary.scan(url)
                counts.append(steps[0])
                primary.put(f"{change}/file")
                shutil.rmtree(primary.root / "0", ignore_errors=True)
                shutil.rmtree(primary.root / "1", ignore_errors=change != "first")
    assert [many / few < 15 for few, many in zip(counts[:3], counts[3:], strict=True)] == [True] * 3


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        pytest.param({"category": "Fedora EPLE", "source": "x"}, ScanSettingsError,
                     "not in the database .perhaps Fedora EPEL", id="category"),
        pytest.param({"database": "sqlite:////none/mm.sqlite"}, DatabaseError,
                     "no such database file", id="no file"),
    ],
)  # fmt: skip
def test_what_cannot_be_scanned(
    primary: Primary, tmp_path: Path, changes: Mapping[str, Any], error: type[Exception], words: str
) -> None:
    """It is refused in one line."""
    with pytest.raises(error, match=words):
        scan(primary.job(**{"database": database(tmp_path), **changes}))


def test_not_a_database(primary: Primary, tmp_path: Path) -> None:
    """A file of another kind, and a database without MirrorManager's tables, are refused."""
    (tmp_path / "other").write_text("x" * 2000)
    with pytest.raises(DatabaseError, match="cannot be used: file is not a database"):
        scan(primary.job(f"sqlite:///{tmp_path}/other"))
    sqlite3.connect(tmp_path / "empty").execute("CREATE TABLE x (y)").connection.close()
    with pytest.raises(DatabaseError, match="no such table: category"):
        scan(primary.job(f"sqlite:///{tmp_path}/empty"))


def test_a_category_without_a_topdir(primary: Primary, tmp_path: Path) -> None:
    """It cannot be scanned."""
    tables: Tables = empty()
    del tables["category"][0]["topdir_id"]
    with pytest.raises(DatabaseError, match="has no topdir"):
        scan(primary.job(database(tmp_path, tables)))
