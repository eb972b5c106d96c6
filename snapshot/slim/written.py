"""Writes files of repodata, packed as their source is, and the repomd.xml that names them."""

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, BinaryIO
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape, quoteattr

from msgspec import structs

from snapshot.file.errors import UnusableRepository
from snapshot.packages.repomd import RepomdRecord
from snapshot.packed import BZIP2, GZIP, XZ, ZSTD, zstd

_ENDINGS = {GZIP: ".gz", XZ: ".xz", BZIP2: ".bz2", ZSTD: ".zst"}


def write_packed(
    folder: Path, name: str, like: Path, blocks: Iterable[bytes], timestamp: str
) -> RepomdRecord:
    """Write a file, packed as another one is; `name` is what follows its sum."""
    ending = _ending(like)
    part = folder / f"{name}.part"
    digest, size = hashlib.sha256(), 0
    with part.open("xb") as raw, _packer(ending, raw) as packed:
        for block in blocks:
            digest.update(block)
            size += len(block)
            packed.write(block)
    sum = f"sha256:{digest.hexdigest()}"
    return _named(
        part, f"{name}{ending}", RepomdRecord(opened_sum=sum, opened=size, timestamp=timestamp)
    )


def write_copy(folder: Path, record: RepomdRecord, copy: Path) -> RepomdRecord:
    """Write a file that stays as it was, which `record` describes."""
    # Not by the file's type, which may be any text.
    part = folder / f"{len(os.listdir(folder))}.part"
    shutil.copyfile(copy, part)
    name = record.path.rpartition("/")[2].removeprefix(f"{record.sum}-")
    return _named(part, name, record)


def _named(part: Path, name: str, record: RepomdRecord) -> RepomdRecord:
    """Give a file its name, which begins with its sum; return what repomd.xml says of it."""
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    path = part.with_name(f"{digest}-{name}")
    part.rename(path)
    size = path.stat().st_size
    where = f"repodata/{path.name}"
    return structs.replace(record, path=where, sum_kind="sha256", sum=digest, size=size)


def repomd(revision: str, files: Mapping[str, RepomdRecord]) -> str:
    """Return the repomd.xml of some files by their types."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<repomd xmlns="http://linux.duke.edu/metadata/repo"'
        ' xmlns:rpm="http://linux.duke.edu/metadata/rpm">\n'
        f"  <revision>{escape(revision)}</revision>\n"
        f"{''.join(_data(*one) for one in files.items())}</repomd>\n"
    )


def _data(kind: str, record: RepomdRecord) -> str:
    lines = [f'<checksum type="{record.sum_kind}">{record.sum}</checksum>']
    if record.opened_sum:
        sum_kind, _, sum = record.opened_sum.partition(":")
        lines.append(f'<open-checksum type="{sum_kind}">{sum}</open-checksum>')
    lines.append(f"<location href={quoteattr(record.path)}/>")
    if record.timestamp:
        lines.append(f"<timestamp>{escape(record.timestamp)}</timestamp>")
    lines.append(f"<size>{record.size}</size>")
    if record.opened is not None:
        lines.append(f"<open-size>{record.opened}</open-size>")
    text = "".join(f"    {line}\n" for line in lines)
    return f"  <data type={quoteattr(kind)}>\n{text}  </data>\n"


def _ending(like: Path) -> str:
    with like.open("rb") as file:
        first = file.read(6)
    return next((ending for magic, ending in _ENDINGS.items() if first.startswith(magic)), "")


def _packer(ending: str, raw: BinaryIO) -> IO[bytes] | Any:
    """Return what packs into a file; the same bytes give the same file."""
    if ending == ".gz":
        return gzip.GzipFile("", "wb", 6, raw, 0)
    if ending == ".xz":
        return lzma.open(raw, "wb")
    if ending == ".bz2":
        return bz2.open(raw, "wb")
    if ending == ".zst":
        return zstd().open(raw, "wb")
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
