"""A tree of repositories for rsync, and changes in it as a release engineer makes them."""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.rsync.filter import Held, RsyncFilter
from snapshot.file.model import Category, Directory, History, Ranges, Report, SnapshotData
from snapshot.file.reader import Snapshot
from snapshot.file.writer import encode

# Of one repository: itself, repodata, Packages, and a folder for each first letter or so.
FOLDERS_OF_A_REPOSITORY = 50
METADATA = ("repomd.xml", "primary.xml.zst", "filelists.xml.zst")
_NO_RANGES = Ranges([], [], [], [])
_UNCHANGED, _CHANGED = 100, 200


class RsyncTree:
    """Files of a few bytes in about as many directories as asked for."""

    def __init__(self, root: Path, directories: int, files: int) -> None:
        """Make the tree: this many directories, with this many files in each."""
        self.root = root
        self._rng = Random(1)
        self._made = 0
        self.repositories = [
            f"releases/{number // 5:02}/arch{number % 5}/os"
            for number in range(directories // FOLDERS_OF_A_REPOSITORY)
        ]
        for repository in self.repositories:
            for folder in _folders(repository):
                (root / folder).mkdir(parents=True)
                for _ in range(files):
                    self._new_file(folder)
            for name in METADATA:
                (root / repository / "repodata" / name).write_text("0")
        self._seen = self._times()

    @property
    def directories(self) -> int:
        """How many there are, the root included."""
        return len(self._seen)

    def count_files(self) -> int:
        """Count all files."""
        return sum(len(files) for _, _, files in os.walk(self.root))

    def change_directories(self, count: int) -> None:
        """In this many directories add a file, remove one and write one again."""
        folders = [folder for one in self.repositories for folder in _folders(one)]
        for folder in self._rng.sample(folders, count):
            self._new_file(folder)
            first, second, *_ = sorted(os.listdir(self.root / folder))
            if (self.root / folder / first).is_file():
                (self.root / folder / first).unlink()
            if (self.root / folder / second).is_file():
                self._write(f"{folder}/{second}")

    def change_repository(self) -> None:
        """Replace 50 packages of one repository and its metadata."""
        repository = self._rng.choice(self.repositories)
        folders = [one for one in _folders(repository) if "/Packages/" in one]
        for _ in range(50):
            folder = self._rng.choice(folders)
            old = self._rng.choice(sorted(os.listdir(self.root / folder)))
            self._new_file(folder)
            (self.root / folder / old).unlink()
        for name in METADATA:
            self._write(f"{repository}/repodata/{name}")

    def changes(self, form: str, snapshot: Path) -> tuple[bytes, int]:
        """Return a list of what changed since the last one was taken, and of how many directories.

        The snapshot file is written for it.
        """
        now = self._times()
        names = sorted(now, key=str.encode)
        directories = [
            Directory(
                f"pub/{name}".rstrip("/"), 0, None, True,
                _UNCHANGED if self._seen.get(name) == now[name] else _CHANGED,
            )
            for name in names
        ]  # fmt: skip
        directories.sort(key=lambda one: one.name.encode())
        history = History(_UNCHANGED, _CHANGED, [0] * len(directories))
        category = Category(1, "Tree", "pub", ())
        snapshot.write_bytes(encode(bare_data(_CHANGED, [category], directories, history)))
        query = f"categories=Tree&since={_UNCHANGED}&stripprefix=pub&form={form}".encode()
        answer = RsyncFilter().answer(Catalog(Snapshot(snapshot)), query, Held())
        return answer.body, int(answer.headers["X-Mirrorlist-Directories"])

    def settle(self) -> None:
        """Let the present state count as unchanged."""
        self._seen = self._times()

    def _new_file(self, folder: str) -> None:
        self._made += 1
        self._write(f"{folder}/package-{self._made:07}.rpm")

    def _write(self, name: str) -> None:
        self._made += 1
        path = self.root / name
        beside = path.with_name(".part")
        # Each version has another length, so that rsync never takes one version for another.
        beside.write_text("x" * (self._made % 997 + 1))
        beside.rename(path)

    def _times(self) -> dict[str, int]:
        start = len(str(self.root))
        return {
            folder[start:].strip("/"): os.stat(folder).st_ctime_ns
            for folder, _, _ in os.walk(self.root)
        }


def _folders(repository: str) -> Iterator[str]:
    yield from (repository, f"{repository}/repodata", f"{repository}/Packages")
    for number in range(FOLDERS_OF_A_REPOSITORY - 3):
        yield f"{repository}/Packages/{number:02}"


def bare_data(
    read: int, categories: list[Category], directories: list[Directory], history: History
) -> SnapshotData:
    """Return what a snapshot has of directories alone: without hosts, repositories and ranges."""
    return SnapshotData(
        read=read, hosts=[], categories=categories, host_sets=[], directories=directories,
        repositories=[], redirects={}, file_details={}, continents={}, netblock_chains=[],
        netblock_ranges=_NO_RANGES, country_ranges=_NO_RANGES, asn_ranges=_NO_RANGES,
        report=Report({}, ()), history=history,
    )  # fmt: skip
