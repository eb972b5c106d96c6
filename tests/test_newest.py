"""`export --newest`: which packages of the imported ones are the newest, by directory."""

from pathlib import Path

import pytest
from msgspec import structs

from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.export.newest_section import numbered
from snapshot.file.errors import OutputError
from snapshot.file.model import Directory
from snapshot.file.reader import MAX_NEWEST_BYTES, Snapshot
from tests.packaged import ARM, X86, Rpm, Site
from tests.scanned import execute

P = f"{X86}/Packages"
# Of MessagePack: a map of one, a small number, a long text.
OVERHEAD = 1 + 1 + 5


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with directories of packages."""
    folders = [f"{X86}/Packages/{letter}" for letter in "abcmz"] + [f"{ARM}/Packages/a"]
    rows = [{"id": 90 + at, "name": name} for at, name in enumerate(folders)]
    return Site(tmp_path, more={"directory": rows})


def newest(site: Site, folder: Path) -> dict[str, list[str]]:
    """Return what an export says."""
    job = Job(folder / "mm.snap", max_loss=None, newest=True, foreign=True)
    export(site.url, job)
    snapshot = Snapshot(job.output)
    assert snapshot.has_newest
    directories = snapshot.directories()
    return {directories[at].name: names.split() for at, names in snapshot.newest.items()}


def test_the_newest_packages(site: Site, tmp_path: Path) -> None:
    """A directory with older packages has the others; one without is not there."""
    site.write(
        X86,
        Rpm("a", "1.9"),
        Rpm("a", "1.10"),
        Rpm("a", "1", arch="i686"),
        Rpm("b", "1"),
        Rpm("c", "1~rc1"),
        Rpm("c", "0", epoch="1"),
        Rpm("c", "1^x"),
        Rpm("d", "1", path="Packages/z/d-1.rpm"),
        Rpm("d", "2", path="Packages/b/d-2.rpm"),
        Rpm("m", "1", release="1.module1"),
        Rpm("m", "2", release="1.module1"),
    )
    site.write(ARM, Rpm("a", "1"), Rpm("b"))
    site.run()
    assert newest(site, tmp_path) == {
        f"{P}/a": ["a-1-1.i686.rpm", "a-1.10-1.noarch.rpm"],
        f"{P}/c": ["c-0-1.noarch.rpm"],
        f"{P}/z": [],
    }


def test_a_directory_of_two_repositories(tmp_path: Path) -> None:
    """What is the newest of one repository stays, though another one has a newer one."""
    outer = X86.rpartition("/")[0]
    site = Site(tmp_path, X86, outer, more={"directory": [{"id": 90, "name": f"{P}/a"}]})
    site.write(X86, Rpm("a", "1"), Rpm("a", "2"), Rpm("a", "3"))
    site.write(outer, Rpm("a", "2", path="x86_64/Packages/a/a-2-1.noarch.rpm"))
    site.run()
    assert newest(site, tmp_path) == {f"{P}/a": ["a-2-1.noarch.rpm", "a-3-1.noarch.rpm"]}


def test_rows_that_no_import_wrote(site: Site, tmp_path: Path) -> None:
    """Rows of other types, which SQLite takes, are passed over."""
    site.write(X86, Rpm("a", "1"), Rpm("a", "2"), Rpm("b", "1"), Rpm("b", "2"))
    site.run()
    execute(site.url, "UPDATE mirrorlist_package SET release = x'00' WHERE name = 'a'")
    assert newest(site, tmp_path) == {f"{P}/b": ["b-2-1.noarch.rpm"]}


def test_nothing_is_older(site: Site, tmp_path: Path) -> None:
    """Then it is known that each package is the newest."""
    site.write(X86, Rpm("a"))
    site.run()
    assert newest(site, tmp_path) == {}


def test_the_limit() -> None:
    """What a reader takes is exported; a byte more is refused, with what to do instead."""
    directory = Directory("d", None, None, readable=True, ctime=0)
    most = "x" * (MAX_NEWEST_BYTES - OVERHEAD)
    assert numbered({"d": most, "of no directory": most}, [directory]) == {0: most}
    with pytest.raises(OutputError, match=r"67,108,865 bytes .* 67,108,864: .* `packages slim`"):
        numbered({"d": f"{most}x"}, [directory])


def test_without_an_import(site: Site, tmp_path: Path) -> None:
    """Without the tables, or without --newest, nothing is known; a note says so."""
    job = Job(tmp_path / "mm.snap", max_loss=None, newest=True, foreign=True)
    export(site.url, job)
    found = Snapshot(job.output)
    assert not found.has_newest
    (note,) = [note for note in found.report.notes if "newest" in note]
    assert note.endswith("no table mirrorlist_repodata: run `mirrorlist packages import` first")
    export(site.url, structs.replace(job, newest=False))
    found = Snapshot(job.output)
    assert not found.has_newest
    assert not [note for note in found.report.notes if "newest" in note]
