"""Clients that asked lately: known again, forgotten with what they were known by, bounded."""

from pathlib import Path

import pytest

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.lists.blocks import Blocks
from mirrorlist.lists.callers import MOST_CALLERS, Callers
from mirrorlist.lists.place import NOWHERE, locate
from mirrorlist.request.address import Address
from mirrorlist.request.client import MOST_ENTRY_BYTES, SIGNED, Trust
from mirrorlist.request.geo import MmdbGeo, NoGeo
from tests.factories import export_tables, world
from tests.in_process import TableGeo, make_service
from tests.mmdb import country, write_mmdb

PROXY, CLIENT = "127.0.0.1", b"192.0.2.7"
GEO = TableGeo({"192.0.2.7": "DE", "127.0.0.1": "CH"})


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """The small world."""
    return Catalog(export_tables(tmp_path, world())[0])


@pytest.mark.parametrize(
    ("peer", "forwarded"),
    [
        pytest.param(PROXY, (CLIENT,), id="a client of a proxy"),
        pytest.param(PROXY, (CLIENT, b"10.0.0.1"), id="two proxies"),
        pytest.param(PROXY, (), id="ours"),
        pytest.param(PROXY, SIGNED, id="a proxy that names nobody"),
        pytest.param("192.0.2.7", (), id="without a proxy"),
        pytest.param("192.0.2.7", (b"10.0.0.1",), id="a stranger who names another"),
        pytest.param(None, (CLIENT,), id="a Unix socket"),
        pytest.param("unknown", (), id="unknown"),
    ],
)
def test_it_is_what_trust_and_locate_say(
    catalog: Catalog, peer: str | None, forwarded: tuple[bytes, ...]
) -> None:
    """The first time and later, a caller is whom `believe` names, where `locate` says."""
    trust = Trust()
    client = trust.believe(peer, forwarded, "")
    found = Callers(trust)
    for lines in (forwarded, [*forwarded] if forwarded != SIGNED else SIGNED):
        expected = client, locate(client, catalog, GEO)
        assert found.find(catalog, GEO, peer, lines) == expected


def test_a_proxy_that_names_nobody(catalog: Catalog) -> None:
    """Its clients are in the country of the proxy, and near no host."""
    client, place = Callers(Trust()).find(catalog, GEO, PROXY, SIGNED)
    assert (client.source, place.country, place.is_near) == ("unknown", "CH", False)


@pytest.mark.parametrize(
    ("address", "is_near"),
    [
        (b"192.0.2.7", True),
        (b"2002:c000:207::1", True),
        (b"198.51.100.1", False),
        (b"2002:c633:6401::1", False),
    ],
)
def test_who_is_near(catalog: Catalog, address: bytes, is_near: bool) -> None:
    """A client is near if a host named a netblock around its address, or the one within it."""
    client, place = Callers(Trust()).find(catalog, GEO, PROXY, [address])
    assert place.is_near is is_near
    assert place.is_near is bool(catalog.has_netblock(client.near) or catalog.asn(client.near))


def test_a_caller_is_known_again(catalog: Catalog) -> None:
    """The second answer is the same object, as nothing is believed or located again."""
    found = Callers(Trust())
    first = found.find(catalog, GEO, PROXY, [CLIENT])
    assert found.find(catalog, GEO, PROXY, [CLIENT]) is first
    assert found.find(catalog, GEO, PROXY, [CLIENT, CLIENT]) is not first
    assert found.find(catalog, GEO, PROXY, [CLIENT]) is first
    assert found.find(catalog, GEO, "127.0.0.2", [CLIENT]) is not first


def test_clients_of_a_country_share_its_place(catalog: Catalog) -> None:
    """Clients that GeoIP alone knows have one place object for each country."""
    geo, found = TableGeo({"198.51.100.1": "DE", "198.51.100.2": "DE"}), Callers(Trust())
    here, there = (
        found.find(catalog, geo, PROXY, [address])[1]
        for address in (b"198.51.100.1", b"198.51.100.2")
    )
    assert here is there
    assert here.country == "DE"


