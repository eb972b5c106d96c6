"""The container of a snapshot: header, section table, checksum, snapshot id.

Everything here is also in docs/snapshot-format.md, which is enough to write another reader.
`sections` knows what the sections mean; this module only knows their bytes.
"""

import hashlib
import hmac
import mmap
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from snapshot.file.errors import (
    DamagedSnapshot,
    EmptySnapshot,
    ForeignSnapshot,
    MalformedSnapshot,
    NewerSnapshot,
    NotASnapshot,
    ObsoleteSnapshot,
    TruncatedSnapshot,
    UnreadableSnapshot,
)
from snapshot.file.filerange import FileRange
from snapshot.file.wholefile import open_regular

# The first byte is not ASCII and the last is a line feed (as in PNG's signature), so that a
# transfer in text mode damages the magic and is noticed.
MAGIC = b"\x89MLSNAP\n"
# A reader of major version N reads N and N-1; a new minor version only adds sections, or
# fields at the end of an array; older readers ignore both.
MAJOR, MINOR = 1, 3
HEADER = struct.Struct("<8sHHIQqq16s32s32s8x")
ENTRY = struct.Struct("<16sQQI4x")
ALIGNMENT = 8
# Bit 0 of a section's flags: the section is content, so it counts for the snapshot id.
CONTENT = 1
# Far above what is written (17), so that a forged count cannot make the reader work for long.
MAX_SECTIONS = 1024
# A hundred times a snapshot of 9.7 million rows of host_category_dir: each worker has it in memory,
# except for the section that stays in the file.
MAX_FILE_BYTES = 256 << 20
_CHECKSUM = slice(56, 88)
_SEAL = slice(88, 120)
NO_SEAL = bytes(32)
LEFT = "file_sums"
"""The section that is not copied to memory, because it is larger than all others together."""


class FileHeader(NamedTuple):
    """The fixed first 128 bytes; times in seconds since 1970, UTC."""

    magic: bytes
    major: int
    minor: int
    section_count: int
    file_size: int
    built: int
    read: int
    id: bytes
    checksum: bytes
    seal: bytes


class FileSection(NamedTuple):
    """One named run of bytes; content sections make up the snapshot id."""

    name: str
    data: bytes | memoryview
    content: bool


class Digests:
    """Both digests of a file, in one pass: what is not kept in memory is read only once."""

    def __init__(
        self,
        header: memoryview,
        pieces: Iterable[bytes | memoryview],
        key: bytes | None = None,
    ) -> None:
        """Take the header, all bytes after it, and the key of the seal."""
        plain = hashlib.blake2b(header[: _CHECKSUM.start], digest_size=32)
        plain.update(bytes(32))
        plain.update(header[_CHECKSUM.stop :])
        sealed = hashlib.blake2b(header[: _CHECKSUM.start], digest_size=32, key=key or b"")
        sealed.update(bytes(_SEAL.stop - _CHECKSUM.start))
        sealed.update(header[_SEAL.stop :])
        for piece in pieces:
            plain.update(piece)
            if key is not None:
                sealed.update(piece)
        self.checksum = plain.digest()
        self.seal = sealed.digest()
        """Without a key it means nothing."""


class Container(NamedTuple):
    """A verified snapshot file: its header, its sections in memory, and one that is not.

    `left` is the section that stays in the file (`LEFT`), if there is one.
    """

    header: FileHeader
    sections: Mapping[str, memoryview]
    left: FileRange | None


def snapshot_id(sections: Iterable[FileSection]) -> bytes:
    """Return the digest of the content sections, in the order of their names."""
    digest = hashlib.blake2b(digest_size=16)
    for section in sorted(section for section in sections if section.content):
        digest.update(struct.pack("<16sQ", section.name.encode(), len(section.data)))
        digest.update(section.data)
    return digest.digest()


def checksum(data: bytes | bytearray | memoryview) -> bytes:
    """Return the digest of the whole file with the checksum's own bytes as zeros."""
    view = memoryview(data)
    return Digests(view[: HEADER.size], [view[HEADER.size :]]).checksum


