"""A real rsync with our lists: a mirror gets what changed, and what did not is not looked at."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.rsync.filter import Held, RsyncFilter
from snapshot.file.model import Category, Directory
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode
from tests.clients.rsync import Daemon, run_daemon
from tests.snapshots import small_data
from tests.system import need_program

pytestmark = pytest.mark.system

NAMES = [
    *("plain", "star*", "what?", "[set]", "[", "back\\slash", "end\\", "*\\x", "#hash", ";semi"),
    *(" lead", "trail ", "a  b", "-dash", "+ plus", "- minus", "!", "~x", "ünï", "a:b", "$(x)"),
    *("a&b", "'q'", '"q"', "%41", "...", "..x", "x" * 200),
]
# What the patterns of `star*`, `what?` and `[set]` would match, were they not escaped.
DECOYS = ["starling", "whats", "s"]
FILES = ["--files-from=-", "-lptgoD", "-d", "--delete"]
CLASSIC = ["--exclude-from=-", "-rlptgoD", "--delete", "--delete-after"]


class Primary:
    """A tree of files on a daemon, and a mirror that was the same when the tree was made."""

    def __init__(self, root: Path, mirror: Path, daemon: Daemon) -> None:
        """Take both folders and the daemon that gives the first one."""
        self.root = root
        self.mirror = mirror
        self.daemon = daemon
        self._seen = self._times()

    def write(self, name: str, text: str = "of another length") -> None:
        """Write a file under a new name in its directory, as mirrors' tools do."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(".part").write_text(text)
        path.with_name(".part").rename(path)

    def refusal(self, form: str) -> bytes:
        """Return the answer to a question without `since`, about the last snapshot."""
        catalog = Catalog(Snapshot(self.mirror.with_name("mm.snap")))
        answer = RsyncFilter().answer(catalog, f"categories=Tree&form={form}".encode(), Held())
        assert answer.status == 400
        return answer.body

    def changes(self, form: str, options: str = "") -> bytes:
        """Return what changed since the mirror was the same."""
        now = self._times()
        directories = [
            Directory(f"pub/{name}".rstrip("/"), 0, None, True, 200 if changed else 100)
            for name, time in now.items()
            for changed in [self._seen.get(name) != time]
        ]
        data = small_data(
            categories=[Category(1, "Tree", "pub", ())], repositories=[], file_details={},
            directories=sorted(directories, key=lambda one: one.name.encode()),
        )  # fmt: skip
        path = self.mirror.with_name("mm.snap")
        path.write_bytes(encode(data))
        query = f"categories=Tree&since=100&stripprefix=pub&form={form}&{options}"
        answer = RsyncFilter().answer(Catalog(Snapshot(path)), query.encode(), Held())
        assert answer.status == 200
        return answer.body

    def rsync(self, options: list[str], listed: bytes) -> "subprocess.CompletedProcess[bytes]":
        """Run rsync with a list from the daemon to the mirror."""
        command = ["rsync", "-i", *options, f"{self.daemon.url}/tree/", f"{self.mirror}/"]
        return subprocess.run(command, input=listed, capture_output=True, check=False)

    def _times(self) -> dict[str, int]:
        """Return the change time of each directory, in nanoseconds."""
        return {
            folder.removeprefix(str(self.root)).strip("/"): os.stat(folder).st_ctime_ns
            for folder, _, _ in os.walk(self.root)
        }


MakePrimary = Callable[[list[str]], Primary]


@pytest.fixture
def make_primary(tmp_path: Path) -> Iterator[MakePrimary]:
    """Makes the primary of a test with files, and its mirror."""
    need_program("rsync", "rsync")
    root, mirror = tmp_path / "primary", tmp_path / "mirror"
    root.mkdir()
    with run_daemon(tmp_path, "127.0.0.1", {"tree": root}) as daemon:

        def make(files: list[str]) -> Primary:
            for name in files:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text("old")
            shutil.copytree(root, mirror, copy_function=shutil.copy2)
            return Primary(root, mirror, daemon)

        yield make


