"""Imports of packages: what the tables say after them, and what changes nothing."""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.packages.release import Release
from snapshot.file.errors import BusyImport, DatabaseError, PackagesError, RefusedImport
from snapshot.link import Row, linked
from snapshot.packages.job import ImportJob
from snapshot.packages.primary import Package
from snapshot.packages.run import import_packages
from snapshot.packages.staging import Staging
from tests.factories import make_database
from tests.packaged import ARM, X86, Rpm, Site, names, tables, write
from tests.scanned import execute, rows, statements

BASH = Rpm("bash", "5", ('name="bash" flags="EQ" epoch="0" ver="5" rel="1"',), ('name="libc"',))
TEA = Rpm("tea", "1", ('name="tea"',), ('name="libc"', 'name="bash" flags="GE" ver="4"'))
CUP = Rpm("cup", "1", ('name="cup"',), ('name="libc"',))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with two repositories, which have a package in common."""
    site = Site(tmp_path)
    site.write(X86, BASH, TEA)
    site.write(ARM, BASH, CUP)
    return site


def test_a_first_import(site: Site) -> None:
    """It writes each package and each capability once, however many have it."""
    result = site.run()
    assert result.imported == [ARM, X86]
    assert (result.packages, result.packages_added, result.capabilities_added) == (4, 3, 5)
    found = site.contents()
    assert names(site) == ["bash-5", "cup-1", "tea-1"]
    assert [row[0] for row in found["repodata"]] == [ARM, X86]
    assert found["capability"] == [
        ("bash", 8, "0:5-1"),
        ("bash", 12, "4"),
        ("cup", 0, ""),
        ("libc", 0, ""),
        ("tea", 0, ""),
    ]
    assert len(found["uses"]) == 7
    assert sorted(row[3] for row in found["location"] if row[0] == X86) == [
        "Packages/b/bash-5-1.noarch.rpm",
        "Packages/t/tea-1-1.noarch.rpm",
    ]
    tea = found["package"][2]
    digest = hashlib.sha256(b"tea 1").hexdigest()
    assert tea[1:] == ("tea", "0", "1", "1", "noarch", 1000, "sha256", digest)


def test_nothing_changed(site: Site) -> None:
    """An import of the same revision reads no primary.xml, and writes nothing."""
    site.run()
    for path in site.source.rglob("*-primary.xml.gz"):
        path.unlink()
    before = site.contents()
    with statements() as sent:
        result = site.run()
    assert result.unchanged == [ARM, X86]
    assert not result.imported
    assert not [one for one in sent if not one.startswith(("SELECT", "PRAGMA"))]
    assert site.contents() == before


@pytest.mark.parametrize("full", [False, True])
def test_a_changed_repository(site: Site, tmp_path: Path, full: bool) -> None:
    """After any change the tables are those of a first import of what is there now."""
    site.run()
    tea = Rpm("tea", "2", ('name="tea"',), ('name="libc"', 'name="milk"'))
    site.write(X86, BASH, tea, Rpm("new"))
    result = site.run(full=full)
    assert result.imported == ([ARM, X86] if full else [X86])
    assert (result.packages_added, result.packages_deleted) == (2, 1)
    assert (result.capabilities_added, result.capabilities_deleted) == (1, 1)
    assert site.contents() == _first(site, tmp_path)


def test_only_new_packages_are_parsed(site: Site) -> None:
    """What was in the last revision is not sent to the database again."""
    site.run()
    site.write(X86, BASH, TEA, CUP)
    seen: list[str] = []
    staged = Staging._staged

    def seeing(self: Staging, repository: int, package: Package, *more: Any) -> Iterator[Row]:
        seen.append(package.name)
        return staged(self, repository, package, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Staging, "_staged", seeing)
        site.run()
    assert seen == ["cup"]


def _first(site: Site, folder: Path) -> object:
    """Return the tables after a first import of the source of a site."""
    again = Site.__new__(Site)
    again.source, again.url = site.source, make_database(folder / "2.sqlite", tables(X86, ARM))
    again.run()
    return again.contents()


def test_a_repository_that_leaves(site: Site, tmp_path: Path) -> None:
    """One that is not at the source any more leaves, with all that no other has."""
    site.run()
    shutil.rmtree(site.source / ARM)
    assert site.run().deleted == [ARM]
    assert names(site) == ["bash-5", "tea-1"]
    assert site.contents() == _first(site, tmp_path)
    execute(site.url, "DELETE FROM repository")
    with pytest.raises(PackagesError, match="has no such repository"):
        site.run()


def test_a_repository_that_the_database_lost(site: Site) -> None:
    """It leaves in an import of all, not in one of another repository."""
    site.run()
    execute(site.url, f"DELETE FROM repository WHERE name = '{ARM}'")
    assert not site.run(repo="epel-2").deleted
    assert site.run().deleted == [ARM]
    assert names(site) == ["bash-5", "tea-1"]


def test_too_much_would_leave(site: Site) -> None:
    """An import is refused if more than a tenth is no longer there, such as in an empty folder."""
    site.run()
    before = site.contents()
    shutil.rmtree(site.source / ARM)
    with pytest.raises(RefusedImport, match=r"1 of 2 repositories .* --allow-deletions"):
        site.run(allow_deletions=False)
    assert site.contents() == before


def test_another_source(site: Site, tmp_path: Path) -> None:
    """What another source does not have stays: only its own source can say that it is gone."""
    site.run()
    other = tmp_path / "other"
    write(other / X86, b"x")
    with pytest.raises(PackagesError, match=r"primary\.xml is not XML"):
        site.run(source=str(other))
    assert names(site) == ["bash-5", "cup-1", "tea-1"]


def test_a_damaged_repository(site: Site) -> None:
    """Its packages stay as they were, the others are imported, and the problem is said."""
    site.run()
    site.write(X86, TEA)
    site.write(ARM, CUP, Rpm("bad", provides=('name="bad"',)), ending="")
    path = next((site.source / ARM / "repodata").glob("*-primary.xml"))
    path.write_bytes(path.read_bytes().replace(b"thing", b"thong"))
    result = site.run()
    assert result.imported == [X86]
    assert [one.partition(":")[0] for one in result.problems] == [ARM]
    assert names(site) == ["bash-5", "cup-1", "tea-1"]
    assert not [row for row in site.contents()["capability"] if row[0] == "bad"]
    assert site.run().unchanged == [X86]


def test_a_repomd_that_the_database_knows(site: Site) -> None:
    """It must be the newest that a scan has read; else the repository stays as it was."""
    site.run()
    data = (site.source / X86 / "repodata/repomd.xml").read_bytes()
    insert = "INSERT INTO file_detail (directory_id, filename, timestamp, sha256, sha512)"
    execute(
        site.url,
        f"INSERT INTO directory (id, name, readable) VALUES (50, '{X86}/repodata', 1)",
        f"{insert} VALUES (50, 'repomd.xml', 9, '{hashlib.sha256(data).hexdigest().upper()}', 'a')",
        f"{insert} VALUES (50, 'repomd.xml', 8, '{hashlib.sha256().hexdigest()}', NULL)",
    )
    site.write(ARM, CUP)
    assert not site.run().problems
    site.write(X86, TEA)
    result = site.run()
    why = "its repomd.xml does not have the sha256 that the database has of the newest"
    assert result.problems == [f"{X86}: {why}; scan or probe the primary, then import again"]
    assert "bash-5" in names(site)
    data = (site.source / X86 / "repodata/repomd.xml").read_bytes()
    digest = hashlib.sha512(data).hexdigest()
    execute(site.url, f"{insert} VALUES (50, 'repomd.xml', 10, NULL, '{digest}')")
    assert site.run().imported == [X86]


def test_one_repository(site: Site) -> None:
    """The source may be the repository itself, if --repo and --arch name one."""
    result = site.run(repo="epel-2", arch="x86_64", source=str(site.source / X86))
    assert result.imported == [X86]
    # Now from another source, which is remembered.
    result = site.run(repo="epel-2")
    assert (result.imported, result.packages_added, result.packages_deleted) == ([X86], 0, 0)
    assert site.run(repo="epel-2").unchanged == [X86]
    with pytest.raises(PackagesError, match=r"repository epel-3 x86_64: not in the database;"):
        site.run(repo="epel-3", arch="x86_64")
    with pytest.raises(PackagesError, match="perhaps epel-3"):
        site.run(repo="epel-33")


def test_what_is_told_meanwhile(site: Site) -> None:
    """Each phase goes from its first step to its last one; packages are counted by their bytes."""
    told: list[tuple[str, int, int]] = []
    job = ImportJob(database=site.url, source=str(site.source))
    import_packages(job, lambda *step: told.append(step))
    assert told[:3] == [("reading repomd.xml", done, 2) for done in range(3)]
    size = sum(one.stat().st_size for one in site.source.rglob("*-primary*"))
    reading = [step for step in told if step[0] == "reading packages"]
    assert [one[2] for one in reading] == [size, size]
    assert 0 == reading[0][1] < reading[1][1] < size
    assert told[-1] == ("writing", 0, 0)


def test_a_relative_source(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is the same source from wherever it is named."""
    site.run()
    monkeypatch.chdir(site.source.parent)
    assert site.run(source=site.source.name).unchanged == [ARM, X86]