def make_seal(data: bytes | bytearray | memoryview, key: bytes) -> bytes:
    """Return the keyed digest of the whole file with checksum and seal as zeros."""
    view = memoryview(data)
    return Digests(view[: HEADER.size], [view[HEADER.size :]], key).seal


def pack(sections: list[FileSection], built: int, read: int, key: bytes | None = None) -> bytearray:
    """Return the bytes of a snapshot file; `built` and `read` are seconds since 1970, UTC.

    With a key (at most 64 bytes) it is sealed.
    """
    table = bytearray()
    offset = _aligned(HEADER.size + ENTRY.size * len(sections))
    for name, data, content in sections:
        table += ENTRY.pack(name.encode(), offset, len(data), CONTENT if content else 0)
        offset = _aligned(offset + len(data))
    out = bytearray(offset)
    header = FileHeader(
        MAGIC, MAJOR, MINOR, len(sections), offset, built, read,
        snapshot_id(sections), bytes(32), NO_SEAL,
    )  # fmt: skip
    HEADER.pack_into(out, 0, *header)
    out[HEADER.size : HEADER.size + len(table)] = table
    for index, section in enumerate(sections):
        _, start, length, _ = ENTRY.unpack_from(table, index * ENTRY.size)
        out[start : start + length] = section.data
    if key is not None:
        out[_SEAL] = make_seal(out, key)
    out[_CHECKSUM] = checksum(out)
    return out


def open_container(path: str | os.PathLike[str], key: bytes | None = None) -> Container:
    """Map and verify a snapshot file; every way in which it can be bad has its own error.

    With a key, the file must be sealed with the key; without a key, a seal is ignored.

    The container is an anonymous copy in memory that forked processes share, not a map of the
    file: if the file were overwritten in place, the verified bytes of a map would change, and a
    shorter file would end the process by SIGBUS. One section is not copied (`LEFT`): its bytes are
    verified here too, but who reads them later has to do it again.
    """
    path = Path(path)
    header, read = _read(path, key)
    if read.digests.checksum != header.checksum:
        raise DamagedSnapshot(f"{path}: damaged: the checksum does not match; fetch it again")
    if key is not None:
        _verify_seal(header, read.digests.seal, path)
    return Container(header, _read_table(read, header, path), read.left)


