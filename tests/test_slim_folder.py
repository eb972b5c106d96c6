"""The folder of a smaller repository: whole at each moment, and never somebody else's."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from snapshot.file.errors import OutputError, PackagesError
from snapshot.slim.folder import EXCLUDES, FILES, MARK, REPODATA, _rename2, made_whole
from tests.command import assert_refused, run
from tests.slimmed import SlimSite, pkg


@pytest.fixture
def site(tmp_path: Path) -> SlimSite:
    """A repository with two versions of a package."""
    return SlimSite(tmp_path, pkg("a", "1"), pkg("a", "2"))


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def only(folder: Path) -> list[str]:
    """Return the names in a folder, but for the source."""
    return sorted({path.name for path in folder.iterdir()} - {"source"})


def test_it_is_replaced(site: SlimSite, tmp_path: Path) -> None:
    """A folder that is empty, or was made by the command, is replaced; also by a link to it."""
    site.out.mkdir()
    site.run()
    before = contents(site.out)
    assert {*before} > {MARK, FILES, EXCLUDES, f"{REPODATA}/repomd.xml"}
    site.run(newest=2)
    assert contents(site.out) != before
    (tmp_path / "link").symlink_to("out")
    site.run(out=str(tmp_path / "link"))
    assert contents(site.out) == before
    assert only(tmp_path) == ["link", "out"]
    assert site.out.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mine.txt", "it has no slim.json, so"),
        (f"{MARK}/x", "not made|cannot be|has also"),
        ("Packages/a.rpm", "has no slim.json"),
    ],
)
def test_a_foreign_folder(site: SlimSite, name: str, words: str) -> None:
    """A folder in which anything else is stays as it was."""
    path = site.out / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    if name.startswith(MARK):
        (site.out / "other").write_text("mine")
    before = contents(site.out)
    with pytest.raises(OutputError, match=words):
        site.run()
    assert contents(site.out) == before


def test_packages_beside_our_files(site: SlimSite, tmp_path: Path) -> None:
    """A folder of ours into which somebody has put packages is theirs."""
    site.run()
    (site.out / "Packages").mkdir()
    (site.out / "Packages/a.rpm").write_text("mine")
    done = run("packages", "slim", "--out", site.out, site.source)
    assert_refused(done, 1, "it has also 'Packages'", "choose another --out")
    assert only(tmp_path) == ["out"]


def test_places_that_cannot_be(site: SlimSite, tmp_path: Path) -> None:
    """A file, a missing parent, and the source itself are refused."""
    (tmp_path / "file").write_text("mine")
    for place, words in (
        ("file", "not a folder"),
        ("no/out", "make it first"),
        ("n" * 300, "File name too long"),
        ("source", "no sl"),
    ):
        with pytest.raises(OutputError, match=words):
            site.run(out=str(tmp_path / place))
    with pytest.raises(PackagesError, match="an empty path"):
        site.run(out="")
    with pytest.raises(OutputError, match="~nobody-of-this-name: no such folder"):
        site.run(out="~nobody-of-this-name/out")
    assert only(tmp_path) == ["file"]


def test_sources_that_cannot_be(site: SlimSite, tmp_path: Path) -> None:
    """A source that is missing, or whose name no file can have, is refused in one line."""
    for source, words in (
        (str(tmp_path / "no"), "no such folder"),
        ("~nobody-of-this-name", "no such folder"),
        ("n" * 5000, "nnn: File name too long"),
        ("", "an empty path"),
    ):
        with pytest.raises(PackagesError, match=words):
            site.run(source=source)
    assert only(tmp_path) == []


@pytest.mark.parametrize("prefix", ["a\nb", "a/../b", "a\\b", "a//b"])
def test_prefixes_that_cannot_be(site: SlimSite, tmp_path: Path, prefix: str) -> None:
    """A prefix that would make other lines, or lead elsewhere, is refused."""
    with pytest.raises(PackagesError, match="--prefix: give a path below the root"):
        site.run(prefix=prefix)
    assert only(tmp_path) == []


def test_folders_that_look_like_leftovers(site: SlimSite, tmp_path: Path) -> None:
    """Only what a killed run has left behind is removed: our names, with our files alone."""
    names = {
        ".out.slim-backup": "files",
        ".out.slim-12345678": "mine",
        ".out.slim-abcd_fgh-x": "files",
    }
    ours = (".out.slim-abcd_fgh", ".out.slim-abcd_fgi-old")
    for name, file in {**names, **dict.fromkeys(ours, MARK)}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("mine")
    (tmp_path / ours[0] / ".work").mkdir()
    site.run()
    assert only(tmp_path) == sorted([*names, "out"])


def test_leftovers_of_two(site: SlimSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose old folder another one removes at once has ended well."""
    site.run()
    before = contents(site.out)
    monkeypatch.setattr("snapshot.slim.folder._rename2", _exchange_and_lose)
    site.run(newest=2)
    assert contents(site.out) != before
    assert only(tmp_path) == ["out"]


