"""Directory trees: what is listed, what is not listed again, and what cannot be listed."""

import os
import socket
import time
from pathlib import Path

import pytest

from snapshot.file.errors import ListingError
from snapshot.scan import tree
from snapshot.scan.inventory import Inventory
from snapshot.scan.run import scan
from snapshot.scan.tree import walk
from snapshot.scan.unchanged import Seen
from tests.scanned import NOW, X86, Primary, contents, database, repomd, rows


@pytest.fixture
def primary(tmp_path: Path) -> Primary:
    """A primary with one repository."""
    primary = Primary(tmp_path)
    primary.repository(X86)
    return primary


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a directory count as settled at once."""
    monkeypatch.setattr(tree, "_SETTLED_NS", -1)


def listed(
    primary: Primary, known: dict[str, Seen] | None = None
) -> tuple[Inventory, dict[str, Seen]]:
    """Walk the tree."""
    inventory = Inventory("pub/epel")
    seen, _ = walk(str(primary.root), inventory, known or {}, lambda _: None)
    return inventory, seen


def test_a_tree_and_its_list(primary: Primary, tmp_path: Path) -> None:
    """A walk and a list of the same tree give the same tables, but for the topdir's time."""
    (tmp_path / "other").mkdir()
    walked, read = database(tmp_path), database(tmp_path / "other")
    for path in sorted(primary.root.rglob("*"), reverse=True):
        if path.is_dir():
            os.utime(path, (NOW, NOW))
    primary.scan(walked, walk=True)
    primary.scan(read)
    found, wanted = contents(walked), contents(read)
    for tables in (found, wanted):
        tables["directory"] = [row for row in tables["directory"] if row[0] != "pub/epel"]
    assert found == wanted


def test_what_is_left_out(primary: Primary, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hidden names, links, sockets and names that are not UTF-8; the last two are reported."""
    primary.put("a/.hidden")
    primary.put("a/.snapshot/b")
    primary.put("a/x")
    (primary.root / "a/link").symlink_to("x")
    (primary.root / "a/folder").symlink_to("..")
    (primary.root / "a/nowhere").symlink_to("none")
    (primary.root / os.fsdecode(b"a/\xff")).touch()
    (primary.root / os.fsdecode(b"\xfe")).mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        # By a short name, because that of a socket has less than 108 bytes.
        monkeypatch.chdir(primary.root)
        bound.bind("a/socket")
    inventory, _ = listed(primary)
    assert [one[0] for one in inventory.directories["a"].files] == ["x"]
    assert "a/.snapshot" not in inventory.directories
    assert inventory.links == 3
    assert sorted(inventory.problems) == [
        r"\xfe: the name is not UTF-8",
        r"a/\xff: the name is not UTF-8",
        "a/socket: a socket, which is left out",
    ]


def test_modes(primary: Primary) -> None:
    """A directory that others may not read is unreadable, with all below it."""
    (primary.root / "9/Everything").chmod(0o750)
    inventory, _ = listed(primary)
    assert [path for path, one in inventory.directories.items() if not one.readable] == [
        "9/Everything", X86, f"{X86}/Packages", f"{X86}/repodata",
    ]  # fmt: skip


@pytest.mark.usefixtures("settled")
def test_what_is_not_listed_again(primary: Primary, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only directories whose change time changed are listed; metadata is always looked at."""
    _, seen = listed(primary)
    opened: list[str] = []
    real = os.scandir

    def scandir(path: str) -> object:
        opened.append(os.path.relpath(path, primary.root))
        return real(path)

    primary.put("9/new")
    with (primary.root / f"{X86}/repodata/repomd.xml").open("ab") as file:
        file.write(b"<!-- -->")
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scandir)
        inventory, again = listed(primary, seen)
    assert opened == ["9"]
    assert [one[0] for one in inventory.directories["9"].files] == ["new"]
    assert inventory.directories[f"{X86}/repodata"].files[0][1] == len(repomd(NOW)) + 8
    assert again[f"{X86}/Packages"] == seen[f"{X86}/Packages"]


