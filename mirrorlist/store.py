"""Holds the catalog in use."""

import os

from mirrorlist.catalog import Catalog
from snapshot.reader import Snapshot


class Store:
    """The one reference to the catalog that every answer starts from."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Load, verify and compile a snapshot file; raises a SnapshotError."""
        self.path = path
        self.catalog = Catalog(Snapshot(path))
