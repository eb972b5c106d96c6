"""The file of a full list: where it is, and whether it is that of the last scan."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from snapshot.file.errors import ListingError
from snapshot.file.wholefile import open_regular

if TYPE_CHECKING:
    from snapshot.scan.config import CategorySettings
    from snapshot.scan.job import ScanJob

_BEGINNING = "fullfiletimelist-"
# scan-primary-mirror has this category's list one directory up, with this before its paths.
ABOVE, ABOVE_PREFIX = "Fedora Linux", "linux/"
# A file that changed this shortly before may change again within the same tick of the clock.
_SETTLED_NS = 2_000_000_000
BLOCK = 2 << 20


def find_list(job: "ScanJob", category: "CategorySettings") -> Path | None:
    """Return the full file list of a category, if it has one."""
    if job.list is not None:
        return job.list
    if category.list is not None:
        return Path(category.list)
    if category.type != "directory" or job.walk:
        return None
    folder = os.path.join(category.url, "..") if category.name == ABOVE else category.url
    try:
        found = [name for name in os.listdir(folder) if name.startswith(_BEGINNING)]
    except OSError:
        return None
    return Path(folder, min(found)) if found else None


def stamp(path: Path) -> str:
    """Return what tells a file from the one before it, without reading it; raises ListingError."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise ListingError(f"{path}: cannot be read: {error.strerror}") from error
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"


def settled_stamp(path: Path) -> str:
    """Return what tells a list from the one before; empty while it may still be written."""
    found = stamp(path)
    return found if time.time_ns() - int(found.split()[-1]) > _SETTLED_NS else ""


def list_digest(path: Path) -> str:
    """Return the digest of a list without reading its rows; raises ListingError."""
    import hashlib

    digest = hashlib.sha256()
    try:
        with open_regular(path) as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise ListingError(f"{path}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()