@pytest.mark.usefixtures("settled")
def test_scans_of_a_tree(primary: Primary, tmp_path: Path) -> None:
    """A second scan ends at once; metadata that is written in place, and a new file, are seen."""
    url, now = database(tmp_path), int(time.time())
    primary.scan(url, walk=True)
    assert primary.scan(url, walk=True).unchanged
    primary.put(f"{X86}/repodata/repomd.xml", repomd(now), now)
    assert primary.scan(url, walk=True).changes.details_added == 1
    primary.put("9/new")
    assert primary.scan(url, walk=True).changes.directories_changed == ["pub/epel/9"]
    assert primary.scan(url, walk=True).unchanged


def test_a_change_within_a_tick(primary: Primary) -> None:
    """A directory that changed just now is listed again, because it may change in the same tick."""
    _, seen = listed(primary)
    assert {one.changed for one in seen.values()} == {0}


def test_settling(primary: Primary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once directories have settled, an unchanged scan remembers that."""
    url = database(tmp_path)
    primary.scan(url, walk=True)
    monkeypatch.setattr(tree, "_SETTLED_NS", -1)
    assert primary.scan(url, walk=True).unchanged
    ((serial,),) = rows(url, "SELECT serial FROM mirrorlist_scan")
    assert serial == 2
    assert primary.scan(url, walk=True).unchanged
    assert rows(url, "SELECT serial FROM mirrorlist_scan") == [(2,)]


def test_a_tree_that_is_gone(primary: Primary, tmp_path: Path) -> None:
    """A missing folder is a failure, not an empty tree."""
    url = database(tmp_path)
    primary.scan(url)
    before = contents(url)
    with pytest.raises(ListingError, match="none: cannot be listed: No such file or directory; "):
        scan(primary.job(url, walk=True, source=str(tmp_path / "none")))
    with pytest.raises(ListingError, match="cannot be listed: a source is a folder, or rsync://"):
        scan(primary.job(url, walk=True, source="http://127.0.0.1/pub"))
    assert contents(url) == before


def test_a_directory_that_vanishes(primary: Primary, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that vanishes under the walk is reported, and is not in the inventory."""
    real = os.lstat

    def lstat(path: str) -> os.stat_result:
        if str(path).endswith("Packages"):
            raise FileNotFoundError(2, "No such file or directory")
        return real(path)

    monkeypatch.setattr(os, "lstat", lstat)
    inventory, _ = listed(primary)
    assert inventory.problems == [f"{X86}/Packages: it vanished while the tree was listed"]
    assert f"{X86}/Packages" not in inventory.directories


def test_a_directory_that_cannot_be_listed(
    primary: Primary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the database has of it stays, although deletions are allowed."""
    url = database(tmp_path)
    primary.scan(url, walk=True)
    before = contents(url)
    real = os.lstat

    def lstat(path: str) -> os.stat_result:
        if str(path).endswith("9/Everything"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "lstat", lstat)
    result = primary.scan(url, walk=True, full=True)
    why = "cannot be listed: Permission denied; what the database has of it stays"
    assert result.problems == [f"9/Everything: {why}"]
    assert result.changes.directories_deleted == []
    assert contents(url) == before


def test_a_disk_that_is_not_mounted(primary: Primary, tmp_path: Path) -> None:
    """An empty folder that was not empty before is a failed listing, whatever may be deleted."""
    url = database(tmp_path)
    primary.scan(url, walk=True)
    before = contents(url)
    primary.root.rename(tmp_path / "disk")
    primary.root.mkdir()
    with pytest.raises(ListingError, match=r"nothing is in it: is it mounted\?"):
        primary.scan(url, walk=True)
    assert contents(url) == before
    (primary.root / "new").mkdir()
    assert len(primary.scan(url, walk=True).changes.directories_deleted) == 5
