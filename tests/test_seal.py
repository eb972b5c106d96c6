"""The key that snapshots are sealed with: which files a reader with it takes, and which not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.file.errors import BackendError, DamagedSnapshot, DataFileError, ForeignSnapshot
from snapshot.file.format import HEADER, checksum
from snapshot.file.reader import Snapshot
from snapshot.file.seal import read_key
from snapshot.file.writer import encode
from tests.command import assert_refused, run
from tests.factories import make_database, world
from tests.snapshots import BUILT, small_data, write

KEY, OTHER_KEY = b"k" * 64, b"o" * 64
KEY_TEXT, OTHER_TEXT = "5eed" * 16, "0dd5" * 16
SEALED = bytes(encode(small_data(), BUILT, KEY))
# Where checksum and seal stand in the header (docs/snapshot-format.md).
CHECKSUM, SEAL = slice(56, 88), slice(88, 120)


def with_checksum(content: bytearray) -> bytes:
    """Return a file whose checksum fits, as anybody can make it."""
    content[CHECKSUM] = checksum(content)
    return bytes(content)


def test_the_right_key(tmp_path: Path) -> None:
    """A snapshot opens with the key that sealed it, and without any."""
    path = write(tmp_path, SEALED)
    assert Snapshot(path, KEY).id == Snapshot(path).id


def test_a_seal_is_no_content(tmp_path: Path) -> None:
    """The same data has the same id with any key and with none."""
    plain = Snapshot(write(tmp_path, bytes(encode(small_data(), BUILT)))).id
    for key in (KEY, OTHER_KEY):
        content = bytes(encode(small_data(), BUILT, key))
        assert Snapshot(write(tmp_path, content), key).id == plain


def test_another_key(tmp_path: Path) -> None:
    """A snapshot that somebody else sealed is foreign."""
    with pytest.raises(ForeignSnapshot, match="not sealed with this --snapshot-key"):
        Snapshot(write(tmp_path, SEALED), OTHER_KEY)


def test_no_seal(tmp_path: Path) -> None:
    """A reader with a key takes no snapshot without a seal."""
    with pytest.raises(ForeignSnapshot, match="not sealed: export it with the --snapshot-key"):
        Snapshot(write(tmp_path, bytes(encode(small_data(), BUILT))), KEY)


def test_the_seal_taken_away(tmp_path: Path) -> None:
    """Who takes the seal out of a file, so that it looks like one without, gains nothing."""
    content = bytearray(SEALED)
    content[SEAL] = bytes(32)
    with pytest.raises(ForeignSnapshot):
        Snapshot(write(tmp_path, with_checksum(content)), KEY)


def test_the_checksum_alone(tmp_path: Path) -> None:
    """A file that was damaged on its way is called damaged, not foreign."""
    content = bytearray(SEALED)
    content[-1] ^= 1
    with pytest.raises(DamagedSnapshot):
        Snapshot(write(tmp_path, bytes(content)), KEY)


@pytest.mark.parametrize("offset", [*range(CHECKSUM.start), *range(SEAL.start, HEADER.size)])
def test_every_byte_of_the_header(tmp_path: Path, offset: int) -> None:
    """No byte of the header can be changed by somebody without the key."""
    content = bytearray(SEALED)
    content[offset] ^= 1
    with pytest.raises(BackendError):
        Snapshot(write(tmp_path, with_checksum(content)), KEY)


@given(place=st.integers(HEADER.size, len(SEALED) - 1), change=st.integers(1, 255))
def test_every_byte_of_the_body(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int
) -> None:
    """No byte behind the header can be changed by somebody without the key."""
    content = bytearray(SEALED)
    content[place] ^= change
    path = tmp_path_factory.getbasetemp() / f"changed-{place}-{change}"
    path.write_bytes(with_checksum(content))
    try:
        with pytest.raises(ForeignSnapshot):
            Snapshot(path, KEY)
    finally:
        path.unlink()


def test_a_key_file(tmp_path: Path) -> None:
    """A key is the file's text without the white space around it; other text is another key."""
    file = tmp_path / "key"
    keys = []
    for text in (KEY_TEXT, f" {KEY_TEXT}\r\n", OTHER_TEXT):
        file.write_text(text)
        keys.append(read_key(file))
    assert keys[0] == keys[1] != keys[2]
    assert len(keys[0]) == 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(None, "the key cannot be read: No such file", id="missing"),
        pytest.param("", "a key has at least 32 bytes, not 0", id="empty"),
        pytest.param("\0" * 64, "not a secret: it has nothing but zeros", id="zeros"),
        pytest.param("k" * 31 + "\n", "not 31; make one: .*openssl rand -hex 32", id="short"),
    ],
)
def test_a_bad_key_file(tmp_path: Path, text: str | None, words: str) -> None:
    """A key file that is missing or too short is refused, with how to make one."""
    file = tmp_path / "key"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DataFileError, match=words):
        read_key(file)


