"""The blocks of addresses whose clients are all in one place: one look tells where a client is.

A block is a /16 of IPv4 or a /32 of IPv6. Its clients are in one place if GeoIP has the block in
one network, and the snapshot knows no netblock, ASN or country in it.
"""

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.catalog.ranges import BLOCK_PREFIX, BLOCK_SHIFT, BLOCKS4
from mirrorlist.lists.place import CountrySource, Place
from mirrorlist.request.address import Address

MOST_BLOCKS6 = 4096
"""How many blocks of IPv6 are remembered. Then all are forgotten at once."""

# In place of a number: nobody has asked from the block yet; its clients may be in several places.
_NEW, _MIXED = 0, 1
# Without a look into a dictionary: each client has an address.
_SHIFT4, _SHIFT6 = BLOCK_SHIFT[4], BLOCK_SHIFT[6]
# A block of IPv4 has a byte for the number of its place.
_MOST_NUMBERS = 256


class Blocks:
    """The places of blocks, on one catalog and one source of countries."""

    def __init__(self, catalog: Catalog, geo: CountrySource) -> None:
        """Take what knows of addresses."""
        self._catalog, self._geo = catalog, geo
        self._numbers = bytearray(BLOCKS4)
        self._places: list[Place | None] = [None, None]
        # None: its clients may be in several places.
        self._of6: dict[int, Place | None] = {}

    def find(self, address: Address) -> Place | None:
        """Return the place of all clients of an address's block, None if it is not known."""
        version, value = address
        if version == 4:
            return self._places[self._numbers[value >> _SHIFT4]]
        return self._of6.get(value >> _SHIFT6)

    def learn(self, address: Address, place: Place) -> None:
        """Take the place of a client of whom only GeoIP knows: perhaps it is that of its block."""
        block = address.value >> BLOCK_SHIFT[address.version]
        if address.version == 4:
            if self._numbers[block] == _NEW:
                self._numbers[block] = self._number(place) if self._is_one(address) else _MIXED
        elif block not in self._of6:
            if len(self._of6) >= MOST_BLOCKS6:
                self._of6 = {}
            self._of6[block] = place if self._is_one(address) else None

    def _is_one(self, address: Address) -> bool:
        """Return whether all clients of an address's block are in one place."""
        # Where a tunnelled client is, and whom it is near, its IPv4 address says.
        if address.tunnelled is not address:
            return False
        is_in_network = self._geo.prefix_length(address) <= BLOCK_PREFIX[address.version]
        return is_in_network and not self._catalog.is_block_known(address)

    def _number(self, place: Place) -> int:
        if place not in self._places:
            if len(self._places) == _MOST_NUMBERS:
                return _MIXED
            self._places.append(place)
        return self._places.index(place)