def test_topdir(tmp_path: Path) -> None:
    """The source may be a directory of the database; what is not below it stays as it was."""
    other = "alt/9/x86_64"
    site = Site(tmp_path, X86, other)
    site.write(X86, TEA)
    site.write(other, CUP)
    site.run()
    site.write(X86, BASH)
    site.write(other, BASH)
    result = site.run(source=str(site.source / "pub"), topdir="/pub/")
    assert (result.imported, result.deleted, result.without) == ([X86], [], 0)
    assert names(site) == ["bash-5", "cup-1"]
    shutil.rmtree(site.source / X86)
    assert site.run(source=str(site.source / "pub"), topdir="pub").deleted == [X86]
    with pytest.raises(PackagesError, match=f"pu: no repository is below it; there is {other}"):
        site.run(topdir="pu")


def test_capabilities_in_any_order(site: Site) -> None:
    """A package that names a capability twice has it once, and the order means nothing."""
    site.write(X86, Rpm("tea", requires=('name="a"', 'name="b"', 'name="a" pre="1"')))
    site.write(ARM, Rpm("tea", requires=('name="b"', 'name="a"')))
    assert site.run().packages_added == 1
    assert [row[1:3] for row in site.contents()["uses"]] == [(1, "a"), (1, "b")]


def test_capabilities_that_differ_in_one_thing(site: Site) -> None:
    """Another way to compare, or another version, is another capability."""
    given = [(2, "LT", "1"), (4, "GT", "1"), (8, "EQ", "1"), (8, "EQ", "2"), (10, "LE", "1")]
    given += [(12, "GE", "1"), (12, "GE", "2")]
    requires = [f'name="a" flags="{word}" ver="{version}"' for _, word, version in given]
    site.write(X86, Rpm("cup", requires=(requires[0],)))
    site.write(ARM, BASH)
    site.run()
    site.write(X86, Rpm("cup", requires=(requires[0],)), Rpm("tea", requires=tuple(requires)))
    assert site.run().capabilities_added == 6
    wanted = [("a", flags, version) for flags, _, version in given]
    found = site.contents()
    assert [row for row in found["capability"] if row[0] == "a"] == wanted
    assert sorted(row[2:] for row in found["uses"] if row[2] == "a") == sorted([wanted[0], *wanted])


