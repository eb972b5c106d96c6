"""A spool file: what servers counted in a while, as the collector takes it over exactly once.

A file holds one batch or several. A batch is known by its `source` (16 random bytes that one worker
process draws when it starts, and that nobody keeps) and its `sequence` (1, 2, 3 ... in that
process). So no restart, crash, copied disk or restored backup can give one name to two batches. A
collector adds a batch and notes its (source, sequence) in one transaction, and passes over a batch
that is noted. Batches are never merged after they can be seen: a file of several (`pack`) keeps
them apart, so the collector may have some of them already.

Bytes: MAGIC, `z` or `x` (zlib, xz), and the compressed msgpack of a list of `Batch`.
"""

import errno
import lzma
import os
import re
import sys
import time
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, chain
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, structs

from snapshot.file.errors import SpoolError, UnreadableSpool
from snapshot.file.wholefile import read_regular

MAGIC = b"mirrorlist-stats-1\n"
_PART, _LEFT_SECONDS = ".part", 3600.0
SUFFIX = ".spool"
"""Files whose names end otherwise are not spool files: those being written begin with a dot."""
MOST_FILE_BYTES = 16 << 20
MOST_UNPACKED_BYTES = 64 << 20
"""A larger file is refused, and never written."""
MOST_ROWS = 1_000_000
"""A file with more packed rows is refused; a worker has far fewer (docs/statistics.md#limits)."""
MOST_BATCHES, MOST_PLAIN = 16, 250_000
"""A file has at most so many batches, and a batch so many rows that are not packed."""
MOST_REQUESTS = 1 << 40
"""A batch that counts more is refused: a database could not add up many of these."""
MOST_NAME = 256
"""The longest name, in characters: of a repository, a host, an arch."""

HOUR_SECONDS, DAY_SECONDS = 3600, 86400

METALINK, MIRRORLIST = "metalink", "mirrorlist"
KINDS = (METALINK, MIRRORLIST)
UNKNOWN_REPOSITORY = "(unknown)"
"""Stands for all repositories that the snapshot does not have."""
NO_REPOSITORY = "(none)"
"""Stands for the requests that name no repository: by path=, or by mistake."""
OTHER = "(other)"
"""Stands for each label of the requests that came when there was no room for more labels."""
CLIENTS = ("dnf", "dnf5", "yum", "zypper", "librepo", "other")
"""The families of clients."""
NO_TIER = "none"
"""The tier of an answer without hosts."""

# PostgreSQL's texts have no NUL.
_Text = Annotated[str, Meta(max_length=MOST_NAME, pattern=r"^[^\0]*$")]
_Number = Annotated[int, Meta(ge=0, le=1 << 53)]
_Seconds = Annotated[int, Meta(ge=0, le=1 << 40)]
_Status = Annotated[int, Meta(ge=0, le=999)]
_Family = Annotated[int, Meta(ge=0, le=6)]
_Countme = Annotated[int, Meta(ge=0, le=4)]
_PLAIN = Meta(max_length=MOST_PLAIN)

KEY_BITS = (4, 12, 20, 20)
"""How many bits of a packed key the parts take: client, origin, lead, label."""

# A folder, a device, or too large: what `read_regular` refuses will not become a spool file.
_REFUSED = (errno.EISDIR, errno.EINVAL, errno.EFBIG)

_NAME = re.compile(r"\d{10,13}-([0-9a-f]{32})-(\d{8,})" + re.escape(SUFFIX))


class CountRow(Struct, frozen=True, array_like=True, gc=False):
    """The requests of an hour that have all labels in common."""

    hour: _Seconds
    """The hour's first second, since 1970, UTC."""
    kind: _Text
    """One of KINDS, or OTHER."""
    repository: _Text
    """The prefix that was asked for, or UNKNOWN_REPOSITORY, NO_REPOSITORY, OTHER."""
    arch: _Text
    """The arch, OTHER for one that the snapshot does not have, or empty without a repository."""
    country: _Text
    """The client's country, such as `DE`; `N/A` if it is unknown."""
    tier: _Text
    """The tier of the first host, such as `country`; NO_TIER without hosts."""
    status: _Status
    """The answer's status; 0 for OTHER."""
    client: _Text
    """One of CLIENTS, or OTHER."""
    family: _Family
    """4 or 6, the version of the client's address; 0 if it is unknown."""
    countme: _Countme
    """The age of the system by countme=: 1 (first week) to 4 (over half a year); 0 without."""
    requests: _Number


class HostRow(Struct, frozen=True, array_like=True, gc=False):
    """How often a host was named first in a tier in an hour."""

    hour: _Seconds
    host: _Text
    tier: _Text
    times: _Number


class UnknownRow(Struct, frozen=True, array_like=True, gc=False):
    """An unknown repository that was asked for often, with the characters that answers repeat.

    At least `requests` asked for it: names for which a worker had no room are not here.
    """

    day: _Seconds
    """The day's first second, since 1970, UTC."""
    repository: _Text
    arch: _Text
    requests: _Number


