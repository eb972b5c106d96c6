"""A scan that loses a repository points it to where its metadata is now, in any category."""

import shutil
from pathlib import Path

import pytest

from snapshot.scan.moved import Candidate, choose
from tests.scanned import CATEGORY, NOW, TOPDIR, X86, Primary, contents, database, execute, rows

ARCHIVE = "pub/archive"
ARCHES = [(1, "source"), (2, "x86_64"), (3, "aarch64")]


class World:
    """Two trees of one primary: that of the category, and an archive in another one."""

    def __init__(self, folder: Path) -> None:
        """Make both, and scan the first."""
        self.live, self.archive = Primary(folder / "live"), Primary(folder / "archive")
        self.url = database(folder)
        execute(self.url, f"UPDATE directory SET name = '{ARCHIVE}' WHERE name = 'pub/other'")
        self.live.repository(X86)
        self.live.repository("10/Everything/x86_64", NOW + 1)
        self.live.scan(self.url)

    def move(self, path: str, place: str) -> None:
        """Move a tree to the archive."""
        target = self.archive.root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(self.live.root / path, target)

    def scan_archive(self) -> None:
        """Scan the archive, which no rule names and which has another category's name."""
        execute(self.url, f"UPDATE category SET name = 'kept' WHERE name = '{CATEGORY}'",
                f"UPDATE category SET name = '{CATEGORY}' WHERE name = 'Other'")  # fmt: skip
        self.archive.scan(self.url)
        execute(self.url, f"UPDATE category SET name = 'Other' WHERE name = '{CATEGORY}'",
                f"UPDATE category SET name = '{CATEGORY}' WHERE name = 'kept'")  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Both trees, and a database that has the first one."""
    return World(tmp_path)


def test_a_tree_that_went_to_the_archive(world: World) -> None:
    """Its row is pointed there with its id, once both categories are scanned."""
    ((id,),) = rows(world.url, "SELECT id FROM repository WHERE prefix = 'epel-9'")
    world.move("9", "epel/9")
    world.scan_archive()
    assert len(contents(world.url)["repository"]) == 2
    result = world.live.scan(world.url)
    place = f"{ARCHIVE}/epel/{X86}"
    assert result.changes.repositories_moved == [(f"{TOPDIR}/{X86}", place)]
    assert result.changes.repositories_deleted == []
    found = rows(
        world.url,
        """SELECT r.id, r.name, c.name, d.name FROM repository r JOIN category c
        ON c.id = r.category_id JOIN directory d ON d.id = r.directory_id
        WHERE prefix = 'epel-9'""",
    )
    assert found == [(id, place, "Other", place)]
    assert [row[0] for row in contents(world.url)["file_detail"]] == [
        f"{ARCHIVE}/epel/{X86}/repodata", f"{TOPDIR}/10/Everything/x86_64/repodata",
    ]  # fmt: skip
    assert world.live.scan(world.url).unchanged


def test_a_dry_run(world: World) -> None:
    """It says where the row would go, and changes nothing."""
    world.move("9", "epel/9")
    world.scan_archive()
    before = contents(world.url)
    result = world.live.scan(world.url, dry_run=True)
    assert len(result.changes.repositories_moved) == 1
    assert contents(world.url) == before


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param("UPDATE file_detail SET sha256 = 'x' || id", id="other metadata"),
        pytest.param("UPDATE file_detail SET sha256 = NULL", id="no sums"),
        pytest.param(
            "INSERT INTO file_detail (filename, sha256, directory_id) SELECT 'repomd.xml', 'x', id"
            f" FROM directory WHERE name = '{ARCHIVE}/epel/{X86}/repodata'",
            id="the same as an alternate",
        ),
        pytest.param(
            "INSERT INTO repository (name, prefix, directory_id, disabled)"
            f" SELECT 'x', 'mine', id, 0 FROM directory WHERE name = '{ARCHIVE}/epel/{X86}'",
            id="taken",
        ),
    ],
)
def test_what_is_not_the_same(world: World, spoil: str) -> None:
    """A directory with other metadata, or with a repository of its own, is not the new place."""
    world.move("9", "epel/9")
    world.scan_archive()
    execute(world.url, spoil)
    result = world.live.scan(world.url, full=True)
    assert result.changes.repositories_moved == []
    assert result.changes.repositories_deleted == [f"{TOPDIR}/{X86}"]


def test_the_same_in_its_own_category(world: World) -> None:
    """A copy in the same category, which no rule names, is not the new place."""
    world.live.repository("9/Other/x86_64")
    world.live.scan(world.url)
    shutil.rmtree(world.live.root / X86)
    assert world.live.scan(world.url).changes.repositories_deleted == [f"{TOPDIR}/{X86}"]


def test_a_repository_that_is_deleted(world: World) -> None:
    """It is deleted as before if its metadata is nowhere else."""
    shutil.rmtree(world.live.root / "9")
    assert world.live.scan(world.url).changes.repositories_deleted == [f"{TOPDIR}/{X86}"]


def candidate(id: int, old: str, new: str, arch: int = 2, category: int = 2) -> Candidate:
    """Return a candidate."""
    return Candidate(id, arch, old, new, category, 3)


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        pytest.param([(1, "a/9/x86_64", "b/9/x86_64")], ["b/9/x86_64"], id="one"),
        pytest.param([(1, "a/9/x86_64", "b/9/aarch64")], [], id="another arch"),
        pytest.param(
            [(1, "a/9/x86_64", "b/8/x86_64"), (1, "a/9/x86_64", "b/9/x86_64")],
            ["b/9/x86_64"],
            id="the one that ends alike",
        ),
        pytest.param(
            [(1, "a/9/x86_64", "b/9/x86_64"), (1, "a/9/x86_64", "c/9/x86_64")], [], id="in doubt"
        ),
        pytest.param(
            [(1, "a/9/x86_64", "b/9/x86_64"), (2, "c/9/x86_64", "b/9/x86_64")], [], id="two rows"
        ),
    ],
)
def test_the_choice(candidates: list[tuple[int, str, str]], chosen: list[str]) -> None:
    """A repository goes to one directory of its arch, and not at all if in doubt."""
    found = choose([candidate(*one) for one in candidates], ARCHES)
    assert [one.new for one in found] == chosen


def test_two_categories() -> None:
    """Of two categories that have the new directory, the one with the longest topdir has it."""
    old, new = "a/9/x86_64", "b/9/x86_64"
    some = [Candidate(1, 2, old, new, 5, 1), Candidate(1, 2, old, new, 7, 4)]
    assert [one.category for one in choose(some, ARCHES)] == [7]
