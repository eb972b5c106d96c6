"""Full file lists: what is read of them, and what is refused."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.file.errors import ListingError
from snapshot.scan import full_list
from snapshot.scan.full_list import read_full_list
from snapshot.scan.inventory import SHORT, Directory, Inventory
from snapshot.scan.patterns import compiled

Rows = list[tuple[int, str, int, str]]


def read(folder: Path, text: str | bytes, prefix: str = "", *excludes: str) -> Inventory:
    """Read a list with a text."""
    path = folder / "list"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    inventory = Inventory("pub/epel", [compiled(one, "test") for one in excludes])
    read_full_list(path, inventory, prefix)
    return inventory


def whole(*rows: str) -> str:
    """Return a whole list with these rows, written with blanks for tabs."""
    body = "".join(row.replace(" ", "\t", 3) + "\n" for row in rows)
    return f"[Version]\n2\n\n[Files]\n{body}\n[Checksums SHA1]\nabc\tx\n\n[End]\n"


def test_a_list(tmp_path: Path) -> None:
    """Its directories have their time, and their files in the list's order."""
    found = read(tmp_path, whole("5 d 4096 a", "7 f 10 a/x", "8 f 11 a/y", "6 d- 0 b", "9 f 1 z"))
    directories = found.directories.items()
    assert {path: (one.ctime, one.readable, one.files) for path, one in directories} == {
        "": (None, True, [("z", 1, 9)]),
        "a": (5, True, [("x", 10, 7), ("y", 11, 8)]),
        "b": (6, False, []),
    }  # fmt: skip
    assert found.problems == []


def test_rows_alone(tmp_path: Path) -> None:
    """A list without sections is read too, and its directories need no row of their own."""
    found = read(tmp_path, "7\tf\t10\ta/b/x\n")
    assert sorted(found.directories) == ["", "a", "a/b"]


def test_below_an_unreadable_directory(tmp_path: Path) -> None:
    """Every directory below an unreadable one is unreadable; files on top change nothing."""
    found = read(tmp_path, whole("5 d- 0 a", "5 d 0 a/b", "5 d 0 a/b/c", "5 d 0 ab", "5 f 0 top"))
    assert [path for path, one in found.directories.items() if not one.readable] == [
        "a", "a/b", "a/b/c",
    ]  # fmt: skip


def test_excluded_directories(tmp_path: Path) -> None:
    """A directory that is excluded, or below one, is left out with its files."""
    rows = ("5 d 0 a", "5 d 0 a/.snapshot", "5 f 0 a/.snapshot/b/x", "5 f 0 a/y", "5 d 0 c/d")
    found = read(tmp_path, whole(*rows), "", r".*\.snapshot$", "^pub/epel/c$")
    assert sorted(found.directories) == ["", "a"]


def test_links_and_others(tmp_path: Path) -> None:
    """Links are counted, a name that is not UTF-8 and an unknown type are reported; none counts."""
    rows = ("5 f 1 a/x", "5 l 9 a/link", "5 s 0 a/socket", "5 f 1 a/\xff", "5 \xfe 0 b")
    text = whole(*rows).encode("latin-1")
    found = read(tmp_path, text)
    assert found.directories["a"].files == [("x", 1, 5)]
    assert found.links == 1
    assert sorted(found.problems) == [
        r"a/\xff: the name is not UTF-8",
        "a/socket: neither a file nor a directory, but s",
        r"b: neither a file nor a directory, but \xfe",
    ]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        pytest.param("../../etc", "not a path below the topdir", id="above the topdir"),
        pytest.param("/a", "not a path below the topdir", id="absolute"),
        pytest.param("a//b", "not a path below the topdir", id="an empty part"),
        pytest.param("a" * 2600, "longer than 2,600 bytes", id="too long"),
        pytest.param("a/" * 2000 + "b", "longer than 2,600 bytes", id="too deep"),
        pytest.param("a\0b", "the name has a NUL", id="a NUL"),
    ],
)
def test_names_that_no_directory_has(tmp_path: Path, path: str, why: str) -> None:
    """A directory that cannot be below the topdir is reported, and left out with its files."""
    found = read(tmp_path, whole("5 d 0 b", f"5 d 0 {path}", f"5 f 1 {path}/repomd.xml"))
    assert sorted(found.directories) == ["", "b"]
    assert why in found.problems[0]


def test_deep_directories(tmp_path: Path) -> None:
    """A thousand directories in each other are no more trouble than one."""
    assert len(read(tmp_path, whole("5 f 0 " + "a/" * 1200 + "x")).directories) == 1201


@pytest.mark.parametrize("top", ["5 d 0 .", "5 d 0 ./9"])
def test_a_list_of_find(tmp_path: Path, top: str) -> None:
    """The paths of `find .` are those without `./`; a directory may end with a slash."""
    found = read(tmp_path, whole(top, "5 d 0 ./linux/", "5 f 1 ./linux/x"))
    assert found.directories["linux"].files == [("x", 1, 5)]
    assert found.problems == []
    cut = Inventory("pub/fedora/linux")
    read_full_list(tmp_path / "list", cut, "linux/")
    assert cut.directories[""].files == [("x", 1, 5)]


