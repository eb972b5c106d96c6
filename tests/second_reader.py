"""Another reader of snapshots, written from docs/snapshot-format.md alone: struct and hashlib."""

import struct
from hashlib import blake2b
from typing import Any, NamedTuple

# A MessagePack value: what a section says is compared as a whole, so it needs no types here.
Value = Any

NO_HOST_SET, NO_CATEGORY = 4294967295, 65535
_HEADER_BYTES, _ENTRY_BYTES = 128, 40

# MessagePack: what a first byte says, as a struct format.
_INTEGERS = {0xCC: "B", 0xCD: "H", 0xCE: "I", 0xCF: "Q", 0xD0: "b", 0xD1: "h", 0xD2: "i", 0xD3: "q"}
_BYTES = {0xC4: "B", 0xC5: "H", 0xC6: "I"}
_TEXTS = {0xD9: "B", 0xDA: "H", 0xDB: "I"}
_ARRAYS = {0xDC: "H", 0xDD: "I"}
_MAPS = {0xDE: "H", 0xDF: "I"}


class RefusedError(Exception):
    """The file is no snapshot of format 1.x, or not as it was written."""


class File(NamedTuple):
    """A file's header and sections; only content sections count for the id."""

    minor: int
    built: int
    read: int
    id: str
    content: dict[str, bytes]
    other: dict[str, bytes]


def open_file(data: bytes) -> File:
    """Verify a file from its magic to its snapshot id and take it apart."""
    magic, major, minor, count, size, built, read = struct.unpack_from("<8sHHIQqq", data)
    id, checksum = data[40:56], data[56:88]
    if (magic, major, size) != (b"\x89MLSNAP\n", 1, len(data)):
        raise RefusedError("magic, version or size")
    if blake2b(data[:56] + bytes(32) + data[88:], digest_size=32).digest() != checksum:
        raise RefusedError("checksum")
    file = File(minor, built, read, id.hex(), {}, {})
    for entry in range(count):
        raw_name, start, length, flags = struct.unpack_from(
            "<16sQQI", data, _HEADER_BYTES + _ENTRY_BYTES * entry
        )
        sections = file.content if flags & 1 else file.other
        sections[raw_name.rstrip(b"\0").decode("ascii")] = data[start : start + length]
    if _snapshot_id(file.content) != id:
        raise RefusedError("snapshot id")
    return file


def _snapshot_id(content: dict[str, bytes]) -> bytes:
    digest = blake2b(digest_size=16)
    for name, data in sorted(content.items()):
        digest.update(name.encode().ljust(16, b"\0") + struct.pack("<Q", len(data)) + data)
    return digest.digest()


def message(data: bytes) -> Value:
    """Decode one MessagePack value that fills all the bytes."""
    value, end = _value(data, 0)
    if end != len(data):
        raise RefusedError("bytes after a MessagePack value")
    return value


def _value(data: bytes, at: int) -> tuple[Value, int]:
    first = data[at]
    at += 1
    if first < 0x80 or first >= 0xE0:
        return (first if first < 0x80 else first - 256), at
    if first < 0x90:
        return _map(data, at, first & 0x0F)
    if first < 0xA0:
        return _array(data, at, first & 0x0F)
    if first < 0xC0:
        return _text(data, at, first & 0x1F)
    if first in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[first], at
    kinds = {**_INTEGERS, **_BYTES, **_TEXTS, **_ARRAYS, **_MAPS}
    if first not in kinds:
        raise RefusedError(f"MessagePack byte {first:#x}")
    (number,) = struct.unpack_from(">" + kinds[first], data, at)
    at += struct.calcsize(kinds[first])
    if first in _INTEGERS:
        return number, at
    if first in _BYTES:
        return data[at : at + number], at + number
    if first in _TEXTS:
        return _text(data, at, number)
    return (_array if first in _ARRAYS else _map)(data, at, number)


def _text(data: bytes, at: int, length: int) -> tuple[str, int]:
    return data[at : at + length].decode(), at + length


def _array(data: bytes, at: int, count: int) -> tuple[list[Value], int]:
    found = []
    for _ in range(count):
        value, at = _value(data, at)
        found.append(value)
    return found, at


def _map(data: bytes, at: int, count: int) -> tuple[dict[str, Value], int]:
    items, at = _array(data, at, 2 * count)
    return dict(zip(items[::2], items[1::2], strict=True)), at


