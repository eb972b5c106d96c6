"""The container: what is refused and by which name, what is read all the same, what counts."""

import os
import random
import struct
from pathlib import Path

import pytest

from snapshot.file import errors
from snapshot.file.format import (
    ENTRY,
    HEADER,
    MAJOR,
    MAX_SECTIONS,
    MINOR,
    FileSection,
    checksum,
    open_container,
    pack,
    snapshot_id,
)
from snapshot.file.model import Report
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.snapshots import (
    BUILT,
    READ,
    patched,
    sections_of,
    small_content,
    small_data,
    with_sections,
    write,
)

CONTENT = small_content()
TABLE_END = HEADER.size + ENTRY.size * len(sections_of(CONTENT))
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
# Offsets of the header and of a table entry that the tests overwrite.
MAJOR_AT, MINOR_AT, COUNT_AT, SIZE_AT, SEAL_AT, RESERVED_AT = 8, 10, 12, 16, 88, 120
ENTRY_NAME, ENTRY_OFFSET, ENTRY_LENGTH, ENTRY_FLAGS = 0, 16, 24, 32


def refused(path: Path, kind: type[errors.SnapshotError]) -> str:
    """Open a file that must be refused as this kind, in one line that names it; the line."""
    with pytest.raises(errors.SnapshotError) as caught:
        Snapshot(path)
    assert type(caught.value) is kind
    assert caught.value.exit_code == 3
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        pytest.param(b"", errors.EmptySnapshot, "empty", id="empty"),
        pytest.param(b"hello\n", errors.NotASnapshot, "not a snapshot", id="short text"),
        pytest.param(b"text " * 99, errors.NotASnapshot, "not a snapshot", id="text"),
        pytest.param(PNG, errors.NotASnapshot, "not a snapshot", id="PNG"),
        pytest.param(
            random.Random(1).randbytes(999), errors.NotASnapshot, "not a snapshot", id="noise"
        ),
        pytest.param(bytes(999), errors.NotASnapshot, "not a snapshot", id="zeros"),
        pytest.param(b"\x89MLS", errors.TruncatedSnapshot, "cut short", id="half a magic"),
        pytest.param(b"\x89MLX", errors.NotASnapshot, "not a snapshot", id="almost a magic"),
        pytest.param(
            CONTENT[:8].replace(b"\n", b"\r\n") + CONTENT[8:],
            errors.NotASnapshot,
            "not a snapshot",
            id="sent as text",
        ),
        pytest.param(CONTENT + b"\0", errors.DamagedSnapshot, "1 bytes follow", id="one more byte"),
        pytest.param(CONTENT * 2, errors.DamagedSnapshot, "bytes follow its end", id="twice"),
    ],
)
def test_other_files(
    tmp_path: Path, content: bytes, kind: type[errors.SnapshotError], says: str
) -> None:
    """A file that is not a snapshot, or more than one, is refused with its name."""
    assert says in refused(write(tmp_path, content), kind)


@pytest.mark.parametrize(
    "length",
    [
        *range(1, 9),
        HEADER.size - 1,
        HEADER.size,
        HEADER.size + 1,
        TABLE_END - 1,
        TABLE_END,
        TABLE_END + 1,
        len(CONTENT) - 8,
        len(CONTENT) - 1,
    ],
)
def test_cut_short(tmp_path: Path, length: int) -> None:
    """A file that ends within magic, header, table or sections is refused as cut short."""
    line = refused(write(tmp_path, CONTENT[:length]), errors.TruncatedSnapshot)
    assert f"cut short: {length} " in line


def test_every_shorter_file_is_refused(tmp_path: Path) -> None:
    """There is no length at which the beginning of a file passes for the whole."""
    path = write(tmp_path, CONTENT)
    for length in range(len(CONTENT) - 1, 0, -1):
        os.truncate(path, length)
        with pytest.raises(errors.TruncatedSnapshot):
            open_container(path)


def test_every_flipped_byte_is_refused(tmp_path: Path) -> None:
    """Whichever byte of the file changes, in one bit or in all, the file is refused."""
    path = write(tmp_path, CONTENT)
    with path.open("r+b", buffering=0) as file:
        for place, byte in enumerate(CONTENT):
            for flip in (1 << place % 8, 0xFF):
                os.pwrite(file.fileno(), bytes([byte ^ flip]), place)
                with pytest.raises(errors.SnapshotError):
                    open_container(path)
            os.pwrite(file.fileno(), bytes([byte]), place)
    open_container(path)