def tree(folder: Path) -> dict[str, tuple[int, bytes | None]]:
    """Return every name below a folder with its mode and a file's content."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.read_bytes() if path.is_file() else None,
        )
        for path in sorted(folder.rglob("*"))
    }


def test_names_in_the_files_form(make_primary: MakePrimary) -> None:
    """Whatever the name of a directory, what changed in it comes, and nothing of its namesakes."""
    primary = make_primary([f"{name}/sub/old" for name in [*NAMES, *DECOYS]])
    for name in NAMES:
        primary.write(f"{name}/sub/new")
        primary.write(f"{name}/sub/old")
    run = primary.rsync(FILES, primary.changes("files"))
    assert run.stderr == b""
    assert run.returncode == 0
    assert tree(primary.mirror) == tree(primary.root)
    assert len(run.stdout.splitlines()) >= 2 * len(NAMES)


def test_names_in_the_classic_form(make_primary: MakePrimary) -> None:
    """The same with the filter, whose patterns match these names and no others."""
    primary = make_primary([f"{name}/sub/old" for name in [*NAMES, *DECOYS]])
    for name in DECOYS:
        # In place, so that no directory's change time says it.
        (primary.root / name / "sub/old").write_text("not to be seen")
    for name in NAMES:
        primary.write(f"{name}/sub/new")
        primary.write(f"{name}/sub/old")
    run = primary.rsync(CLASSIC, primary.changes("classic"))
    assert (run.returncode, run.stderr) == (0, b"")
    for name in DECOYS:
        (primary.root / name / "sub/old").write_text("old")
    assert tree(primary.mirror) == tree(primary.root)


def change_everything(primary: Primary) -> None:
    """Change, add, remove and rename files and directories at every depth."""
    primary.write("root.txt")
    primary.write("a/b/changed")
    primary.write("a/fresh/deep/er/file")
    (primary.root / "a/b/removed").unlink()
    shutil.rmtree(primary.root / "gone")
    shutil.rmtree(primary.root / "a/gone")
    (primary.root / "a/before").rename(primary.root / "a/after")
    (primary.root / "far/from").rename(primary.root / "a/b/home")
    (primary.root / "file").unlink()
    primary.write("file/is a directory now")
    shutil.rmtree(primary.root / "directory")
    primary.write("directory", "is a file now")
    (primary.root / "far/link").symlink_to("../a")
    (primary.root / "a/empty").mkdir()


FILES_BEFORE = [
    *("root.txt", "a/b/changed", "a/b/removed", "a/b/same", "gone/x/y", "a/gone/z", "file"),
    *("a/before/1/2/file", "far/from/file", "far/same", "directory/file", "untouched/1/2/file"),
]


def test_the_files_form_makes_the_same_tree(make_primary: MakePrimary) -> None:
    """Files and directories that changed, came, went or were renamed: the mirror is the same."""
    primary = make_primary(FILES_BEFORE)
    change_everything(primary)
    listed = primary.changes("files")
    assert b"untouched" not in listed
    run = primary.rsync(FILES, listed)
    assert (run.returncode, run.stderr) == (0, b"")
    assert tree(primary.mirror) == tree(primary.root)
    again = primary.rsync(FILES, listed)
    assert (again.returncode, again.stdout) == (0, b"")


def test_what_the_classic_form_cannot(make_primary: MakePrimary) -> None:
    """The filter brings everything that changed or came, but a directory that is gone stays."""
    primary = make_primary([name for name in FILES_BEFORE if name[:4] not in ("file", "dire")])
    primary.write("root.txt")
    primary.write("a/b/changed")
    primary.write("a/fresh/deep/er/file")
    (primary.root / "a/b/removed").unlink()
    shutil.rmtree(primary.root / "a/gone")
    (primary.root / "a/before").rename(primary.root / "a/after")
    run = primary.rsync(CLASSIC, primary.changes("classic"))
    assert run.returncode == 0, run.stderr
    found, expected = tree(primary.mirror), tree(primary.root)
    assert {name for name in expected if name not in found} == set()
    left = {name.split("/")[1] for name in found if name not in expected}
    assert left == {"gone", "before"}


def test_nothing_but_what_is_listed(make_primary: MakePrimary) -> None:
    """The null answer transfers and deletes nothing, in either form; nor does a refusal."""
    primary = make_primary(["a/old", "b/old"])
    before = tree(primary.mirror)
    lists = [(CLASSIC, primary.changes("classic")), (FILES, primary.changes("files"))]
    (primary.root / "a/old").write_text("changed since")
    (primary.root / "b/old").unlink()
    for options, listed in lists:
        run = primary.rsync(options, listed)
        assert (run.returncode, tree(primary.mirror)) == (0, before), run.stderr
    for options, form in ((CLASSIC, "classic"), (FILES, "files")):
        primary.rsync(options, primary.refusal(form))
        assert tree(primary.mirror) == before


def test_gone_before_rsync_came(make_primary: MakePrimary) -> None:
    """A listed directory that is gone by now costs exit code 23, and --ignore-missing-args not.

    All else is done; the directory itself stays until its parent is listed.
    """
    primary = make_primary(["a/old", "b/old"])
    primary.write("a/new")
    primary.write("b/new")
    (primary.root / "b/old").unlink()
    listed = primary.changes("files")
    shutil.rmtree(primary.root / "a")
    assert primary.rsync(FILES, listed).returncode == 23
    assert os.listdir(primary.mirror / "b") == ["new"]
    run = primary.rsync([*FILES, "--ignore-missing-args"], listed)
    assert (run.returncode, run.stderr) == (0, b"")
    assert os.listdir(primary.mirror / "b") == ["new"]
    assert (primary.mirror / "a/old").exists()


def test_select(make_primary: MakePrimary) -> None:
    """A partial mirror gets what it selected, and its other directories stay as they are."""
    primary = make_primary(["releases/43/old", "releases/44/os/old", "updates/44/old"])
    for name in ("releases/43", "releases/44/os", "updates/44"):
        primary.write(f"{name}/new")
    run = primary.rsync(FILES, primary.changes("files", "select=releases/44/**"))
    assert (run.returncode, run.stderr) == (0, b"")
    new = [name for name in tree(primary.mirror) if name.endswith("new")]
    assert new == ["releases/44/os/new"]


@pytest.mark.parametrize("name", ["\\*", "a\\?b", "\\[x]"])
def test_what_rsync_refuses(make_primary: MakePrimary, name: str) -> None:
    """A backslash before a wildcard is the one kind of name that is not listed as it is.

    rsync 3.2.5 and later end the whole run on it; the filter has no such limit.
    """
    primary = make_primary([f"{name}/old", "b/old"])
    primary.write(f"{name}/new")
    primary.write("b/new")
    run = primary.rsync(FILES, primary.changes("files"))
    assert (run.returncode, run.stderr) == (0, b"")
    assert (primary.mirror / "b/new").exists()
    run = primary.rsync(CLASSIC, primary.changes("classic"))
    assert (run.returncode, run.stderr) == (0, b"")
    assert tree(primary.mirror) == tree(primary.root)
