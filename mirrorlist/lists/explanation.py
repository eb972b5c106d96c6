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
    """The snapshot that an answer comes from."""

    id: str
    """The snapshot's id."""
    age: int
    """Seconds since its database was read."""


class ClientSeen(Struct, frozen=True):
    """What is believed of the client."""

    address: str
    """The address that is believed."""
    source: str
    """Where the address comes from: `peer`, `x-forwarded-for`, `ip=`, `--ip`, or `unknown`."""
    country: str
    """Two letters, or N/A."""
    country_source: str
    """Where the country comes from: the GeoIP data by name, `netblock_country`, or `by ip=`."""
    continent: str | None
    """Two letters."""
    asn: int | None
    """The client's AS number, if a host has it too."""


class Listed(Struct, frozen=True):
    """A host of the answer, in the order of the list."""

    id: int
    """MirrorManager's number of the host."""
    name: str
    """The host's name."""
    tier: Tier
    """How near the host is: the first tier that has it."""
    urls: list[str]
    """Its URLs as the client gets them."""
    country: str = ""
    """Two letters."""


class Excluded(Struct, frozen=True):
    """A host that is not in the answer, with the reason."""

    id: int
    """MirrorManager's number of the host."""
    name: str
    """The host's name."""
    reason: str
    """Why it is not in the answer, for people."""
    country: str
    """The host's country if its reason holds for all hosts there, else empty."""
    code: Reason
    """The same reason for programs (docs/protocol.md#why-these-hosts)."""

    @property
    def rule(self) -> str:
        """The reason without the country at its beginning."""
        return self.reason[len(opening(self.code, self.country)) :]


class Explanation(Struct, frozen=True, omit_defaults=True):
    """An answer with its reasons."""

    snapshot: SnapshotUsed
    client: ClientSeen
    directory: str
    """The directory that is asked for."""
    file: str | None
    """The file that is asked for; repomd.xml for a repository."""
    hosts: list[Listed]
    excluded: list[Excluded]
    error: str | None = None
    """The error that is answered instead of a list; absent where there is a list."""


def as_text(found: Explanation, width: int = DEFAULT_WIDTH) -> str:
    """Return an explanation for people, without a line end after the last line.

    Lines have at most `width` columns, except where a name, a path or a URL alone is longer.
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
    # First URLs mostly end with the same path: it is said once, to keep lines short.
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
    """Return the path that all the URLs end with, from a slash on; empty for a single URL."""
    if len(urls) < 2:
        return ""
    ending = urls[0]
    for url in urls:
        # Shorten it until this URL ends with it too.
        while not url.endswith(ending):
            ending = ending[1:]
    slash = ending.find("/")
    # Equal URLs would leave nothing to show: each must keep at least its host's name.
    return "" if slash < 0 or "://" in ending else ending[slash:]


def _excluded(excluded: list[Excluded], width: int) -> Iterable[str]:
    """Yield each rule with its hosts; rules that hold for whole countries come last, counted."""
    rules: dict[str, list[Excluded]] = defaultdict(list)
    for host in excluded:
        rules[host.rule].append(host)
    # Of both kinds the rules with the fewest hosts come first.
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
