"""Sums of single files: what is written is found, and what is damaged gives no sum."""

import os
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from snapshot.file.errors import DamagedSums, MalformedSnapshot
from snapshot.file.filesums import FileSums, pack_file_sums
from snapshot.file.format import ENTRY, HEADER
from snapshot.file.model import FileSum, PackedSums
from snapshot.file.reader import Snapshot
from tests.left_open import left_open, open_files
from tests.snapshots import patched, place_of, sections_of, small_content, with_sections, write

STATE = bytes(range(16))
LARGE = 1 << 32
Known = dict[str, FileSum]


def one(text: str, size: int = 1000) -> FileSum:
    """Return what is known of a file with this content."""
    return FileSum(size, sha256(text.encode()).digest())


def many(count: int = 300) -> Known:
    """Return so many files, so that buckets hold several."""
    return {f"pub/linux/40/Packages/{i % 9}/é-{i}.rpm": one(str(i), i * 3) for i in range(count)}


def packed(files: Known) -> PackedSums:
    """Return the sections of files."""
    return pack_file_sums(STATE, lambda: files.items()).sections


def opened(folder: Path, sections: PackedSums) -> Snapshot:
    """Return a snapshot with these sections."""
    return Snapshot(write(folder, small_content(file_sums=sections)))


def table_of(snapshot: Snapshot) -> FileSums:
    """Return the table of a snapshot that has one."""
    table = snapshot.file_sum_table
    assert table is not None
    return table


@given(
    some.dictionaries(
        some.text(some.characters(exclude_categories=["Cs"]), min_size=1),
        some.builds(FileSum, some.integers(0, 1 << 40), some.binary(min_size=32, max_size=32)),
    )
)
def test_found_again(tmp_path_factory: pytest.TempPathFactory, files: Known) -> None:
    """Each file that is packed is found with its size and sum, and no other file is."""
    table = table_of(opened(tmp_path_factory.mktemp("sums"), packed(files)))
    assert {path: table.find(path) for path in files} == files
    assert all(table.find(f"{path}.sig") is None for path in files if f"{path}.sig" not in files)


def test_few_bytes_a_file(tmp_path: Path) -> None:
    """A file takes 43 bytes in the file, and a fifth of a byte in memory."""
    files = many(20_000)
    sections = packed(files)
    assert len(sections.sums) == 43 * 20_000
    assert len(sections.places) < 20_000 / 5
    snapshot = opened(tmp_path, sections)
    assert all(snapshot.file_sum(path) == files[path] for path in list(files)[::7])
    assert snapshot.counts()["file_sums"] == 20_000


def test_the_order_does_not_matter() -> None:
    """The same files in another order, or each twice, give the same bytes."""
    files = list(many().items())
    twice = pack_file_sums(STATE, lambda: [*reversed(files), *files])
    assert twice == pack_file_sums(STATE, lambda: files)


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "pub/linux/40/Packages/0/../0/é-0.rpm",
        "pub/linux/40/Packages/0/é-0.rpm/",
        "pub/linux/40/Packages/0/é-0.rpm\0",
        "\udcff",
        "x" * 10_000,
        "pub/linux/40/Packages/0",
    ],
)
def test_odd_paths(tmp_path: Path, odd: str) -> None:
    """A path that is not exactly one of the packed paths has no sum."""
    assert opened(tmp_path, packed(many())).file_sum(odd) is None


def first_letter(path: bytes) -> bytes:
    """Return a key that all paths with the same first letter share."""
    return path[:1] * 8


def test_two_paths_of_one_key(tmp_path: Path) -> None:
    """Files of one key are known by their whole paths, so each has its own sum."""
    files = {"a1": one("1"), "a2": one("2"), "b1": one("3"), "c1": one("4", LARGE), "c2": one("5")}
    sections, left_out = pack_file_sums(STATE, lambda: files.items(), first_letter)
    snapshot = opened(tmp_path, sections)
    table = FileSums(memoryview(sections.places), snapshot._left, first_letter)
    assert {path: table.find(path) for path in files} == files
    assert (table.find("a3"), table.find("c3"), left_out) == (None, None, 0)


def test_sources_that_differ(tmp_path: Path) -> None:
    """A path with several sums has none; one that is named twice with the same has it."""
    files = [("a", one("1")), ("a", one("2")), ("b", one("3")), ("b", one("3"))]
    files += [("c", one("4")), ("c", one("4", LARGE))]
    sections, left_out = pack_file_sums(STATE, lambda: files)
    snapshot = opened(tmp_path, sections)
    assert [snapshot.file_sum(path) for path in "abc"] == [None, one("3"), None]
    assert left_out == 2


def test_no_room(tmp_path: Path) -> None:
    """Of more large files than may be in memory, the rest has no sums, and is counted."""
    files = {f"{i:04000}.iso": one(str(i), LARGE) for i in range(270)}
    sections, left_out = pack_file_sums(STATE, lambda: files.items())
    snapshot = opened(tmp_path, sections)
    found = {path: snapshot.file_sum(path) for path in files}
    assert left_out == [*found.values()].count(None) > 5
    assert all(files[path] == sum for path, sum in found.items() if sum)
    # Which of them have room does not depend on their order.
    assert pack_file_sums(STATE, lambda: reversed(files.items())).sections == sections


def test_without_files(tmp_path: Path) -> None:
    """A table without files, and a snapshot without a table, have no sums."""
    assert opened(tmp_path, packed({})).file_sum("a") is None
    plain = Snapshot(write(tmp_path, small_content()))
    assert plain.file_sum("a") is None
    assert plain.packed_sums() is None