class _Read(NamedTuple):
    """A file's bytes as they were read: in `data` those of `left` are zeros."""

    data: memoryview
    left: FileRange | None
    digests: Digests


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def _read(path: Path, key: bytes | None) -> tuple[FileHeader, _Read]:
    """Return the header and the whole file, if its first bytes and size are a snapshot's.

    Of another kind of file, only the first bytes are read, however large the file is.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise EmptySnapshot(f"{path}: empty: a snapshot has at least {HEADER.size} bytes")
            header = _read_header(file.read(HEADER.size), path)
            _verify_size(header, size, path)
            return header, _read_whole(file, header, path, key)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableSnapshot(f"{path}: cannot be read: {why}") from error


def _read_whole(file: BufferedReader, header: FileHeader, path: Path, key: bytes | None) -> _Read:
    """Copy a file to memory, except for the section that stays in it."""
    copy = memoryview(mmap.mmap(-1, header.file_size))
    table = slice(0, min(HEADER.size + ENTRY.size * header.section_count, len(copy)))
    _copy(file, copy, table, path)
    hole = _hole(copy, header)
    # Memory that is not written to takes no room: the copy has a hole where the section would be.
    for part in (slice(table.stop, hole.start), slice(hole.stop, len(copy))):
        _copy(file, copy, part, path)
    found = hole.stop > hole.start
    left = FileRange(file.fileno(), hole.start, hole.stop - hole.start) if found else None
    pieces = _pieces(copy, hole, left)
    return _Read(copy.toreadonly(), left, Digests(copy[: HEADER.size], pieces, key))


def _pieces(copy: memoryview, hole: slice, left: FileRange | None) -> Iterator[bytes | memoryview]:
    """Yield all bytes of a file after its header."""
    yield copy[HEADER.size : hole.start]
    yield from left.chunks() if left else ()
    yield copy[hole.stop :]


def _hole(copy: memoryview, header: FileHeader) -> slice:
    """Return where the section that stays in the file is; the end of the file if no section does.

    The table is not verified yet: a place that cannot be is no place here, and an error later.
    """
    end = HEADER.size + ENTRY.size * header.section_count
    none = slice(len(copy), len(copy))
    if header.section_count > MAX_SECTIONS or end > len(copy):
        return none
    for name, offset, length, _ in ENTRY.iter_unpack(copy[HEADER.size : end]):
        if name.rstrip(b"\0") == LEFT.encode() and end <= offset <= offset + length <= len(copy):
            return slice(offset, offset + length)
    return none


def _copy(file: BufferedReader, copy: memoryview, part: slice, path: Path) -> None:
    file.seek(part.start)
    if file.readinto(copy[part]) < part.stop - part.start:
        raise TruncatedSnapshot(f"{path}: cut short while it was read; fetch it again")


def _read_header(data: bytes, path: Path) -> FileHeader:
    # A file that was cut short may end within the magic: compare as many bytes as there are.
    if not MAGIC.startswith(data[: len(MAGIC)]):
        raise NotASnapshot(f"{path}: not a snapshot: it does not begin like one")
    if len(data) < HEADER.size:
        raise TruncatedSnapshot(
            f"{path}: cut short: {len(data)} bytes, and the header alone has {HEADER.size}"
        )
    header = FileHeader(*HEADER.unpack(data))
    if header.major > MAJOR:
        raise NewerSnapshot(
            f"{path}: format version {header.major}.{header.minor} is newer than this program"
            f" reads ({MAJOR}.x): update mirrorlist"
        )
    if header.major < max(1, MAJOR - 1):
        raise ObsoleteSnapshot(
            f"{path}: format version {header.major}.{header.minor} is too old: export it again"
        )
    return header


def _verify_size(header: FileHeader, size: int, path: Path) -> None:
    if size < header.file_size:
        raise TruncatedSnapshot(
            f"{path}: cut short: {size} of {header.file_size} bytes are there; fetch it again"
        )
    if size > header.file_size:
        raise DamagedSnapshot(
            f"{path}: damaged: {size - header.file_size} bytes follow its end; fetch it again"
        )
    if size > MAX_FILE_BYTES:
        raise MalformedSnapshot(
            f"{path}: {size:,} bytes: more than the limit of {MAX_FILE_BYTES:,} for a snapshot"
        )


def _verify_seal(header: FileHeader, seal: bytes, path: Path) -> None:
    if header.seal == NO_SEAL:
        raise ForeignSnapshot(
            f"{path}: not sealed: export it with the --snapshot-key that is given here"
        )
    if not hmac.compare_digest(header.seal, seal):
        raise ForeignSnapshot(f"{path}: foreign: it was not sealed with this --snapshot-key")


def _read_table(read: _Read, header: FileHeader, path: Path) -> dict[str, memoryview]:
    data = read.data
    end = HEADER.size + ENTRY.size * header.section_count
    if header.section_count > MAX_SECTIONS or end > len(data):
        raise MalformedSnapshot(f"{path}: malformed: the section table is out of bounds")
    sections = {}
    for raw_name, offset, length, _ in ENTRY.iter_unpack(data[HEADER.size : end]):
        name = raw_name.rstrip(b"\0").decode("ascii", "replace")
        if offset % ALIGNMENT or offset < end or offset + length > len(data):
            raise MalformedSnapshot(f"{path}: malformed: section {name!r} is out of bounds")
        if name in sections:
            raise MalformedSnapshot(f"{path}: malformed: section {name!r} occurs twice")
        if read.left and name != LEFT and _overlap(offset, length, read.left):
            raise MalformedSnapshot(f"{path}: malformed: section {name!r} is also in {LEFT!r}")
        sections[name] = data[offset : offset + length]
    return sections


def _overlap(offset: int, length: int, left: FileRange) -> bool:
    return offset < left.offset + left.length and left.offset < offset + length
