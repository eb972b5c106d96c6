"""What is outside of a scope, for a source that has no directories to look at: as it was seen."""

from collections.abc import Mapping

from snapshot.scan.inventory import Inventory, children
from snapshot.scan.scope import Scope
from snapshot.scan.unchanged import Seen


def take_outside(inventory: Inventory, known: Mapping[str, Seen], scope: Scope) -> None:
    """Put into an inventory what the last scan saw outside of the scope."""
    for path, seen in known.items():
        directory = None if scope.has(path) else inventory.directory(path)
        if directory is not None:
            directory.ctime, directory.readable = seen.modified or None, seen.readable
            directory.packages, directory.pages = seen.packages, seen.pages
            directory.files = list(seen.files)


def seen_of(inventory: Inventory) -> dict[str, Seen]:
    """Return the directories of an inventory as the next scan is to know them."""
    below = children(inventory.directories)
    return {
        path: Seen(
            0,
            one.ctime or 0,
            one.readable,
            sorted(below.get(path, ())),
            one.packages,
            one.pages,
            one.files,
        )
        for path, one in inventory.directories.items()
    }