@pytest.mark.parametrize(
    ("major", "kind", "says"),
    [
        pytest.param(MAJOR + 1, errors.NewerSnapshot, "newer than this program", id="next"),
        pytest.param(0xFFFF, errors.NewerSnapshot, f"version 65535.{MINOR}", id="far ahead"),
        pytest.param(0, errors.ObsoleteSnapshot, f"version 0.{MINOR} is too old", id="none"),
    ],
)
def test_other_major_versions(
    tmp_path: Path, major: int, kind: type[errors.SnapshotError], says: str
) -> None:
    """A major version that is not read is refused by name, whatever follows in the file."""
    whole = patched(CONTENT, MAJOR_AT, "<H", major)
    assert says in refused(write(tmp_path, whole), kind)
    assert says in refused(write(tmp_path, whole[: HEADER.size]), kind)


def test_newer_minor_version(tmp_path: Path) -> None:
    """A newer minor version, with a seal and something in the reserved bytes, is read."""
    content = patched(CONTENT, MINOR_AT, "<H", 99)
    content = patched(content, SEAL_AT, "<Q", 12345)
    content = patched(content, RESERVED_AT, "<Q", 12345)
    snapshot = Snapshot(write(tmp_path, content))
    assert snapshot.format == "1.99"
    assert snapshot.hosts == small_data().hosts


def test_unknown_sections(tmp_path: Path) -> None:
    """A section of a later minor version, empty or not, content or not, is passed over."""
    extra = [FileSection("a later one", b"\xc1" * 9, True), FileSection("zz", b"", False)]
    content = bytes(pack([extra[0], *sections_of(CONTENT), extra[1]], BUILT, READ))
    snapshot = Snapshot(write(tmp_path, content))
    assert snapshot.hosts == small_data().hosts
    assert ("a later one", 9) in snapshot.section_sizes


@pytest.mark.parametrize(
    ("entry_at", "form", "value"),
    [
        pytest.param(ENTRY_OFFSET, "<Q", TABLE_END + 1, id="at no multiple of eight"),
        pytest.param(ENTRY_OFFSET, "<Q", 0, id="in the header"),
        pytest.param(ENTRY_OFFSET, "<Q", TABLE_END - 8, id="in the table"),
        pytest.param(ENTRY_OFFSET, "<Q", len(CONTENT) + 8, id="behind the end"),
        pytest.param(ENTRY_OFFSET, "<Q", (1 << 64) - 8, id="far behind the end"),
        pytest.param(ENTRY_LENGTH, "<Q", len(CONTENT), id="too long"),
        pytest.param(ENTRY_LENGTH, "<Q", (1 << 64) - 1, id="far too long"),
    ],
)
def test_section_out_of_bounds(tmp_path: Path, entry_at: int, form: str, value: int) -> None:
    """A section that reaches out of the file, or over header and table, is refused by name."""
    for entry in range(len(sections_of(CONTENT))):
        place = HEADER.size + ENTRY.size * entry + entry_at
        line = refused(
            write(tmp_path, patched(CONTENT, place, form, value)), errors.MalformedSnapshot
        )
        assert f"section {sections_of(CONTENT)[entry].name!r} is out of bounds" in line


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(len(CONTENT) // ENTRY.size + 1, id="beyond the file"),
        pytest.param(MAX_SECTIONS + 1, id="above the limit"),
        pytest.param(0xFFFFFFFF, id="largest"),
    ],
)
def test_section_table_out_of_bounds(tmp_path: Path, count: int) -> None:
    """A section table that does not fit is refused, without work in proportion to its claim."""
    path = write(tmp_path, patched(CONTENT, COUNT_AT, "<I", count))
    assert "the section table is out of bounds" in refused(path, errors.MalformedSnapshot)


