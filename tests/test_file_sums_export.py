"""Exports with --files: sums of imported packages in a snapshot, read only when they changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snapshot.export.exporter import export
from snapshot.export.imported import TABLES
from snapshot.export.job import Job
from snapshot.export.pipeline import ExportResult
from snapshot.file.difference import compare
from snapshot.file.errors import RefusedSnapshot, SnapshotError
from snapshot.file.reader import Snapshot
from snapshot.packages.tables import LOCATION, PACKAGE, REPODATA
from tests.packaged import ARM, X86, Rpm, Site, hosts, joined
from tests.scanned import execute
from tests.snapshots import patched, place_of
from tests.statements import statements

TEA, CUP = Rpm("tea", size="1234"), Rpm("cup")
TEA_PATH = f"{X86}/Packages/t/tea-1-1.noarch.rpm"
WITH_URLS = joined(
    hosts(),
    {
        "host_category_url": [
            {"id": number, "host_category_id": number, "url": f"https://h{number}.example/epel"}
            for number in (1, 2)
        ],
        "category_directory": [{"category_id": 1, "directory_id": 1}],
    },
)
Exported = Callable[..., ExportResult]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with two packages of one repository, imported."""
    made = Site(tmp_path, X86, ARM, more=WITH_URLS)
    made.write(X86, TEA, CUP)
    made.run()
    return made


@pytest.fixture
def exported(site: Site, tmp_path: Path) -> Exported:
    """Exports the site's database, with sums of files."""

    def run(**changes: Any) -> ExportResult:
        job = Job(**{"output": tmp_path / "mm.snap", "files": True, **changes})
        return export(site.url, job)

    return run


def test_the_tables_have_these_names() -> None:
    """An export knows the names of the tables that an import writes."""
    assert TABLES == (REPODATA, PACKAGE, LOCATION)


def test_sums_of_packages(exported: Exported, tmp_path: Path) -> None:
    """A snapshot has the size and the sum of each imported package, by its whole path."""
    result = exported()
    assert result.counts["file_sums"] == 2
    snapshot = Snapshot(tmp_path / "mm.snap")
    found = snapshot.file_sum(TEA_PATH)
    assert found is not None
    assert found.size == 1234
    assert snapshot.file_sum(f"{ARM}/Packages/t/tea-1-1.noarch.rpm") is None


def test_off_by_default(exported: Exported, tmp_path: Path) -> None:
    """Without --files, a snapshot has neither section, and not one statement more is made."""
    with statements() as plain:
        result = exported(files=False)
    assert "file_sums" not in result.counts
    assert (
        not {"file_index", "file_sums"} & dict(Snapshot(tmp_path / "mm.snap").section_sizes).keys()
    )
    assert not [sql for sql in plain if "mirrorlist_package" in sql]


def test_read_once(exported: Exported, site: Site, tmp_path: Path) -> None:
    """Packages are read again only if a repository has changed; else the bytes stay the same."""
    exported()
    first = Snapshot(tmp_path / "mm.snap").packed_sums()
    with statements() as seen:
        result = exported()
    assert not result.changed
    assert not [sql for sql in seen if LOCATION in sql]
    site.write(X86, TEA, CUP, Rpm("pot"))
    site.run()
    with statements() as seen:
        result = exported()
    assert result.changed
    assert len([sql for sql in seen if LOCATION in sql]) == 1
    assert Snapshot(tmp_path / "mm.snap").counts()["file_sums"] == 3
    assert first != Snapshot(tmp_path / "mm.snap").packed_sums()


def test_damaged_in_place(exported: Exported, tmp_path: Path) -> None:
    """Packages are read again if the published snapshot is damaged."""
    exported()
    path = tmp_path / "mm.snap"
    id = Snapshot(path).id
    path.write_bytes(path.read_bytes()[:-9] + b"123456789")
    exported()
    assert Snapshot(path).id == id


