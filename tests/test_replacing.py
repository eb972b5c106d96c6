"""People's files: what writes a file replaces nothing that it did not make itself."""

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from loadtest.bench.__main__ import main as bench
from loadtest.common.records import holds_figures
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.export.publish import publish
from snapshot.file.errors import BackendError, OutputError
from snapshot.file.writer import check_replaceable, encode, followed
from tests.cache_file import write_cache
from tests.command import assert_refused, run
from tests.factories import make_database, world
from tests.snapshots import small_data

PRECIOUS = "years of notes\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database mm.sqlite and a cache."""
    folder = tmp_path_factory.mktemp("source")
    make_database(folder / "mm.sqlite", world())
    write_cache(folder / "cache")
    return folder


Words = Callable[[Path, Path], list[object]]
COMMANDS: dict[str, Words] = {
    "export": lambda source, output: [
        *("export", "--database", f"sqlite:///{source}/mm.sqlite", "--output", output)
    ],
    "watch": lambda source, output: [
        *("watch", "--database", f"sqlite:///{source}/mm.sqlite", "--output", output),
        *("--admin", "none"),
    ],
    "import-cache": lambda source, output: ["import-cache", source / "cache", "--output", output],
    "import-cache --force": lambda source, output: [
        *("import-cache", source / "cache", "--output", output, "--force")
    ],
    "export --force": lambda source, output: [
        *("export", "--database", f"sqlite:///{source}/mm.sqlite", "--output", output, "--force")
    ],
}


@pytest.mark.parametrize("command", ["export", "watch", "import-cache"])
@pytest.mark.parametrize("name", ["mm.snap", "mm.snap.1", "mm.snap.2"])
def test_a_foreign_file_is_not_replaced(
    source: Path, tmp_path: Path, command: str, name: str
) -> None:
    """Neither at the output's place nor at those where the last two are kept; nothing is made."""
    (tmp_path / name).write_text(PRECIOUS)
    done = run(*COMMANDS[command](source, tmp_path / "mm.snap"))
    assert_refused(done, 1, f"{name}: not replaced: it is not a snapshot", "--output", "--force")
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {name: PRECIOUS}


@pytest.mark.parametrize("command", ["export --force", "import-cache --force"])
def test_force_replaces_a_foreign_file(source: Path, tmp_path: Path, command: str) -> None:
    """With --force the file is replaced, as its owner said so."""
    output = tmp_path / "mm.snap"
    output.write_text(PRECIOUS)
    done = run(*COMMANDS[command](source, output))
    assert done.returncode == 0, done.stderr
    assert output.read_bytes().startswith(b"\x89MLSNAP\n")


def _spoilt(kind: str) -> bytes:
    whole = bytes(encode(small_data()))
    return {
        "empty": b"",
        "cut in the magic": whole[:3],
        "cut": whole[:100],
        "damaged": whole[:200] + b"?" + whole[201:],
        "with more behind it": whole + b"more",
        "of a newer version": whole[:8] + b"\xff" + whole[9:],
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["empty", "cut in the magic", "cut", "damaged", "with more behind it", "of a newer version"],
)
def test_a_spoilt_snapshot_may_be_replaced(source: Path, tmp_path: Path, kind: str) -> None:
    """What is recognisably a snapshot, and an empty file as mktemp makes it, is replaced."""
    output = tmp_path / "mm.snap"
    output.write_bytes(_spoilt(kind))
    assert export(f"sqlite:///{source}/mm.sqlite", Job(output)).changed


@pytest.mark.parametrize(
    "content", [b"\x00", b"MLSNAP\n", b"\x89PNG\r\n\x1a\n", b"SQLite format 3\0", b" \x89MLSNAP\n"]
)
def test_only_the_magic_makes_a_snapshot(tmp_path: Path, content: bytes) -> None:
    """A file that begins with anything else is somebody's."""
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(OutputError, match="not replaced"):
        check_replaceable(tmp_path / "a")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(Path.mkdir, id="directory"),
        pytest.param(os.mkfifo, id="FIFO"),
    ],
)
@pytest.mark.parametrize("name", ["mm.snap", "mm.snap.1", "mm.snap.2"])
def test_what_is_no_file_stays(
    source: Path, tmp_path: Path, make: Callable[[Path], None], name: str
) -> None:
    """A folder or a pipe is refused without waiting for anybody, in each of the places."""
    make(tmp_path / name)
    with pytest.raises(OutputError, match=f"{name}: "):
        export(f"sqlite:///{source}/mm.sqlite", Job(tmp_path / "mm.snap"))
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_file_swapped_in_between(tmp_path: Path) -> None:
    """A watch looks at each publication: a file that took the snapshot's place is kept."""
    output = tmp_path / "mm.snap"
    publish(Job(output, max_loss=30), encode(small_data()))
    output.write_text(PRECIOUS)
    with pytest.raises(OutputError, match="not replaced"):
        publish(Job(output, max_loss=30), encode(small_data(redirects={})))
    assert output.read_text() == PRECIOUS
    assert [file.name for file in tmp_path.iterdir()] == ["mm.snap"]