def host_sets(data: bytes) -> list[list[int]]:
    """Return the host indexes of each host set."""
    count, width = struct.unpack_from("<II", data)
    sets = [data[8 + width * place : 8 + width * (place + 1)] for place in range(count)]
    return [[i for i in range(8 * width) if bits[i // 8] >> i % 8 & 1] for bits in sets]


def directory_names(data: bytes) -> list[str]:
    """Return all names of directories."""
    count, per_block = struct.unpack_from("<II", data)
    blocks = (count + per_block - 1) // per_block
    offsets = struct.unpack_from(f"<{blocks}I", data, 8)
    names: list[bytes] = []
    for block, offset in enumerate(offsets):
        at, name = 8 + 4 * blocks + offset, b""
        for _ in range(min(per_block, count - block * per_block)):
            shared, at = _varint(data, at)
            rest, at = _varint(data, at)
            name = name[:shared] + data[at : at + rest]
            at += rest
            names.append(name)
    return [name.decode() for name in names]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | data[at] << shift, at + 1


class Directory(NamedTuple):
    """The columns of one directory; None is in no category."""

    ctime: int
    host_set: int | None
    category: int | None
    readable: bool


def directories(data: bytes) -> list[Directory]:
    """Return what is known of each directory."""
    (n,) = struct.unpack_from("<Q", data)
    columns = struct.unpack(f"<{n}q{n}I{n}H{n}B", data[8:])
    ctimes, sets, categories, flags = (columns[i * n : (i + 1) * n] for i in range(4))
    return [
        Directory(
            ctimes[i],
            None if sets[i] == NO_HOST_SET else sets[i],
            None if categories[i] == NO_CATEGORY else categories[i],
            bool(flags[i] & 1),
        )
        for i in range(n)
    ]


def file_details(data: bytes) -> dict[int, dict[str, list[Value]]]:
    """Return the files with their versions, by index of the directory."""
    (n,) = struct.unpack_from("<Q", data)
    index = struct.unpack_from(f"<{2 * n}I", data, 8)
    maps = data[8 + 8 * n :]
    starts = [*index[1::2], len(maps)]
    return {index[2 * i]: message(maps[starts[i] : starts[i + 1]]) for i in range(n)}


class Ranges(NamedTuple):
    """(first address, value) of the ranges of both families."""

    ipv4: list[tuple[int, int]]
    ipv6: list[tuple[int, int]]


def ranges(data: bytes) -> Ranges:
    """Return address ranges of either family."""
    n, m = struct.unpack_from("<II", data)
    starts4 = struct.unpack_from(f"<{n}I", data, 8)
    values4 = struct.unpack_from(f"<{n}I", data, 8 + 4 * n)
    values6 = struct.unpack_from(f"<{m}I", data, 8 + 8 * n)
    halves = struct.unpack(f">{2 * m}Q", data[8 + 8 * n + 4 * m :])
    starts6 = [high << 64 | low for high, low in zip(halves[::2], halves[1::2], strict=True)]
    return Ranges(
        list(zip(starts4, values4, strict=True)), list(zip(starts6, values6, strict=True))
    )


class History(NamedTuple):
    """Both times, and the moments by index of the directory, where there is one."""

    since: int
    cursor: int
    moments: dict[int, int]


def history(data: bytes) -> History:
    """Return since when directories are shown as they are."""
    since, cursor, m, n = struct.unpack_from("<qqII", data)
    columns = struct.unpack(f"<{m}q{m}I{n}I", data[24:])
    directories = iter(columns[2 * m :])
    pairs = zip(columns[:m], columns[m : 2 * m], strict=True)
    moments = {next(directories): moment for moment, count in pairs for _ in range(count)}
    return History(since, cursor, moments)


def file_sum(index: bytes, sums: bytes, path: str) -> tuple[int, bytes] | None:
    """Return the size and the SHA-256 of a single file."""
    n, bits, length = struct.unpack_from("<QII", index, 16)
    columns = 32 + 12 * (1 << bits)
    if len(index) != columns + length or len(sums) != 43 * n:
        raise RefusedError("lengths of the sums")
    key = blake2b(path.encode(), digest_size=8).digest()
    bucket = int.from_bytes(key, "big") >> 64 - bits
    ends = (0, *struct.unpack_from(f"<{1 << bits}I", index, 32 + 8 * (1 << bits)))
    first, k = ends[bucket], ends[bucket + 1] - ends[bucket]
    data = sums[43 * first : 43 * (first + k)]
    digest = blake2b(data, digest_size=8).digest()
    if digest != index[32 + 8 * bucket : 40 + 8 * bucket]:
        raise RefusedError("a bucket's digest")
    for i in range(k):
        if data[7 * i : 7 * i + 7] == key[1:]:
            size = data[7 * k + 4 * i : 7 * k + 4 * i + 4]
            return int.from_bytes(size, "little"), data[11 * k + 32 * i : 11 * k + 32 * i + 32]
    found = message(index[columns:]).get(path) if length else None
    return tuple(found) if found else None
