"""Keeps the directories of the last export in memory, and reads only those that changed.

PostgreSQL gives a fingerprint for each host category in one pass, which takes about a third of the
time of reading all directories. Only the host categories whose fingerprint moved are read. All that
an export takes from the largest table is covered: the rows that are up to date, their number, and
their directories, each as often as it is there. What is said about rows without a directory is read
with the fingerprints.
"""

import secrets
import time
from collections.abc import Callable, Collection, Set
from typing import Any

from snapshot.export.carried import ALL, GROUPS, SETS, Group, carried, read_carried
from snapshot.export.directories import Carried, Directories, Shared
from snapshot.export.session import SQLITE, Session

FULL_SECONDS = 1800.0
"""Everything is read at least this often, to see whether the kept directories are right."""

# A sum, not an exclusive or: of two rows with the same directory, which MirrorManager can have,
# an exclusive or would keep nothing. A hash, because sums of ids alone agree by chance. The seed is
# a secret of the process, so that nobody can choose ids whose hashes cancel each other out.
_HASH = "hashint8extended(bigint, bigint)"
_HAS_HASH = f"SELECT has_function_privilege(to_regprocedure('{_HASH}')::oid, 'EXECUTE')"
_SUM = ", sum(hashint8extended(directory_id::bigint, %(seed)s::bigint))"
_MARKS = GROUPS.format(more=_SUM, only="")
_SOME = GROUPS.format(more=SETS, only="AND host_category_id = ANY(%(ids)s::bigint[])")

WITHOUT_HASH = (
    "this PostgreSQL has no hashint8extended() (it came with version 11), or the role may not call"
    " it; each export reads all of host_category_dir"
)
DIFFERED = (
    "the directories that were kept in memory differ from the database's; the database's are"
    " published, and the next export reads all of them again"
)


class KeptDirectories:
    """The directories of each host category as they were last read, for one database.

    `said` is a line for people about the last read, if there is one; `differed` says that the last
    read was a full one and had another result than the kept directories.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with nothing, so that the first read is a full one."""
        self.said: str | None = None
        self.differed = False
        self._clock = clock
        self._seed = secrets.randbits(63)
        self._groups: dict[int | None, Group] = {}
        self._sets: dict[int | None, Directories] = {}
        self._full_at = clock() + FULL_SECONDS
        self._told_of_hash = False

    def read(self, session: Session) -> Carried:
        """Return the same as `read_carried`."""
        self.said, self.differed = None, False
        # SQLite has no hash function; sums of expressions take two thirds of a full read.
        if session.kind == SQLITE or not self._has_hash(session):
            return read_carried(session)
        found = self._update(session)
        return self._checked(session, found) if self._clock() >= self._full_at else found

    def _has_hash(self, session: Session) -> bool:
        if session.query(_HAS_HASH)[0][0]:
            return True
        if not self._told_of_hash:
            self.said, self._told_of_hash = WITHOUT_HASH, True
        return False

    def _update(self, session: Session) -> Carried:
        """Read the directories of host categories that changed; forget those that are gone."""
        found = [Group(*row) for row in session.query(_MARKS, {"seed": self._seed})]
        moved = {one.host_category for one in found if self._is_moved(one)}
        kept = {one.host_category for one in found} - moved
        sets = {id: self._sets[id] for id in kept & self._sets.keys()}
        shared = Shared(sets.values())
        for id, data in _read_sets(session, found, moved):
            if id in moved and data is not None:
                sets[id] = shared.of_bytes(data)
        # All at once, after the last statement: a read that was cut short changes nothing.
        self._groups, self._sets = {one.host_category: one for one in found}, sets
        return carried(found, sets)

    def _is_moved(self, group: Group) -> bool:
        before = self._groups.get(group.host_category)
        return before is None or _mark(before) != _mark(group)

    def _checked(self, session: Session, found: Carried) -> Carried:
        full = read_carried(session)
        self._full_at = self._clock() + FULL_SECONDS
        if full != found:
            self.said, self.differed = DIFFERED, True
            self._groups, self._sets = {}, {}
        return full


def _mark(group: Group) -> tuple[Any, ...]:
    return group.rows, group.named, group.sum


def _read_sets(
    session: Session, groups: Collection[Group], moved: Set[int | None]
) -> list[tuple[int | None, bytes | None]]:
    """Read the sets of host categories, or all of them if that is about as much to read."""
    if not moved - {None}:
        return []
    rows = sum(one.rows for one in groups if one.host_category in moved)
    if 2 * rows > sum(one.rows for one in groups):
        found = session.query_binary(ALL)
    else:
        ids = [id for id in moved if id is not None]
        found = session.query_binary(_SOME, {"ids": ids})
    return [(row[0], row[4]) for row in found]