def test_a_foreign_lock_stays(tmp_path: Path) -> None:
    """A file of somebody else where the lock would be is not taken for one, nor removed."""
    (tmp_path / ".mm.snap.lock").write_text(PRECIOUS)
    with pytest.raises(OutputError, match=r"\.mm\.snap\.lock: not a lock file of mirrorlist"):
        export(make_database(tmp_path / "mm.sqlite", world()), Job(tmp_path / "mm.snap"))
    assert (tmp_path / ".mm.snap.lock").read_text() == PRECIOUS


def test_a_link_is_followed(source: Path, tmp_path: Path) -> None:
    """A link stays one; the file that it leads to is written, and kept beside itself."""
    (tmp_path / "far").mkdir()
    link = tmp_path / "link.snap"
    link.symlink_to("far/mm.snap")
    url = f"sqlite:///{source}/mm.sqlite"
    export(url, Job(link))
    publish(Job(followed(link), max_loss=None), encode(small_data()))
    assert link.is_symlink()
    assert {file.name for file in tmp_path.iterdir()} == {"far", "link.snap"}
    assert {file.name for file in (tmp_path / "far").iterdir()} == {"mm.snap", "mm.snap.1"}


@pytest.mark.parametrize(
    ("to", "words"),
    [
        pytest.param("notes", "not replaced: it is not a snapshot", id="a foreign file"),
        pytest.param("link.snap", "symbolic links", id="itself"),
        pytest.param("nowhere/mm.snap", "No such file", id="no folder"),
        pytest.param("folder", "Is a directory", id="a folder"),
        pytest.param("/dev/null", "not a regular file", id="a device"),
    ],
)
def test_where_a_link_must_not_lead(source: Path, tmp_path: Path, to: str, words: str) -> None:
    """A link that leads to no place for a snapshot is refused, and nothing changes."""
    (tmp_path / "notes").write_text(PRECIOUS)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.snap").symlink_to(to)
    with pytest.raises(BackendError, match=words):
        export(f"sqlite:///{source}/mm.sqlite", Job(tmp_path / "link.snap"))
    assert (tmp_path / "notes").read_text() == PRECIOUS
    assert {file.name for file in tmp_path.iterdir()} == {"notes", "folder", "link.snap"}


@pytest.mark.parametrize("name", ["demo.sqlite", "demo.snap", "asn.txt"])
def test_the_demo_replaces_nothing(source: Path, tmp_path: Path, name: str) -> None:
    """A file in the demo's folder that it did not make is refused by its name, and kept."""
    shutil.copy(source / "mm.sqlite", tmp_path / "demo.sqlite")
    (tmp_path / name).write_text(PRECIOUS)
    done = run("demo", "--directory", tmp_path, "--port", "0", "--admin", "none")
    assert done.returncode in (1, 2, 3), done.stderr
    error = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(error) == 1, done.stderr
    assert name in error[0]
    assert (tmp_path / name).read_text() == PRECIOUS


@pytest.mark.parametrize("content", ["notes\n", b"\xff\x00", '{"other": 1}'])
def test_only_figures_are_replaced(tmp_path: Path, content: str | bytes) -> None:
    """A measurement whose figures would go over another file ends before it begins."""
    path = tmp_path / f"{datetime.now(UTC):%Y-%m-%d}-server.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = CliRunner().invoke(bench, ["--record", str(tmp_path)])
    assert done.exit_code == 2
    assert "holds no figures" in done.output
    path.write_text('{"machine": {}}')
    assert holds_figures(path)
    assert holds_figures(tmp_path / "new")
