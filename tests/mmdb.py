"""Small GeoIP files for tests, in the shapes that are out there."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from mmdb_writer import MMDBWriter
from netaddr import IPSet  # type: ignore[import-untyped]

Records = Mapping[str, object]


def write_mmdb(path: Path, records: Records, kind: str = "GeoLite2-Country", ip: int = 6) -> Path:
    """Write records by network or address to an mmdb file of a database type."""
    writer = MMDBWriter(ip_version=ip, ipv4_compatible=ip == 6, database_type=kind)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), cast(dict[str, object], record))
    writer.to_db_file(str(path))
    return path


def country(code: str) -> dict[str, object]:
    """Return a GeoLite2-Country record, registered elsewhere, with names as the real one has."""
    return {
        "continent": {"code": "EU", "names": {"en": "Europe"}},
        "country": {"iso_code": code, "names": {"en": code, "de": code}},
        "registered_country": {"iso_code": "ZZ"},
    }


def write_countries(path: Path, countries: Mapping[str, str]) -> Path:
    """Write a GeoLite2-Country file of countries by address."""
    return write_mmdb(path, {address: country(code) for address, code in countries.items()})
