"""An ASN file that is kept is read again when it has changed, and only then."""

import os
import signal
from pathlib import Path

import pytest

from snapshot.export.asn_ahead import AsnFileAhead
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


def begun(path: Path) -> AsnFileAhead:
    """An ASN file that another process reads already."""
    file = AsnFileAhead(path)
    file.begin()
    return file


def test_read_ahead(tmp_path: Path) -> None:
    """What another process has read is taken, with its bad lines, and read again if it changed."""
    write(tmp_path / "asn", "192.0.2.0/24 64500\njunk\n", 0)
    file, left_out, same = begun(tmp_path / "asn"), LeftOutRows(), LeftOutRows()
    first = file.read(left_out)
    assert first.ranges({64500}) == AsnFile(tmp_path / "asn").read(same).ranges({64500})
    assert left_out.sorted() == same.sorted() != ()
    assert file.read(LeftOutRows()) is first
    write(tmp_path / "asn", "192.0.2.0/24 64500\n192.0.3.0/24 64500\n", 1)
    assert len(file.read(LeftOutRows())) == 2


def test_nothing_read_ahead(tmp_path: Path) -> None:
    """If the other process cannot read the file, this one says why; if it was killed, it reads."""
    with pytest.raises(DataFileError):
        begun(tmp_path / "asn").read(LeftOutRows())
    os.mkfifo(tmp_path / "asn")
    file = begun(tmp_path / "asn")
    os.kill(file.process, signal.SIGKILL)
    (tmp_path / "asn").unlink()
    write(tmp_path / "asn", "192.0.2.0/24 64500\n", 0)
    assert len(file.read(LeftOutRows())) == 1