@pytest.mark.parametrize("block", [1, 7, 1 << 20])
def test_lines_that_end_with_a_return(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that was sent as text is the same list; else a return is a part of a name."""
    monkeypatch.setattr(full_list, "BLOCK", block)
    found = read(tmp_path, whole("5 d 0 a", "5 f 1 a/x").replace("\n", "\r\n"))
    assert sorted(found.directories) == ["", "a"]
    assert found.directories["a"].files == [("x", 1, 5)]
    assert "a\r" in read(tmp_path, whole("5 d 0 b", "5 d 0 a\r")).directories


def test_a_name_with_a_line_feed_and_a_bracket(tmp_path: Path) -> None:
    """Its second half begins no section, so nothing behind it is lost."""
    found = read(tmp_path, whole("5 f 1 a/x\n[1].rpm", "5 f 1 a/y\n[b", "5 d 0 c"))
    assert "c" in found.directories


def test_unusual_rows(tmp_path: Path) -> None:
    """A path may have tabs, blanks and brackets; a line with fewer columns is not a row."""
    found = read(tmp_path, whole("5 f 1 a/x\ty z", "no row", "6 f 2 [a]", "7 f 3 [b]/c"))
    assert found.directories["a"].files == [("x\ty z", 1, 5)]
    assert found.directories[""].files == [("[a]", 2, 6)]
    assert found.directories["[b]"].files == [("c", 3, 7)]


@pytest.mark.parametrize("first", ["5 d 0 linux", "5 f 1 linux/top", "5 d 0 linux/a"])
def test_a_prefix(tmp_path: Path, first: str) -> None:
    """With a prefix that occurs, only what is below it is read, without it."""
    found = read(tmp_path, whole("1 f 1 other/x", first, "6 f 2 linux/a/y", "7 f 1 w"), "linux/")
    assert sorted(found.directories) == ["", "a"]
    assert found.directories["a"].files == [("y", 2, 6)]
    assert sorted(read(tmp_path, whole("5 f 1 a/x"), "linux/").directories) == ["", "a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "not a row", id="empty"),
        pytest.param(whole(), "not a row", id="no row"),
        pytest.param(whole("5 f 1 a").replace("[End]\n", ""), "no .End.", id="no end"),
        pytest.param(whole("5 f 1 a").partition("[Files]\n")[2], "no .Files.", id="no beginning"),
        pytest.param(whole("5 f 1 a") * 2, "a second list begins after .End.", id="two lists"),
        pytest.param("x" * (5 << 20), "a line does not end", id="no line"),
        pytest.param(whole(f"5 f {10**20} a/x"), "a size or time beyond 64 bits", id="size"),
        pytest.param("5\tf\t1\ta/x", "the last line has no end", id="half a line"),
        pytest.param("x\tf\t1\ta/x\n", "not a full file list", id="no time"),
        pytest.param("5\tf\tx\ta/x\n", "not a full file list", id="no size"),
        pytest.param(whole(f"{10**20} d 0 a"), "the time 1[0]{20} is out of range", id="time"),
    ],
)
def test_a_list_that_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """What is cut short or not a list is a failure, and says so in one line."""
    with pytest.raises(ListingError, match=words):
        read(tmp_path, text)


def test_no_list(tmp_path: Path) -> None:
    """A missing list, or a folder in its place, is named."""
    with pytest.raises(ListingError, match="No such file"):
        read_full_list(tmp_path / "none", Inventory("pub"))
    with pytest.raises(ListingError, match="Is a directory"):
        read_full_list(tmp_path, Inventory("pub"))


def slow(rows: Rows) -> dict[str, list[tuple[str, int, int]]]:
    """Read rows one by one, as a reader for people to compare with."""
    found: dict[str, list[tuple[str, int, int]]] = {"": []}
    for time, kind, size, path in rows:
        above, _, name = path.rpartition("/")
        folder = path if kind == "d" else above
        while folder:
            found.setdefault(folder, [])
            folder = folder.rpartition("/")[0]
        if kind == "f":
            found[above].append((name, size, time))
    return found


def shown(files: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Return the files of a directory that crawlers check."""
    packages = sum(name.endswith(".rpm") for name, _, _ in files)
    pages = sum(name.endswith(".html") for name, _, _ in files)
    newest = sorted(files, key=lambda one: -one[2])
    return newest[:SHORT] if packages > SHORT or pages > SHORT else newest


NAMES = st.sampled_from(["a.rpm", "b.rpm", "c.html", "repomd.xml", "d e", "é"])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.sampled_from("ffffd"),
            st.integers(0, 99),
            st.builds("{}{}-{}".format, st.sampled_from(["", "a/", "a/b/", "c/"]),
                      st.integers(0, 20), NAMES),
        ),
        min_size=1, max_size=120,
    ),
    st.integers(1, 1000),
)  # fmt: skip
def test_any_list(tmp_path_factory: pytest.TempPathFactory, rows: Rows, block: int) -> None:
    """Whatever the order and wherever a block ends, all is read as a slow reader reads it."""
    folder = tmp_path_factory.mktemp("any")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(full_list, "BLOCK", block)
        found = read(folder, whole(*(" ".join(map(str, row[:3])) + f" {row[3]}" for row in rows)))
    expected = slow(rows)
    assert found.directories.keys() == expected.keys()
    for path, files in expected.items():
        directory = found.directories[path]
        wanted = Directory()
        wanted.files, wanted.packages, wanted.pages = shown(files), 0, 0
        assert directory.shown() == wanted.shown()


def test_a_large_directory_is_kept_small(tmp_path: Path) -> None:
    """Of many packages in any order only some are kept, the newest among them, and all others."""
    rows = [f"{time} f 1 a/{time}.rpm" for time in range(2000)] + ["1 f 1 a/x-CHECKSUM"]
    random.Random(1).shuffle(rows)
    mixed = [line for row in rows for line in (row, "5 f 1 b/y")]
    directory = read(tmp_path, whole(*mixed)).directories["a"]
    assert len(directory.files) <= 50 * SHORT + 1
    newest = [f"{time}.rpm" for time in range(1999, 1989, -1)]
    assert {"x-CHECKSUM", *newest} <= {name for name, _, _ in directory.files}
