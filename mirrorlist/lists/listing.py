"""What a list says of a host: its URLs as they are rendered, made once and shared by all lists.

A *template* is the part of a list that names the hosts, with `PATH` in place of the path that is
asked for: one template serves every directory that the same hosts carry. It is one piece of memory,
because a list of references to shared pieces was three times slower: reading a hundred pieces waits
a hundred times for memory.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import cached_property
from itertools import chain, repeat
from operator import attrgetter, itemgetter
from typing import TypeVar
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from mirrorlist.catalog.urls import RSYNC, Path, Url
from snapshot.file.model import Host

T = TypeVar("T")

MAX_PREFERENCE = 100
_LISTING_BYTES = 500
# Stands for the path; no URL and no path can hold a NUL.
PATH = b"\0"
_RSYNC = f"{RSYNC}:".encode()
_AROUND, _LINES = attrgetter("around"), attrgetter("lines")
_PREFERENCES = [str(number).encode() for number in range(MAX_PREFERENCE, 0, -1)]


class ListKind(IntEnum):
    """The kind of answer that is made of the hosts."""

    METALINK = 0
    TEXT = 1
    REDIRECT = 2


class Listing:
    """A host with the URLs that a kind of list gives for it; equal ones are one object."""

    __slots__ = ("__weakref__", "around", "inverse", "lines", "name", "number", "urls", "weight")

    def __init__(self, urls: Sequence[Url], host: Host, number: int) -> None:
        """Take the URLs in their order, and a number that stands for the listing in digests."""
        self.number = number
        self.name = host.name
        self.urls = urls
        self.weight = host.bandwidth
        self.inverse = 1.0 / host.bandwidth
        bases = [url.base.replace("\0", "?") for url in urls]
        # The host's lines in a text list.
        self.lines = "".join(f"{base}\0\n" for base in bases).encode()
        # The host's elements in a metalink, cut where the preference belongs: once in each URL.
        self.around = _around([url.protocol for url in urls], bases, host)

    @property
    def size(self) -> int:
        """About how many bytes it takes, with its entry in the table of all listings."""
        return _LISTING_BYTES + len(self.lines) + sum([40 + len(one) for one in self.around])


def _around(protocols: Sequence[str], bases: Sequence[str], host: Host) -> tuple[bytes, ...]:
    # yum 3 needs protocol= beside type=: docs/clients.md#both-type-and-protocol.
    opening = [
        f'    <url protocol="{protocol}" type="{protocol}" location={quoteattr(host.country)}'
        ' preference="'
        for protocol in protocols
    ]
    private = ' mm0:private="True"' if host.private else ""
    closing = [f'"{private}>{escape(base)}\0</url>\n' for base in bases]
    # The preferences go between: opening, then closing and next opening, ..., then closing.
    pieces = zip(["", *closing], [*opening, ""], strict=True)
    return tuple([f"{before}{after}".encode() for before, after in pieces])


class Filling(Struct, frozen=True):
    """A path as it fills a template: percent-encoded, and `raw` for rsync, or None if it is equal.

    `opening` is the byte before each URL.
    """

    encoded: bytes
    raw: bytes | None
    opening: bytes

    def of(self, template: bytes) -> bytes:
        """Return the list of a template."""
        # "After `rsync://` names are raw, because rsync decodes nothing"
        # (docs/protocol.md#the-urls-of-a-host). Few paths differ when they are encoded, so nearly
        # always one replacement does.
        if self.raw is None:
            return template.replace(PATH, self.encoded)
        *pieces, last = template.split(PATH)
        return b"".join([*map(self._closed, pieces), last])

    def _closed(self, piece: bytes) -> bytes:
        url = piece[piece.rindex(self.opening) + 1 :]
        is_raw = url[: len(_RSYNC)].lower() == _RSYNC
        return piece + (self.raw or b"" if is_raw else self.encoded)


def filling(path: Path, kind: ListKind) -> Filling:
    """Return what fills a path into templates of a kind."""
    # Of a raw path "a metalink has XML's escapes only" (docs/protocol.md#the-urls-of-a-host).
    encoded, raw = path.encoded, path.raw or ""
    if kind is ListKind.METALINK:
        encoded, raw = escape(encoded), escape(raw)
    opening = b">" if kind is ListKind.METALINK else b"\n"
    return Filling(encoded.encode(), raw.encode() if raw != encoded else None, opening)


class Listings(tuple[Listing, ...]):
    """Listings that orders pick from by index; beside them what each adds to a template.

    Nearly all of them are for one kind of list, so each kind is made when it is first needed.
    """

    @cached_property
    def arounds(self) -> tuple[tuple[bytes, ...], ...]:
        """What each adds to a metalink's template."""
        return tuple([one.around for one in self])

    @cached_property
    def lines(self) -> tuple[bytes, ...]:
        """What each adds to a text list's template."""
        return tuple([one.lines for one in self])


def make_template(
    known: Listings, indexes: Sequence[int], kind: ListKind, ahead: Sequence[Listing] = ()
) -> bytes:
    """Return the template of a list of those `ahead`, then of those at `indexes` of `known`.

    That of a redirect is empty. Takes about 0.15 us a host.
    """
    if kind is ListKind.METALINK:
        # "100 for the first host, one less for each further one, never below 1"
        # (docs/protocol.md#the-metalink).
        preferences = chain(_PREFERENCES, repeat(_PREFERENCES[-1]))
        # Most lists have either the ones or the others.
        arounds: Iterable[tuple[bytes, ...]] = _picked(known.arounds, indexes) if indexes else ()
        if ahead:
            arounds = chain(map(_AROUND, ahead), arounds)
        return b"".join(map(bytes.join, preferences, arounds))
    if kind is ListKind.TEXT:
        # The line feed ends the heading.
        return b"\n" + b"".join([*map(_LINES, ahead), *_picked(known.lines, indexes)])
    return b""


def _picked(known: Sequence[T], indexes: Sequence[int]) -> Sequence[T]:
    # Twice as fast as one by one, but without a tuple for fewer than two.
    return itemgetter(*indexes)(known) if len(indexes) > 1 else [known[one] for one in indexes]


def first_lines(template: bytes, most: int) -> bytes:
    """Return the template of a text list, cut after this many lines at most."""
    # One more for the line feed that a template begins with, and one for what is cut off.
    lines = template.split(b"\n", most + 1)
    return template if len(lines) < most + 2 else b"\n".join(lines[:-1]) + b"\n"
