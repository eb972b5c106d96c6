"""Writes files of repodata, packed as their source is, and the repomd.xml that names them."""

import bz2
import gzip
import hashlib
import lzma
import os
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import IO, Any, BinaryIO
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from snapshot.file.errors import UnusableRepository
from snapshot.packages.repomd import Primary

_BLOCK = 1 << 18
_KINDS = (
    (b"\x1f\x8b", ".gz"),
    (b"\xfd7zXZ\0", ".xz"),
    (b"BZh", ".bz2"),
    (b"\x28\xb5\x2f\xfd", ".zst"),
)


class Data(Struct, frozen=True):
    """A file of repodata that was written: its type, and what repomd.xml says of it."""

    kind: str
    name: str
    sum: str
    size: int
    opened_sum: str
    opened: int | None
    timestamp: str


def write_packed(
    folder: Path, kind: str, name: str, like: Path, blocks: Iterable[bytes], timestamp: str
) -> Data:
    """Write a file, packed as another one is; `name` is what follows its sum."""
    ending = _ending(like)
    part = folder / f"{kind}.part"
    digest, size = hashlib.sha256(), 0
    with part.open("xb") as raw, _packer(ending, raw) as packed:
        for block in blocks:
            digest.update(block)
            size += len(block)
            packed.write(block)
    opened = f"sha256:{digest.hexdigest()}"
    return _named(folder, kind, part, f"{name}{ending}", (opened, size, timestamp))


def write_copy(folder: Path, kind: str, about: Primary, copy: Path) -> Data:
    """Write a file that stays as it was."""
    part = folder / f"{len(os.listdir(folder))}.part"
    with copy.open("rb") as source, part.open("xb") as target:
        while block := source.read(_BLOCK):
            target.write(block)
    name = about.path.rpartition("/")[2].removeprefix(f"{about.sum}-")
    return _named(folder, kind, part, name, (about.opened_sum, about.opened, about.timestamp))


def _named(
    folder: Path, kind: str, part: Path, name: str, rest: tuple[str, int | None, str]
) -> Data:
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    path = folder / f"{digest}-{name}"
    part.rename(path)
    return Data(kind, path.name, f"sha256:{digest}", path.stat().st_size, *rest)


def repomd(revision: str, files: Iterable[Data]) -> str:
    """Return the repomd.xml of some files."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<repomd xmlns="http://linux.duke.edu/metadata/repo"'
        ' xmlns:rpm="http://linux.duke.edu/metadata/rpm">\n'
        f"  <revision>{escape(revision)}</revision>\n"
        f"{''.join(map(_data, files))}</repomd>\n"
    )


def _data(one: Data) -> str:
    kind, _, sum = one.sum.partition(":")
    lines = [f'<checksum type="{kind}">{sum}</checksum>']
    if one.opened_sum:
        kind, _, sum = one.opened_sum.partition(":")
        lines.append(f'<open-checksum type="{kind}">{sum}</open-checksum>')
    lines.append(f"<location href={quoteattr(f'repodata/{one.name}')}/>")
    if one.timestamp:
        lines.append(f"<timestamp>{escape(one.timestamp)}</timestamp>")
    lines.append(f"<size>{one.size}</size>")
    if one.opened is not None:
        lines.append(f"<open-size>{one.opened}</open-size>")
    text = "".join(f"    {line}\n" for line in lines)
    return f"  <data type={quoteattr(one.kind)}>\n{text}  </data>\n"


def _ending(like: Path) -> str:
    with like.open("rb") as file:
        first = file.read(6)
    return next((ending for magic, ending in _KINDS if first.startswith(magic)), "")


def _packer(ending: str, raw: BinaryIO) -> IO[bytes] | Any:
    """Return what packs into a file; the same bytes give the same file."""
    if ending == ".gz":
        return gzip.GzipFile("", "wb", 6, raw, 0)
    if ending == ".xz":
        return lzma.open(raw, "wb")
    if ending == ".bz2":
        return bz2.open(raw, "wb")
    if ending == ".zst":
        module = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
        return import_module(module).open(raw, "wb")
    return _Plain(raw)


class _Plain:
    """Packs nothing."""

    def __init__(self, raw: BinaryIO) -> None:
        self.write = raw.write

    def __enter__(self) -> "_Plain":
        return self

    def __exit__(self, *_: object) -> None:
        """The file is closed by who has opened it."""


class Checked:
    """Looks on as XML passes: what is not well-formed, or defines an entity, is refused."""

    def __init__(self, name: str) -> None:
        """Take the name of the file, for the error."""
        self._name, self._expat = name, ParserCreate(namespace_separator=" ")
        self._expat.EntityDeclHandler = self._refuse

    def feed(self, data: bytes, *, is_last: bool = False) -> bytes:
        """Return the data again; raises UnusableRepository."""
        try:
            self._expat.Parse(data, is_last)
        except (ExpatError, LookupError, ValueError) as error:
            # A LookupError is an encoding that does not exist.
            raise UnusableRepository(f"{self._name} is not XML: {error}") from error
        return data

    def _refuse(self, *_: object) -> None:
        raise UnusableRepository(f"{self._name} defines an entity, which repodata never does")