class SketchRow(Struct, frozen=True, array_like=True, gc=False):
    """The distinct addresses that asked for a repository and arch on a day.

    The union of the sketches of a day with one `key` counts each address once, over servers,
    repositories and archs. `hll` is a serialised `hll_sketch` of datasketches.
    """

    day: _Seconds
    """The day's first second, since 1970, UTC."""
    repository: _Text
    arch: _Text
    hll: Annotated[bytes, Meta(max_length=1 << 16)]


class PackedHour(Struct, frozen=True, array_like=True, gc=False):
    """The requests of an hour: keys in ascending order as differences, and how often each came.

    Both are integers of 64 bits, little-endian. A key has the indexes of its parts in `Packed`:
    `KEY_BITS` says how many bits each takes, beginning with the lowest.
    """

    hour: _Seconds
    keys: bytes
    counts: bytes


class Packed(Struct, frozen=True, array_like=True):
    """The counts of requests as a worker has them: a key of four parts, and their names.

    `labels`: kind, repository, arch, countme, and the status of a list. `leads`: the first host,
    its tier, and 0; or empty, NO_TIER, and the status of an answer without hosts. `origins`:
    country and family. The fourth part is an index in CLIENTS.
    """

    labels: tuple[tuple[_Text, _Text, _Text, _Countme, _Status], ...]
    leads: tuple[tuple[_Text, _Text, _Status], ...]
    origins: tuple[tuple[_Text, _Family], ...]
    hours: tuple[PackedHour, ...]


class Batch(Struct, frozen=True):
    """What one worker process counted in a while; each request is in one batch."""

    source: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    """Random, of one worker process."""
    sequence: Annotated[int, Meta(ge=1, le=1 << 53)]
    """1, 2, 3 ... of this source."""
    server: _Text
    """The server's name, kept in its spool: for people, never to tell batches apart."""
    begun: _Seconds
    ended: _Seconds
    """When the first and the last of it was counted, by this server's clock."""
    counts: Annotated[tuple[CountRow, ...], _PLAIN] = ()
    hosts: Annotated[tuple[HostRow, ...], _PLAIN] = ()
    unknown: Annotated[tuple[UnknownRow, ...], _PLAIN] = ()
    sketches: Annotated[tuple[SketchRow, ...], _PLAIN] = ()
    key: _Text = ""
    """Names the secret of the sketches: those of different keys cannot be united."""
    other: _Number = 0
    """How many of the requests in `counts` are in rows of OTHER, because labels had no room."""
    packed: Packed | None = None
    """More of `counts` and `hosts`, as servers write them; None in a batch that was read."""

    @property
    def requests(self) -> int:
        """How many requests were counted."""
        return sum(row.requests for row in self.counts)

    @property
    def file_name(self) -> str:
        """The name of its file: names in order of time, and each name for one content."""
        return f"{self.begun:010}-{self.source}-{self.sequence:08}{SUFFIX}"


_BATCHES = msgspec.msgpack.Decoder(Annotated[list[Batch], Meta(max_length=MOST_BATCHES)])


def encode(batches: Sequence[Batch]) -> bytes:
    """Return the bytes of a file; raises SpoolError if it would be over the limits."""
    unpacked = msgspec.msgpack.encode(list(batches))
    if len(batches) > 1:
        # Batches resemble each other, but not within the 32 KiB in which zlib sees it.
        kind, packed = b"x", lzma.compress(unpacked, preset=1)
    else:
        kind, packed = b"z", zlib.compress(unpacked, 1)
    data = MAGIC + kind + packed
    if len(data) > MOST_FILE_BYTES or len(unpacked) > MOST_UNPACKED_BYTES:
        raise SpoolError(f"{len(unpacked):,} bytes are too many for a spool file")
    return data


# RecursionError: lists in lists without end, in a field that nobody knows.
_DAMAGED = (
    *(zlib.error, lzma.LZMAError, EOFError),
    *(msgspec.DecodeError, UnicodeDecodeError, RecursionError),
)


def decode(data: bytes) -> list[Batch]:
    """Return the batches of a file; raises SpoolError if it is damaged, foreign or too large."""
    if not data.startswith(MAGIC):
        raise SpoolError("is not a spool file of this version: it was cut short, or is foreign")
    kind, packed = data[len(MAGIC) : len(MAGIC) + 1], data[len(MAGIC) + 1 :]
    try:
        batches = _BATCHES.decode(_unpacked(kind, packed))
    except _DAMAGED as error:
        raise SpoolError(f"is damaged: {error}") from error
    hours = [hour for batch in batches if batch.packed for hour in batch.packed.hours]
    if sum(len(one.keys) for one in hours) > 8 * MOST_ROWS:
        raise SpoolError("has too many rows")
    return [_possible(_unpack(batch)) for batch in batches]


