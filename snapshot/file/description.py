"""Describes one directory of a snapshot in full, for people who look for a fault."""

from msgspec import Struct

from snapshot.file.model import Category, CategoryHost, FileDetail, Host
from snapshot.file.reader import Snapshot
from snapshot.file.reasons import Reason, not_exported, sentence


class File(Struct, frozen=True):
    """One accepted version of a file; hashes in hexadecimal, empty when unknown."""

    name: str
    """The file's name."""
    timestamp: int
    """The file's own time."""
    size: int
    """Bytes."""
    md5: str
    """In hexadecimal; empty when unknown."""
    sha1: str
    """Likewise."""
    sha256: str
    """Likewise."""
    sha512: str
    """Likewise."""


class Offered(Struct, frozen=True):
    """A host that may be offered for the directory, with its URLs of it."""

    id: int
    """MirrorManager's number of the host."""
    name: str
    """The host's name."""
    country: str
    """Two letters."""
    bandwidth: int
    """Mbit/s, by which hosts of a tier are drawn."""
    private: bool
    """Whether only clients of its own netblocks and ASNs get it."""
    always_up2date: bool
    """Whether it is listed without a crawl."""
    asns: tuple[int, ...]
    """AS numbers whose clients get it first."""
    countries_allowed: tuple[str, ...]
    """If there are any, only their clients get it."""
    urls: tuple[str, ...]
    """Its URLs of the directory."""


class NotOffered(Struct, frozen=True):
    """A host that has the category but is not offered, and why."""

    id: int
    """MirrorManager's number of the host."""
    name: str
    """The host's name."""
    reason: str
    """Why it is not offered, for people."""
    code: Reason
    """The same reason for programs (docs/protocol.md#why-these-hosts)."""


class Description(Struct, frozen=True):
    """A directory; `repositories` as prefix and arch, a disabled one said so.

    `ctime` is in seconds since 1970, UTC.
    """

    directory: str
    """Its path."""
    category: str | None
    """Null: no host can carry it."""
    readable: bool
    """Whether every client may read it."""
    ctime: int
    """When it changed."""
    repositories: list[str]
    """Prefix and arch of each; a disabled one says so."""
    files: list[File]
    hosts: list[Offered]
    excluded: list[NotOffered]


def describe(snapshot: Snapshot, index: int) -> Description:
    """Describe the directory of an index; its files include those in its `repodata`."""
    row = snapshot.directory(index)
    category = None if row.category is None else snapshot.categories[row.category]
    offered = set() if row.host_set is None else set(snapshot.host_set(row.host_set))
    members = category.hosts if category else ()
    hosts = snapshot.hosts
    return Description(
        directory=row.name,
        category=category.name if category else None,
        readable=row.readable,
        ctime=row.ctime,
        repositories=[
            f"{one.prefix} {one.arch}{' (disabled)' if one.disabled else ''}"
            for one in snapshot.repositories
            if one.directory == index
        ],
        files=_files(snapshot, index, row.name),
        hosts=[
            _offered(hosts[one.host], one, _below(category, row.name))
            for one in members
            if one.host in offered
        ],
        excluded=[_not_offered(hosts[one.host], one) for one in members if one.host not in offered],
    )


def find_repository(snapshot: Snapshot, prefix: str, arch: str) -> int | None:
    """Return the index of a repository's directory, a redirect followed once; None without it."""
    target = snapshot.redirects.get(prefix, prefix)
    for row in snapshot.repositories:
        if (row.prefix, row.arch) == (target, arch):
            return row.directory
    return None


def _files(snapshot: Snapshot, index: int, name: str) -> list[File]:
    found = [_file(one, detail) for one, detail in _details(snapshot, index)]
    repodata = snapshot.find_directory(f"{name}/repodata")
    if repodata is not None:
        found += [_file(f"repodata/{one}", row) for one, row in _details(snapshot, repodata)]
    return found


def _details(snapshot: Snapshot, index: int) -> list[tuple[str, FileDetail]]:
    details = snapshot.file_details(index)
    return [(name, version) for name in sorted(details) for version in details[name]]


def _file(name: str, detail: FileDetail) -> File:
    hashes = (detail.md5, detail.sha1, detail.sha256, detail.sha512)
    return File(name, detail.timestamp, detail.size, *(value.hex() for value in hashes))


def _below(category: Category | None, name: str) -> str:
    """What follows a host's URL of the category's topdir."""
    return name[len(category.topdir) :].strip("/") if category else ""


def _offered(host: Host, member: CategoryHost, below: str) -> Offered:
    return Offered(
        id=host.id,
        name=host.name,
        country=host.country,
        bandwidth=host.bandwidth,
        private=host.private,
        always_up2date=member.always_up2date,
        asns=host.asns,
        countries_allowed=host.countries_allowed,
        urls=tuple(f"{url.rstrip('/')}/{below}" for url in member.urls),
    )


def _not_offered(host: Host, member: CategoryHost) -> NotOffered:
    code, detail = not_exported(host, member)
    return NotOffered(host.id, host.name, sentence(code, detail), code)
