"""Where a client is: country, continent and ASN as the answer uses them."""

from functools import lru_cache
from typing import Protocol

from msgspec import Struct

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.lists.numbered import Numbered
from mirrorlist.request.address import Address
from mirrorlist.request.client import Client
from snapshot.stats.spool import OTHER

UNKNOWN = "N/A"


class CountrySource(Protocol):
    """GeoIP data, which say in which country an address is."""

    @property
    def name(self) -> str:
        """The name of these data, for people."""

    def country(self, address: Address) -> str | None:
        """Return the country of an address, None if it is not known."""

    def prefix_length(self, address: Address) -> int:
        """Return the prefix length, in bits, of a network around an address in one country."""


class Place(Struct, frozen=True):
    """Where a client is; an unknown country is `N/A`, an unknown continent or ASN is None.

    `code` is the country's part of a counter's key. `is_near`: some host named a netblock around
    the client, or has the client's ASN.
    """

    country: str
    country_source: str
    continent: str | None
    asn: int | None
    is_near: bool = False
    code: int = 0


class Country(Struct, frozen=True, eq=False):
    """A country as the statistics count it."""

    code: int
    name: str


# Behind the client's software and the kind of its address.
COUNTRIES = Numbered(Country, 6, 1 << 10, OTHER)
"""All countries that clients were in; the rest is for those that only mistakes can make."""

NOWHERE = Place(UNKNOWN, "none", None, None, code=COUNTRIES.find(UNKNOWN).code)


def locate(client: Client, catalog: Catalog, geo: CountrySource) -> Place:
    """Return a client's place.

    docs/protocol.md#which-hosts-in-which-order: "The client's country is that of the longest
    netblock in `netblock_country`, else GeoIP's [...], else `N/A`."
    """
    country, source, asn, is_near = None, "netblock_country", None, False
    # Nearly all addresses are known to GeoIP alone: one look instead of four.
    if catalog.is_known(client.geo) or (
        client.near is not client.geo and catalog.is_known(client.near)
    ):
        country, asn, is_near = _known(client, catalog)
    if country is None:
        country, source = geo.country(client.geo), geo.name
    if not country:
        return _place(UNKNOWN, "none", None, asn, is_near)
    return _place(country, source, catalog.continents.get(country), asn, is_near)


# Nearly all clients are in one of a few hundred places, and a new object each costs more.
@lru_cache(1024)
def _place(
    country: str, source: str, continent: str | None, asn: int | None, is_near: bool
) -> Place:
    return Place(country, source, continent, asn, is_near, COUNTRIES.find(country).code)


def _known(client: Client, catalog: Catalog) -> tuple[str | None, int | None, bool]:
    """Return what the database says of a client: country, ASN, and whether a host is near."""
    # By `near`, not by `geo`: "A stranger moves only the country, continent and global tiers" with
    # ip=, because private hosts are in the ASN tier (docs/protocol.md#whose-address-counts).
    asn = catalog.asn(client.near)
    is_near = asn is not None or catalog.has_netblock(client.near)
    return catalog.netblock_country(client.geo), asn, is_near
