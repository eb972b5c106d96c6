"""Decides which subtrees each host lacks, has outdated, or has half synchronised.

Real mirrors lag like this: after a missed run, a mirror lacks all of a release, or one arch of it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from loadtest.dataset.chance import chance
from loadtest.dataset.families import ARCHIVE, FEDORA, Category
from loadtest.dataset.host import Diligence, Host
from loadtest.dataset.tree import REPODATA, DatasetTree, Directory, Subtree

NOISE = 0.005
"""The share of single directories of a host that noise takes."""


class SubtreeState(Enum):
    """A host's copy of a subtree; `SYNCING` has all new packages, but not the new repodata."""

    MISSING = "missing"
    OUTDATED = "outdated"
    SYNCING = "syncing"
    CURRENT = "current"


class DirRow(NamedTuple):
    """A row of host_category_dir, in the order of its columns."""

    id: int
    host_category_id: int
    path: str
    up2date: bool
    directory_id: int


class _Lag(NamedTuple):
    """How likely it is that subtrees lag.

    `release` is for the subtrees of a stage and version together, `arch` for those of one arch
    of it, `alone` for a single one. Daily ones are outdated then, others were never complete.
    """

    release: float
    arch: float
    alone: float


_DAILY_LAGS = {
    Diligence.PROMPT: _Lag(0.006, 0.003, 0.015),
    Diligence.SLOW: _Lag(0.14, 0.05, 0.08),
    Diligence.STUCK: _Lag(1.0, 1.0, 1.0),
}
_OTHER_LAGS = {
    Diligence.PROMPT: _Lag(0.003, 0.003, 0.003),
    Diligence.SLOW: _Lag(0.012, 0.012, 0.012),
    Diligence.STUCK: _Lag(0.03, 0.03, 0.03),
}

# A small tree has more than enough rows without them.
_FEWEST_ARCHIVES = 3
# What a host category's row says of a directory.
_NO_ROW, _FALSE, _TRUE = range(3)


@dataclass(frozen=True, slots=True)
class HostCategory:
    """A host carrying a category, and how many rows of host_category_dir it has.

    `verdicts` has what the rows say: two bytes for what lies above all subtrees, then two for
    each subtree, the second one for its repodata.
    """

    id: int
    host: Host
    category: Category
    rows: int
    verdicts: bytes


class Coverage:
    """All host categories; as many hosts carry the archive as are needed for enough rows."""

    def __init__(
        self, seed: int, tree: DatasetTree, hosts: Sequence[Host], least_rows: int
    ) -> None:
        """Decide who carries what; `least_rows` counts rows of host_category_dir."""
        self._seed = seed
        self._tree = tree
        self._places = _places(tree)
        self._counts = {
            name: Counter(index.verdict for index in places)
            for name, places in self._places.items()
        }
        found = [
            self._host_category(host, category)
            for host in hosts
            for category in tree.categories
            if category.name in host.categories
        ]
        self.row_count = sum(one.rows for one in found)
        found += self._archives(hosts, least_rows)
        found.sort(key=lambda one: one.host.id)
        self.host_categories = tuple(
            HostCategory(id, one.host, one.category, one.rows, one.verdicts)
            for id, one in enumerate(found, 1)
        )

    def rows(self, noise: bool) -> Iterator[DirRow]:
        """Yield the rows of host_category_dir, sorted by host category and path."""
        id = 0
        for one in self.host_categories:
            source = chance(self._seed, "noise", one.id)
            verdicts, checked_in = one.verdicts, one.host.private
            for index in self._places[one.category.name] if one.rows else ():
                verdict = verdicts[index.verdict]
                if verdict == _NO_ROW:
                    continue
                id += 1
                up2date = verdict == _TRUE and not (noise and source.random() < NOISE)
                # Only the crawler writes a leading slash; private hosts check in themselves.
                path = index.path[1:] if checked_in else index.path
                yield DirRow(id, one.id, path, up2date, index.directory_id)

    def _archives(self, hosts: Sequence[Host], least_rows: int) -> Iterator[HostCategory]:
        archive = next(category for category in self._tree.categories if category.name == ARCHIVE)
        willing = [host for host in hosts if FEDORA in host.categories and not host.always_up2date]
        chance(self._seed, "archives").shuffle(willing)
        for number, host in enumerate(willing):
            if self.row_count >= least_rows and number >= _FEWEST_ARCHIVES:
                return
            one = self._host_category(host, archive)
            self.row_count += one.rows
            yield one

    def _host_category(self, host: Host, category: Category) -> HostCategory:
        verdicts = self._verdicts(host, category)
        counts = self._counts[category.name]
        rows = sum(count for index, count in counts.items() if verdicts[index] != _NO_ROW)
        # always_up2date: "The crawler does not look at it."
        # (docs/mirrormanager.md#always-up-to-date)
        rows = 0 if host.always_up2date else rows
        return HostCategory(0, host, category, rows, verdicts)

    def _verdicts(self, host: Host, category: Category) -> bytes:
        judge = _Judge(self._seed, host, category)
        verdicts = bytearray((_TRUE, _TRUE))
        for subtree in self._tree.subtrees:
            state = judge.state(subtree) if subtree.category is category else SubtreeState.MISSING
            verdicts += _verdicts_of(state, host.private)
        return bytes(verdicts)