class _WideGeo(TableGeo):
    """Says how wide the networks of its countries are, and counts how often it is asked."""

    def __init__(self, countries: dict[str, str], length: int) -> None:
        super().__init__(countries)
        self.length = length
        self.asked = 0

    def country(self, address: Address) -> str | None:
        self.asked += 1
        return super().country(address)

    def prefix_length(self, address: Address) -> int:
        return self.length


# Two blocks of each family of which the small world knows nothing, and two addresses of each.
_WIDE4 = {
    "198.51.100.1": "DE",
    "198.51.7.7": "DE",
    "198.52.0.1": "FR",
    "198.52.255.255": "FR",
}
_WIDE6 = {
    "2a00:100::1": "DE",
    "2a00:100:ffff::1": "DE",
    "2a00:101::": "FR",
    "2a00:101:1::2": "FR",
}


@pytest.mark.parametrize(
    ("countries", "length", "asked"),
    [
        pytest.param(_WIDE4, 0, 2, id="everything in one network"),
        pytest.param(_WIDE4, 16, 2, id="a network each"),
        pytest.param(_WIDE4, 17, 8, id="several networks in a block"),
        pytest.param(_WIDE4, 32, 8, id="a network for each address"),
        pytest.param(_WIDE6, 0, 2, id="IPv6, everything in one network"),
        pytest.param(_WIDE6, 32, 2, id="IPv6, a network each"),
        pytest.param(_WIDE6, 33, 8, id="IPv6, several networks in a block"),
        pytest.param(_WIDE6, 128, 8, id="IPv6, a network for each address"),
    ],
)
def test_a_block_in_one_country_is_asked_for_once(
    catalog: Catalog, countries: dict[str, str], length: int, asked: int
) -> None:
    """GeoIP is not asked again for a block that lies in one of its networks, and only for that."""
    geo, found = _WideGeo(countries, length), Callers(Trust())
    for lines in ([b"%s"], [b"%s", b"10.0.0.1"]):
        for text, code in countries.items():
            forwarded = [line % text.encode() if b"%" in line else line for line in lines]
            client, place = found.find(catalog, geo, PROXY, forwarded)
            assert place == locate(client, catalog, TableGeo(countries))
            assert place.country == code
    # A place that is met for the first time is asked for once more.
    assert geo.asked == asked + len(set(countries.values()))


def test_a_block_with_a_netblock_is_not_in_one_place(catalog: Catalog) -> None:
    """A host's netblock lies in the block: its clients are near the host, their neighbours not."""
    geo = _WideGeo({"192.0.2.7": "DE", "192.0.99.1": "DE", "192.0.99.2": "DE"}, 8)
    found = Callers(Trust())
    places = [
        found.find(catalog, geo, PROXY, [address])[1]
        for address in (b"192.0.99.1", b"192.0.2.7", b"192.0.99.2")
    ]
    assert [place.is_near for place in places] == [False, True, False]


