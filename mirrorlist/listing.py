"""What a list says of a host: its URLs as they are rendered, made once and shared by all lists.

A list is pieces with one path between them: `path.join(pieces)`. The same pieces so serve every
directory that the same hosts carry.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from mirrorlist.urls import Url
from snapshot.model import Host

MAX_PREFERENCE = 100
_LAST_PLACE = MAX_PREFERENCE - 1
_CLOSE = "</url>\n"
# What CPython takes for a bytes object beside its bytes, a reference to it, a list in a dict.
_BYTES_OVERHEAD, _REFERENCE, _LIST_BYTES = 33, 8, 150


class Listing:
    """A host under the URLs that a kind of list gives for it; equal ones are one object."""

    __slots__ = (
        *("_head", "_tail", "inverse", "lines", "number", "placed"),
        *("size", "urls", "weight"),
    )

    def __init__(self, urls: Sequence[Url], host: Host, number: int) -> None:
        """Take the URLs in their order, and a number by which others know it."""
        self.number = number
        self.urls = urls
        self.weight = host.bandwidth
        self.inverse = 1.0 / host.bandwidth
        self.lines = [f"\n{url.base}".encode() for url in urls]
        private = ' mm0:private="True"' if host.private else ""
        # protocol= is not of the standard, but yum 3 needs it beside type=.
        self._head = [
            f'{_CLOSE}    <url protocol="{url.protocol}" type="{url.protocol}"'
            f' location={quoteattr(host.country)} preference="'
            for url in urls
        ]
        self._tail = [f'"{private}>{escape(url.base)}' for url in urls]
        # The pieces for each place that was asked for.
        self.placed: dict[int, list[bytes]] = {}
        self.size = _bytes_of(self.lines)

    def place(self, place: int) -> list[bytes]:
        """Return the pieces for a place (from 0) in a metalink, each after the close of another."""
        preference = MAX_PREFERENCE - place
        found = self.placed[place] = [
            f"{head}{preference}{tail}".encode()
            for head, tail in zip(self._head, self._tail, strict=True)
        ]
        self.size += _bytes_of(found)
        return found

    def forget(self) -> None:
        """Forget what was rendered for places; lists that have it keep it."""
        self.placed = {}
        self.size = _bytes_of(self.lines)


def _bytes_of(pieces: Sequence[bytes]) -> int:
    return _LIST_BYTES + sum(len(one) + _BYTES_OVERHEAD + _REFERENCE for one in pieces)


def metalink_pieces(listings: Sequence[Listing]) -> list[bytes]:
    """Return the pieces of a metalink's resources: `path.join` makes them whole."""
    pieces: list[bytes] = []
    for place, one in enumerate(listings):
        # The hundredth host and all behind it have the last preference.
        place = min(place, _LAST_PLACE)
        pieces += one.placed.get(place) or one.place(place)
    if pieces:
        pieces[0] = pieces[0].removeprefix(_CLOSE.encode())
        pieces.append(_CLOSE.encode())
    return pieces


def text_pieces(listings: Sequence[Listing]) -> list[bytes]:
    """Return the pieces of a text list: `path.join` makes them the lines after its first one."""
    pieces = [line for one in listings for line in one.lines]
    return [*pieces, b"\n"] if pieces else [b"\n"]
