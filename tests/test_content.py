"""The rules for directories, repositories, redirects and file details."""

from pathlib import Path
from typing import Any

import pytest

from snapshot.export.pipeline import ExportResult
from snapshot.file.model import Directory, FileDetail, LeftOut, Repository
from snapshot.file.reader import Snapshot
from tests.factories import (
    MD5,
    SHA1,
    SHA256,
    SHA512,
    Row,
    edited,
    export_tables,
    file_detail,
    world,
)

Edit = tuple[str, int | None, Row]

OS, REPODATA = "pub/linux/40/x86_64/os", "pub/linux/40/x86_64/os/repodata"


def export(folder: Path, *edits: Edit) -> tuple[Snapshot, ExportResult]:
    """Export the small world after edits."""
    return export_tables(folder, edited(*edits))


def directory(snapshot: Snapshot, name: str) -> Directory:
    """Return a directory by its name."""
    index = snapshot.find_directory(name)
    assert index is not None
    return snapshot.directory(index)


def versions(snapshot: Snapshot, name: str, file: str = "repomd.xml") -> tuple[FileDetail, ...]:
    """Return the file details of a file in a directory, newest first."""
    index = snapshot.find_directory(name)
    assert index is not None
    return snapshot.file_details(index).get(file, ())


def test_directories(tmp_path: Path) -> None:
    """All directories are there by the bytes of their names, with and without a category."""
    snapshot, _ = export(
        tmp_path,
        ("directory", None, {"id": 90, "name": "pub/é", "readable": False, "ctime": -1}),
        ("directory", None, {"id": 91, "name": "pub/z", "ctime": None}),
        ("directory", None, {"id": 92, "name": "pub/Z"}),
    )
    names = snapshot.directory_names()
    assert names[0] == "pub/Z"
    assert names[-2:] == ["pub/z", "pub/é"]
    assert names == sorted(names, key=str.encode)
    assert directory(snapshot, "pub/é") == Directory("pub/é", None, None, False, -1)
    assert directory(snapshot, "pub/z") == Directory("pub/z", None, None, True, 0)
    found = directory(snapshot, OS)
    assert (found.category, found.readable, found.ctime) == (0, True, 200)


@pytest.mark.parametrize("name", ["/pub/x", "pub/x/", "pub//x", "/", "//"])
def test_slashes_that_no_query_can_have(tmp_path: Path, name: str) -> None:
    """A name with outer or double slashes, which `path=` cannot ask for, is left out."""
    snapshot, result = export(tmp_path, ("directory", 7, {"name": name}))
    reason = "name with outer or double slashes: no client can ask for it"
    assert result.left_out == (LeftOut("directory", 7, reason),)
    assert len(snapshot.directory_names()) == 6


def test_host_sets_are_stored_once(tmp_path: Path) -> None:
    """Directories with the same hosts share a host set, across categories too."""
    tables = world()
    snapshot, _ = export_tables(tmp_path, tables)
    sets = [directory(snapshot, name).host_set for name in ("pub/linux", OS, REPODATA, "pub/epel")]
    assert len(set(sets[:3])) == 1
    assert snapshot.host_set_count == 2
    only_host_1 = [
        row for row in tables["host_category_dir"] if row["host_category_id"] in (11, 12)
    ]
    shared, _ = export_tables(tmp_path / "shared", {**tables, "host_category_dir": only_host_1})
    assert shared.host_set_count == 1
    assert directory(shared, OS).category != directory(shared, "pub/epel").category


# Directory 2 is OS, below topdir 1 (pub/linux) of category 1; category 2 is EPEL.
BOTH: Edit = ("category_directory", None, {"category_id": 2, "directory_id": 2})
PUB: Edit = ("directory", None, {"id": 80, "name": "pub"})
ROOT: Edit = ("directory", None, {"id": 81, "name": ""})
SIBLING: Edit = ("directory", None, {"id": 82, "name": "pub/linux/4"})


def _topdir(category: int, id: int) -> Edit:
    return ("category", category, {"topdir_id": id})


