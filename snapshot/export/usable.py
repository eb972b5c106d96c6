"""Counts what clients can use of a snapshot, so that `checks` can tell whether a new one is worse.

A stranger is a client that is in no host's netblocks or ASNs. Strangers get no private host, no
host whose allowed countries all do not exist, and no URL other than http and https. Qualities are
computed for each pair of category and host set, of which there are few, not for each directory.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence, Set
from enum import IntFlag
from functools import lru_cache
from typing import NamedTuple

from snapshot.export.continents import built_in_continents
from snapshot.file.model import Host
from snapshot.file.reader import Snapshot

METADATA = "repomd.xml"


class Quality(IntFlag):
    """Who can use a thing, and how well; the flags are independent of each other."""

    USABLE = 1
    """An active host has it, private or not."""
    PUBLIC = 2
    """Strangers from at least one country get an http or https URL."""
    EVERYWHERE = 4
    """Strangers from every country get an http or https URL."""
    CHECKED = 8
    """Its metalink has a checksum."""
    STRONG = 16
    """Its metalink has a SHA-256 or SHA-512."""
    SECURE = 32
    """Strangers from at least one country get an https URL."""


# As plain integers, because joining members of an IntFlag is slow.
_USABLE, _PUBLIC, _EVERYWHERE, _SECURE = (
    int(one) for one in (Quality.USABLE, Quality.PUBLIC, Quality.EVERYWHERE, Quality.SECURE)
)


class Things(NamedTuple):
    """Things of one sort as columns: keys that are equal in two snapshots, categories, qualities.

    A thing is a host, a directory, a repository or a redirect.
    """

    keys: Sequence[Hashable]
    categories: Sequence[str]
    qualities: Sequence[int]


class Usable(NamedTuple):
    """All things that are counted; `carriers` has each host once for each of its categories."""

    hosts: Things
    carriers: Things
    directories: Things
    repositories: Things
    redirects: Things


class Loss(NamedTuple):
    """How many things had a quality before, how many of those lost it, how many have it now."""

    before: int
    lost: int
    now: int


@lru_cache(2)
def names_of(snapshot: Snapshot) -> list[str]:
    """Return the names of all directories, decoded once."""
    return snapshot.directory_names()


@lru_cache(2)
def usable(snapshot: Snapshot) -> Usable:
    """Return what clients can use of a snapshot, and how well."""
    places = _Places(snapshot)
    directories = places.directories()
    repositories = _repositories(snapshot, directories)
    redirects = _redirects(snapshot, repositories)
    return Usable(places.hosts(), places.carriers(), directories, repositories, redirects)


def losses_by_category(old: Things, new: Things, quality: Quality) -> dict[str, Loss]:
    """Return what was lost of one quality for each category of the old snapshot."""
    before, lost, now = Counter[str](), Counter[str](), Counter[str]()
    # Counter counts the many things in C; the loop is over a few distinct combinations.
    combinations = Counter(zip(old.categories, old.qualities, _found(old, new), strict=True))
    for (category, had, has), count in combinations.items():
        before[category] += count if had & quality else 0
        lost[category] += count if had & quality and not has & quality else 0
    for (category, has), count in Counter(zip(new.categories, new.qualities, strict=True)).items():
        now[category] += count if has & quality else 0
    return {name: Loss(count, lost[name], now[name]) for name, count in before.items() if count}


def _found(old: Things, new: Things) -> Iterable[int]:
    """The qualities that the old snapshot's things have in the new one; 0 if a thing is gone."""
    if old.keys == new.keys:
        return new.qualities
    by_key = dict(zip(new.keys, new.qualities, strict=True))
    return [by_key.get(key, 0) for key in old.keys]


