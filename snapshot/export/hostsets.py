"""Finds the hosts that may be offered for each directory, as sets of bits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import compress
from operator import or_

from snapshot.export.directories import Asked, Carried, Directories
from snapshot.export.hosts import HostTable


def host_bits(
    carried: Carried, categories: Mapping[int, int], host_table: HostTable
) -> dict[int, int]:
    """Return the bits of the hosts of each directory that is in a category, by directory id.

    `categories` has the category of each directory, as an index in the host table.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for directory, category in categories.items():
        members[category].append(directory)
    found: dict[int, int] = {}
    for category, unsorted in members.items():
        directories = sorted(unsorted)
        always = host_table.always_up2date[category]
        sets = _hosts_by_set(carried, host_table.offerable[category])
        found |= zip(directories, _columns(directories, sets, always), strict=True)
    return found


def _hosts_by_set(carried: Carried, offerable: Mapping[int, int]) -> list[tuple[Directories, int]]:
    """Return each set of directories with the bits of all hosts that have exactly this set."""
    found: dict[bytes, tuple[Directories, int]] = {}
    for host_category, bit in offerable.items():
        directories = carried.directories.get(host_category)
        if directories:
            key = directories.tobytes()
            found[key] = directories, found.get(key, (directories, 0))[1] | bit
    return [*found.values()]


def _columns(
    directories: Sequence[int], sets: Sequence[tuple[Directories, int]], always: int
) -> list[int]:
    """Return the hosts of each directory.

    The table has a row of flags for each set and a column for each directory. Whole subtrees have
    the same hosts, so a column is parsed once.
    """
    asked = Asked(directories)
    table = b"".join(ids.flags(asked) for ids, _ in sets)
    bits = [hosts for _, hosts in sets]
    parsed: dict[bytes, int] = {}
    found = []
    for at in range(len(directories)):
        column = table[at :: len(directories)]
        if column not in parsed:
            parsed[column] = reduce(or_, compress(bits, column), always)
        found.append(parsed[column])
    return found
