"""Continents: each country of the built-in table, and a CSV laid over it."""

from pathlib import Path

import pytest

from snapshot.export.continents import built_in_continents, read_continents
from snapshot.file.errors import DataFileError


@pytest.mark.parametrize(
    ("continent", "countries"),
    [
        ("AF", "EG ZA NG SS"),
        ("AN", "AQ"),
        ("AS", "JP IN CN CY TL AP"),
        ("EU", "DE FR GB RU XK TR EU FX"),
        ("NA", "US CA MX CU AN BQ CW SX"),
        ("OC", "AU NZ FJ"),
        ("SA", "BR AR CO"),
    ],
)
def test_built_in(continent: str, countries: str) -> None:
    """Countries are where MirrorManager's own table has them, those that it lacks too."""
    found = built_in_continents()
    assert {found[country] for country in countries.split()} == {continent}


def test_all_countries() -> None:
    """All 249 countries of ISO 3166, Kosovo and GeoIP's four codes are on a continent each."""
    found = built_in_continents()
    assert len(found) == 254
    assert set(found.values()) == {"AF", "AN", "AS", "EU", "NA", "OC", "SA"}
    assert all(len(country) == 2 and country.isupper() for country in found)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("DE,EU\nUS,NA\n", {"DE": "EU", "US": "NA"}, id="lines"),
        pytest.param("DE,EU\r\nUS,NA", {"DE": "EU", "US": "NA"}, id="other line ends"),
        pytest.param(' de , eu \n"US","NA"\n', {"DE": "EU", "US": "NA"}, id="blanks and quotes"),
        pytest.param('"iso 3166 country","continent code"\nDE,EU', {"DE": "EU"}, id="a heading"),
        pytest.param("DE,EU,Germany\n", {"DE": "EU"}, id="more columns"),
        pytest.param("A1,--\nA2,--\nDE,EU\n", {"DE": "EU"}, id="no continent"),
        pytest.param("\n\nDEU,EU\nD,EU\nDE,EU\nFR\nFR,\nFR,EUR\n", {"DE": "EU"}, id="junk"),
        pytest.param("DE,EU\nDE,AS\n", {"DE": "AS"}, id="twice: the last"),
    ],
)
def test_a_csv(tmp_path: Path, content: str, expected: dict[str, str]) -> None:
    """A CSV file changes the table; a line without a country and a continent is skipped."""
    path = tmp_path / "continents.csv"
    path.write_bytes(content.encode())
    found = read_continents(path)
    assert {code: found[code] for code in expected} == expected
    assert {code: found.get(code) for code in found | expected} == {
        **built_in_continents(),
        **expected,
    }


def test_a_country_without_a_continent(tmp_path: Path) -> None:
    """A CSV takes a country off its continent by two hyphens, as MaxMind writes it."""
    path = tmp_path / "continents.csv"
    path.write_text("TR,--\nDE,EU\n")
    found = read_continents(path)
    assert "TR" not in found
    assert len(found) == len(built_in_continents()) - 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "no line of the form CC,CONT", id="empty"),
        pytest.param(b"junk\n", "no line of the form CC,CONT", id="junk"),
        pytest.param(b"DE;EU\n", "no line of the form CC,CONT", id="semicolon"),
        pytest.param(b"\xff\xfe\0", "cannot be read: not text", id="bytes"),
    ],
)
def test_nothing_usable(tmp_path: Path, content: bytes, says: str) -> None:
    """A file without one usable line is refused in one line that names it."""
    path = tmp_path / "continents.csv"
    path.write_bytes(content)
    with pytest.raises(DataFileError) as caught:
        read_continents(path)
    assert str(caught.value).startswith(f"{path}: {says}")
    assert caught.value.exit_code == 2


def test_unreadable(tmp_path: Path) -> None:
    """A missing file and a directory are refused by name."""
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(DataFileError, match=f"^{path}: cannot be read: "):
            read_continents(path)
