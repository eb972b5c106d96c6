"""Which directories every client can reach: readable ones, below readable ones only."""

from collections.abc import Sequence

from snapshot.file.model import Directory


def reachable(directories: Sequence[Directory]) -> list[bool]:
    """Return for each directory whether it and all directories above it are readable.

    Some scans keep the own flag of a directory below an unreadable one, such as a release that is
    hidden until its day. Source: docs/mirrormanager.md#unreadable-directories.
    """
    hidden = {one.name for one in directories if not one.readable}
    if not hidden:
        return [True] * len(directories)
    # Remembered by the parent directory, which most directories share with others.
    known = {"": "" in hidden}
    return [
        one.readable and not _is_hidden(one.name.rpartition("/")[0], hidden, known)
        for one in directories
    ]


def _is_hidden(name: str, hidden: set[str], known: dict[str, bool]) -> bool:
    way = []
    while name not in known:
        way.append(name)
        name = name.rpartition("/")[0]
    found = known[name]
    for one in reversed(way):
        found = known[one] = found or one in hidden
    return found
