"""Where a client is: country, continent and ASN as the answer uses them."""

from msgspec import Struct

from mirrorlist.catalog import Catalog
from mirrorlist.client import Client

UNKNOWN = "N/A"


class Place(Struct, frozen=True):
    """A client's place; country is `N/A` and the others None where nothing is known."""

    country: str
    country_source: str
    continent: str | None
    asn: int | None


def locate(client: Client, catalog: Catalog) -> Place:
    """Return a client's place: the database's netblock_country first, else GeoIP."""
    country, source = catalog.netblock_country(client.geo), "netblock_country"
    if country is None:
        country, source = client.country, client.country_source
    asn = catalog.asn(client.near)
    if not country:
        return Place(UNKNOWN, "none", None, asn)
    return Place(country, source, catalog.continents.get(country), asn)
