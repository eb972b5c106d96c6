"""Countries by GeoIP: the built-in data, files in the shapes that are out there, unusable files."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrorlist.errors import GeoipError
from mirrorlist.request.address import Address, parse_address
from mirrorlist.request.geo import MmdbGeo, NoGeo, RegistryGeo, open_geo
from tests.command import run_program
from tests.mmdb import Records, country, write_countries, write_mmdb


def _address(text: str) -> Address:
    address = parse_address(text)
    assert address is not None
    return address


# By network: GeoLite2-Country's shape, DB-IP's and GeoLite2-City's are the same in this.
GEOLITE = {
    "80.1.0.0/16": country("DE"),
    "2001:db8:de::/48": country("FR"),
    "80.2.0.0/16": {"registered_country": {"iso_code": "US"}},
    "80.3.0.0/16": {"country": {"names": {"en": "Nowhere"}}, "city": {"names": {"en": "X"}}},
    "80.4.0.0/16": {"country": {"iso_code": "us"}},
}
PLAIN = {"80.1.0.0/16": {"country_code": "DE"}, "2001:db8:de::/48": {"country_code": "FR"}}
NAMED = {"80.1.0.0/16": {"country": "DE"}, "2001:db8:de::/48": {"country": "FR"}}


@pytest.mark.parametrize(
    ("kind", "records"),
    [
        pytest.param("GeoLite2-Country", GEOLITE, id="GeoLite2-Country"),
        pytest.param("GeoLite2-City", GEOLITE, id="GeoLite2-City"),
        pytest.param("DBIP-Location (compat=City)", GEOLITE, id="another type"),
        pytest.param("user-country", PLAIN, id="country_code"),
        pytest.param("ipinfo generic_country", NAMED, id="country as text"),
    ],
)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("80.1.2.3", "DE", id="IPv4"),
        pytest.param("::ffff:80.1.2.3", "DE", id="mapped"),
        pytest.param("2001:db8:de::9", "FR", id="IPv6"),
        pytest.param("2002:5001:203::1", "DE", id="6to4 by its IPv4"),
        pytest.param("2001:0:4136:e378:8000:63bf:affe:fdfc", "DE", id="Teredo by its IPv4"),
        pytest.param("81.0.0.1", None, id="IPv4 unknown"),
        pytest.param("2001:db8::", None, id="IPv6 unknown"),
        pytest.param("0.0.0.0", None, id="lowest"),
        pytest.param("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, id="highest"),
    ],
)
def test_shapes(tmp_path: Path, kind: str, records: Records, text: str, expected: str) -> None:
    """Each shape of file gives the same countries."""
    assert MmdbGeo(write_mmdb(tmp_path / "geo.mmdb", records, kind)).country(_address(text)) == (
        expected
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("80.2.0.1", None, id="registered country alone is none"),
        pytest.param("80.3.0.1", None, id="a country without its letters"),
        pytest.param("80.4.0.1", "US", id="upper case"),
        pytest.param("80.1.0.1", "DE", id="country before registered country"),
    ],
)
def test_country_and_registered_country(tmp_path: Path, text: str, expected: str | None) -> None:
    """Only the country counts, never the registered country."""
    geo = MmdbGeo(write_mmdb(tmp_path / "geo.mmdb", GEOLITE))
    assert geo.country(_address(text)) == expected


@pytest.mark.parametrize("code", ["", "D", "DEU"])
def test_a_code_that_is_none(tmp_path: Path, code: str) -> None:
    """A code that has not two letters is no country."""
    records = {"80.1.0.0/16": country("DE"), "80.2.0.0/16": country(code)}
    assert MmdbGeo(write_mmdb(tmp_path / "g", records)).country(_address("80.2.0.1")) is None


def test_a_file_of_ipv4_only(tmp_path: Path) -> None:
    """A file without IPv6 knows tunnelled clients by their IPv4, and no other IPv6 client."""
    records = {"80.1.0.0/16": country("DE")}
    geo = MmdbGeo(write_mmdb(tmp_path / "geo.mmdb", records, ip=4))
    assert geo.country(_address("80.1.2.3")) == "DE"
    assert geo.country(_address("2002:5001:203::1")) == "DE"
    assert geo.country(_address("2001:db8::1")) is None


@pytest.mark.parametrize("ip", [4, 6])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("80.1.255.3", 16, id="a /16"),
        pytest.param("80.2.0.77", 24, id="a /24"),
        pytest.param("80.2.1.0", 24, id="beside it"),
        pytest.param("80.3.3.3", 32, id="an address"),
        pytest.param("200.1.1.1", 1, id="nothing far and wide"),
    ],
)
def test_prefix_length(tmp_path: Path, ip: int, text: str, expected: int) -> None:
    """A file says how long the prefix of an address's network is, in the bits of IPv4."""
    networks = ("80.1.0.0/16", "80.2.0.0/24", "80.3.3.3/32")
    records = {
        network: country(code) for network, code in zip(networks, ("DE", "FR", "US"), strict=True)
    }
    geo = MmdbGeo(write_mmdb(tmp_path / "geo.mmdb", records, ip=ip))
    assert geo.prefix_length(_address(text)) == expected


