"""Clients that asked lately, and where they are: dnf asks for several repositories in a row."""

from collections.abc import Sequence

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.lists.blocks import Blocks
from mirrorlist.lists.place import CountrySource, Place, locate
from mirrorlist.request.client import MOST_ENTRY_BYTES, Client, Trust

MOST_CALLERS = 512
"""How many callers are kept. Then all are forgotten at once: to choose among callers would take
longer than to meet them again."""

Caller = tuple[Client, Place]


class Callers:
    """The believed clients of a catalog and a source of countries, bounded in number.

    They are known by what their connections say: the peer's address, and one X-Forwarded-For line
    of the length of an address. All others are met again each time.
    """

    def __init__(self, trust: Trust) -> None:
        """Take who is believed."""
        self._trust = trust
        self._catalog: Catalog | None = None
        self._geo: CountrySource | None = None
        self._kept: dict[tuple[str | None, bytes | None], Caller] = {}

    def __len__(self) -> int:
        """Return how many callers are kept."""
        return len(self._kept)

    def find(
        self, catalog: Catalog, geo: CountrySource, peer: str | None, forwarded: Sequence[bytes]
    ) -> Caller:
        """Return the client behind a connection, and the client's place.

        A new catalog, or a new source of countries, forgets all: places may have moved.
        """
        if catalog is not self._catalog or geo is not self._geo:
            self._begin(catalog, geo)
        line = forwarded[0] if forwarded else None
        if len(forwarded) > 1 or (line is not None and len(line) > MOST_ENTRY_BYTES):
            return self._meet(catalog, geo, peer, forwarded)
        key = peer, line
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= MOST_CALLERS:
                self._kept = {}
            found = self._kept[key] = self._meet(catalog, geo, peer, forwarded)
        return found

    def _begin(self, catalog: Catalog, geo: CountrySource) -> None:
        self._catalog, self._geo = catalog, geo
        self._kept = {}
        # By country, of those that only GeoIP knows.
        self._places: dict[str | None, Place] = {}
        self._blocks = Blocks(catalog, geo)

    def _meet(
        self, catalog: Catalog, geo: CountrySource, peer: str | None, forwarded: Sequence[bytes]
    ) -> Caller:
        client = self._trust.believe(peer, forwarded, "")
        address = client.near
        if address is not client.geo:
            return client, locate(client, catalog, geo)
        place = self._blocks.find(address)
        if place is not None:
            return client, place
        if catalog.is_known(address):
            return client, locate(client, catalog, geo)
        # Nothing but GeoIP knows nearly all addresses: all clients of a country are in one place.
        country = geo.country(address)
        place = self._places.get(country)
        if place is None:
            place = self._places[country] = locate(client, catalog, geo)
        self._blocks.learn(address, place)
        return client, place
