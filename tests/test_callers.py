"""Clients that asked lately: known again, forgotten with what they were known by, bounded."""

from pathlib import Path

import pytest

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.lists.callers import MOST_CALLERS, Callers
from mirrorlist.lists.place import locate
from mirrorlist.request.client import MOST_ENTRY_BYTES, SIGNED, Trust
from tests.factories import export_tables, world
from tests.in_process import TableGeo, make_service

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
