"""Spool files of statistics: they round-trip, and a damaged one is an error, never a guess."""

import os
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.file.errors import SpoolError
from snapshot.stats import spool
from snapshot.stats.spool import (
    Batch,
    CountRow,
    HostRow,
    Packed,
    PackedHour,
    SketchRow,
    UnknownRow,
)
from tests.examples import examples

HOUR = 1_764_259_200
SOURCE = "0123456789abcdef" * 2
LABELS = ("metalink", "fedora-40", "x86_64", "DE", "country", 200, "dnf", 4, 3)
BATCH = Batch(
    source=SOURCE,
    sequence=7,
    server="proxy01-5f3a",
    begun=HOUR + 5,
    ended=HOUR + 65,
    counts=(CountRow(HOUR, *LABELS, 12), CountRow(HOUR, *LABELS[:-1], 0, 30)),
    hosts=(HostRow(HOUR, "mirror.example", "country", 40),),
    unknown=(UnknownRow(HOUR, "fedora-4", "x86_64", 2),),
    sketches=(SketchRow(HOUR, "fedora-40", "x86_64", b"\0hll"),),
    key="5e1f",
)
LATER = msgspec.structs.replace(BATCH, sequence=8, begun=HOUR + 65, ended=HOUR + 125)


@pytest.mark.parametrize("batches", [[BATCH], [BATCH, LATER], []], ids=["one", "several", "empty"])
def test_round_trip(tmp_path: Path, batches: list[Batch]) -> None:
    """A file that was written is read as the batches that it was made of."""
    path = spool.write(tmp_path, BATCH.file_name, spool.encode(batches))
    assert spool.read(path) == batches
    assert list(spool.files(tmp_path)) == [path]
    assert BATCH.requests == 42


def test_every_cut() -> None:
    """A file that is cut short anywhere is an error, for both ways of packing."""
    for data in (spool.encode([BATCH]), spool.encode([BATCH, LATER])):
        for length in range(len(data)):
            with pytest.raises(SpoolError):
                spool.decode(data[:length])


@examples(200)
@given(st.data())
def test_changed_bytes(data: st.DataObject) -> None:
    """A file with a changed byte is an error, or says the same: never another number."""
    good = spool.encode(data.draw(st.sampled_from([[BATCH], [BATCH, LATER]])))
    at, value = data.draw(st.integers(0, len(good) - 1)), data.draw(st.integers(0, 255))
    try:
        found = spool.decode(good[:at] + bytes([value]) + good[at + 1 :])
    except SpoolError:
        return
    assert found == spool.decode(good)


@pytest.mark.parametrize(
    "value",
    [
        [{"source": SOURCE}],
        [msgspec.to_builtins(BATCH) | {"source": "../../etc/passwd"}],
        [msgspec.to_builtins(BATCH) | {"sequence": 0}],
        [msgspec.to_builtins(BATCH) | {"counts": [[HOUR, *LABELS, -1]]}],
        [msgspec.to_builtins(BATCH) | {"counts": [["now", *LABELS, 1]]}],
        [msgspec.to_builtins(BATCH) | {"hosts": [[HOUR, "h" * 257, "country", 1]]}],
        [msgspec.to_builtins(BATCH) | {"server": "a\0b"}],
        [msgspec.to_builtins(BATCH) | {"hosts": [[HOUR, "h\0", "country", 1]]}],
        [msgspec.to_builtins(BATCH)] * (spool.MOST_BATCHES + 1),
        "text",
    ],
    ids=[
        "missing",
        "source",
        "sequence",
        "negative",
        "type",
        "long",
        "nul",
        "host",
        "many",
        "text",
    ],
)
def test_foreign_content(value: object) -> None:
    """Content that does not have the fields and the limits of a batch is an error."""
    data = spool.MAGIC + b"z" + zlib.compress(msgspec.msgpack.encode(value))
    with pytest.raises(SpoolError, match="is damaged: "):
        spool.decode(data)


def test_lists_in_lists() -> None:
    """A field that nobody knows, with lists in lists without end, is an error as any other."""
    value = b"\x91\x81\xa1x" + b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(SpoolError, match="is damaged: "):
        spool.decode(spool.MAGIC + b"z" + zlib.compress(value))


def packed(*counts: int) -> Packed:
    """Return counts as a server packs them, all of one key."""
    keys, numbers = bytes(8 * len(counts)), b"".join(one.to_bytes(8, "little") for one in counts)
    labels = (("metalink", "fedora-40", "x86_64", 0, 200),)
    hours = (PackedHour(HOUR, keys, numbers),)
    return Packed(labels, (("mirror.example", "country", 0),), (("DE", 4),), hours)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"packed": packed((1 << 63) - 1)}, "more requests than there can be"),
        ({"packed": packed(1, spool.MOST_REQUESTS)}, "more requests than there can be"),
        ({"counts": (CountRow(HOUR, *LABELS, 1 << 53),)}, "more requests than there can be"),
        ({"hosts": (HostRow(HOUR, "h", "country", 1 << 53),)}, "more requests than there can be"),
        ({"unknown": (UnknownRow(HOUR, "r", "a", 1 << 53),)}, "more requests than there can be"),
        ({"counts": (CountRow(HOUR + 5, *LABELS, 1),)}, "first second"),
    ],
    ids=["packed", "sum", "row", "host", "unknown", "hour"],
)
def test_numbers_that_would_spoil_all_sums(more: dict[str, object], words: str) -> None:
    """A database could not add them up, and no later file would come in."""
    data = spool.encode([msgspec.structs.replace(BATCH, **more)])
    with pytest.raises(SpoolError, match=words):
        spool.decode(data)


def test_bomb() -> None:
    """A small file that would unpack to gigabytes is refused, and takes no such memory."""
    data = spool.MAGIC + b"z" + zlib.compress(bytes(spool.MOST_UNPACKED_BYTES + 1), 1)
    with pytest.raises(SpoolError, match="too large"):
        spool.decode(data)


def test_foreign_files(tmp_path: Path) -> None:
    """Files of other names are not spool files; an unreadable file is an error with its name."""
    for name in ("notes.txt", f".{BATCH.file_name}.part", "x.spool"):
        (tmp_path / name).write_text("text")
    path = tmp_path / BATCH.file_name
    os.mkfifo(path)
    assert list(spool.files(tmp_path)) == [path]
    with pytest.raises(SpoolError, match=f"^{path}: cannot be read: not a regular file$"):
        spool.read(path)
    path.unlink()
    path.write_text("text")
    with pytest.raises(SpoolError, match=f"^{path}: is not a spool file of this version"):
        spool.read(path)


def test_failed_write(tmp_path: Path) -> None:
    """A write that fails leaves nothing behind, and what was there stays."""
    path = spool.write(tmp_path, BATCH.file_name, spool.encode([BATCH]))
    (tmp_path / LATER.file_name).mkdir()
    with pytest.raises(IsADirectoryError):
        spool.write(tmp_path, LATER.file_name, spool.encode([LATER]))
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / LATER.file_name]
    assert spool.read(path) == [BATCH]


def test_order(tmp_path: Path) -> None:
    """Files come in the order of their batches' time."""
    for batch in (LATER, BATCH):
        spool.write(tmp_path, batch.file_name, spool.encode([batch]))
    assert [path.name for path in spool.files(tmp_path)] == [BATCH.file_name, LATER.file_name]
