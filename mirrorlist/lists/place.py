"""Where a client is: country, continent and ASN as the answer uses them."""

from typing import Protocol

from msgspec import Struct

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.request.address import Address
from mirrorlist.request.client import Client

UNKNOWN = "N/A"


class CountrySource(Protocol):
    """GeoIP data, which say in which country an address is."""

    @property
    def name(self) -> str:
        """The name of these data, for people."""

    def country(self, address: Address) -> str | None:
        """Return the country of an address, None if it is not known."""


class Place(Struct, frozen=True):
    """Where a client is; an unknown country is `N/A`, an unknown continent or ASN is None."""

    country: str
    country_source: str
    continent: str | None
    asn: int | None


NOWHERE = Place(UNKNOWN, "none", None, None)


def locate(client: Client, catalog: Catalog, geo: CountrySource) -> Place:
    """Return a client's place.

    docs/protocol.md#which-hosts-in-which-order: "The client's country is that of the longest
    netblock in `netblock_country`, else GeoIP's [...], else `N/A`."
    """
    country, source = catalog.netblock_country(client.geo), "netblock_country"
    if country is None:
        country, source = geo.country(client.geo), geo.name
    # By `near`, not by `geo`: "A stranger moves only the country, continent and global tiers" with
    # ip=, because private hosts are in the ASN tier (docs/protocol.md#whose-address-counts).
    asn = catalog.asn(client.near)
    if not country:
        return Place(UNKNOWN, "none", None, asn)
    return Place(country, source, catalog.continents.get(country), asn)