class _Places:
    """Which hosts strangers get, and in which categories and directories."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        known = snapshot.continents.keys() | built_in_continents().keys()
        listed = {
            index: host for index, host in enumerate(snapshot.hosts) if is_listed(host, known)
        }
        everywhere = {index for index, host in listed.items() if not host.countries_allowed}
        web = [
            {host.host for host in category.hosts if any(map(is_web, host.urls))}
            for category in snapshot.categories
        ]
        secure = [
            {host.host for host in category.hosts if any(map(_is_https, host.urls))}
            for category in snapshot.categories
        ]
        self._secure = [frozenset(hosts & listed.keys()) for hosts in secure]
        self._public = [frozenset(hosts & listed.keys()) for hosts in web]
        self._everywhere = [frozenset(hosts & everywhere) for hosts in web]
        self._names = [category.name for category in snapshot.categories]
        self._host_sets = snapshot.host_sets_of_directories()
        self._categories = snapshot.categories_of_directories()
        pairs = {*zip(self._categories, self._host_sets, strict=True)}
        self._carried = {
            (category, host_set): frozenset(snapshot.host_set(host_set))
            for category, host_set in pairs
            if category is not None and host_set is not None
        }
        # By category: the hosts that have at least one of its directories.
        self._any: dict[int, set[int]] = {}
        for (category, _), hosts in self._carried.items():
            self._any.setdefault(category, set()).update(hosts)

    def directories(self) -> Things:
        """All directories by name."""
        qualities: dict[tuple[int | None, int | None], int] = {
            pair: self._of_hosts(pair[0], hosts) for pair, hosts in self._carried.items()
        }
        return Things(
            names_of(self._snapshot),
            ["" if one is None else self._names[one] for one in self._categories],
            [
                qualities.get(pair, 0)
                for pair in zip(self._categories, self._host_sets, strict=True)
            ],
        )

    def carriers(self) -> Things:
        """Hosts with each category of which they have a directory; keys are host id and topdir."""
        found: dict[tuple[int, str], int] = {}
        names = {}
        for category, hosts in self._any.items():
            topdir = self._snapshot.categories[category].topdir
            names[topdir] = self._names[category]
            for host in hosts:
                key = self._snapshot.hosts[host].id, topdir
                found[key] = found.get(key, 0) | self._of_hosts(category, {host})
        return Things([*found], [names[topdir] for _, topdir in found], [*found.values()])

    def hosts(self) -> Things:
        """All hosts by id; they have no category."""
        qualities = [0 if host.inactive else _USABLE for host in self._snapshot.hosts]
        for category, hosts in self._any.items():
            for host in hosts:
                qualities[host] |= self._of_hosts(category, {host}) & ~_USABLE
        ids = [host.id for host in self._snapshot.hosts]
        return Things(ids, [""] * len(ids), qualities)

    def _of_hosts(self, category: int, hosts: Set[int]) -> int:
        return (
            (_USABLE if hosts else 0)
            | (0 if self._public[category].isdisjoint(hosts) else _PUBLIC)
            | (0 if self._everywhere[category].isdisjoint(hosts) else _EVERYWHERE)
            | (0 if self._secure[category].isdisjoint(hosts) else _SECURE)
        )


def is_listed(host: Host, countries: set[str]) -> bool:
    """Whether strangers from at least one existing country may be offered a host."""
    barred = host.countries_allowed and countries.isdisjoint(host.countries_allowed)
    return not (host.inactive or host.private or barred)


def is_web(url: str) -> bool:
    """Whether a URL is http or https, which package managers and browsers use."""
    return url.partition(":")[0].lower() in ("http", "https")


def _is_https(url: str) -> bool:
    return url.partition(":")[0].lower() == "https"


def by_arch(repositories: Things) -> Things:
    """Return repositories by their arch instead of their category."""
    arches = [str(key[1]) if isinstance(key, tuple) else "" for key in repositories.keys]
    return repositories._replace(categories=arches)


def _repositories(snapshot: Snapshot, directories: Things) -> Things:
    """All repositories by prefix and arch, with the qualities of their directories."""
    # "A disabled repository disables its prefix in every arch."
    # (docs/mirrormanager.md#disabled-repositories)
    disabled = {row.prefix for row in snapshot.repositories if row.disabled}
    qualities = [
        0
        if row.prefix in disabled
        else directories.qualities[row.directory] | _checksums(snapshot, directories, row.directory)
        for row in snapshot.repositories
    ]
    return Things(
        [(row.prefix, row.arch) for row in snapshot.repositories],
        [directories.categories[row.directory] for row in snapshot.repositories],
        qualities,
    )


def _checksums(snapshot: Snapshot, directories: Things, directory: int) -> int:
    """Whether the repomd.xml of a repository's directory has checksums; 0 if no host has it."""
    name = str(directories.keys[directory])
    found: int | None = directory
    if not name.endswith("/repodata"):
        found = snapshot.find_directory(f"{name}/repodata")
    if found is None or not directories.qualities[found] & Quality.USABLE:
        return 0
    qualities = 0
    for detail in snapshot.file_details(found).get(METADATA, ()):
        strong = Quality.STRONG if detail.sha256 or detail.sha512 else 0
        weak = Quality.CHECKED if strong or detail.sha1 or detail.md5 else 0
        qualities |= strong | weak
    return qualities


def _redirects(snapshot: Snapshot, repositories: Things) -> Things:
    """All redirects by the prefix that is asked for, with the best qualities of their targets."""
    by_prefix: dict[str, int] = {}
    for row, qualities in zip(snapshot.repositories, repositories.qualities, strict=True):
        by_prefix[row.prefix] = by_prefix.get(row.prefix, 0) | qualities
    return Things(
        [*snapshot.redirects],
        [""] * len(snapshot.redirects),
        [by_prefix.get(target, 0) for target in snapshot.redirects.values()],
    )
