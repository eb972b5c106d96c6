"""What changed between two snapshots, in the words of people who run mirrors.

Hosts are matched by id, directories by name, repositories by prefix and arch; an index in a
snapshot means nothing in another snapshot.
"""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import asdict

from snapshot.file.model import Directory, Inactive
from snapshot.file.reader import Snapshot

Fields = dict[str, object]
"""The fields of one thing, by names that people understand."""


class ComparedSnapshot(Struct, frozen=True):
    """One of the two snapshots."""

    id: str
    """Which snapshot."""
    read: int
    """When its database was read."""
    built: int
    """When its file was written."""


Change = tuple[object, object]
"""A field's old value and its new one."""


class ChangedThing(Struct, frozen=True):
    """A thing in both snapshots, with each field that differs; hosts as how many there are."""

    name: str
    """What changed."""
    fields: dict[str, Change]
    """Each field that differs, with its old and its new value."""


class ThingChanges(Struct, frozen=True):
    """What came, what went and what is different among the things of one kind."""

    added: list[str]
    """Names only in the new one."""
    removed: list[str]
    """Names only in the old one."""
    changed: list[ChangedThing]


class Carried(Struct, frozen=True):
    """How many directories a host gained, and how many it lost."""

    host: str
    """The host's name and number."""
    gained: int
    """How many directories it newly may be offered for."""
    lost: int
    """For how many it may be no longer."""


class Difference(Struct, frozen=True):
    """All differences; equal ids mean that there are none.

    `sections` names the sections whose bytes differ, also those without a list here.
    """

    old: ComparedSnapshot
    new: ComparedSnapshot
    equal: bool
    """Whether both say the same."""
    hosts: ThingChanges
    urls: ThingChanges
    repositories: ThingChanges
    redirects: ThingChanges
    directories: ThingChanges
    carried: list[Carried]
    sections: list[str]
    """Sections of the file whose bytes differ, those without a list here included."""


def compare(old: Snapshot, new: Snapshot) -> Difference:
    """Return what changed from one snapshot to another."""
    before, after = _View(old), _View(new)
    return Difference(
        old=_side(old),
        new=_side(new),
        equal=old.id == new.id,
        hosts=_changes(before.hosts(), after.hosts()),
        urls=_changes(before.urls(), after.urls()),
        repositories=_changes(before.repositories(), after.repositories()),
        redirects=_changes(before.redirects(), after.redirects()),
        directories=_changes(before.directories(), after.directories()),
        carried=_carried(before, after),
        sections=_sections(old, new),
    )


class _View:
    """A snapshot's things by names that hold across snapshots."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._names = [f"{host.name} ({host.id})" for host in snapshot.hosts]
        self._sets = [
            frozenset(self._names[host] for host in snapshot.host_set(index))
            for index in range(snapshot.host_set_count)
        ]
        self._directories = [snapshot.directory(i) for i in range(snapshot.directory_count)]

    def hosts(self) -> Mapping[str, Fields]:
        """Each host with its fields; `inactive` as the names of the flags that are off."""
        return {
            name: {**asdict(host), "inactive": _flags(host.inactive)}
            for name, host in zip(self._names, self._snapshot.hosts, strict=True)
        }

    def urls(self) -> Mapping[str, Fields]:
        """The URLs of each host in each category, and whether it needs no crawl there."""
        return {
            f"{self._names[one.host]}: {category.name}": {
                "urls": one.urls,
                "always_up2date": one.always_up2date,
            }
            for category in self._snapshot.categories
            for one in category.hosts
        }

    def repositories(self) -> Mapping[str, Fields]:
        """Each repository with its directory and whether it is disabled."""
        return {
            f"{row.prefix} {row.arch}": {
                "directory": self._directories[row.directory].name,
                "disabled": row.disabled,
            }
            for row in self._snapshot.repositories
        }

    def redirects(self) -> Mapping[str, Fields]:
        """Each redirected prefix with its target."""
        return {name: {"to": to} for name, to in self._snapshot.redirects.items()}

    def directories(self) -> Mapping[str, Fields]:
        """Each directory with what is known of it."""
        return {
            row.name: {
                "category": self._category(row),
                "hosts": self.hosts_of(row),
                "readable": row.readable,
                "ctime": row.ctime,
                "files": self._files(index),
            }
            for index, row in enumerate(self._directories)
        }

    def by_name(self) -> Mapping[str, Directory]:
        """The directories by their names."""
        return {row.name: row for row in self._directories}

    def hosts_of(self, row: Directory) -> frozenset[str]:
        """The hosts that may be offered for a directory."""
        return frozenset() if row.host_set is None else self._sets[row.host_set]

    def _category(self, row: Directory) -> str | None:
        return None if row.category is None else self._snapshot.categories[row.category].name

    def _files(self, index: int) -> dict[str, tuple[str, ...]]:
        """The versions of each file by what tells them apart best."""
        return {
            name: tuple((one.sha256 or one.md5).hex()[:16] or str(one.size) for one in versions)
            for name, versions in self._snapshot.file_details(index).items()
        }


def _side(snapshot: Snapshot) -> ComparedSnapshot:
    return ComparedSnapshot(snapshot.id, snapshot.read, snapshot.built)


def _changes(old: Mapping[str, Fields], new: Mapping[str, Fields]) -> ThingChanges:
    differing = sorted(name for name in old.keys() & new.keys() if old[name] != new[name])
    return ThingChanges(
        added=sorted(new.keys() - old.keys()),
        removed=sorted(old.keys() - new.keys()),
        changed=[ChangedThing(name, _fields(old[name], new[name])) for name in differing],
    )


def _fields(old: Fields, new: Fields) -> dict[str, Change]:
    return {name: (_value(old[name]), _value(new[name])) for name in old if old[name] != new[name]}


def _value(value: object) -> object:
    # A count, because hundreds of names for each of thousands of directories cannot be read.
    return len(value) if isinstance(value, frozenset) else value


def _flags(inactive: int) -> list[str]:
    return [flag.name.lower() for flag in Inactive if flag & inactive and flag.name]


def _carried(before: _View, after: _View) -> list[Carried]:
    """Count for each host the directories of both snapshots that it gained or lost."""
    gained: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    old = before.by_name()
    # Whole subtrees change alike, so most pairs of host sets occur many times.
    pairs = Counter(
        (before.hosts_of(old[name]), after.hosts_of(row))
        for name, row in after.by_name().items()
        if name in old
    )
    for (had, has), directories in pairs.items():
        gained.update(dict.fromkeys(has - had, directories))
        lost.update(dict.fromkeys(had - has, directories))
    return [Carried(host, gained[host], lost[host]) for host in sorted(gained | lost)]


def _sections(old: Snapshot, new: Snapshot) -> list[str]:
    """The content sections whose bytes differ."""
    before, after = old.section_digests(), new.section_digests()
    return sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )
