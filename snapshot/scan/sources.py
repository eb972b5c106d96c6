"""The three sources of an inventory: a full file list, a directory tree, an rsync server."""

from pathlib import Path

from msgspec import Struct

from snapshot.file.errors import ListingError
from snapshot.scan.config import CategorySettings
from snapshot.scan.full_list import read_full_list
from snapshot.scan.inventory import Inventory
from snapshot.scan.job import Progress, ScanJob
from snapshot.scan.list_file import ABOVE, ABOVE_PREFIX, settled_stamp
from snapshot.scan.scope import EVERYTHING, Scope
from snapshot.scan.unchanged import Seen


class Listed(Struct):
    """What a source gave."""

    inventory: Inventory
    digest: str
    stamp: str = ""
    seen: dict[str, Seen] = {}


class Known(Struct, frozen=True):
    """What is known before: directories, the file of a list, if there is one, and its digest.

    Of a tree and of an rsync server only what is in the scope is looked at.
    """

    seen: dict[str, Seen]
    path: Path | None
    digest: str
    scope: Scope = EVERYTHING


def read_source(
    job: ScanJob,
    category: CategorySettings,
    topdir: str,
    known: Known,
    progress: Progress,
) -> Listed:
    """List the primary; raises ListingError."""
    inventory = Inventory(topdir, job.settings.excluded(category))
    path = known.path
    if path is not None:
        progress("reading the list", 0, 0)
        before = settled_stamp(path)
        prefix = category.list_prefix
        if prefix is None:
            prefix = ABOVE_PREFIX if category.name == ABOVE else ""
        return Listed(inventory, read_full_list(path, inventory, prefix, known.digest), before)
    # Each imported here: a scan has one source, and loading the others takes as long as writing.
    if category.type == "rsync":
        from snapshot.scan.outside import seen_of, take_outside
        from snapshot.scan.rsync_listing import read_rsync

        options = (job.settings.common_rsync_options, category.options)
        if known.scope:
            take_outside(inventory, known.seen, known.scope)
        digest = read_rsync(
            category.url,
            options,
            inventory,
            lambda done: progress("rsync lists", done, 0),
            known.scope.paths,
        )
        _check_not_emptied(inventory, known, category.url)
        return Listed(inventory, digest, seen=seen_of(inventory))
    from snapshot.scan.tree import walk

    total = len(known.seen)
    seen, digest = walk(
        category.url,
        inventory,
        known.seen,
        lambda done: progress("listing directories", done, total),
        known.scope,
    )
    _check_not_emptied(inventory, known, category.url)
    return Listed(inventory, digest, seen=seen)


def _check_not_emptied(inventory: Inventory, known: Known, url: str) -> None:
    """Refuse a primary of which nothing is left: raises ListingError.

    This is no matter of --allow-deletions, because a disk that is not mounted looks like this.
    """
    top = inventory.directories[""]
    is_empty = len(inventory.directories) == 1 and not (top.files or top.linked)
    if is_empty and len(known.seen) > 1:
        raise ListingError(
            f"{url}: nothing is in it: is it mounted? What is in the database stays. If it is"
            " right, make a directory in it and scan with --allow-deletions"
        )
