"""Where a client is: country, continent and ASN as the answer uses them."""

from typing import Protocol

from msgspec import Struct

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.request.address import Address
from mirrorlist.request.client import Client

UNKNOWN = "N/A"


class CountrySource(Protocol):
    """What says in which country an address is: GeoIP."""

    @property
    def name(self) -> str:
        """What it calls itself, for people."""

    def country(self, address: Address) -> str | None:
        """Return the country of an address, None if it is not known."""


class Place(Struct, frozen=True):
    """A client's place; country is `N/A` and the others None where nothing is known."""

    country: str
    country_source: str
    continent: str | None
    asn: int | None


NOWHERE = Place(UNKNOWN, "none", None, None)


def locate(client: Client, catalog: Catalog, geo: CountrySource) -> Place:
    """Return a client's place: the database's netblock_country first, else GeoIP."""
    country, source = catalog.netblock_country(client.geo), "netblock_country"
    if country is None:
        country, source = geo.country(client.geo), geo.name
    asn = catalog.asn(client.near)
    if not country:
        return Place(UNKNOWN, "none", None, asn)
    return Place(country, source, catalog.continents.get(country), asn)