def test_most_sections(tmp_path: Path) -> None:
    """The limit of sections holds at the limit, and one past it is refused."""
    room = MAX_SECTIONS - len(sections_of(CONTENT))
    for extra in (room, room + 1):
        added = [FileSection(f"extra {number}", b"", True) for number in range(extra)]
        path = write(tmp_path, bytes(pack(sections_of(CONTENT) + added, BUILT, READ)))
        if extra == room:
            assert Snapshot(path).hosts == small_data().hosts
        else:
            refused(path, errors.MalformedSnapshot)


@pytest.mark.parametrize(
    "name", [section.name for section in sections_of(CONTENT) if section.name != "history"]
)
def test_missing_section(tmp_path: Path, name: str) -> None:
    """A snapshot without one of its sections is refused when the section is asked for."""
    path = write(tmp_path, with_sections(CONTENT, {name: None}))
    with pytest.raises(errors.MalformedSnapshot, match=f"section '{name}': the section is missing"):
        everything(Snapshot(path))


def everything(snapshot: Snapshot) -> object:
    """Ask for what any section holds."""
    return (
        *(snapshot.counts(), snapshot.redirects, snapshot.continents, snapshot.report),
        *(snapshot.netblock_chains, snapshot.netblock_ranges),
        *(snapshot.country_ranges, snapshot.asn_ranges, snapshot.directory(0)),
    )


def test_unreadable(tmp_path: Path) -> None:
    """A missing file, a directory and a file within a file are refused as unreadable."""
    file = write(tmp_path, CONTENT)
    assert "No such file" in refused(tmp_path / "none.snap", errors.UnreadableSnapshot)
    assert "Is a directory" in refused(tmp_path, errors.UnreadableSnapshot)
    assert "Not a directory" in refused(file / "mm.snap", errors.UnreadableSnapshot)


def test_header(tmp_path: Path) -> None:
    """Version, times and id are what the file says; the id is hexadecimal."""
    snapshot = Snapshot(write(tmp_path, CONTENT))
    assert (snapshot.format, snapshot.built, snapshot.read) == (f"1.{MINOR}", BUILT, READ)
    assert snapshot.id == CONTENT[40:56].hex() == snapshot_id(sections_of(CONTENT)).hex()
    assert struct.unpack_from("<Q", CONTENT, SIZE_AT) == (len(CONTENT),)
    assert CONTENT[56:88] == checksum(CONTENT)


def _id(content: bytes | bytearray) -> bytes:
    return bytes(content[40:56])


def test_what_does_not_count_for_the_id() -> None:
    """Times, report, history and the order of the sections leave the snapshot id as it is."""
    others: list[bytes | bytearray] = [
        encode(small_data(), BUILT + 1),
        encode(small_data(read=READ + 1), BUILT),
        encode(small_data(report=Report({"host": 3}, ())), BUILT),
        pack(sections_of(CONTENT)[::-1], BUILT, READ),
        patched(CONTENT, MINOR_AT, "<H", 0),
        encode(small_data(history=None), BUILT),
    ]
    assert {_id(other) for other in others} == {_id(CONTENT)}
    assert len({bytes(other) for other in [CONTENT, *others]}) == 7


@pytest.mark.parametrize(
    "name", [section.name for section in sections_of(CONTENT) if section.content]
)
def test_what_counts_for_the_id(name: str) -> None:
    """Every content section changes the snapshot id when one of its bytes changes."""
    data = bytes(next(section.data for section in sections_of(CONTENT) if section.name == name))
    changed = bytes([data[0] ^ 1]) + data[1:]
    assert _id(with_sections(CONTENT, {name: changed})) != _id(CONTENT)
    assert _id(with_sections(CONTENT, {name: data + b"\0"})) != _id(CONTENT)


def test_the_id_keeps_sections_apart() -> None:
    """Bytes that move from one section to another, or under another name, change the id."""
    ids = {
        snapshot_id([FileSection("a", b"xy", True), FileSection("b", b"z", True)]),
        snapshot_id([FileSection("a", b"x", True), FileSection("b", b"yz", True)]),
        snapshot_id([FileSection("b", b"xy", True), FileSection("a", b"z", True)]),
        snapshot_id([FileSection("a", b"xyz", True), FileSection("b", b"", True)]),
    }
    assert len(ids) == 4


def test_equal_data_gives_equal_bytes() -> None:
    """The same data and times give the same file, byte by byte."""
    assert small_content() == small_content() == CONTENT
    assert len(CONTENT) % 8 == 0
