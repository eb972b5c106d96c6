"""Writes cache files as mirrorlist-server does, by hand: the reader's library is not asked.

Source: docs/mirrormanager.md#the-cache-file for the fields, https://protobuf.dev for their
encoding.
"""

from collections.abc import Iterable
from pathlib import Path

TIME, COUNTRIES_OF_NETBLOCKS, URLS, FILES, DISABLED, CONTINENTS, REDIRECTS = 1, 2, 4, 5, 6, 7, 8
REPOSITORIES, ASNS, COUNTRIES, BANDWIDTHS, ALLOWED, NETBLOCKS, DIRECTORIES = (
    *(9, 10, 12, 13, 14, 15),
    16,
)
READ = 1_767_225_600

Value = int | str | bytes


def varint(value: int) -> bytes:
    """Return a number as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: Value) -> bytes:
    """Return one field: a number, or text and messages with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(*fields: tuple[int, Value]) -> bytes:
    """Return a message of fields."""
    return b"".join(field(*one) for one in fields)


def entry(key: Value, *values: Value) -> bytes:
    """Return an entry of a map."""
    return message((1, key), *((2, value) for value in values))


def details(timestamp: int, size: int = 9, **hashes: str) -> bytes:
    """Return one version of a file."""
    numbers = {"sha1": 3, "md5": 4, "sha256": 5, "sha512": 6}
    named = ((numbers[name], text) for name, text in hashes.items())
    return message((1, timestamp), (2, size), *named)


def files(directory: str, **versions: Iterable[bytes]) -> bytes:
    """Return the file details of a directory; `_` in a name stands for a dot."""
    named = (
        (2, message((1, name.replace("_", ".")), *((2, one) for one in found)))
        for name, found in versions.items()
    )
    return message((1, directory), *named)


def directory(
    name: str, subpath: str, urls: dict[int, tuple[int, ...]], public: Iterable[int] | None = None
) -> bytes:
    """Return the hosts of a directory, all of them public if nothing else is said."""
    return message(
        (1, name),
        *((2, host) for host in (urls if public is None else public)),
        (3, subpath),
        *((6, entry(host, *ids)) for host, ids in urls.items()),
    )


WORLD: list[tuple[int, Value]] = [
    (TIME, READ),
    *((URLS, entry(id, f"https://host{id // 10}.example/linux")) for id in (10, 20, 30)),
    (URLS, entry(11, "rsync://host1.example/linux")),
    *((COUNTRIES, entry(host, country)) for host, country in ((1, "DE"), (2, "FR"), (3, "DE"))),
    *((BANDWIDTHS, entry(host, 100 * host)) for host in (1, 2, 3)),
    (REPOSITORIES, entry("linux-40+x86_64", "pub/linux/40")),
    (FILES, files("pub/linux/40/repodata", repomd_xml=[details(5, sha256="2c" * 32)])),
    (DIRECTORIES, directory("pub/linux", "", {1: (10, 11), 2: (20,), 3: (30,)}, [1, 2])),
    (DIRECTORIES, directory("pub/linux/40", "40", {1: (10, 11), 2: (20,), 3: (30,)}, [1, 2])),
    (DIRECTORIES, directory("pub/linux/40/repodata", "40/repodata", {1: (10, 11), 3: (30,)}, [1])),
]
"""A time, hosts 1 and 2 and the private 3, one repository with its repomd.xml."""


def write_cache(path: Path, *more: tuple[int, Value], without: Iterable[int] = ()) -> Path:
    """Write the world, without fields of some numbers and with further ones; return the path."""
    kept = [one for one in WORLD if one[0] not in set(without)]
    path.write_bytes(message(*kept, *more))
    return path
