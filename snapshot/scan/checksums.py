"""Sums of files: those of repositories' metadata, and those that checksum files name.

A file is read again when its own time or size in the inventory changed. What was read before comes
from the last scan (`Read`), so a scan wants the same details whether it read a file or not.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from snapshot.scan.inventory import Inventory
from snapshot.scan.names import OBJECTS, REPODATA, REPOMD, SUMMARY, is_read, sum_of
from snapshot.scan.repomd import newest_timestamp
from snapshot.scan.unchanged import Entry, Read, Sums

KINDS = ("md5", "sha1", "sha256", "sha512")
# Size and time of the file behind a link.
_UNKNOWN = (-1, 0)
_BY_LENGTH = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
# No two parts of these can take the same characters, so that no line takes long.
_BSD = re.compile(r"^(MD5|SHA1|SHA256|SHA512) \((.+)\) = ([0-9a-fA-F]+)[ \t\r]*$", re.MULTILINE)
_GNU = re.compile(r"^([0-9a-fA-F]{32,128}) [ *](?:\./)?([^/\n]+)$", re.MULTILINE)


class Detail(Struct, frozen=True):
    """A row that `file_detail` must have; a sum that is not known is None."""

    directory: str
    filename: str
    timestamp: int
    size: int
    md5: str | None
    sha1: str | None
    sha256: str | None
    sha512: str | None


def files_to_read(
    inventory: Inventory, below: Mapping[str, set[str]]
) -> Iterator[tuple[str, Entry]]:
    """Yield the directory and the entry of each file whose content matters.

    The entry of a link has no size and no time, so it is read each time that anything changed.
    """
    for path, directory in inventory.directories.items():
        for entry in (*directory.files, *((name, *_UNKNOWN) for name in directory.linked)):
            if is_read(entry[0]) and _matters(path, entry[0], below):
                yield path, entry


def _matters(path: str, name: str, below: Mapping[str, set[str]]) -> bool:
    if name == REPOMD:
        return path.rpartition("/")[2] == REPODATA
    return name != SUMMARY or OBJECTS in below.get(path, ())


def read_metadata(name: str, entry: Entry, body: bytes) -> Read:
    """Return what a file says; raises ValueError if it is not what its name says."""
    if sum_of(name) is not None:
        return Read(entry[1], entry[2], checksum_lines(body.decode("utf-8", "replace")))
    stamp = newest_timestamp(body) if name == REPOMD else entry[2]
    sums = {kind: hashlib.new(kind, body, usedforsecurity=False).hexdigest() for kind in KINDS}
    return Read(entry[1], entry[2], {name: sums}, entry[2] if stamp is None else stamp, len(body))


def checksum_lines(text: str) -> dict[str, Sums]:
    """Return the sums of each file that a checksum file names, in either of the usual forms."""
    found: dict[str, Sums] = {}
    for kind, name, value in _BSD.findall(text):
        found.setdefault(name, {})[kind.lower()] = value.lower()
    for value, name in _GNU.findall(text):
        if len(value) in _BY_LENGTH:
            found.setdefault(name.rstrip(), {})[_BY_LENGTH[len(value)]] = value.lower()
    return found


def details(inventory: Inventory, read: Mapping[str, Read]) -> list[Detail]:
    """Return the details of all files whose sums are known and that the inventory has.

    A file has one row: of its own content if that was read, else of all checksum files.
    """
    own: dict[tuple[str, str], Detail] = {}
    sums: dict[tuple[str, str], Sums] = {}
    for path, one in sorted(read.items()):
        parent, _, name = path.rpartition("/")
        if parent not in inventory.directories:
            continue
        if sum_of(name) is None:
            place = inventory.full(parent)
            own[parent, name] = _detail(place, name, one.timestamp, one.length, one.sums[name])
        else:
            for named, found in one.sums.items():
                sums.setdefault((parent, named), {}).update(found)
    return [*own.values(), *_named(inventory, {key: sums[key] for key in sums.keys() - own.keys()})]


def _named(inventory: Inventory, sums: Mapping[tuple[str, str], Sums]) -> Iterator[Detail]:
    entries: dict[str, dict[str, Entry]] = {}
    for (parent, name), found in sorted(sums.items()):
        if parent not in entries:
            entries[parent] = inventory.directories[parent].named()
        entry = entries[parent].get(name)
        if entry is not None:
            yield _detail(inventory.full(parent), name, entry[2], entry[1], found)


def _detail(directory: str, name: str, time: int, size: int, sums: Sums) -> Detail:
    return Detail(directory, name, time, size, *(sums.get(kind) for kind in KINDS))


def unchanged(entries: Iterable[tuple[str, Entry]], known: Mapping[str, Read]) -> dict[str, Read]:
    """Return what is known of the files whose time and size are as they were."""
    found: dict[str, Read] = {}
    for parent, (name, size, time) in entries:
        path = f"{parent}/{name}" if parent else name
        one = known.get(path)
        if one is not None and (one.size, one.time) == (size, time) and size >= 0:
            found[path] = one
    return found