def test_a_key_of_the_least_length(tmp_path: Path) -> None:
    """32 bytes are enough."""
    (tmp_path / "key").write_text("k" * 32)
    assert len(read_key(tmp_path / "key")) == 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two keys, a short one, a database, and its snapshot sealed with `key`."""
    folder = tmp_path_factory.mktemp("seal")
    (folder / "key").write_text(KEY_TEXT)
    (folder / "other").write_text(OTHER_TEXT)
    (folder / "short").write_text("short")
    url = make_database(folder / "mm.sqlite", world())
    output, key = ("--output", folder / "mm.snap"), ("--snapshot-key", folder / "key")
    done = run("export", "--database", url, *output, *key)
    assert done.returncode == 0, done.stderr
    return folder


def commands(folder: Path) -> dict[str, list[str]]:
    """Return the commands that read a snapshot, by name."""
    snapshot = str(folder / "mm.snap")
    return {
        "serve": ["serve", "--snapshot", snapshot, "--port", "0"],
        "ask": ["ask", "repo=linux-40&arch=x86_64", "--snapshot", snapshot],
        "inspect": ["inspect", snapshot],
    }


@pytest.mark.parametrize("command", ["serve", "ask", "inspect"])
@pytest.mark.parametrize(
    ("key", "code", "words"),
    [
        pytest.param("other", 3, "foreign: it was not sealed with this", id="another key"),
        pytest.param("short", 2, "at least 32 bytes", id="short key"),
        pytest.param("none", 2, "the key cannot be read", id="no key file"),
    ],
)
def test_commands_refuse(folder: Path, command: str, key: str, code: int, words: str) -> None:
    """Every command that reads a snapshot refuses a foreign one, and a text that is not a key."""
    done = run(*commands(folder)[command], "--snapshot-key", folder / key)
    assert_refused(done, code, words)


@pytest.mark.parametrize("key", [[], ["--snapshot-key", "key"]], ids=["without", "with"])
@pytest.mark.parametrize("command", ["ask", "inspect"])
def test_commands_read(folder: Path, command: str, key: list[str]) -> None:
    """A sealed snapshot can be read with its key, and without any key."""
    options = [folder / word if word == "key" else word for word in key]
    done = run(*commands(folder)[command], *options)
    assert done.returncode == 0, done.stderr


def test_inspect_says_so(folder: Path) -> None:
    """`inspect` says whether a snapshot is sealed, and whether with the key that it was given."""
    (folder / "plain.snap").write_bytes(bytes(encode(small_data(), BUILT)))
    unchecked = run("inspect", folder / "mm.snap").stdout
    checked = run("inspect", folder / "mm.snap", "--snapshot-key", folder / "key").stdout
    plain = run("inspect", folder / "plain.snap").stdout
    assert "sealed    yes (give --snapshot-key to check the key)" in unchecked
    assert "sealed    yes, with this key" in checked
    assert "sealed    no" in plain


@pytest.mark.parametrize("key", ["short", "none"])
def test_export_refuses(folder: Path, tmp_path: Path, key: str) -> None:
    """An export with an invalid key ends before the database is read."""
    url, output = f"sqlite:///{folder}/mm.sqlite", tmp_path / "mm.snap"
    done = run("export", "--database", url, "--output", output, "--snapshot-key", folder / key)
    assert_refused(done, 2, "key")
    assert list(tmp_path.iterdir()) == []
