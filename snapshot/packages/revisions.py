"""Which revision of each repository is at the source, by its repomd.xml."""

import hashlib
from collections.abc import Iterable, Mapping

from msgspec import Struct

from snapshot.file.errors import UnusableRepository
from snapshot.link import Row
from snapshot.packages.repomd import MOST_BYTES, REPOMD, RepomdRecord, read_repomd
from snapshot.packages.sources import Missing, Source, whole

Newest = Mapping[str, tuple[str, str]]
"""The kind and the sum of the newest repomd.xml by its directory, as a scan found it."""


class Revision(Struct):
    """What the source has of a repository: a primary.xml, or a problem, or neither: it is gone.

    `path` is where the repository is below the source.
    """

    directory: str
    path: str = ""
    primary: RepomdRecord | None = None
    problem: str = ""


class RevisionReader:
    """Reads the revision of a repository; threads may share it."""

    def __init__(self, source: Source, newest: Newest, top: str, *, is_alone: bool) -> None:
        """Take a source, which may be the repository itself if it is alone.

        `top` is the begin of the directories that the source does not have, "" or with a slash.
        """
        self._source, self._newest, self._top, self._is_alone = source, newest, top, is_alone

    def read(self, directory: str) -> Revision:
        """Return the revision of the repository of a directory."""
        below = f"{directory.removeprefix(self._top)}/"
        paths = ["", below] if self._is_alone else [below]
        for path in paths:
            try:
                return Revision(directory, path, self._primary(directory, path))
            except Missing:
                continue
            except UnusableRepository as error:
                return Revision(directory, path, problem=str(error))
        return Revision(directory)

    def _primary(self, directory: str, path: str) -> RepomdRecord:
        data = whole(self._source.blocks(path + REPOMD), MOST_BYTES)
        kind, known = self._newest.get(f"{directory}/repodata", ("", ""))
        if known and hashlib.new(kind, data).hexdigest() != known.lower():
            raise UnusableRepository(
                f"its repomd.xml does not have the {kind} that the database has of the newest;"
                " scan or probe the primary, then import again"
            )
        return read_repomd(data)


def newest(rows: Iterable[Row]) -> dict[str, tuple[str, str]]:
    """Return the kind and the sum of the newest repomd.xml by its directory, of `DETAILS`."""
    found: dict[str, tuple[str, str]] = {}
    for name, *sums in rows:
        some = zip(("sha256", "sha512", "sha1"), sums, strict=True)
        found.setdefault(name, next(((kind, sum) for kind, sum in some if sum), ("", "")))
    return found