def test_not_in_memory(tmp_path: Path) -> None:
    """The sums are not copied to memory when a snapshot is opened."""
    sections = packed(many(30_000))
    before = _resident()
    snapshot = opened(tmp_path, sections)
    del sections
    assert table_of(snapshot).count == 30_000
    assert _resident() - before < 43 * 30_000 // 2


def _resident() -> int:
    """Return the shared memory of this process in bytes: copies of files are of that kind."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * int(status.partition("RssShmem:")[2].split()[0])


def _answers(snapshot: Snapshot, files: Known) -> list[FileSum | str | None]:
    found: list[FileSum | str | None] = []
    for path in files:
        try:
            found.append(snapshot.file_sum(path))
        except DamagedSums:
            found.append("damaged")
    return found


def _flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << at % 8]))


def test_each_byte_changed_in_use(tmp_path: Path) -> None:
    """Whichever byte changes while a snapshot is in use, files near it have no sums, none wrong."""
    files = many(12)
    content = small_content(file_sums=packed(files))
    start, path = place_of(content, "file_sums"), write(tmp_path, content)
    snapshot = Snapshot(path)
    for at in range(start, start + 43 * len(files)):
        _flip(path, at)
        found = _answers(snapshot, files)
        assert set(found) - {"damaged"} <= set(files.values())
        assert all(
            sum in ("damaged", known) for sum, known in zip(found, files.values(), strict=True)
        )
        assert "damaged" in found
        _flip(path, at)
    assert _answers(snapshot, files) == list(files.values())
    assert table_of(snapshot).damaged >= 43 * len(files)


def test_cut_short_in_use(tmp_path: Path) -> None:
    """Wherever a file is cut short while it is in use, all sums are the right ones or damaged."""
    files = many(60)
    content = small_content(file_sums=packed(files))
    path = write(tmp_path, content)
    snapshot = Snapshot(path)
    for size in range(len(content), 0, -97):
        os.truncate(path, size)
        for sum, known in zip(_answers(snapshot, files), files.values(), strict=True):
            assert sum in ("damaged", known)
    assert set(_answers(snapshot, files)) == {"damaged"}
    assert snapshot.packed_sums() is None


def test_replaced_in_use(tmp_path: Path) -> None:
    """A snapshot in use answers from its own file after another one has taken its name."""
    files = many()
    snapshot = opened(tmp_path, packed(files))
    Path(snapshot.path).unlink()
    write(tmp_path, small_content())
    assert _answers(snapshot, files) == list(files.values())


@pytest.mark.parametrize("section", ["file_index", "file_sums"])
def test_each_byte_forged(tmp_path: Path, section: str) -> None:
    """A file with a changed byte and a fitting checksum is refused, or gives no wrong size or sum.

    But for the map of large files, in which only a key's seal could tell (docs/snapshot-format.md).
    """
    files = many(4)
    content = small_content(file_sums=packed(files))
    begin = place_of(content, section)
    length = next(len(one.data) for one in sections_of(content) if one.name == section)
    outcomes = set()
    for at in range(begin, begin + length, 1 if section == "file_sums" else 29):
        try:
            snapshot = Snapshot(
                write(tmp_path, patched(content, at, "B", content[at] ^ 1 << at % 8))
            )
            found = _answers(snapshot, files)
        except MalformedSnapshot:
            outcomes.add("refused")
            continue
        for sum, known in zip(found, files.values(), strict=True):
            assert sum in ("damaged", None, known)
            outcomes.add("damaged" if sum == "damaged" else "found")
    assert outcomes >= {"damaged", "found"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"file_sums": None}, id="no sums"),
        pytest.param({"file_index": None}, id="no index"),
        pytest.param({"file_sums": b"x" * 42}, id="other length"),
        pytest.param({"file_index": b""}, id="empty index"),
        pytest.param({"file_index": bytes(4096)}, id="zeros"),
    ],
)
def test_sections_that_do_not_fit(tmp_path: Path, changes: dict[str, bytes | None]) -> None:
    """One section without the other, or of another length, is refused."""
    content = with_sections(small_content(file_sums=packed(many())), changes)
    with pytest.raises(MalformedSnapshot):
        Snapshot(write(tmp_path, content))


def test_a_section_within_the_sums(tmp_path: Path) -> None:
    """A section that overlaps the one that is not in memory is refused."""
    content = small_content(file_sums=packed(many()))
    names = [one.name for one in sections_of(content)]
    entry = HEADER.size + ENTRY.size * names.index("redirects")
    spoilt = patched(content, entry + 16, "<Q", place_of(content, "file_sums"))
    with pytest.raises(MalformedSnapshot, match="is also in 'file_sums'"):
        Snapshot(write(tmp_path, spoilt))


def test_packed_again(tmp_path: Path) -> None:
    """An export can take both sections from a snapshot as they are, if they are sound."""
    sections = packed(many())
    snapshot = opened(tmp_path, sections)
    assert snapshot.packed_sums() == sections
    _flip(Path(snapshot.path), place_of(Path(snapshot.path).read_bytes(), "file_sums"))
    assert snapshot.packed_sums() is None


def test_closed(tmp_path: Path) -> None:
    """A snapshot that is forgotten closes its file."""
    before = open_files()
    snapshot = opened(tmp_path, packed(many()))
    assert [target for _, target in left_open(before)] == [snapshot.path]
    del snapshot
    assert not left_open(before)
