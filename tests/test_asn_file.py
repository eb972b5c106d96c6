"""An ASN file that is kept is read again when it has changed, and only then."""

import os
from pathlib import Path

import pytest

from snapshot.export.asn_file import AsnFile
from snapshot.export.leftout import LeftOutRows
from snapshot.file.errors import DataFileError

OLD_SECONDS = 1_700_000_000


def write(path: Path, text: str, seconds: int) -> None:
    """Write a file whose time is this many seconds after an old one."""
    path.write_text(text)
    os.utime(path, (OLD_SECONDS + seconds, OLD_SECONDS + seconds))


def test_kept(tmp_path: Path) -> None:
    """Without a change the networks are the very same, and bad lines are reported each time."""
    write(tmp_path / "asn", "192.0.2.0/24 64500\njunk\n", 0)
    file, reports = AsnFile(tmp_path / "asn"), [LeftOutRows(), LeftOutRows()]
    first, second = (file.read(left_out) for left_out in reports)
    assert first is second
    assert len(first) == 1
    assert reports[0].sorted() == reports[1].sorted() != ()
    write(tmp_path / "asn", "192.0.2.0/24 64500\n192.0.3.0/24 64500\n", 1)
    third = LeftOutRows()
    assert len(file.read(third)) == 2
    assert third.sorted() == ()


def test_just_written(tmp_path: Path) -> None:
    """A file that was written a moment ago is read again, as its time may not tell the next."""
    (tmp_path / "asn").write_text("192.0.2.0/24 64500\n")
    file = AsnFile(tmp_path / "asn")
    assert file.read(LeftOutRows()) is not file.read(LeftOutRows())


def test_gone(tmp_path: Path) -> None:
    """A file that is gone is an error, whatever was read of it."""
    write(tmp_path / "asn", "192.0.2.0/24 64500\n", 0)
    file = AsnFile(tmp_path / "asn")
    file.read(LeftOutRows())
    (tmp_path / "asn").unlink()
    with pytest.raises(DataFileError):
        file.read(LeftOutRows())
