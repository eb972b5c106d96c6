"""The three sources of an inventory: a full file list, a directory tree, an rsync server."""

import os
import time
from glob import glob
from pathlib import Path

from msgspec import Struct

from snapshot.scan.config import CategorySettings
from snapshot.scan.full_list import read_full_list, stamp
from snapshot.scan.inventory import Inventory
from snapshot.scan.job import Progress, ScanJob
from snapshot.scan.rsync_listing import read_rsync
from snapshot.scan.tree import Seen, walk

_LISTS = "fullfiletimelist-*"
# scan-primary-mirror has this category's list one directory up, with this before its paths.
_ABOVE, _ABOVE_PREFIX = "Fedora Linux", "linux/"
# A file that changed this shortly before may change again within the same tick of the clock.
_SETTLED_NS = 2_000_000_000


class Listed(Struct):
    """What a source gave."""

    inventory: Inventory
    digest: str
    stamp: str = ""
    seen: dict[str, Seen] = {}


class Known(Struct, frozen=True):
    """What is known before: directories of a tree, and the digest of a list."""

    seen: dict[str, Seen]
    digest: str


def find_list(job: ScanJob, category: CategorySettings) -> Path | None:
    """Return the full file list of a category, if it has one."""
    if job.list is not None:
        return job.list
    if category.list is not None:
        return Path(category.list)
    if category.type != "directory" or job.walk:
        return None
    folder = os.path.join(category.url, "..") if category.name == _ABOVE else category.url
    found = sorted(glob(_LISTS, root_dir=folder))
    return Path(folder, found[0]) if found else None


def settled_stamp(path: Path) -> str:
    """Return what tells a list from the one before; empty while it may still be written."""
    found = stamp(path)
    return found if time.time_ns() - int(found.split()[-1]) > _SETTLED_NS else ""


def read_source(
    job: ScanJob,
    category: CategorySettings,
    topdir: str,
    known: Known,
    progress: Progress,
) -> Listed:
    """List the primary; raises ListingError."""
    inventory = Inventory(topdir, job.settings.excluded(category))
    path = find_list(job, category)
    if path is not None:
        progress("reading the list", 0, 0)
        before = settled_stamp(path)
        prefix = category.list_prefix
        if prefix is None:
            prefix = _ABOVE_PREFIX if category.name == _ABOVE else ""
        return Listed(inventory, read_full_list(path, inventory, prefix, known.digest), before)
    if category.type == "rsync":
        options = (job.settings.common_rsync_options, category.options)
        digest = read_rsync(
            category.url, options, inventory, lambda done: progress("rsync lists", done, 0)
        )
        return Listed(inventory, digest)
    total = len(known.seen)
    seen, digest = walk(
        category.url,
        inventory,
        known.seen,
        lambda done: progress("listing directories", done, total),
    )
    return Listed(inventory, digest, seen=seen)
