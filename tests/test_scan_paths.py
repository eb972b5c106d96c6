"""Scans of some paths alone: what they look at, and what they leave as it was."""

import os
import shutil
from pathlib import Path

import pytest

from snapshot.file.errors import RefusedScan, ScanSettingsError
from snapshot.scan import tree
from snapshot.scan.run import scan
from snapshot.scan.scope import scope_of
from tests.scanned import ARM, NOW, X86, Primary, contents, database, execute, repomd, rows

STAMPS = """SELECT d.name, max(f.timestamp) FROM file_detail f
    JOIN directory d ON d.id = f.directory_id GROUP BY d.name"""


class Scanned:
    """A tree of two repositories that was scanned once, and its database."""

    def __init__(self, folder: Path) -> None:
        """Scan it."""
        self.primary, self.url = Primary(folder), database(folder)
        for path in (X86, ARM):
            self.primary.repository(path)
        self.scan()

    def scan(self, *paths: str, allow: bool = True) -> list[str]:
        """Scan paths, or all; return the problems."""
        job = self.primary.job(self.url, walk=True, paths=paths, allow_deletions=allow)
        return scan(job).problems

    @property
    def stamps(self) -> dict[str, int]:
        """The newest timestamp of each repository."""
        found = dict(rows(self.url, STAMPS))
        return {path: found.get(f"pub/epel/{path}/repodata", 0) for path in (X86, ARM)}

    @property
    def names(self) -> set[str]:
        """The directories of the database below the topdir."""
        found = rows(self.url, "SELECT name FROM directory WHERE name LIKE 'pub/epel/%'")
        return {name.removeprefix("pub/epel/") for (name,) in found}

    @property
    def repositories(self) -> set[str]:
        """The places of repositories."""
        found = rows(self.url, "SELECT name FROM repository")
        return {name.removeprefix("pub/epel/") for (name,) in found}


@pytest.fixture
def scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scanned:
    """A tree that was scanned, whose directories count as settled at once."""
    monkeypatch.setattr(tree, "_SETTLED_NS", -1)
    return Scanned(tmp_path)


@pytest.mark.parametrize(
    "path",
    [X86, f"/{X86}/", f"pub/epel/{X86}", f"{X86}/repodata", f"{X86}/repodata/repomd.xml"],
)
def test_one_repository(scanned: Scanned, path: str) -> None:
    """Only the repository of the path is brought up to date; a whole scan does the rest."""
    for one in (X86, ARM):
        scanned.primary.repository(one, NOW + 50)
    assert scanned.scan(path) == []
    assert scanned.stamps == {X86: NOW + 50, ARM: NOW}
    scanned.scan()
    assert scanned.stamps == {X86: NOW + 50, ARM: NOW + 50}


def test_it_is_what_a_whole_scan_finds(scanned: Scanned, tmp_path: Path) -> None:
    """Scans of all changed paths leave the tables as one whole scan does."""
    (tmp_path / "other").mkdir()
    other = database(tmp_path / "other")
    scanned.primary.job(other)
    scan(scanned.primary.job(other, walk=True))
    scanned.primary.repository(X86, NOW + 50)
    scanned.primary.repository("10/Everything/x86_64", NOW + 60)
    scanned.primary.put(f"{ARM}/more", b"x")
    scanned.scan(X86, "10")
    scanned.scan(ARM)
    scan(scanned.primary.job(other, walk=True))
    assert contents(scanned.url) == contents(other)


def test_metadata_of_the_same_second(scanned: Scanned) -> None:
    """Metadata in the path is read again even if its size and second are what they were."""
    file = scanned.primary.root / X86 / "repodata" / "repomd.xml"
    file.write_bytes(repomd(NOW + 7))
    os.utime(file, (NOW, NOW))
    scanned.scan()
    assert scanned.stamps[X86] == NOW
    scanned.scan(X86)
    assert scanned.stamps[X86] == NOW + 7


def test_a_new_repository(scanned: Scanned) -> None:
    """A new path comes with the directories above it, and without its new neighbours."""
    scanned.primary.repository("10/Everything/x86_64")
    scanned.primary.repository("10/Everything/aarch64")
    scanned.primary.repository("11/Everything/x86_64")
    scanned.scan("10/Everything/x86_64")
    assert scanned.repositories == {X86, ARM, "10/Everything/x86_64"}
    assert {"10", "10/Everything"} < scanned.names
    assert not {"10/Everything/aarch64", "11"} & scanned.names
    scanned.scan()
    assert len(scanned.repositories) == 5