@pytest.mark.parametrize(
    ("edits", "category"),
    [
        pytest.param([], 1, id="one category"),
        pytest.param([BOTH], 1, id="outside the other's topdir"),
        pytest.param([BOTH, _topdir(2, 2)], 2, id="longer topdir, itself"),
        pytest.param([BOTH, PUB, _topdir(2, 80)], 1, id="shorter topdir"),
        pytest.param([BOTH, PUB, _topdir(1, 80), _topdir(2, 1)], 2, id="longer topdir"),
        pytest.param([BOTH, _topdir(2, 1)], 1, id="same topdir: lowest id"),
        pytest.param([BOTH, ROOT, _topdir(2, 81)], 1, id="empty topdir is the shortest"),
        pytest.param([ROOT, _topdir(1, 81)], 1, id="empty topdir"),
        pytest.param([BOTH, SIBLING, _topdir(2, 82)], 1, id="half a component is no prefix"),
        pytest.param([_topdir(1, 4), _topdir(2, 1)], None, id="outside its only topdir"),
        pytest.param([_topdir(1, None)], None, id="category without topdir"),  # type: ignore[arg-type]
        pytest.param([_topdir(1, 999)], None, id="category with a topdir that is not there"),
    ],
)
def test_the_category_of_a_directory(
    tmp_path: Path, edits: list[Edit], category: int | None
) -> None:
    """The longest topdir that is a path prefix decides, then the lowest id."""
    snapshot, _ = export(tmp_path, *edits)
    found = directory(snapshot, OS)
    assert (found.host_set is None) == (found.category is None) == (category is None)
    if found.category is not None:
        assert snapshot.categories[found.category].id == category


def test_the_root_as_a_directory(tmp_path: Path) -> None:
    """An empty topdir has a directory of its own, which belongs to the category."""
    member: Edit = ("category_directory", None, {"category_id": 1, "directory_id": 81})
    snapshot, result = export(tmp_path, ROOT, _topdir(1, 81), member)
    assert snapshot.directory_names()[0] == ""
    assert directory(snapshot, "").category == 0
    assert snapshot.categories[0].topdir == ""
    assert result.left_out == ()


def test_outside_its_topdir(tmp_path: Path) -> None:
    """A directory that its category's topdir does not contain is reported, by category."""
    _, result = export(tmp_path, BOTH)
    expected = LeftOut("category_directory", 2, "category 2: outside its topdir")
    assert result.left_out == (expected,)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        pytest.param([], [(OS, False)], id="the small world"),
        pytest.param([("repository", 1, {"disabled": True})], [(OS, True)], id="disabled"),
        pytest.param([("repository", 1, {"directory_id": 7})], [("pub/elsewhere", False)], id="7"),
        pytest.param([("repository", 1, {"category_id": 2})], [(OS, False)], id="its category"),
        pytest.param([("repository", 1, {"arch_id": 2})], [], id="another arch"),
        pytest.param([("repository", 1, {"version_id": 77})], [(OS, False)], id="dangling version"),
    ],
)
def test_repositories(tmp_path: Path, edits: list[Edit], expected: list[tuple[str, bool]]) -> None:
    """A prefix and an arch stand for a directory, whatever category that is in."""
    snapshot, result = export(tmp_path, *edits)
    assert [
        (snapshot.directory(one.directory).name, one.disabled)
        for one in snapshot.repositories
        if (one.prefix, one.arch) == ("linux-40", "x86_64")
    ] == expected
    assert len(snapshot.repositories) == 3
    assert result.left_out == ()


def test_repositories_are_sorted(tmp_path: Path) -> None:
    """Repositories stand in the order of prefix and arch, by bytes."""
    snapshot, _ = export(
        tmp_path,
        ("arch", None, {"id": 3, "name": "aarch64"}),
        ("repository", None, {"id": 9, "name": "9", "prefix": "linux-40", "arch_id": 3}),
        ("repository", 9, {"version_id": 1, "directory_id": 2}),
        ("repository", 2, {"prefix": "é"}),
        ("repository", 3, {"prefix": "Z"}),
    )
    index = snapshot.find_directory(OS)
    assert index is not None
    assert [(one.prefix, one.arch) for one in snapshot.repositories] == [
        ("Z", "x86_64"),
        ("linux-40", "aarch64"),
        ("linux-40", "x86_64"),
        ("é", "x86_64"),
    ]
    assert snapshot.repositories[1] == Repository("linux-40", "aarch64", index, False)


def test_redirects(tmp_path: Path) -> None:
    """Redirects are kept as they are, to targets that do not exist too."""
    new: Edit = ("repository_redirect", None, {"id": 2, "from_repo": "a", "to_repo": "nowhere"})
    snapshot, result = export(tmp_path, new)
    assert snapshot.redirects == {"linux-latest": "linux-40", "a": "nowhere"}
    assert result.left_out == ()


def test_continents(tmp_path: Path) -> None:
    """The database's redirects stand above the built-in table, in any case."""
    snapshot, result = export(
        tmp_path,
        ("country_continent_redirect", None, {"id": 1, "country": "tr", "continent": "eu "}),
        ("country_continent_redirect", None, {"id": 2, "country": "XX", "continent": "SA"}),
    )
    assert (snapshot.continents["TR"], snapshot.continents["XX"]) == ("EU", "SA")
    assert snapshot.continents["DE"] == "EU"
    assert result.left_out == ()


def _stamped(*stamps: int | None) -> list[Edit]:
    """File details 50, 51, ... of OS, whose sizes are their place in the list."""
    return [
        ("file_detail", None, file_detail(50 + place, 2, timestamp=stamp, size=place + 1))
        for place, stamp in enumerate(stamps)
    ]