def test_nothing_was_imported(tmp_path: Path) -> None:
    """Without an import, a snapshot with --files has no sums, and a note says what to do."""
    site = Site(tmp_path, X86, more=WITH_URLS)
    result = export(site.url, Job(tmp_path / "mm.snap", files=True))
    assert result.counts["file_sums"] == 0
    assert result.notes == (
        "--files: there is no table mirrorlist_repodata: run `mirrorlist packages import` first",
    )


def test_sums_are_not_lost(exported: Exported, site: Site, tmp_path: Path) -> None:
    """An export that would lose too many sums is refused; one without --files is meant so."""
    exported()
    execute(site.url, f"DELETE FROM {LOCATION}")
    execute(site.url, f"UPDATE {REPODATA} SET packages = 0")
    with pytest.raises(RefusedSnapshot, match="lost 2 of 2 sums of single files, more than"):
        exported()
    assert Snapshot(tmp_path / "mm.snap").counts()["file_sums"] == 2
    assert exported(max_loss=100).counts["file_sums"] == 0
    exported(files=False)


def test_sealed(exported: Exported, tmp_path: Path) -> None:
    """A sealed snapshot is read with its key, and sums that were changed break the seal."""
    key = b"k" * 64
    exported(key=key)
    path = tmp_path / "mm.snap"
    assert Snapshot(path, key).file_sum(TEA_PATH)
    for section in ("file_index", "file_sums"):
        content = path.read_bytes()
        spoilt = tmp_path / section
        at = place_of(content, section)
        spoilt.write_bytes(patched(content, at, "B", content[at] ^ 1))
        with pytest.raises(SnapshotError, match="seal"):
            Snapshot(spoilt, key)


def test_difference(exported: Exported, site: Site, tmp_path: Path) -> None:
    """Between snapshots with other sums, `diff` names the section that differs."""
    exported()
    site.write(X86, TEA)
    site.run()
    exported(max_loss=100)
    found = compare(Snapshot(tmp_path / "mm.snap.1"), Snapshot(tmp_path / "mm.snap"))
    assert found.sections == ["file_index"]
    assert not found.equal


def test_rows_that_cannot_be_used(exported: Exported, site: Site, tmp_path: Path) -> None:
    """A package with another kind of sum, or a path that no request can name, is counted."""
    execute(site.url, f"UPDATE {PACKAGE} SET sum_kind = 'sha512' WHERE name = 'cup'")
    execute(site.url, f"UPDATE {LOCATION} SET path = '../x.rpm' WHERE path LIKE '%tea%'")
    result = exported()
    assert result.counts["file_sums"] == 0
    assert result.notes == ("--files: 2 packages have no SHA-256 or no usable path",)
    # The note stays while the sums do.
    assert exported().notes == result.notes


@pytest.mark.parametrize(
    "path", ["./Packages//t/tea-1-1.noarch.rpm", "Packages/./t/tea-1-1.noarch.rpm"]
)
def test_untidy_paths(exported: Exported, site: Site, tmp_path: Path, path: str) -> None:
    """A path with dots and slashes too many is that of the file."""
    execute(site.url, f"UPDATE {LOCATION} SET path = '{path}' WHERE path LIKE '%tea%'")
    exported()
    assert Snapshot(tmp_path / "mm.snap").file_sum(TEA_PATH)


def test_one_path_in_two_repositories(site: Site, exported: Exported, tmp_path: Path) -> None:
    """A path that two repositories share has its sum if they agree, and none if they differ."""
    other = f"{X86}/Packages"
    # The repository of another arch, which is empty, is moved to a directory within the first one.
    execute(site.url, f"UPDATE directory SET name = '{other}' WHERE name = '{ARM}'")
    site.write(other, Rpm("tea", size="1234", path="t/tea-1-1.noarch.rpm"))
    site.run()
    assert exported().notes == ()
    assert Snapshot(tmp_path / "mm.snap").file_sum(TEA_PATH)
    site.write(other, Rpm("tea", size="1235", path="t/tea-1-1.noarch.rpm"))
    site.run()
    assert exported(max_loss=100).notes == (
        "--files: of 1 files, repositories tell different sums",
    )
    assert Snapshot(tmp_path / "mm.snap").file_sum(TEA_PATH) is None
