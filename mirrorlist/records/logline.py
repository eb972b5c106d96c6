"""A line of the request log: MirrorManager's, or JSON.

Source: docs/protocol.md#the-request-log. A line is made for each request, so the parts that many
lines share are kept: the day or second, and the names of repository and arch.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from msgspec import Struct

from mirrorlist.request.address import Address
from mirrorlist.request.query import echo

FORMATS = ("classic", "json")
ADDRESSES = ("full", "cut", "none")

_DAY_SECONDS = 86400
# Stands for an address that is left out; MirrorManager's statistics and `replay` can read it.
_NO_ADDRESS = "0.0.0.0"
# The network of a site: /48 is the largest usual one for IPv6 (RFC 6177 section 1). What 6to4
# appends to its 16 bits is an IPv4 address.
_KEPT_BITS, _KEPT_BITS_6, _KEPT_BITS_6TO4 = 24, 48, 16 + 24
_6TO4 = 0x2002
# Repositories, archs and countries that are kept as text.
_KEPT_NAMES = 2048

_BEGINNINGS = (b"IP: ", b'{"time":"')


class LogEntry(Struct, frozen=True):
    """The fields of a line: a resolved request for a repository."""

    address: Address
    country: str
    repo: str
    arch: str


MakeLine = Callable[[LogEntry, float], str]
"""Returns an entry's line with its line feed, in ASCII; the time is in seconds since 1970, UTC."""

Show = Callable[[Address], str]


def make_line_maker(kind: str, addresses: str) -> MakeLine:
    """Return the function that makes lines, by one of FORMATS and one of ADDRESSES."""
    show = {"full": Address.__str__, "cut": cut_text, "none": _nothing}[addresses]
    if kind == "classic":
        return _Classic(show).line
    return _Json(None if addresses == "none" else show).line


def begins_a_line(text: bytes) -> bool:
    """Return whether a text begins as a line of any of the formats does."""
    return text.startswith(_BEGINNINGS)


def cut_text(address: Address) -> str:
    """Return the network of an address without its length: the /24 of IPv4, the /48 of IPv6."""
    version, value = address
    if version == 4:
        shift = 32 - _KEPT_BITS
    else:
        shift = 128 - (_KEPT_BITS_6TO4 if value >> 112 == _6TO4 else _KEPT_BITS_6)
    return str(Address(version, value >> shift << shift))


class _Classic:
    """Lines as mirrorlist-server writes them."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._first = self._end = 0
        self._day = ""

    def line(self, entry: LogEntry, now: float) -> str:
        if not self._first <= now < self._end:
            self._first = int(now // _DAY_SECONDS) * _DAY_SECONDS
            self._end = self._first + _DAY_SECONDS
            self._day = f"; DATE: {datetime.fromtimestamp(now, UTC).date()}; COUNTRY: "
        names = _classic_names(entry.repo, entry.arch)
        return f"IP: {self._show(entry.address)}{self._day}{entry.country}{names}"


class _Json:
    """Lines of one JSON object each; without `show` they have no address."""

    def __init__(self, show: Show | None) -> None:
        self._show = show
        self._second = -1
        self._begin = ""

    def line(self, entry: LogEntry, now: float) -> str:
        if int(now) != self._second:
            self._second = int(now)
            time = datetime.fromtimestamp(self._second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._begin = f'{{"time":"{time}"'
        address = f',"address":"{self._show(entry.address)}"' if self._show else ""
        country = _json_country(entry.country)
        return f"{self._begin}{address}{country}{_json_names(entry.repo, entry.arch)}"


# Beside path= the names of repository and arch are any text that the client wrote.
@lru_cache(_KEPT_NAMES)
def _classic_names(repo: str, arch: str) -> str:
    return f"; REPO: {echo(repo)}; ARCH: {echo(arch)}\n"


@lru_cache(_KEPT_NAMES)
def _json_names(repo: str, arch: str) -> str:
    # `echo()` leaves no character that JSON would escape.
    return f',"repo":"{echo(repo)}","arch":"{echo(arch)}"}}\n'


@lru_cache(_KEPT_NAMES)
def _json_country(country: str) -> str:
    return f',"country":{msgspec.json.encode(country).decode()}'


def _nothing(address: Address) -> str:
    return _NO_ADDRESS