def test_more_places_than_a_block_can_name(catalog: Catalog) -> None:
    """Beyond 254 places a block is asked for each time, and each client is where GeoIP says."""
    codes = [f"{chr(65 + one // 26)}{chr(65 + one % 26)}" for one in range(300)]
    geo = _WideGeo({f"{60 + one // 100}.{one % 100}.0.1": codes[one] for one in range(300)}, 16)
    found = Callers(Trust())
    for _ in range(2):
        for one in range(300):
            # With a second line no caller is kept.
            forwarded = [b"%d.%d.0.1" % (60 + one // 100, one % 100), b"10.0.0.1"]
            assert found.find(catalog, geo, PROXY, forwarded)[1].country == codes[one]
    # Twice for the first client of each place.
    assert geo.asked == 2 * 300 + (300 - 254)


@pytest.mark.parametrize("address", [b"198.51.100.1", b"2a00:100::1"])
def test_a_swap_forgets_blocks(catalog: Catalog, address: bytes) -> None:
    """A block that another source of countries has elsewhere moves there."""
    found = Callers(Trust())
    for code in ("DE", "FR"):
        geo = _WideGeo({address.decode(): code}, 16)
        for _ in range(2):
            assert found.find(catalog, geo, PROXY, [address, b"10.0.0.1"])[1].country == code


def test_tunnels_are_in_no_one_place(tmp_path: Path, catalog: Catalog) -> None:
    """The clients of 6to4 and Teredo are where their IPv4 addresses are, also in one /32."""
    records = {"198.51.0.0/16": country("DE"), "198.52.0.0/16": country("FR")}
    geo = MmdbGeo(write_mmdb(tmp_path / "geo.mmdb", records))
    found, nowhere = Callers(Trust()), Callers(Trust())
    # The host's netblock in the small world holds 192.0.2.7.
    for text in ("2001:0:4136:e378:8000:63bf:39cc:9bfe", "2001:0:4136:e378:8000:63bf:3fff:fdf8"):
        client, place = nowhere.find(catalog, NoGeo(), PROXY, [text.encode()])
        assert place == locate(client, catalog, NoGeo())
    assert place.is_near
    for text, expected in (
        ("2002:c633:6401::1", "DE"),
        ("2002:c634:6401::1", "FR"),
        ("2001:0:4136:e378:8000:63bf:39cc:9bfe", "DE"),
        ("2001:0:4136:e378:8000:63bf:39cb:9bfe", "FR"),
    ):
        assert found.find(catalog, geo, PROXY, [text.encode()])[1].country == expected


def test_blocks_of_ipv6_are_bounded(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients from very many networks cannot fill the memory."""
    monkeypatch.setattr("mirrorlist.lists.blocks.MOST_BLOCKS6", 3)
    blocks = Blocks(catalog, _WideGeo({}, 32))
    for number in range(10):
        blocks.learn(Address(6, number << 96), NOWHERE)
        assert blocks.find(Address(6, (number << 96) + 1)) is NOWHERE
    assert blocks.find(Address(6, 0)) is None
    assert sum(blocks.find(Address(6, number << 96)) is NOWHERE for number in range(10)) <= 3


def test_a_swap_forgets_all(catalog: Catalog, tmp_path: Path) -> None:
    """After a swap of GeoIP or of the snapshot nobody's place is what it was before."""
    found = Callers(Trust())
    assert found.find(catalog, GEO, PROXY, [CLIENT])[1].country == "DE"
    moved = TableGeo({"192.0.2.7": "FR"})
    assert found.find(catalog, moved, PROXY, [CLIENT])[1].country == "FR"
    (tmp_path / "other").mkdir()
    before = found.find(catalog, moved, PROXY, [CLIENT])
    other = Catalog(export_tables(tmp_path / "other", world())[0])
    assert found.find(other, moved, PROXY, [CLIENT]) is not before


def test_a_swap_under_a_service(tmp_path: Path) -> None:
    """A service whose GeoIP is replaced between two requests of one client answers by the new."""
    service = make_service(export_tables(tmp_path, world())[0], {"192.0.2.7": "DE"})
    query = b"repo=linux-40&arch=x86_64"
    assert b"country = DE" in service.respond(False, query, PROXY, [CLIENT]).body
    service.geo = TableGeo({"192.0.2.7": "FR"})
    assert b"country = FR" in service.respond(False, query, PROXY, [CLIENT]).body


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        pytest.param([b"%d"], MOST_CALLERS, id="an address"),
        pytest.param([b"%d" + b" " * MOST_ENTRY_BYTES], 0, id="longer than an address"),
        pytest.param([b"%d", b"10.0.0.1"], 0, id="two lines"),
    ],
)
def test_memory(catalog: Catalog, lines: list[bytes], kept: int) -> None:
    """However many clients come, and however much they say of themselves, few are kept."""
    found = Callers(Trust())
    most = 0
    for number in range(3 * MOST_CALLERS):
        found.find(catalog, GEO, PROXY, [lines[0].replace(b"%d", b"%d" % number), *lines[1:]])
        most = max(most, len(found))
    assert most == kept


def test_an_empty_line_is_not_no_line(catalog: Catalog) -> None:
    """A proxy that asks for itself is ours; with an empty line it asks for a stranger."""
    found = Callers(Trust())
    for lines, is_ours in (((), True), ((b"",), False), ((), True), ((b"",), False)):
        assert found.find(catalog, GEO, PROXY, lines)[0].is_ours is is_ours