def _possible(batch: Batch) -> Batch:
    """Return the batch; raises SpoolError for numbers that would spoil all sums."""
    unknown = sum(one.requests for one in batch.unknown)
    if max(batch.requests, unknown, sum(one.times for one in batch.hosts)) > MOST_REQUESTS:
        raise SpoolError("counts more requests than there can be")
    hours = chain((one.hour for one in batch.counts), (one.hour for one in batch.hosts))
    if any(hour % HOUR_SECONDS for hour in hours):
        raise SpoolError("is damaged: an hour that does not begin with its first second")
    return batch


def _unpack(batch: Batch) -> Batch:
    """Return a batch with the rows of what is packed; raises SpoolError."""
    packed = batch.packed
    if packed is None:
        return batch
    counts: Counter[tuple[Any, ...]] = Counter()
    hosts: Counter[tuple[Any, ...]] = Counter()
    for one in packed.hours:
        for key, count in _keys(one):
            client, origin, lead, label = _parts(key)
            try:
                host, tier, status = packed.leads[lead]
                kind, repository, arch, countme, of_list = packed.labels[label]
                row = (one.hour, kind, repository, arch, packed.origins[origin][0], tier)
                end = (CLIENTS[client], packed.origins[origin][1], countme)
            except IndexError:
                raise SpoolError("is damaged: a key without a name") from None
            counts[*row, status or of_list, *end] += count
            if host:
                hosts[one.hour, host, tier] += count
    return structs.replace(
        batch,
        counts=(*batch.counts, *(CountRow(*(*row, count)) for row, count in counts.items())),
        hosts=(*batch.hosts, *(HostRow(*(*row, count)) for row, count in hosts.items())),
        packed=None,
    )


def _keys(hour: PackedHour) -> Iterator[tuple[int, int]]:
    columns = [array("q"), array("q")]
    for column, data in zip(columns, (hour.keys, hour.counts), strict=True):
        if len(data) % 8:
            raise SpoolError("is damaged: a column that is cut short")
        column.frombytes(data)
        if sys.byteorder == "big":
            column.byteswap()
    if len(columns[0]) != len(columns[1]) or min(chain(*columns), default=0) < 0:
        raise SpoolError("is damaged: columns that do not fit")
    return zip(accumulate(columns[0]), columns[1], strict=True)


def _parts(key: int) -> Iterator[int]:
    for bits in KEY_BITS[:-1]:
        yield key & ((1 << bits) - 1)
        key >>= bits
    yield key


def _unpacked(kind: bytes, packed: bytes) -> bytes:
    if kind == b"z":
        inflate = zlib.decompressobj()
        unpacked, is_whole = inflate.decompress(packed, MOST_UNPACKED_BYTES), inflate.eof
    elif kind == b"x":
        expand = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=256 << 20)
        unpacked, is_whole = expand.decompress(packed, MOST_UNPACKED_BYTES), expand.eof
    else:
        raise SpoolError(f"is packed in a way that this version does not know: {kind!r}")
    if not is_whole:
        raise SpoolError("is cut short, or too large")
    return unpacked


def read(path: Path) -> list[Batch]:
    """Return the batches of a file; raises SpoolError that names it, FileNotFoundError if gone.

    UnreadableSpool is about the disk or the rights on the file, and may be over at the next look.
    """
    try:
        return decode(read_regular(path, MOST_FILE_BYTES))
    except FileNotFoundError:
        raise
    except OSError as error:
        kind = SpoolError if error.errno in _REFUSED else UnreadableSpool
        raise kind(f"{path}: cannot be read: {error.strerror}") from error
    except SpoolError as error:
        raise SpoolError(f"{path}: {error}") from error


def write(folder: Path, name: str, data: bytes) -> Path:
    """Write a file whole: under another name, synced, then renamed; raises OSError.

    Before the rename nothing of it can be seen, and after the return it survives a power cut. An
    existing file of this name is replaced, which has the same content: two may write it at once.
    """
    path, beside = folder / name, folder / f".{name}.{os.urandom(4).hex()}{_PART}"
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise
    _sync(folder)
    return path


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some file systems do not sync folders.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)


def remove_parts(folder: Path) -> None:
    """Remove what writers left that were killed: files of an hour ago; raises OSError."""
    for name in os.listdir(folder):
        if name.startswith(".") and name.endswith(_PART):
            with suppress(FileNotFoundError):
                if time.time() - os.stat(folder / name).st_mtime > _LEFT_SECONDS:
                    os.unlink(folder / name)


def files(folder: Path) -> Iterator[Path]:
    """Yield the spool files in a folder, the oldest first; raises OSError."""
    names = sorted(name for name in os.listdir(folder) if _NAME.fullmatch(name))
    yield from (folder / name for name in names)
