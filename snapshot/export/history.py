"""When an export first showed what it shows of a directory: what makes a cursor lose nothing.

A mirror asks for what changed since the snapshot that it was answered from. The change time
alone loses what changed before that snapshot was read and was scanned after it. Whatever a
snapshot shows otherwise than the one before gets a moment that is later than every cursor that
was given until then, so each change is listed to each mirror that has not seen it.
"""

from collections.abc import Iterable, Sequence

from snapshot.file.errors import SnapshotError
from snapshot.file.model import Category, Directory, History, SnapshotData
from snapshot.file.noise import is_noise
from snapshot.file.reachable import reachable
from snapshot.file.reader import Snapshot

# Far beyond any clock, and short of what a snapshot can hold.
_LATEST = 1 << 62

Shown = tuple[int, int | None, bool]


def continue_history(data: SnapshotData, last: Snapshot | None) -> History | None:
    """Return the history of new data, given the snapshot published before them, if any.

    Both are compared by what they show, so it may be of another database or an older format.
    Data without change times have none.
    """
    if not any(directory.ctime for directory in data.directories):
        return None
    try:
        before = {} if last is None else _by_name(last)
    except SnapshotError:
        # Opened, and malformed all the same.
        last = None
    if last is None or last.history.cursor >= _LATEST:
        return History(data.read, data.read, [0] * len(data.directories))
    # Later than any cursor before it, also within one second, or when the clock was set back.
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
    """Return what decides whether and where each directory is listed."""
    ids = [category.id for category in categories]
    return [
        (one.ctime, None if one.category is None else ids[one.category], can_be_read)
        for one, can_be_read in zip(directories, reachable(directories), strict=True)
    ]


def _parents_of_gone(directories: Sequence[Directory], before: Iterable[str]) -> set[int]:
    """Return the places of the nearest directories above those of before that are gone.

    Who synchronises a directory removes what is gone from it; its change time says so by
    itself, but perhaps in an earlier scan than the one that removed the row.
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
