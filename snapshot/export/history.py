"""Records when an export first showed the current state of each directory, for the rsync filter.

A mirror asks for the changes since its cursor, which is the read of the snapshot that answered it
before. The change time alone would lose changes: "A scan finds changes late: a change time may lie
before an export that did not show it yet" (docs/mirrormanager.md#change-times). So a directory that
differs from the snapshot before gets a moment later than every cursor given until then, and each
change is listed to each mirror that has not seen it.
"""

from collections.abc import Iterable, Sequence

from snapshot.file.errors import SnapshotError
from snapshot.file.model import Category, Directory, History, SnapshotData
from snapshot.file.noise import is_noise
from snapshot.file.reachable import reachable
from snapshot.file.reader import Snapshot

# Later than any real time, and below the largest number that a snapshot can hold.
_LATEST = 1 << 62

Shown = tuple[int, int | None, bool]


def continue_history(data: SnapshotData, last: Snapshot | None) -> History | None:
    """Return the history of new data; `last` is the snapshot published before, if any.

    Directories are compared by name, so `last` may come from another database or have an older
    format. Returns None for data without change times.
    """
    if not any(directory.ctime for directory in data.directories):
        return None
    try:
        before = {} if last is None else _by_name(last)
    except SnapshotError:
        # The file could be opened, but a section of it is damaged.
        last = None
    if last is None or last.history.cursor >= _LATEST:
        return History(data.read, data.read, [0] * len(data.directories))
    # Later than every cursor before, even if both reads are of the same second or if the clock was
    # set back.
    cursor = max(data.read, last.history.cursor + 1)
    moments = []
    for directory, shown in zip(
        data.directories, _shown(data.directories, data.categories), strict=True
    ):
        was, moment = before.get(directory.name, (None, 0))
        moments.append(moment if was == shown else cursor)
    for index in _parents_of_gone(data.directories, before):
        moments[index] = cursor
    return History(last.history.since, cursor, moments)


def _by_name(last: Snapshot) -> dict[str, tuple[Shown, int]]:
    directories = last.directories()
    shown = _shown(directories, last.categories)
    return {
        directory.name: pair
        for directory, pair in zip(
            directories, zip(shown, last.history.moments, strict=True), strict=True
        )
    }


def _shown(directories: Sequence[Directory], categories: Sequence[Category]) -> list[Shown]:
    """Return for each directory the state that decides whether and where it is listed."""
    ids = [category.id for category in categories]
    return [
        (one.ctime, None if one.category is None else ids[one.category], can_be_read)
        for one, can_be_read in zip(directories, reachable(directories), strict=True)
    ]


def _parents_of_gone(directories: Sequence[Directory], before: Iterable[str]) -> set[int]:
    """Return the places of the nearest remaining directories above directories that are gone.

    A mirror that synchronises such a parent removes the gone directory. The parent's own change
    time shows the removal too, but perhaps from an earlier scan than the one that removed the row.
    """
    places = {one.name: index for index, one in enumerate(directories)}
    found = set()
    for name in before:
        if name in places or is_noise(name):
            continue
        parent = name.rpartition("/")[0]
        while parent and parent not in places:
            parent = parent.rpartition("/")[0]
        if parent in places:
            found.add(places[parent])
    return found