def test_prefix_length_without_a_file() -> None:
    """The built-in data tell of single addresses only; nothing known is the same everywhere."""
    assert RegistryGeo().prefix_length(_address("193.0.6.139")) == 32
    assert RegistryGeo().prefix_length(_address("2001:200::1")) == 128
    assert NoGeo().prefix_length(_address("193.0.6.139")) == 0


def test_name(tmp_path: Path) -> None:
    """A source names its file, type and build date."""
    geo = MmdbGeo(write_mmdb(tmp_path / "geo.mmdb", GEOLITE, "GeoLite2-Country"))
    assert re.fullmatch(r"geo\.mmdb \(GeoLite2-Country, built \d{4}-\d\d-\d\d\)", geo.name)


ASN = {"80.1.0.0/16": {"autonomous_system_number": 64500, "autonomous_system_organization": "X"}}


def _missing(path: Path) -> None:
    path.unlink(missing_ok=True)


def _folder(path: Path) -> None:
    path.mkdir()


def _text(path: Path) -> None:
    path.write_text("80.1.0.0/16 DE\n")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    content = write_mmdb(path, GEOLITE).read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _marker_only(path: Path) -> None:
    path.write_bytes(b"\xab\xcd\xefMaxMind.com")


def _asn(path: Path) -> None:
    write_mmdb(path, ASN, "GeoLite2-ASN")


def _without_countries(path: Path) -> None:
    write_mmdb(path, {"80.1.0.0/16": "text", "80.2.0.0/16": {}}, "odd")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(_missing, "No such file or directory", id="missing"),
        pytest.param(_folder, "Is a directory", id="directory"),
        pytest.param(_text, "not a GeoIP", id="text"),
        pytest.param(_empty, "not a GeoIP", id="empty"),
        pytest.param(_cut, "not a GeoIP", id="cut short"),
        pytest.param(_marker_only, "not a GeoIP", id="marker only"),
        pytest.param(_asn, "no countries (type GeoLite2-ASN)", id="ASN"),
        pytest.param(_without_countries, "no countries (type odd)", id="no countries"),
    ],
)
def test_refused_by_name(tmp_path: Path, make: Callable[[Path], None], why: str) -> None:
    """A file that cannot be used is refused: its name, and why, in one line."""
    path = tmp_path / "wrong.mmdb"
    make(path)
    with pytest.raises(GeoipError, match=re.escape(why)) as error:
        MmdbGeo(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert error.value.exit_code == 3


def _damage(path: Path, old: bytes, new: bytes) -> None:
    """Replace a record's string, its control byte included, by bytes of the same length."""
    records = {"80.1.0.0/16": {"country_code": "DE"}, "80.2.0.0/16": {"country_code": "FR"}}
    content = write_mmdb(path, records, "user-country").read_bytes()
    assert content.count(old) == 1
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(b"\xffFR", id="a map without an end"),
        pytest.param(b"\x00\x00F", id="an unknown type"),
        pytest.param(b"\x3fFR", id="a pointer to nowhere"),
        pytest.param(b"\x42\xff\xfe", id="bad UTF-8"),
        pytest.param(b"\x42D%", id="letters that are none"),
        pytest.param(b"\xa2FR", id="a number where text belongs"),
    ],
)
def test_a_damaged_record(tmp_path: Path, new: bytes) -> None:
    """A file with a damaged record is refused, wherever that stands."""
    path = tmp_path / "geo.mmdb"
    _damage(path, b"\x42FR", new)
    with pytest.raises(GeoipError, match="or damaged: a "):
        MmdbGeo(path)


