"""The forms that lines of logs have: what lines have in common, and what that says.

Source: docs/protocol.md#the-request-log. Addresses are read for their version and country, and kept
nowhere.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qs

import msgspec
import numpy as np
from msgspec import Struct

from snapshot.stats.cubes import NOT_LOGGED, Values
from snapshot.stats.spool import (
    METALINK,
    MIRRORLIST,
    MOST_NAME,
    NO_REPOSITORY,
    OTHER,
    UNKNOWN_REPOSITORY,
)

UNKNOWN_COUNTRY = "N/A"

Ends = dict[str, list[Any]]
"""What lines have beside the address, of which a form alone knows the parts, by the family of the
address, or by an empty name if a form has it among the parts."""

# Possessive, because nothing has to be given back, and of ranges, which are looked up at once.
_FAMILIES = {"4": rb"[0-9.]++", "6": rb"[0-9a-fA-F]*+:[0-9a-fA-F:.]*+"}
_FEED = ord("\n")
_NO_ADDRESS = b"\nIP: 0.0.0.0; "
_NOT_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
# Other answers do not say whether the repository exists, so any name could be made a label.
_LISTS = ("200", "302")
# What clients of unknown repositories may have as their arch; the rest is OTHER.
_ARCHS = {"aarch64", "armhfp", "i386", "i686", "noarch", "ppc64", "ppc64le", "riscv64", "s390x"}
_ARCHS |= {"source", "src", "x86_64", "x86_64_v2"}


class Reading(Struct, frozen=True):
    """How a line's address and User-Agent are understood."""

    country: Callable[[str], str | None]
    """Returns the country of an address, None for an unknown one."""
    client: Callable[[bytes], str]
    """Returns the family of a User-Agent."""


class Counted(Struct):
    """What is in some lines."""

    dated: dict[tuple[int, Values], int] = {}
    """Requests by day (its first second) and labels, of lines that have no time."""
    timed: dict[tuple[int, Values], int] = {}
    """Requests by hour and labels."""
    passed: int = 0
    """Lines of requests for something else than a list."""
    unread: int = 0
    """Lines that are torn or foreign."""
    shown: list[str] = []
    """Some of them."""

    @property
    def requests(self) -> int:
        """How many requests were counted."""
        return sum(self.dated.values()) + sum(self.timed.values())


class Form(Protocol):
    """A form of lines."""

    def find(self, block: bytes, reading: Reading) -> Ends:
        """Return the ends of this form's lines in a block, which has a line feed before each."""

    def read(self, name: str, end: Any, count: int, reading: Reading, into: Counted) -> bool:
        """Add what the end of some lines says; return False if it says what cannot be."""


class _Classic:
    """Lines of MirrorManager and mirrorlist-server: with a date and without a time."""

    _PATTERNS = tuple(
        (family, re.compile(rb"\nIP: " + address + rb"; DATE: (.*+)"))
        for family, address in _FAMILIES.items()
    )
    _HIDDEN = re.compile(_NO_ADDRESS + rb"DATE: (.*+)")
    _END = re.compile(r"(\d{4}-\d\d-\d\d); COUNTRY: ([^;]*); REPO: ([^;]*); ARCH: ([^;]*)")

    def find(self, block: bytes, reading: Reading) -> Ends:
        found: Ends = {}
        lines = count_lines(block)
        if _NO_ADDRESS in block:
            found["0"] = self._HIDDEN.findall(block)
            block = self._HIDDEN.sub(b"", block)
            lines -= len(found["0"])
        for family, pattern in self._PATTERNS:
            if lines:
                found[family] = pattern.findall(block)
                lines -= len(found[family])
        return found

    def read(self, name: str, end: Any, count: int, reading: Reading, into: Counted) -> bool:
        found = self._END.fullmatch(end.decode("utf-8", "replace"))
        second = _second(found[1]) if found else None
        if found is None or second is None or not _fit(found[2], found[3], found[4]):
            return False
        _add(into.dated, (second, _values(found[3], found[4], found[2], name)), count)
        return True


class _JsonEnd(Struct):
    """What stands in a line after the address."""

    repo: str
    arch: str
    country: str


class _Json:
    """Lines of `--log-format json`, as our server writes them."""

    _PATTERN = re.compile(
        rb'\n\{"time":"(\d{4}-\d\d-\d\dT\d\d):\d\d:\d\dZ",'
        rb'(?:"address":"[^":]*([":])[^,]*,)?(.*)'
    )
    _FAMILIES: ClassVar = {b":": "6", b'"': "4", b"": "0"}
    _DECODER = msgspec.json.Decoder(_JsonEnd)

    def find(self, block: bytes, reading: Reading) -> Ends:
        return {"": self._PATTERN.findall(block)}

    def read(self, name: str, end: Any, count: int, reading: Reading, into: Counted) -> bool:
        hour, after, rest = end
        second = _second(hour.decode() + ":00:00Z")
        try:
            found = self._DECODER.decode(b"{" + rest)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        if second is None or not _fit(found.country, found.repo, found.arch):
            return False
        family = self._FAMILIES[after]
        _add(into.timed, (second, _values(found.repo, found.arch, found.country, family)), count)
        return True