def _exchange_and_lose(made: Path, place: Path) -> int:
    """Exchange two folders; then the old one is gone."""
    assert not _rename2(made, place)
    shutil.rmtree(made)
    return 0


def test_somebody_comes_between(site: SlimSite, tmp_path: Path) -> None:
    """A folder that appears while the new one is made is not lost."""

    def between() -> None:
        with made_whole(site.out) as made:
            (made / MARK).write_text("{}")
            site.out.mkdir()
            (site.out / "mine").write_text("mine")

    with pytest.raises(OutputError, match="not replaced"):
        between()
    assert contents(site.out) == {"mine": b"mine"}
    assert only(tmp_path) == ["out"]


def test_two_at_once(site: SlimSite, tmp_path: Path) -> None:
    """Two runs into one place both end well, and the place has all of the later one."""
    site.run()
    with made_whole(site.out) as made:
        (made / MARK).write_text("first")
        site.run(newest=2)
        assert contents(site.out)[MARK] != b"first"
    assert contents(site.out) == {MARK: b"first"}
    assert only(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_full_disk(
    site: SlimSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """If something cannot be written, the old folder stays and nothing else is left."""
    site.run()
    before = contents(site.out)

    def full(_: int) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match=f"out: cannot be written: {os.strerror(error)}"):
        site.run(newest=2)
    assert contents(site.out) == before
    assert only(tmp_path) == ["out"]


def test_no_exchange(site: SlimSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that cannot exchange folders, they are renamed one after the other."""
    site.run()
    before = contents(site.out)
    monkeypatch.setattr("snapshot.slim.folder._rename2", lambda *_: errno.EINVAL)
    site.run(newest=2)
    assert contents(site.out) != before
    assert only(tmp_path) == ["out"]


def test_killed_between_two_renames(site: SlimSite, tmp_path: Path) -> None:
    """The old folder, whose place is still empty, is brought back by the next run, also in vain."""
    site.run()
    before = contents(site.out)
    site.out.rename(tmp_path / ".out.slim-abcd_fgh-old")
    with pytest.raises(PackagesError, match="no package has a name"):
        site.run(only=("nothing",))
    assert contents(site.out) == before
    assert only(tmp_path) == ["out"]


# A run that is killed at one of its audit events: each file that is opened, renamed or removed.
_KILLED = """
import os, signal, sys
left = int(sys.argv[1])
def look(event, _):
    global left
    if begun and event.split(".")[0] in ("open", "os", "shutil", "ctypes", "tempfile"):
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
begun = False
sys.addaudithook(look)
from snapshot.slim.job import SlimJob
from snapshot.slim.run import slim
import yaml, ctypes
begun = True
slim(SlimJob(source=sys.argv[2], out=sys.argv[3], newest=2))
"""


@pytest.mark.system
def test_killed_at_each_moment(site: SlimSite, tmp_path: Path) -> None:
    """Killed anywhere, the place has the old folder or the new one; the next run cleans up."""
    site.run(newest=2)
    new = contents(site.out)
    site.run()
    old = contents(site.out)
    seen = set()
    for event in range(1, 400, 9):
        words = [sys.executable, "-c", _KILLED, str(event), str(site.source), str(site.out)]
        code = subprocess.run(words, capture_output=True, timeout=60).returncode
        found = contents(site.out)
        assert found in (old, new)
        seen.add(found == new)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        if found == new:
            site.run()
            assert only(tmp_path) == ["out"]
    assert (seen, code) == ({True, False}, 0)