def test_a_damaged_record_that_was_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file with very many records a sample is looked at: the rest costs no answer."""
    monkeypatch.setattr("mirrorlist.request.geo._RECORDS_LOOKED_AT", 1)
    path = tmp_path / "geo.mmdb"
    _damage(path, b"\x42FR", b"\xffFR")
    geo = MmdbGeo(path)
    assert geo.country(_address("80.2.0.1")) is None
    assert geo.prefix_length(_address("80.2.0.1")) == 32
    assert geo.country(_address("80.1.0.1")) == "DE"


DAMAGE = """
import sys
from pathlib import Path
from mirrorlist.request.address import parse_address
from mirrorlist.errors import GeoipError
from mirrorlist.request.geo import MmdbGeo

path, texts = Path(sys.argv[1]), sys.argv[2:]
content = path.read_bytes()
for place in range(0, len(content), 7):
    bit = 1 << place % 8
    path.write_bytes(content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :])
    try:
        geo = MmdbGeo(path)
    except GeoipError:
        continue
    for text in texts:
        found = geo.country(parse_address(text))
        assert found is None or len(found) == 2, (place, text, found)
"""


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param((), id="opened"),
        pytest.param(
            ("80.1.0.1", "80.1.0.2", "2001:db8::1", "::"),
            id="asked",
        ),
    ],
)
def test_any_damage(tmp_path: Path, addresses: tuple[str, ...]) -> None:
    """Whatever byte is damaged, a file is refused by name or answers; no worker dies of it."""
    path = write_countries(tmp_path / "geo.mmdb", {"80.1.0.1": "DE", "2001:db8::1": "FR"})
    # In a process of its own, as it is a reader in C that is damaged.
    done = run_program(DAMAGE, path, *addresses)
    assert done.returncode == 0, done.stderr


def test_a_file_written_over_in_place(tmp_path: Path) -> None:
    """What was read once goes on answering, whatever becomes of the file."""
    path = write_countries(tmp_path / "geo.mmdb", {"80.1.0.1": "DE"})
    geo = MmdbGeo(path)
    for content in (b"", bytes(path.stat().st_size), b"x" * 99):
        path.write_bytes(content)
        assert geo.country(_address("80.1.0.1")) == "DE"


def test_open_a_file(tmp_path: Path) -> None:
    """A file that is given is the source."""
    geo = open_geo(write_countries(tmp_path / "geo.mmdb", {"80.1.0.1": "DE"}))
    assert geo.country(_address("80.1.0.1")) == "DE"


def test_built_in() -> None:
    """Without a file the registries' data is the source: these addresses moved to nobody yet."""
    geo = open_geo(None)
    assert isinstance(geo, RegistryGeo)
    assert re.fullmatch(r"iptocc [\d.]+ \(built in\)", geo.name)
    # RIPE NCC, NIC.br and WIDE, each in its own address space since the registries began.
    assert geo.country(_address("193.0.6.139")) == "NL"
    assert geo.country(_address("200.160.0.8")) == "BR"
    assert geo.country(_address("2001:200::1")) == "JP"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2002:c100:68b::1", id="6to4"),
        pytest.param("2001:0:4136:e378:8000:63bf:3eff:f974", id="Teredo"),
        pytest.param("::ffff:193.0.6.139", id="mapped"),
    ],
)
def test_built_in_by_ipv4(text: str) -> None:
    """The built-in data is asked for the IPv4 address of a tunnelled client."""
    assert RegistryGeo().country(_address(text)) == "NL"


@pytest.mark.parametrize("text", ["10.0.0.1", "127.0.0.1", "fc00::1", "::", "255.255.255.255"])
def test_built_in_unknown(text: str) -> None:
    """An address that no registry gave away has no country."""
    assert RegistryGeo().country(_address(text)) is None


def test_no_source_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the built-in data cannot be loaded, every country is unknown."""
    monkeypatch.setitem(sys.modules, "iptocc", None)
    geo = open_geo(None)
    assert isinstance(geo, NoGeo)
    assert geo.name == "none"
    assert geo.country(_address("193.0.6.139")) is None
