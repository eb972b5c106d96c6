"""Snapshots for tests of the format: a small valid one, and ways to spoil its bytes."""

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from snapshot.file.format import CONTENT, ENTRY, HEADER, FileSection, checksum, pack
from snapshot.file.model import (
    Category,
    CategoryHost,
    Directory,
    FileDetail,
    History,
    Host,
    KnownName,
    LeftOut,
    NetblockHosts,
    Ranges,
    Report,
    Repository,
    SnapshotData,
)
from snapshot.file.writer import encode

BUILT, READ = 1_767_225_605, 1_767_225_600

HOSTS = [
    Host(7, "a.example", "Site A", "DE", 100, False, 0, (64500, 64501), ()),
    Host(9, "b.example", "Site B", "FR", 10000, True, 5, (), ("FR", "US")),
]
DETAILS = (
    FileDetail(1_700_000_000, 4000, b"\x0a" * 16, b"\x1b" * 20, b"\x2c" * 32, b"\x3d" * 64),
    FileDetail(0, 0, b"", b"", b"", b""),
)
NO_RANGES = Ranges([], [], [], [])


def small_data(**changes: Any) -> SnapshotData:
    """Return two hosts, one category and three directories, with something in every section."""
    data = SnapshotData(
        read=READ,
        hosts=HOSTS,
        categories=[
            Category(3, "Linux", "pub", (CategoryHost(0, True, ("https://a.example/linux",)),))
        ],
        host_sets=[0b01, 0b00],
        directories=[
            Directory("elsewhere", None, None, False, -5),
            Directory("pub", 0, 0, True, 100),
            Directory("pub/40/repodata", 0, 1, True, 1 << 40),
        ],
        repositories=[Repository("linux-40", "x86_64", 1, False)],
        redirects={"linux": "linux-40"},
        file_details={2: {"repomd.xml": DETAILS}},
        continents={"DE": "EU", "US": "NA"},
        netblock_chains=[(NetblockHosts(24, (0,)),)],
        netblock_ranges=Ranges([0xC0000200, 0xC0000300], [1, 0], [1 << 120], [1]),
        country_ranges=Ranges([0x0A000000, 0x0B000000], [0x4445, 0], [], []),
        asn_ranges=NO_RANGES,
        report=Report(
            {"host": 2},
            (LeftOut("host", 8, "no site"), LeftOut("site", None, "x")),
            notes=("a note",),
            names={"a.example": KnownName(5, ("192.0.2.1",))},
        ),
        history=History(READ - 900, READ, [0, READ, READ - 600]),
    )
    # Another number of directories has another history.
    none = {"history": None} if "directories" in changes else {}
    return replace(data, **{**none, **changes})


def small_content(**changes: Any) -> bytes:
    """Return the bytes of a snapshot file of `small_data`."""
    return bytes(encode(small_data(**changes), BUILT))


def sections_of(content: bytes) -> list[FileSection]:
    """Return the sections of a file's bytes, in the order of its table."""
    count = HEADER.unpack_from(content)[3]
    table = content[HEADER.size : HEADER.size + ENTRY.size * count]
    return [
        FileSection(
            name.rstrip(b"\0").decode(), content[start : start + length], bool(flags & CONTENT)
        )
        for name, start, length, flags in ENTRY.iter_unpack(table)
    ]


def with_sections(content: bytes, changes: Mapping[str, bytes | None]) -> bytes:
    """Return a file with sections replaced, added or (None) removed; checksum and id fit."""
    kept = [
        FileSection(name, changes.get(name) or b"" if name in changes else data, counts)
        for name, data, counts in sections_of(content)
        if changes.get(name, data) is not None
    ]
    names = {section.name for section in kept}
    added = [
        FileSection(name, data, True)
        for name, data in changes.items()
        if data is not None and name not in names
    ]
    return bytes(pack(kept + added, BUILT, READ))


def patched(content: bytes, offset: int, form: str, *values: int) -> bytes:
    """Return a file with integers overwritten at an offset and the checksum made to fit."""
    out = bytearray(content)
    struct.pack_into(form, out, offset, *values)
    out[56:88] = checksum(out)
    return bytes(out)


def write(folder: Path, content: bytes) -> Path:
    """Write bytes as a snapshot file and return its path."""
    path = folder / "mm.snap"
    path.write_bytes(content)
    return path


def place_of(content: bytes, name: str) -> int:
    """Return where a section begins in a file."""
    count = HEADER.unpack_from(content)[3]
    table = content[HEADER.size : HEADER.size + ENTRY.size * count]
    wanted = name.encode()
    found: int = next(at for raw, at, *_ in ENTRY.iter_unpack(table) if raw.rstrip(b"\0") == wanted)
    return found
