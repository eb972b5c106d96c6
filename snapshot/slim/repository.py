"""Reads the files of a repository: each once from its source, verified, into a new folder."""

from collections.abc import Iterator
from pathlib import Path

from snapshot.file.errors import UnusableRepository
from snapshot.file.wholefile import open_regular
from snapshot.packages.job import Progress
from snapshot.packages.repomd import MOST_BYTES, REPOMD, read_all
from snapshot.packages.sources import Missing, Source, verified, whole
from snapshot.packages.unpacking import unpacked

MOST_FILES = 64
"""The most files of a repomd.xml; real ones have about ten."""
_BLOCK = 1 << 18


class Repository:
    """The files of a repository; what is damaged or missing raises UnusableRepository."""

    def __init__(
        self, source: Source, path: str, folder: Path, progress: Progress = lambda *_: None
    ) -> None:
        """Read repomd.xml; `path` is before the repository's own, `folder` is for copies."""
        self._source, self._path, self._folder = source, path, folder
        self._progress, self._done = progress, 0
        try:
            data = whole(source.blocks(f"{path}{REPOMD}"), MOST_BYTES)
        except Missing:
            raise UnusableRepository(
                f"{source.name}: there is no {path}{REPOMD}; give"
                f" {'the tree that has it' if path else 'the folder or URL of a repository itself'}"
            ) from None
        self.files = read_all(data)
        if len(self.files) > MOST_FILES:
            raise UnusableRepository(f"repomd.xml names more than {MOST_FILES} files")
        self._copies: dict[str, Path] = {}

    @property
    def revision(self) -> str:
        """The revision that repomd.xml gives."""
        return self.files["primary"].revision

    def copy(self, kind: str) -> Path:
        """Return a verified copy of a file as it is packed, by its type."""
        if kind not in self._copies:
            record = self.files[kind]
            path = self._folder / str(len(self._copies))
            blocks = verified(self._source.blocks(self._path + record.path), record)
            try:
                with path.open("xb") as file:
                    for block in blocks:
                        file.write(block)
            except Missing:
                raise UnusableRepository(f"{record.path} is missing") from None
            self._copies[kind] = path
        return self._copies[kind]

    def opened(self, kind: str) -> Iterator[bytes]:
        """Yield what is in a file, unpacked."""
        # Each is read to choose packages, or to write those that are kept; primary for both.
        self._progress(f"reading {kind}", self._done, len(self.files) + 1)
        self._done += 1
        record = self.files[kind]
        name = record.path.rpartition("/")[2]
        return unpacked(_blocks(self.copy(kind)), record.most_opened, name)


def _blocks(path: Path) -> Iterator[bytes]:
    with open_regular(path) as file:
        while block := file.read(_BLOCK):
            yield block
