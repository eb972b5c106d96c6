"""An answer with its reasons, as data and as text for people."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from textwrap import wrap

from msgspec import Struct

from mirrorlist.lists.selection import Tier
from snapshot.file.reasons import Reason, opening

DEFAULT_WIDTH = 80
_NAMES_SHOWN = 6


class SnapshotUsed(Struct, frozen=True):
    """The snapshot an answer comes from; age in seconds since its database was read."""

    id: str
    """Which snapshot."""
    age: int
    """Seconds since its database was read."""


class ClientSeen(Struct, frozen=True):
    """What is believed of the client."""

    address: str
    """The address that is believed."""
    source: str
    """How it is known: `peer`, `x-forwarded-for`, `ip=`, `--ip`, or `unknown`."""
    country: str
    """Two letters, or N/A."""
    country_source: str
    """How the country is known: the GeoIP data by name, `netblock_country`, or `by ip=`."""
    continent: str | None
    """Two letters."""
    asn: int | None
    """Its AS number, if it is that of a host."""


class Listed(Struct, frozen=True):
    """A host of the answer, in its order; URLs as the client gets them."""

    id: int
    """MirrorManager's number of the host."""
    name: str
    """The host's name."""
    tier: Tier
    """How near it is: the first tier that has it."""
    urls: list[str]
    """As the client gets them."""
    country: str = ""
    """Two letters."""


class Excluded(Struct, frozen=True):
    """A host that is not in the answer, and why."""

    id: int
    """MirrorManager's number of the host."""
    name: str
    """The host's name."""
    reason: str
    """Why it is not in the answer, for people."""
    country: str
    """The host's country where its reason is that of the whole country, else empty."""
    code: Reason
    """The same reason for programs (docs/protocol.md#why-these-hosts)."""

    @property
    def rule(self) -> str:
        """The reason without the country that it begins with."""
        return self.reason[len(opening(self.code, self.country)) :]


class Explanation(Struct, frozen=True, omit_defaults=True):
    """An answer with its reasons; `error` is what is answered if no host is left."""

    snapshot: SnapshotUsed
    client: ClientSeen
    directory: str
    """The directory that is asked for."""
    file: str | None
    """The file that is asked for; repomd.xml for a repository."""
    hosts: list[Listed]
    excluded: list[Excluded]
    error: str | None = None
    """What is answered instead of a list; absent where there is a list."""


def as_text(found: Explanation, width: int = DEFAULT_WIDTH) -> str:
    """Return an explanation for people, without an end of line at the end.

    Lines are at most `width` columns, but for names, paths and URLs that are longer alone.
    """
    lines = [*_heading(found), "", *_hosts(found.hosts, width)]
    if found.excluded:
        lines += ["", f"not in the list: {len(found.excluded)} hosts"]
        lines += _excluded(found.excluded, width)
    return "\n".join(lines)


def _heading(found: Explanation) -> Iterable[str]:
    client = found.client
    yield f"snapshot   {found.snapshot.id}, {found.snapshot.age} s old"
    yield f"client     {client.address} ({client.source})"
    yield (
        f"place      country {client.country} ({client.country_source}),"
        f" continent {client.continent or 'unknown'}, ASN {client.asn or 'of no host'}"
    )
    yield f"directory  {found.directory}"
    if found.file:
        yield f"file       {found.file}"


def _hosts(hosts: list[Listed], width: int) -> list[str]:
    if not hosts:
        return ["no host is left"]
    ending = _common_ending([host.urls[0] for host in hosts])
    rows: list[tuple[str, ...]] = [("#", "tier", "in", "host")]
    rows += [(str(at), one.tier, one.country, one.name) for at, one in enumerate(hosts, 1)]
    lines, first = _columns(rows), "  first URL" + (", less its end" if ending else "")
    found = [f"in the list: {len(hosts)} hosts"]
    found += [f"each first URL ends with {ending}"] if ending else []
    found.append(lines[0] + first)
    room = max(map(len, lines))
    for line, host in zip(lines[1:], hosts, strict=True):
        url = host.urls[0].removesuffix(ending)
        beside = f"{line.ljust(room)}  {url}"
        found += [beside] if len(beside) <= width else [line, f"     {url}"]
    return found


def _common_ending(urls: list[str]) -> str:
    """Return the path that all of several URLs end with, from a slash on."""
    if len(urls) < 2:
        return ""
    ending = urls[0]
    for url in urls:
        # Shorter and shorter, until this one ends so too.
        while not url.endswith(ending):
            ending = ending[1:]
    slash = ending.find("/")
    # What is left of each must show at least its host.
    return "" if slash < 0 or "://" in ending else ending[slash:]


def _excluded(excluded: list[Excluded], width: int) -> Iterable[str]:
    """Yield each rule with its hosts; those that were only too far away come last, counted."""
    rules: dict[str, list[Excluded]] = defaultdict(list)
    for host in excluded:
        rules[host.rule].append(host)
    groups = sorted(rules.items(), key=lambda item: (bool(item[1][0].country), len(item[1])))
    for reason, hosts in groups:
        count = f"{len(hosts)} host{'s' if len(hosts) > 1 else ''}"
        yield from _wrapped(f"{count}: {reason}", width, 2)
        yield from _wrapped(_which(hosts), width, 6)


def _which(hosts: list[Excluded]) -> str:
    if hosts[0].country:
        counts = Counter(host.country for host in hosts).most_common()
        return ", ".join(f"{country} {count}" for country, count in counts)
    names = [host.name for host in hosts]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    return wrap(
        text,
        max(width, 40),
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