@dataclass(frozen=True, slots=True)
class _Place:
    """A directory of a category: its path with a leading slash, the place of its verdict."""

    directory_id: int
    path: str
    verdict: int


def _places(tree: DatasetTree) -> dict[str, list[_Place]]:
    found: dict[str, list[_Place]] = {category.name: [] for category in tree.categories}
    for directory in tree.directories:
        if directory.category:
            path = directory.name.removeprefix(directory.category.topdir)
            index = _Place(directory.id, path, _verdict_place(directory))
            found[directory.category.name].append(index)
    return found


def _verdict_place(directory: Directory) -> int:
    if directory.subtree is None:
        return 0
    return 2 * directory.subtree + 2 + directory.name.endswith(f"/{REPODATA}")


def _verdicts_of(state: SubtreeState, private: bool) -> bytes:
    # A private host reports what it has; a row that it does not report is deleted.
    outdated = _NO_ROW if private else _FALSE
    match state:
        case SubtreeState.MISSING:
            return bytes((_NO_ROW, _NO_ROW))
        case SubtreeState.OUTDATED:
            return bytes((outdated, outdated))
        case SubtreeState.SYNCING:
            return bytes((_TRUE, outdated))
        case SubtreeState.CURRENT:
            return bytes((_TRUE, _TRUE))


class _Judge:
    """Says what one host has of one category's subtrees."""

    def __init__(self, seed: int, host: Host, category: Category) -> None:
        self._habit = host.habit
        self._source = chance(seed, "coverage", host.id, category.name)
        self._drawn: dict[tuple[str, ...], bool] = {}

    def state(self, subtree: Subtree) -> SubtreeState:
        if self._leaves_out(subtree):
            return SubtreeState.MISSING
        lag = (_DAILY_LAGS if subtree.daily else _OTHER_LAGS)[self._habit.diligence]
        release = (subtree.stage, subtree.version)
        together = (
            self._happens(release, lag.release),
            self._happens((*release, subtree.arch), lag.arch),
        )
        if any(together):
            return SubtreeState.OUTDATED if subtree.daily else SubtreeState.MISSING
        if self._source.random() < lag.alone:
            return SubtreeState.SYNCING if subtree.daily else SubtreeState.MISSING
        return SubtreeState.CURRENT

    def _leaves_out(self, subtree: Subtree) -> bool:
        habit = self._habit
        return (
            not subtree.readable
            or subtree.arch not in habit.arches
            or subtree.content in habit.skips
            or subtree.stage in habit.skips
            or subtree.age > habit.depth
        )

    def _happens(self, together: tuple[str, ...], likely: float) -> bool:
        """Draw once for all subtrees that lag together."""
        if together not in self._drawn:
            self._drawn[together] = self._source.random() < likely
        return self._drawn[together]