def test_a_dry_run(site: Site) -> None:
    """It says what would change, and writes nothing, not even the tables."""
    assert site.run(dry_run=True).packages_added == 3
    assert not rows(site.url, "SELECT name FROM sqlite_master WHERE name LIKE 'mirrorlist%'")


def test_statements_do_not_grow(tmp_path: Path) -> None:
    """With ten times the packages, and twice the repositories, there are as many statements."""
    counts = []
    for number, release in enumerate((Release(0.0003), Release(0.003, repositories=2))):
        (tmp_path / str(number)).mkdir()
        site = Site(tmp_path / str(number), *(one.directory for one in release.places()))
        release.write(site.source)
        with statements() as first:
            assert site.run().packages == release.packages * release.repositories
        Release(release.factor, release.repositories, changed=5).write(site.source)
        with statements() as second:
            assert site.run().packages_added == 5 * release.repositories
        with statements() as third:
            site.run()
        counts.append((len(first), len(second), len(third)))
    assert counts[0] == counts[1]
    assert max(counts[0]) < 50


def test_another_import_meanwhile(site: Site) -> None:
    """An import whose tables have changed since it began changes nothing."""
    site.run()
    site.write(X86, TEA)

    def meanwhile(phase: str, *_: int) -> None:
        if phase == "writing":
            execute(site.url, "UPDATE mirrorlist_repodata SET sum = 'sha256:0'")

    job = ImportJob(database=site.url, source=str(site.source))
    with pytest.raises(BusyImport, match="another import of packages ended meanwhile"):
        import_packages(job, meanwhile)
    assert names(site) == ["bash-5", "cup-1", "tea-1"]


def test_a_source_that_is_not_there(site: Site) -> None:
    """It is refused before the database is opened."""
    with pytest.raises(PackagesError, match="no such folder"):
        site.run(source="/none")
    for wrong in ("rsync://x/y", "http://"):
        with pytest.raises(PackagesError, match="give a folder, or an http or https URL"):
            site.run(source=wrong)
    with pytest.raises(PackagesError, match="not a URL: Invalid IPv6 URL"):
        site.run(source="http://[x/")
    with pytest.raises(PackagesError, match="a user and a password are not") as refused:
        site.run(source="http://me:secret@h.example/")
    assert "secret" not in str(refused.value)
    with pytest.raises(DatabaseError, match="no such database file"):
        site.run(database="sqlite:////none/x")
    with linked(site.url) as link:
        assert not link.tables(["mirrorlist_package"])