@pytest.mark.parametrize(
    ("stamps", "sizes"),
    [
        pytest.param([], [], id="none"),
        pytest.param([30, 10, 20], [1, 3, 2], id="newest first"),
        pytest.param([10, None, 20], [2, 3, 1], id="no timestamp before all"),
        pytest.param([10, 10, 10], [3, 2, 1], id="equal: highest id first"),
        pytest.param([None, None, 0], [2, 1, 3], id="no timestamp before zero"),
        pytest.param([1 << 40, 1, 1 << 62], [3, 1, 2], id="far in the future"),
    ],
)
def test_the_order_of_file_details(
    tmp_path: Path, stamps: list[int | None], sizes: list[int]
) -> None:
    """The newest version of a file comes first, one without a timestamp before it."""
    tables = edited(*_stamped(*stamps))
    for folder, rows in (("as is", tables["file_detail"]), ("back", tables["file_detail"][::-1])):
        snapshot, result = export_tables(tmp_path / folder, {**tables, "file_detail": rows})
        assert [one.size for one in versions(snapshot, OS)] == sizes
        assert result.left_out == ()


ALL = {
    "timestamp": 1_700_000_001,
    "size": 4001,
    "md5": bytes.fromhex(MD5),
    "sha1": bytes.fromhex(SHA1),
    "sha256": bytes.fromhex(SHA256),
    "sha512": bytes.fromhex(SHA512),
}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        pytest.param({}, ALL, id="everything"),
        pytest.param({"timestamp": None}, {**ALL, "timestamp": 0}, id="no timestamp"),
        pytest.param({"size": None}, {**ALL, "size": 0}, id="no size"),
        pytest.param({"size": 1 << 62}, {**ALL, "size": 1 << 62}, id="large size"),
        pytest.param({"md5": None}, {**ALL, "md5": b""}, id="no md5"),
        pytest.param({"sha1": ""}, {**ALL, "sha1": b""}, id="empty sha1"),
        pytest.param({"sha256": SHA256.upper()}, ALL, id="capitals"),
        pytest.param({"sha512": f" {SHA512}\n"}, ALL, id="blanks around"),
        pytest.param(
            dict.fromkeys(("md5", "sha1", "sha256", "sha512")),
            {**ALL, **dict.fromkeys(("md5", "sha1", "sha256", "sha512"), b"")},
            id="no hashes",
        ),
    ],
)
def test_a_file_detail(tmp_path: Path, columns: Row, expected: dict[str, Any]) -> None:
    """Hashes are bytes; what is NULL or empty is unknown, which is 0 or no bytes."""
    snapshot, result = export(tmp_path, ("file_detail", 1, columns))
    assert versions(snapshot, REPODATA) == (FileDetail(**expected),)
    assert result.left_out == ()


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        pytest.param({"timestamp": -1}, "timestamp -1 is out of range", id="negative timestamp"),
        pytest.param({"size": -1}, "size -1 is out of range", id="negative size"),
        pytest.param({"md5": MD5[:-2]}, "md5 has 15 bytes, not 16", id="short md5"),
        pytest.param({"sha1": SHA256}, "sha1 has 32 bytes, not 20", id="long sha1"),
        pytest.param({"sha256": "x" * 64}, "sha256 is not hexadecimal", id="no hexadecimal"),
        pytest.param({"sha512": SHA512[:-1]}, "sha512 is not hexadecimal", id="half a byte"),
        pytest.param({"filename": "a\nb"}, "filename has a control character", id="file name"),
        pytest.param({"filename": ""}, "no filename", id="no file name"),
        pytest.param({"directory_id": 999}, "no usable directory", id="no directory"),
    ],
)
def test_a_bad_file_detail(tmp_path: Path, columns: Row, reason: str) -> None:
    """A row that says something wrong is left out whole, so that no file goes unchecked."""
    snapshot, result = export(tmp_path, ("file_detail", 1, columns), *_stamped(7))
    assert versions(snapshot, REPODATA) == ()
    assert len(versions(snapshot, OS)) == 1
    assert result.left_out == (LeftOut("file_detail", 1, reason),)


def test_files_of_a_directory(tmp_path: Path) -> None:
    """Each file of a directory has its own versions, in directories without category too."""
    snapshot, _ = export(
        tmp_path,
        ("file_detail", None, file_detail(60, 7, filename="a.iso", size=1)),
        ("file_detail", None, file_detail(61, 7, filename="b.iso", size=2)),
    )
    assert [one.size for one in versions(snapshot, "pub/elsewhere", "a.iso")] == [1]
    assert [one.size for one in versions(snapshot, "pub/elsewhere", "b.iso")] == [2]
    assert versions(snapshot, "pub/elsewhere", "c.iso") == ()