def test_nothing_outside_is_deleted(scanned: Scanned) -> None:
    """What is gone is deleted in the path alone, until a whole scan."""
    for path in (X86, ARM):
        shutil.rmtree(scanned.primary.root / path)
    scanned.scan(X86)
    assert scanned.repositories == {ARM}
    assert {one.split("/")[2] for one in scanned.names if one.count("/") > 1} == {"aarch64"}
    scanned.scan()
    assert scanned.repositories == set()
    assert "9/Everything/aarch64" not in scanned.names


def test_nothing_outside_is_deleted_with_a_list(scanned: Scanned) -> None:
    """The same holds for a list, which is read whole."""
    scanned.primary.scan(scanned.url)
    shutil.rmtree(scanned.primary.root / ARM)
    scanned.primary.scan(scanned.url, paths=(X86,))
    assert scanned.repositories == {X86, ARM}
    scanned.primary.scan(scanned.url)
    assert scanned.repositories == {X86}


def test_the_share_of_deletions(scanned: Scanned) -> None:
    """A path in which too much of the category would be deleted is refused."""
    shutil.rmtree(scanned.primary.root / X86)
    with pytest.raises(RefusedScan, match="nothing was changed"):
        scanned.scan(X86, allow=False)
    assert scanned.repositories == {X86, ARM}


def test_a_row_outside_is_not_repointed(scanned: Scanned) -> None:
    """A repository elsewhere that no scan has seen keeps its row: it may be there."""
    execute(
        scanned.url,
        "INSERT INTO directory (id, name, readable, ctime, files)"
        " VALUES (900, 'pub/epel/8/Everything/x86_64', 1, 0, '[]')",
        "INSERT INTO category_directory (category_id, directory_id) VALUES (1, 900)",
        "UPDATE repository SET directory_id = 900 WHERE name LIKE '%x86_64'",
    )
    problems = scanned.scan(X86)
    assert any("is at pub/epel/8/Everything/x86_64 already" in one for one in problems)
    found = rows(scanned.url, "SELECT count(*) FROM repository WHERE directory_id = 900")
    assert found == [(1,)]


def test_a_moved_repository(scanned: Scanned) -> None:
    """A scan of both of its places repoints a moved repository."""
    new = "9.1/Everything/x86_64"
    (scanned.primary.root / "9.1/Everything").mkdir(parents=True)
    shutil.move(scanned.primary.root / X86, scanned.primary.root / new)
    execute(scanned.url, "UPDATE repository SET prefix = 'epel-9.1' WHERE name LIKE '%x86_64'")
    before = rows(scanned.url, "SELECT id FROM repository WHERE name LIKE '%x86_64'")
    scanned.scan(X86, new)
    assert rows(scanned.url, "SELECT id FROM repository WHERE name LIKE '%x86_64'") == before
    assert scanned.repositories == {new, ARM}


def test_a_path_that_is_not_there(scanned: Scanned) -> None:
    """A path that neither this scan nor the last one saw is a problem, and nothing more."""
    before = contents(scanned.url)
    assert scanned.scan("9/Everthing") == [
        "9/Everthing: no such directory on the primary; nothing was scanned for it"
    ]
    assert contents(scanned.url) == before


def test_without_a_last_scan(tmp_path: Path) -> None:
    """The first scan of a category takes all of it, whatever path it is given."""
    primary, url = Primary(tmp_path), database(tmp_path)
    for path in (X86, ARM):
        primary.repository(path)
    primary.scan(url, walk=True, paths=(X86,))
    assert rows(url, "SELECT count(*) FROM repository") == [(2,)]


def test_paths_inside_others() -> None:
    """A path in another one is left out; the topdir is everything."""
    assert scope_of(["a/b", "a", "a-b", "a/c/repodata"]).paths == ("a", "a-b")
    assert scope_of(["pub/epel/a"], "pub/epel").paths == ("a",)
    assert not scope_of(["pub/epel", "a"], "pub/epel")
    assert not scope_of([])
    assert not scope_of(["repodata/repomd.xml"])


@pytest.mark.parametrize("path", ["../a", "a/../b", "a//b", "a/./b", "a\nb", "a" * 4097])
def test_a_wrong_path(tmp_path: Path, path: str) -> None:
    """A path that leads elsewhere, or cannot be a directory's, is refused in one line."""
    with pytest.raises(ScanSettingsError, match="path"):
        scope_of([path])
