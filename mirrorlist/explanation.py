"""An answer with its reasons, as data and as text for people."""

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct

from mirrorlist.selection import Tier

_NAMES_SHOWN = 6


class SnapshotUsed(Struct, frozen=True):
    """The snapshot an answer comes from; age in seconds since its database was read."""

    id: str
    age: int


class ClientSeen(Struct, frozen=True):
    """What is believed of the client."""

    address: str
    source: str
    country: str
    country_source: str
    continent: str | None
    asn: int | None


class Listed(Struct, frozen=True):
    """A host of the answer, in its order; URLs as the client gets them."""

    id: int
    name: str
    tier: Tier
    urls: list[str]


class Excluded(Struct, frozen=True):
    """A host that is not in the answer, and why."""

    id: int
    name: str
    reason: str


class Explanation(Struct, frozen=True, omit_defaults=True):
    """An answer with its reasons; `error` is what is answered if no host is left."""

    snapshot: SnapshotUsed
    client: ClientSeen
    directory: str
    file: str | None
    hosts: list[Listed]
    excluded: list[Excluded]
    error: str | None = None


def as_text(found: Explanation) -> str:
    """Return an explanation for people, line by line, without an end of line at the end."""
    lines = [*_heading(found), "", *(_hosts(found.hosts) if found.hosts else [found.error or ""])]
    if found.excluded:
        lines += ["", f"not in the list: {len(found.excluded)} hosts", *_excluded(found.excluded)]
    return "\n".join(lines)


def _heading(found: Explanation) -> Iterable[str]:
    client = found.client
    yield f"snapshot   {found.snapshot.id}, {found.snapshot.age} s old"
    yield (
        f"client     {client.address} ({client.source}): country {client.country}"
        f" ({client.country_source}), continent {client.continent or 'unknown'},"
        f" ASN {client.asn or 'of no host'}"
    )
    yield f"directory  {found.directory}"
    if found.file:
        yield f"file       {found.file}"


def _hosts(hosts: list[Listed]) -> list[str]:
    rows = [(str(place), host.tier, host.name, host.urls[0]) for place, host in enumerate(hosts, 1)]
    return _columns([("#", "tier", "host", "first URL"), *rows])


def _excluded(excluded: list[Excluded]) -> list[str]:
    names: dict[str, list[str]] = defaultdict(list)
    for host in excluded:
        names[host.reason].append(host.name)
    rows = []
    for reason, hosts in sorted(names.items(), key=lambda item: (-len(item[1]), item[0])):
        more = f" and {len(hosts) - _NAMES_SHOWN} more" if len(hosts) > _NAMES_SHOWN else ""
        rows.append((str(len(hosts)), reason, ", ".join(hosts[:_NAMES_SHOWN]) + more))
    return _columns([("hosts", "reason", "which"), *rows])


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
