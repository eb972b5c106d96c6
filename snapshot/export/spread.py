"""Compares the quality of answers in two snapshots, where the counts of hosts and URLs are equal.

Examples of what `usable` does not see: all hosts are in one country, all URLs lead to one machine,
the checksums are a year old. A half-restored database looks like this, and so does one after an
UPDATE without a WHERE.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from snapshot.export.usable import METADATA, is_web, names_of
from snapshot.file.model import Host
from snapshot.file.reader import Snapshot

# With fewer hosts, a single host that is a day behind is a large share of all.
_MANY_HOSTS = 10


class Spread(NamedTuple):
    """How many things there were, how many of those got worse, and the things in words."""

    words: str
    before: int
    lost: int


def spreads(old: Snapshot, new: Snapshot) -> Iterator[Spread]:
    """Yield the spreads of countries, host names, netblocks, checksums and mirrors a directory."""
    yield _moved(old, new)
    yield _machines(old, new)
    before, now = _with_netblocks(old), _with_netblocks(new)
    yield Spread("active hosts with netblocks", len(before), len(before - now))
    yield _older(old, new)
    if len(old.hosts) >= _MANY_HOSTS:
        yield _mirrors(old, new)


def measure(snapshot: Snapshot) -> None:
    """Do the costly part of `spreads` for one of the two snapshots."""
    _moments(snapshot)
    _carriers(snapshot)


def _moved(old: Snapshot, new: Snapshot) -> Spread:
    now = {host.id: host.country for host in new.hosts}
    both = [host for host in old.hosts if host.country and not host.inactive and host.id in now]
    lost = sum(host.country != now[host.id] for host in both)
    return Spread("hosts in the country where they were", len(both), lost)


def _machines(old: Snapshot, new: Snapshot) -> Spread:
    """Compare the number of host names in URLs, not the names: mirrors may be renamed."""
    before, now = _names(old), _names(new)
    words = "different host names in http and https URLs"
    return Spread(words, before, max(0, before - now))


def _names(snapshot: Snapshot) -> int:
    return len({
        url.partition("://")[2].partition("/")[0].lower()
        for category in snapshot.categories
        for member in category.hosts
        if not snapshot.hosts[member.host].inactive
        for url in member.urls
        if is_web(url)
    })  # fmt: skip


def _with_netblocks(snapshot: Snapshot) -> set[int]:
    hosts: list[Host] = snapshot.hosts
    return {
        hosts[index].id
        for chain in snapshot.netblock_chains
        for netblock in chain
        for index in netblock.hosts
    }


def _older(old: Snapshot, new: Snapshot) -> Spread:
    before, now = _moments(old), _moments(new)
    both = before.keys() & now.keys()
    lost = sum(now[name] < before[name] for name in both)
    return Spread("directories whose repomd.xml is as new as it was", len(both), lost)


@lru_cache(2)
def _moments(snapshot: Snapshot) -> dict[str, int]:
    """The newest timestamp of each repository's repomd.xml, by the name of its directory."""
    names, found = names_of(snapshot), {}
    for row in snapshot.repositories:
        name = names[row.directory]
        if not name.endswith("/repodata"):
            name += "/repodata"
        at = snapshot.find_directory(name)
        details = () if at is None else snapshot.file_details(at).get(METADATA, ())
        if details:
            found[name] = max(detail.timestamp for detail in details)
    return found


def _mirrors(old: Snapshot, new: Snapshot) -> Spread:
    """How many mirrors the directories have, each mirror counted at each directory."""
    before, now = _carriers(old), _carriers(new)
    both = before.keys() & now.keys()
    count = sum(before[name] for name in both)
    lost = count - sum(now[name] for name in both)
    return Spread("mirrors of directories, counted at each directory", count, max(0, lost))


@lru_cache(2)
def _carriers(snapshot: Snapshot) -> dict[str, int]:
    sizes = {None: 0} | {at: snapshot.host_set_size(at) for at in range(snapshot.host_set_count)}
    sets = snapshot.host_sets_of_directories()
    return {name: sizes[at] for name, at in zip(names_of(snapshot), sets, strict=True)}
