"""Files from elsewhere: a file that is not regular, or too large, is refused at once."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.cli.settings_file import read_file
from mirrorlist.errors import GeoipError, OptionError
from mirrorlist.request.geo import MmdbGeo
from snapshot.cache.rows import read_cache
from snapshot.export.asn import read_asn_netblocks
from snapshot.export.continents import read_continents
from snapshot.export.leftout import LeftOutRows
from snapshot.file import errors
from snapshot.file.format import HEADER, MAGIC, MAJOR, MAX_FILE_BYTES, MINOR, open_container
from snapshot.file.reader import Snapshot
from snapshot.file.seal import read_key
from snapshot.file.wholefile import lines_of, open_regular, read_regular
from tests.command import assert_refused, run
from tests.examples import examples
from tests.factories import make_database, world


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _folder(path: Path) -> None:
    path.mkdir()


def _large(path: Path) -> None:
    with path.open("wb") as file:
        # Sparse: no disk holds it, and no memory should.
        file.truncate(3 << 30)


KINDS = [
    pytest.param(_fifo, "not a regular file", id="a pipe"),
    pytest.param(_device, "not a regular file", id="an endless device"),
    pytest.param(_folder, "Is a directory", id="a directory"),
    pytest.param(_large, "", id="3 GiB of nothing"),
]


@pytest.mark.parametrize(("make", "why"), KINDS)
def test_kinds(tmp_path: Path, make: Callable[[Path], None], why: str) -> None:
    """A file that is not regular, or over the limit, is refused before a byte is read."""
    make(tmp_path / "x")
    with pytest.raises(OSError, match=why or "more than the limit of 9"):
        read_regular(tmp_path / "x", 9)


def test_limit(tmp_path: Path) -> None:
    """A file of the limit is read, one of a byte more is not, nor one that grows beyond it."""
    (tmp_path / "x").write_bytes(b"123456789")
    assert read_regular(tmp_path / "x", 9) == b"123456789"
    with pytest.raises(OSError, match="9 bytes, more than the limit of 8"):
        read_regular(tmp_path / "x", 8)
    with pytest.raises(OSError, match="more than the limit of 8"):
        # What the file of a process says of its size is 0.
        read_regular(Path("/proc/self/status"), 8)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        pytest.param(b"", [], id="empty"),
        pytest.param(b"a\n\nb", [b"a", b"", b"b"], id="no line feed at the end"),
        pytest.param(b"a\r\nb\n", [b"a\r", b"b"], id="as it stands"),
        pytest.param(b"x" * 3_000_000 + b"\ny\n", [b"x" * 5, b"y"], id="a very long line"),
        pytest.param(b"y\n" + b"x" * 3_000_000, [b"y", b"x" * 5], id="a very long last line"),
    ],
)
def test_lines(tmp_path: Path, content: bytes, lines: list[bytes]) -> None:
    """Lines come without their ends, and of one that is too long comes its beginning."""
    (tmp_path / "x").write_bytes(content)
    with open_regular(tmp_path / "x") as file:
        assert list(lines_of(file, 5)) == lines


def _read_growing(path: Path) -> None:
    with open_regular(path) as file, path.open("ab") as growing:
        for number, _ in enumerate(lines_of(file, 5, whole=True)):
            if number % (1 << 13) == 0:
                growing.write(b"%063d\n" % 1 * (1 << 14))
                growing.flush()
            assert number < 1 << 19


def test_a_file_that_grows(tmp_path: Path) -> None:
    """A file that is written to faster than it is read ends in an error, if it is to be whole."""
    path = tmp_path / "x"
    path.write_bytes(b"%063d\n" % 0 * (1 << 14))
    with pytest.raises(OSError, match="grows while it is read"):
        _read_growing(path)


COMMANDS: list[tuple[str, list[str], int]] = [
    ("serve", ["serve", "--port", "0", "--snapshot", "X"], 3),
    ("serve --geoip", ["serve", "--port", "0", "--snapshot", "S", "--geoip", "X"], 3),
    ("serve --snapshot-key", ["serve", "--snapshot", "S", "--snapshot-key", "X"], 2),
    ("serve --config", ["serve", "--config", "X"], 2),
    ("inspect", ["inspect", "X"], 3),
    ("diff", ["diff", "X", "X"], 3),
    ("ask", ["ask", "--snapshot", "X", "repo=a&arch=b"], 3),
    ("export", ["export", "--output", "O", "--database", "sqlite:///X"], 3),
    ("export @FILE", ["export", "--output", "O", "--database", "@X"], 2),
    ("export --asn", ["export", "--output", "O", "--database", "D", "--asn", "X"], 2),
    ("export --country-continent",
     ["export", "--output", "O", "--database", "D", "--country-continent", "X"], 2),
    ("import-cache", ["import-cache", "X", "--output", "O"], 3),
    ("replay --log", ["replay", "--log", "X", "--against", "S", "--against", "S"], 2),
    ("replay --against", ["replay", "--log", "L", "--against", "X", "--against", "X"], 3),
]  # fmt: skip


@pytest.mark.system
@pytest.mark.parametrize(
    ("command", "code", "make"),
    [
        pytest.param(command, code, kind.values[0], id=f"{name}-{kind.id}")
        for name, command, code in COMMANDS
        for kind in KINDS
        # A log may be of any size; this one has one line, which is no request.
        if (name, kind.id) != ("replay --log", "3 GiB of nothing")
    ],
)
def test_commands(
    tmp_path: Path, command: list[str], code: int, make: Callable[[Path], None]
) -> None:
    """Every file that a command is given is refused in one line that names it, and at once."""
    wrong = tmp_path / "wrong"
    make(wrong)
    database = make_database(tmp_path / "mm.sqlite", world())
    names = {"X": wrong, "S": tmp_path / "mm.snap", "O": tmp_path / "out", "D": database}
    names["L"] = tmp_path / "log"
    (tmp_path / "log").write_text("192.0.2.1 /metalink?repo=a&arch=b\n")
    assert run("export", "--database", database, "--output", names["S"]).returncode == 0
    words = [
        str(names.get(word, word)).replace("sqlite:///X", f"sqlite:///{wrong}") for word in command
    ]
    words = [word.replace("@X", f"@{wrong}") for word in words]
    assert_refused(run(*words), code, str(wrong))


def test_a_large_file_that_is_no_snapshot(tmp_path: Path) -> None:
    """A wrong file of whatever size is refused by its first bytes and its size."""
    path = tmp_path / "x"
    _large(path)
    with pytest.raises(errors.NotASnapshot):
        open_container(path)
    header = [MAGIC, MAJOR, MINOR, 0, 1 << 20, 0, 0, bytes(16), bytes(32), bytes(32)]
    for size, kind in ((1 << 20, errors.DamagedSnapshot), (3 << 30, errors.MalformedSnapshot)):
        header[4] = size
        with path.open("r+b") as file:
            file.write(HEADER.pack(*header))
        with pytest.raises(kind):
            open_container(path)
    assert MAX_FILE_BYTES < 3 << 30


READERS: list[tuple[str, Callable[[Path], object], type[Exception]]] = [
    ("settings", read_file, OptionError),
    ("continents", read_continents, errors.DataFileError),
    ("key", read_key, errors.DataFileError),
    ("ASN", lambda path: read_asn_netblocks(path, LeftOutRows()), errors.DataFileError),
    ("GeoIP", MmdbGeo, GeoipError),
    ("snapshot", Snapshot, errors.SnapshotError),
    ("cache", lambda path: read_cache(path, lambda *_: None, LeftOutRows()), errors.CacheError),
]
NASTY = [
    b"",
    b"\0" * 99,
    b"a = " + b"[" * 5000,
    b"a = 1" + b"0" * 5000,
    b"a = 9999-99-99T99:99:99Z\n",
    b"host = '\xff'\n",
    b"\xab\xcd\xefMaxMind.com",
    b"\xab\xcd\xefMaxMind.com\xe1\x42aa",
    MAGIC,
    b"\xff\xfe1\0",
    b"9" * 5000 + b"/" + b"9" * 5000 + b" " + b"9" * 5000,
]


@pytest.mark.parametrize(
    ("read", "kind"), [pytest.param(read, kind, id=name) for name, read, kind in READERS]
)
def test_any_bytes(
    tmp_path_factory: pytest.TempPathFactory, read: Callable[[Path], object], kind: type[Exception]
) -> None:
    """Whatever bytes a file has, it is read or refused in one line that names it."""
    path = tmp_path_factory.mktemp("bytes") / "x"

    @examples(60)
    @given(st.binary(max_size=300) | st.sampled_from(NASTY))
    def attempt(content: bytes) -> None:
        path.write_bytes(content)
        said = ""
        try:
            read(path)
        except kind as error:
            said = str(error)
        assert not said or (str(path) in said and "\n" not in said)

    attempt()
    for content in NASTY:
        path.write_bytes(content)
        with suppress(kind):
            read(path)
