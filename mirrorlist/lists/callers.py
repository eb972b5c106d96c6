"""Clients that asked lately, and where they are: dnf asks for several repositories in a row.

To believe a proxy and to locate an address costs more than the rest of an answer that is kept.
"""

from collections.abc import Sequence

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.kept import Kept
from mirrorlist.lists.place import CountrySource, Place, locate
from mirrorlist.request.client import Client, Trust

CALLERS_BYTES = 1 << 20
"""About 2,000 clients behind a proxy."""

Caller = tuple[Client, Place]
_Key = tuple[str | None, tuple[bytes, ...]]


class Callers:
    """The believed clients of a catalog and a source of countries, bounded in bytes.

    They are known by what their connections say: the peer's address, and the X-Forwarded-For lines.
    """

    def __init__(self, trust: Trust) -> None:
        """Take who is believed."""
        self._trust = trust
        self._kept: Kept[_Key, Caller] = Kept(CALLERS_BYTES, _size)
        self._catalog: Catalog | None = None
        self._geo: CountrySource | None = None

    @property
    def size(self) -> int:
        """About how many bytes are kept."""
        return self._kept.bytes

    def find(
        self, catalog: Catalog, geo: CountrySource, peer: str | None, forwarded: Sequence[bytes]
    ) -> Caller:
        """Return the client behind a connection, and the client's place.

        A new catalog, or a new source of countries, forgets all: places may have moved.
        """
        if catalog is not self._catalog or geo is not self._geo:
            self._kept.clear()
            self._catalog, self._geo = catalog, geo
        key = peer, tuple(forwarded)
        return self._kept.young.get(key) or self._kept.find(key) or self._meet(key, catalog, geo)

    def _meet(self, key: _Key, catalog: Catalog, geo: CountrySource) -> Caller:
        client = self._trust.believe(key[0], key[1], "")
        return self._kept.keep(key, (client, locate(client, catalog, geo)))


def _size(key: _Key, caller: Caller) -> int:
    # Two tuples, a client with its address, and their share of a dictionary; places are shared.
    return sum(map(len, key[1])) + 50 * len(key[1]) + 400
