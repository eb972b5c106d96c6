"""Holds the catalog in use, and makes a new one of the snapshot file."""

import os
from collections.abc import Callable

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.lists.trial import try_out
from snapshot.file.errors import MalformedSnapshot, SnapshotError
from snapshot.file.reader import Snapshot


class Store:
    """The catalog from which all answers are made, and the file that it came from."""

    def __init__(self, path: str | os.PathLike[str], key: bytes | None = None) -> None:
        """Load, verify and compile a snapshot file; raises a SnapshotError.

        With a key, only a file that was sealed with this key is accepted.
        """
        self.path = path
        self._key = key
        self.catalog = self._load(None)

    def load(self, rest: Callable[[], object] = lambda: None) -> Catalog:
        """Return a catalog of the file as it is now; the caller decides whether to use it.

        Raises a SnapshotError. Parts that did not change are shared with the catalog in use.
        `rest` is called about once a millisecond of work, so that a thread can let others run.
        """
        return self._load(self.catalog, rest)

    def _load(self, before: Catalog | None, rest: Callable[[], object] = lambda: None) -> Catalog:
        try:
            snapshot = Snapshot(self.path, self._key, before.snapshot if before else None, rest)
            catalog = Catalog(snapshot, before)
            rest()
        except SnapshotError:
            raise
        except Exception as error:
            raise MalformedSnapshot(
                f"{os.fspath(self.path)}: malformed: it cannot be compiled: {error!r}"
            ) from error
        try_out(catalog, before, rest)
        return catalog