class _Combined:
    """Lines of httpd's combined log, which other proxies write as well."""

    # Without quotes in a quoted part: 99 of 100 lines, in half the time.
    _PATTERN = re.compile(
        rb"\n([^ \n]+) [^ \n]+ [^ \n]+ \[([^:\n]+:\d\d):\d\d:\d\d ([+-]\d{4}\]"
        rb' "[^"\n]*" \d{3}) [^ \n]+ "[^"\n]*" ("[^"\n]*")(?=\n|\Z)'
    )

    def find(self, block: bytes, reading: Reading) -> Ends:
        return {"": self._ends(self._PATTERN.findall(block), reading)}

    def _ends(
        self, found: list[tuple[bytes, bytes, bytes, bytes]], reading: Reading
    ) -> list[tuple[Any, ...]]:
        addresses = b" ".join([one[0] for one in found]).decode("latin-1").split(" ")
        countries = map(reading.country, addresses)
        families = [":" in one for one in addresses]
        rest = [one[1:] for one in found]
        return [*zip(countries, families, rest, strict=found != [])]

    def read(self, name: str, end: Any, count: int, reading: Reading, into: Counted) -> bool:
        country, is_6, (hour, middle, agent) = end
        zone, _, rest = middle.decode("latin-1").partition('] "')
        request, _, status = rest.rpartition('" ')
        second = _apache(hour.decode("latin-1"), zone)
        if second is None:
            return False
        labels = _request(request, status)
        if labels is None:
            into.passed += count
            return True
        kind, repo, arch, countme = labels
        client, family = reading.client(agent[1:-1]), "6" if is_6 else "4"
        shown = country or UNKNOWN_COUNTRY
        _add(
            into.timed,
            (second, (kind, repo, arch, shown, NOT_LOGGED, status, client, family, countme)),
            count,
        )
        return True


class _Escaped(_Combined):
    """Such lines with quotes in quoted parts, and those of the common log."""

    _PATTERN = re.compile(
        rb"\n([^ \n]+) [^ \n]+ [^\[\n]*\[([^:\n]+:\d\d):\d\d:\d\d ([+-]\d{4}\]"
        rb' "[^"\\\n]*(?:\\.[^"\\\n]*)*" \d{3}) [^ \n]+'
        rb'(?: "[^"\\\n]*(?:\\.[^"\\\n]*)*" ("[^"\\\n]*(?:\\.[^"\\\n]*)*"))?(?: [^\n]*)?(?=\n|\Z)'
    )


def count_lines(block: bytes) -> int:
    """Return how many line feeds are in a block, in a tenth of the time that `count` takes."""
    return int(np.count_nonzero(np.frombuffer(block, np.uint8) == _FEED))


def _add(to: dict[tuple[int, Values], int], at: tuple[int, Values], count: int) -> None:
    to[at] = to.get(at, 0) + count


def _values(repo: str, arch: str, country: str, family: str) -> Values:
    return (
        *(NOT_LOGGED, repo, arch, country, NOT_LOGGED, NOT_LOGGED),
        *(NOT_LOGGED, family, NOT_LOGGED),
    )


def _fit(country: str, repo: str, arch: str) -> bool:
    texts = country, repo, arch
    # A crash of a machine leaves NULs, which PostgreSQL's texts cannot have.
    return all(len(one) <= MOST_NAME and "\0" not in one for one in texts) and bool(repo and arch)


@lru_cache(4096)
def _second(text: str) -> int | None:
    """Return the seconds since 1970 of a date or time in UTC; None for one that cannot be."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _possible(time.replace(tzinfo=UTC))


@lru_cache(4096)
def _apache(hour: str, zone: str) -> int | None:
    try:
        time = datetime.strptime(f"{hour} {zone}", "%d/%b/%Y:%H %z")
    except ValueError:
        return None
    second = _possible(time)
    return None if second is None else second - second % 3600


def _possible(time: datetime) -> int | None:
    """Return the seconds since 1970; None before 2000 or later than tomorrow."""
    is_possible = _NOT_BEFORE <= time <= datetime.now(UTC) + timedelta(1)
    return int(time.timestamp()) if is_possible else None


def _request(request: str, status: str) -> tuple[str, str, str, str] | None:
    """Return kind, repository, arch and countme of a request for a list; else None."""
    method, _, rest = request.partition(" ")
    path, _, query = rest.partition(" ")[0].partition("?")
    kind = path.rpartition("/")[2]
    if method != "GET" or kind not in (METALINK, MIRRORLIST):
        return None
    values = {name: each[0][:MOST_NAME] for name, each in parse_qs(query).items()}
    repo, arch = values.get("repo", ""), values.get("arch", "")
    if not repo or not arch:
        repo, arch = NO_REPOSITORY, ""
    elif status == "404":
        repo, arch = UNKNOWN_REPOSITORY, arch if arch in _ARCHS else OTHER
    elif status not in _LISTS or "\0" in repo + arch:
        repo = arch = NOT_LOGGED
    countme = values.get("countme", "0")
    return kind, repo, arch, countme if countme in "01234" and len(countme) == 1 else "0"


FORMS: tuple[Form, ...] = (_Classic(), _Json(), _Combined(), _Escaped())
"""All forms; of two that fit the first is taken."""
