"""MaxMind's reader judges the reader here, by each network of MaxMind's test databases.

The product does not use it, because its reader in C can be ended by a damaged file.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path

import maxminddb
import pytest
from geoip2.database import Reader
from geoip2.errors import AddressNotFoundError

from mirrorlist.catalog.ranges import RangeTable
from mirrorlist.request.address import Address, parse_address
from mirrorlist.request.geo import MmdbGeo
from snapshot.export.asn import read_asn_netblocks
from snapshot.export.leftout import LeftOutRows
from snapshot.file.mmdb import Mmdb, read_mmdb

FOLDER = Path(__file__).parent / "maxmind"
ALL = ("GeoLite2-ASN-Test", "GeoLite2-City-Test", "GeoLite2-Country-Test")
IPV6 = IPv6Network("2000::/3")

Addresses = set[IPv4Address | IPv6Address]


def edges(path: Path) -> Addresses:
    """Return the first and the last address of each network in a file, and those beside it."""
    found: Addresses = set()
    with maxminddb.open_database(path, maxminddb.MODE_FILE) as database:
        for network, _ in database:
            first, last = network.network_address, network.broadcast_address
            found |= {first, last, first - 1, last + 1}
    # An address that carries an IPv4 one within is located by that one here (docs/protocol.md).
    return {one for one in found if isinstance(one, IPv4Address) or is_native(one)}


def is_native(address: IPv6Address) -> bool:
    """Return whether an address is of IPv6 alone."""
    return address in IPV6 and not address.sixtofour and not address.teredo


def address_of(text: str) -> Address:
    """Return an address as the product has it."""
    found = parse_address(text)
    assert found
    return found


def judged(path: Path, ask: Callable[[Reader, str], object]) -> Iterator[tuple[str, object]]:
    """Each address of a file, and what MaxMind's reader says of it."""
    with closing(Reader(path)) as reader:
        for address in sorted(map(str, edges(path))):
            try:
                yield address, ask(reader, address)
            except AddressNotFoundError:
                yield address, None


@pytest.mark.parametrize("name", ALL)
def test_all_networks(name: str) -> None:
    """Our own reader finds the networks of each file, with the same records."""
    path = FOLDER / f"{name}.mmdb"
    mmdb = Mmdb(read_mmdb(path))
    found = {(address, length): mmdb.value(at) for _, address, length, at in mmdb.networks()}
    with maxminddb.open_database(path, maxminddb.MODE_FILE) as database:
        expected = {(int(one.network_address), one.prefixlen): record for one, record in database}
    assert found == expected
    assert len(found) > 100


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("GeoLite2-City-Test", lambda reader, address: reader.city(address).country.iso_code),
        ("GeoLite2-Country-Test", lambda reader, address: reader.country(address).country.iso_code),
    ],
)
def test_countries(name: str, ask: Callable[[Reader, str], object]) -> None:
    """A client's country is the one that MaxMind's reader says, at the edges of each network."""
    path = FOLDER / f"{name}.mmdb"
    geo = MmdbGeo(path)
    expected = dict(judged(path, ask))
    assert {one: geo.country(address_of(one)) for one in expected} == expected
    assert len({*expected.values()}) > 10


def test_asns() -> None:
    """An address's ASN is the one that MaxMind's reader says, at the edges of each network."""
    path = FOLDER / "GeoLite2-ASN-Test.mmdb"
    asked = judged(path, lambda reader, address: reader.asn(address).autonomous_system_number)
    expected = dict(asked)
    needed = {asn for asn in expected.values() if isinstance(asn, int)}
    ranges = RangeTable(read_asn_netblocks(path, LeftOutRows()).ranges(needed))
    assert {one: ranges.find(address_of(one)) or None for one in expected} == expected
    assert len(needed) > 10
