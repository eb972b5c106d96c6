"""The directories of a snapshot in the order of their changes, so that unchanged ones cost nothing.

Source: docs/protocol.md#what-changed-for-rsync.
"""

from bisect import bisect_right
from collections import defaultdict

from snapshot.file.reachable import reachable
from snapshot.file.reader import Snapshot
from snapshot.file.text import CONTROL


class Changed:
    """For each category the directories that everybody can read, in the order of their changes.

    A directory's change is the later one of its change time and its moment. The moment is "the
    first export that showed the directory with this change time".
    """

    def __init__(self, snapshot: Snapshot) -> None:
        """Compile a snapshot: about 2 us a directory."""
        history = snapshot.history
        self.cursor = history.cursor
        self.since = history.since
        found: dict[int, list[tuple[int, str]]] = defaultdict(list)
        filled, dated = set(), set()
        directories = snapshot.directories()
        self.knows_newest = snapshot.has_newest
        self._newest = {directories[at].name: names for at, names in snapshot.newest.items()}
        columns = directories, history.moments, reachable(directories)
        for directory, moment, can_be_read in zip(*columns, strict=True):
            if directory.category is not None:
                filled.add(directory.category)
                if directory.ctime:
                    dated.add(directory.category)
                # "Unreadable directories are never listed, and directories below them are not
                # listed even if they are readable." A line feed in a name would put another name
                # into the list.
                if can_be_read and not CONTROL.search(directory.name):
                    change = max(directory.ctime, moment)
                    found[directory.category].append((change, directory.name))
        # Categories with directories, but without any change time: nothing can be said of them.
        self._undated = filled - dated
        self._changes = {}
        self._names = {}
        for category, changes in found.items():
            changes.sort()
            self._changes[category] = [change for change, _ in changes]
            self._names[category] = [name for _, name in changes]

    def newest(self, directory: str) -> list[str] | None:
        """Return the files to mirror of a directory that also has older packages."""
        found = self._newest.get(directory)
        if found is None:
            return None
        return found.split("\n") if found else []

    def has_change_times(self, category: int) -> bool:
        """Return whether change times of a category are known; an imported cache has none."""
        return category not in self._undated

    def index(self, category: int, since: int) -> int:
        """Return how many directories of a category did not change after `since`."""
        return bisect_right(self._changes.get(category, []), since)

    def names(self, category: int, index: int) -> list[str]:
        """Return the names of the directories from an index on, as `index()` returns it."""
        return self._names.get(category, [])[index:]
