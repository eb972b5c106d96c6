"""The requests that measured servers get: several kinds of mixes, each made from a seed.

A mix is lines `TARGET ADDRESS`, as `loadtest.common.wrk` sends them. Clients and the popularity of
repositories are those of the data set's own request log.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import click
from msgspec import Struct

from snapshot.file.reader import Snapshot

HEADERS = {
    "User-Agent": "libdnf (Fedora Linux 44; server; Linux.x86_64)",
    "Accept": "*/*",
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
}
"""The headers that dnf sends with each request."""

_LINE = re.compile(r"IP: (\S+); DATE: \S+; COUNTRY: \S+; REPO: (\S+); ARCH: (\S+)")
# In a thousand requests: text lists, and dnf's weekly count of its system.
_TEXT, _COUNTED = 20, 20
# The repository files of EPEL and CentOS send these parameters, with the variables not replaced.
_ENTERPRISE = "&infra=$infra&content=$contentdir"
# In no name of a repository.
_TYPING_ERRORS = "qxz"
_PROTOCOLS = ("https", "http", "rsync", "ftp")
_MOST_PROTOCOLS = 8
_MOST_COUNTRIES = 32
_REPODATA = "repodata/repomd.xml"


class Logged(Struct, frozen=True):
    """A request of the log: who asked for which repository."""

    address: str
    repo: str
    arch: str


class Data(Struct, frozen=True):
    """What mixes are made of: a log, and of a snapshot its countries and carried directories.

    `homes` is the directory of each repository by prefix and arch.
    """

    log: Sequence[Logged]
    countries: Sequence[str]
    directories: Sequence[str]
    homes: dict[tuple[str, str], str]


def read_data(log: Path, snapshot: Path) -> Data:
    """Read a request log and a snapshot; raises an error of one line if there are none."""
    try:
        text = log.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{log}: cannot be read: {error}") from None
    found = [Logged(*match.groups()) for match in _LINE.finditer(text)]
    if not found:
        raise click.ClickException(f"{log}: has no line of a request log")
    reader = Snapshot(snapshot)
    hosts = [bool(reader.host_set(number)) for number in range(reader.host_set_count)]
    sets = reader.host_sets_of_directories()
    names = reader.directory_names()
    carried = [
        name
        for name, host_set in zip(names, sets, strict=True)
        if host_set is not None and hosts[host_set]
    ]
    known = frozenset(carried)
    homes = {
        (one.prefix, one.arch): names[one.directory]
        for one in reader.repositories
        if not one.disabled and f"{names[one.directory]}/repodata" in known
    }
    return Data(found, sorted(reader.continents), carried, homes)


def known_only(data: Data) -> Data:
    """Return the data without requests for repositories that are not there."""
    log = [one for one in data.log if (one.repo, one.arch) in data.homes]
    return Data(log, data.countries, data.directories, data.homes)


Kind = Callable[[Data, Logged, Random], str | None]


def make_mix(data: Data, kind: str, seed: int, count: int) -> list[str]:
    """Return this many lines of a kind; the same seed gives the same lines."""
    rng = Random(f"{seed} {kind}")
    target = KINDS[kind]
    lines: list[str] = []
    for logged in _shuffled(data.log, rng):
        asked = target(data, logged, rng)
        if asked is not None:
            lines.append(f"{asked} {logged.address}")
        if len(lines) == count:
            break
    if not lines:
        raise click.ClickException(f"no request of the log fits the mix {kind}; use a bigger one")
    return lines


def turned(mix: Sequence[str], sent: int) -> list[str]:
    """Return a mix from the line behind those that were sent already, and then its beginning."""
    at = sent % len(mix)
    return [*mix[at:], *mix[:at]]


def _shuffled(log: Sequence[Logged], rng: Random) -> list[Logged]:
    return rng.sample(log, len(log))


def _day(data: Data, logged: Logged, rng: Random) -> str:
    """A normal day of a distribution: metalinks nearly all, some counted, some text lists."""
    number = rng.randrange(1000)
    kind = "mirrorlist" if number < _TEXT else "metalink"
    more = _ENTERPRISE if logged.repo.startswith("epel-") else ""
    if _TEXT <= number < _TEXT + _COUNTED:
        more += f"&countme={rng.randint(1, 4)}"
    return f"{_repository(kind, logged)}{more}"


def _text(data: Data, logged: Logged, rng: Random) -> str:
    return _repository("mirrorlist", logged)


def _unknown(data: Data, logged: Logged, rng: Random) -> str:
    """A name with one or two typing errors: there are far more than a worker keeps."""
    repo = logged.repo
    for _ in range(rng.randint(1, 2)):
        index = rng.randrange(len(repo))
        # A letter too many, or another letter.
        repo = f"{repo[:index]}{rng.choice(_TYPING_ERRORS)}{repo[index + rng.randint(0, 1) :]}"
    return f"/metalink?repo={repo}&arch={logged.arch}"


def _redirect(data: Data, logged: Logged, rng: Random) -> str | None:
    """A file of a popular directory: its repomd.xml or, as often, one of fifty others."""
    home = data.homes.get((logged.repo, logged.arch))
    if home is None:
        return None
    file = _REPODATA if rng.random() < 0.5 else f"repodata/{rng.randrange(50):02x}-primary.xml.gz"
    return f"/mirrorlist?path={home}/{file}&redirect=1"


def _path(data: Data, logged: Logged, rng: Random) -> str:
    """All directories with equal chances: more directories than a worker caches plans for."""
    return f"/mirrorlist?path={rng.choice(data.directories)}"


def _protocols(data: Data, logged: Logged, rng: Random) -> str:
    # In any order, some of them twice; hosts are few that have neither https nor http.
    asked = ["https", *rng.choices(_PROTOCOLS, k=rng.randint(1, _MOST_PROTOCOLS - 1))]
    rng.shuffle(asked)
    return f"{_repository('metalink', logged)}&protocol={','.join(asked)}"


def _countries(data: Data, logged: Logged, rng: Random) -> str:
    count = min(len(data.countries), rng.randint(2, _MOST_COUNTRIES))
    asked = rng.sample(data.countries, count)
    return f"{_repository('metalink', logged)}&country={','.join(asked)}"


def _repository(kind: str, logged: Logged) -> str:
    return f"/{kind}?repo={logged.repo}&arch={logged.arch}"


KINDS: dict[str, Kind] = {
    "day": _day,
    "text": _text,
    "unknown": _unknown,
    "redirect": _redirect,
    "path": _path,
    "protocols": _protocols,
    "countries": _countries,
}
"""The kinds of mixes by name."""

MOST_REFUSED = 0.03
"""The share of a log's requests that may be for repositories which are not there."""

ALL_REFUSED = frozenset({"unknown"})
"""The kinds whose every request is answered with 404."""
