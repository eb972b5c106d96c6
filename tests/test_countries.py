"""Countries that do not exist are named, and no host gets or loses clients by them."""

from pathlib import Path

import pytest

from snapshot.export.countries import Countries, is_own_code
from snapshot.file.model import LeftOut
from tests.factories import Row, edited, export_tables

Edit = tuple[str, int | None, Row]
KEPT = ": host kept without it"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Germany", "there is no country GERMANY; DE is meant?"),
        ("UK", "there is no country UK; GB is meant?"),
        ("uk ", "there is no country UK; GB is meant?"),
        ("EL", "there is no country EL; GR is meant?"),
        ("USA", "there is no country USA; US is meant?"),
        ("United  Kingdom", "there is no country UNITED  KINGDOM; GB is meant?"),
        ("Czech Republic", "there is no country CZECH REPUBLIC; CZ is meant?"),
        ("N/A", "there is no country N/A"),
        ("XX", "there is no country XX"),
        ("Z1", "there is no country Z1"),
        ("--", "there is no country --"),
        ("x" * 200, f"there is no country {'X' * 40}"),
    ],
)
def test_a_host_in_no_country(tmp_path: Path, text: str, says: str) -> None:
    """A host whose country does not exist is named and kept without one."""
    snapshot, result = export_tables(tmp_path, edited(("host", 1, {"country": text})))
    assert result.left_out == (LeftOut("host", 1, says + KEPT),)
    assert snapshot.hosts[0].country == ""


@pytest.mark.parametrize("text", ["DE", " xk", "GB", "eu", "AP", "A1", "a2", "O1", "AN", "FX", ""])
def test_a_host_in_a_country(tmp_path: Path, text: str) -> None:
    """ISO 3166, Kosovo, and what GeoIP data say are countries; no country is no fault."""
    snapshot, result = export_tables(tmp_path, edited(("host", 1, {"country": text})))
    assert result.left_out == ()
    assert snapshot.hosts[0].country == text.strip().upper()


def _allowed(*countries: str | None) -> list[Edit]:
    return [
        ("host_country_allowed", None, {"id": 70 + place, "host_id": 5, "country": country})
        for place, country in enumerate(countries)
    ]


@pytest.mark.parametrize(
    ("countries", "left", "named"),
    [
        pytest.param(["Japan", "KR"], ("KR",), 1, id="one that exists"),
        pytest.param(["Japan"], ("--",), 1, id="none that exists"),
        pytest.param(["Z1", "ZZ"], ("--",), 2, id="two that do not"),
        pytest.param([""], ("--",), 1, id="an empty one"),
        pytest.param(["D\nE"], ("--",), 1, id="a broken one"),
        pytest.param(["jp ", "JP"], ("JP",), 0, id="twice the same"),
    ],
)
def test_allowed_countries(
    tmp_path: Path, countries: list[str], left: tuple[str, ...], named: int
) -> None:
    """One that does not exist is passed over; but a host with none that does is for nobody."""
    snapshot, result = export_tables(tmp_path, edited(*_allowed(*countries)))
    assert snapshot.hosts[4].countries_allowed == left
    assert [one.table for one in result.left_out] == ["host_country_allowed"] * named
    nobody = [note for note in result.notes if "no client gets them" in note]
    assert len(nobody) == (left == ("--",))
    assert all("host 5" in note for note in nobody)


@pytest.mark.parametrize(
    ("table", "row", "says"),
    [
        ("netblock_country", {"netblock": "192.0.2.0/24", "country": "UK"}, "GB is meant?"),
        ("netblock_country", {"netblock": "192.0.2.0/24", "country": "Z9"}, "no country Z9"),
        ("country_continent_redirect", {"country": "UK", "continent": "EU"}, "GB is meant?"),
        ("country_continent_redirect", {"country": "Z9", "continent": "EU"}, "no country Z9"),
        ("country_continent_redirect", {"country": "DE", "continent": "--"}, "no continent --"),
        ("country_continent_redirect", {"country": "DE", "continent": "e\x01"}, "control"),
    ],
)
def test_tables_of_countries(tmp_path: Path, table: str, row: Row, says: str) -> None:
    """A row of a country that does not exist is left out."""
    snapshot, result = export_tables(tmp_path, edited((table, None, {"id": 70, **row})))
    ((left_out),) = result.left_out
    assert (left_out.table, left_out.id) == (table, 70)
    assert says in left_out.reason
    assert not snapshot.country_ranges.starts4
    assert not {"UK", "Z9"} & snapshot.continents.keys()


def test_a_file_of_continents(tmp_path: Path) -> None:
    """A country of the CSV that does not exist is named; codes that ISO leaves to users count."""
    (tmp_path / "csv").write_text("UK,EU\nXA,EU\nDE,EU\n")
    tables = edited(("host", 1, {"country": "XA"}), ("host", 2, {"country": "XB"}))
    snapshot, result = export_tables(tmp_path, tables, country_continent=tmp_path / "csv")
    says = "there is no country UK; GB is meant?"
    assert result.left_out == (
        LeftOut("continents file", None, says),
        LeftOut("host", 2, f"there is no country XB{KEPT}"),
    )
    assert "UK" not in snapshot.continents
    assert snapshot.hosts[0].country == "XA"


def test_codes_for_users() -> None:
    """AA, QM to QZ, XA to XZ and ZZ are nobody's."""
    found = {a + b for a in "AQXZ" for b in "ALMZ" if is_own_code(a + b)}
    assert found == {"AA", "QM", "QZ", "XA", "XL", "XM", "XZ", "ZZ"}
    assert "XK" in Countries()


def test_hosts_with_an_asn(tmp_path: Path) -> None:
    """Hosts whose ASN is for nothing are counted, and nothing is said where it counts."""
    (tmp_path / "good").write_text("192.0.2.0/24 64500\n")
    (tmp_path / "other").write_text("192.0.2.0/24 64501\n")
    tables = edited(("host", 7, {"asn": 64500}), ("host", 1, {"asn": 23456}))
    notes = {}
    for name in (None, "other", "good"):
        asn = tmp_path / name if name else None
        _, result = export_tables(tmp_path / "out", tables, asn=asn)
        notes[name] = result.notes
        assert [one.id for one in result.left_out] == [1]
    assert notes == {
        None: ("1 host has an ASN; without --asn its tier is empty",),
        "other": (
            "1 host has an ASN, and the ASN file has no network of its own: the tier is empty",
        ),
        "good": (),
    }
