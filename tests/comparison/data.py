"""The data of the comparison: the demo, smaller, without rows that end the incumbent's export.

Corner cases are added below `pub/corner`, a category of four hosts that count as up to date.
"""

import shutil
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from snapshot.continents import built_in_continents
from snapshot.demo import demo_asn_lines, fill_demo
from snapshot.exporter import export
from snapshot.reader import Snapshot
from tests.mmdb import write_countries

# Clients that GeoIP knows: networks for tests of devices, which no host's netblock is in.
_COUNTRIES = (
    "DE FR US JP BR TR GB KR AU NL CN IN ZA NZ CL KE CA CZ NO BE EG AQ MX TW AR SG AT VN".split()  # noqa: SIM905
)
CLIENTS = {country: f"198.18.{place}.1" for place, country in enumerate(_COUNTRIES)}
CLIENTS6 = {country: f"2001:db8:a{place:x}::1" for place, country in enumerate(_COUNTRIES[:12])}
NOBODY, NOBODY6 = "198.19.255.1", "2001:db8:ffff::1"
# Netblock and ASN clients of the demo, and those beside them.
NEAR = [
    "192.0.2.5",
    "192.0.2.70",
    "192.0.2.100",
    "192.0.2.101",
    "192.0.2.130",
    "192.0.2.165",
    "198.51.100.9",
    "198.51.100.70",
    "198.51.100.130",
    "203.0.113.9",
    "203.0.113.70",
    "203.0.113.130",
    "203.0.113.200",
]
NEAR6 = [
    f"2001:db8:{group}::7"
    for group in "496 497 498 500 500:ff 502 505 511 537 540 541 545 49 55 81".split()  # noqa: SIM905
]
# The IPv4 address within counts here, the literal one at the incumbent.
TUNNELLED = ("::ffff:198.18.0.1", "2002:c612:0001::1", "2002:c000:0205::1")

# A smaller tree: releases 42 and 44 are as 43 is.
_DROPPED = "name LIKE '%/42%' OR name LIKE '%/44%' OR name LIKE '%f42%' OR name LIKE '%f44%'"
_DROP = f"IN (SELECT id FROM directory WHERE ({_DROPPED}) AND name NOT LIKE 'pub/alt%')"

_ORPHANED = (
    "IN (SELECT hc.id FROM host_category hc JOIN host h ON h.id = hc.host_id"
    " WHERE h.site_id IS NULL)"
)
_NARROW, _MASKED = "203.0.113.192/26", "203.0.113.192/255.255.255.192"
_LATER_CATEGORY = (
    "EXISTS (SELECT 1 FROM category_directory earlier"
    " WHERE earlier.directory_id = category_directory.directory_id"
    " AND earlier.category_id < category_directory.category_id)"
)

_EDITS = (
    f"DELETE FROM host_category_dir WHERE directory_id {_DROP}",
    f"DELETE FROM file_detail WHERE directory_id {_DROP}",
    f"DELETE FROM repository WHERE directory_id {_DROP}",
    f"DELETE FROM category_directory WHERE directory_id {_DROP}",
    f"DELETE FROM directory WHERE ({_DROPPED}) AND name NOT LIKE 'pub/alt%'",
    # The incumbent's export ends on these, or takes them for something else.
    "UPDATE host SET bandwidth_int = 1000 WHERE bandwidth_int IS NULL",
    "DELETE FROM host_netblock WHERE netblock = 'not a netblock/99'",
    "DELETE FROM host_category_url WHERE url NOT LIKE '%://%'",
    f"DELETE FROM host_category_url WHERE host_category_id {_ORPHANED}",
    f"DELETE FROM host_category_dir WHERE host_category_id {_ORPHANED}",
    "DELETE FROM host_category WHERE host_id IN (SELECT id FROM host WHERE site_id IS NULL)",
    "DELETE FROM host WHERE site_id IS NULL",
    f"UPDATE netblock_country SET netblock = '{_NARROW}' WHERE netblock = '{_MASKED}'",
)

_CORNER_CATEGORY = (
    "INSERT INTO category (id, name, topdir_id, publiclist, product_id, admin_only)"
    " VALUES (9001, 'Corner', 9001, true, 1, false)"
)
_CORNER_HOSTS = {23: 9023, 25: 9025, 1: 9001, 49: 9049}
_CORNER_URLS = (
    (23, "ftp://mirror.uni-passau.example/corner"),
    (23, "http://mirror.uni-passau.example/corner"),
    (23, "https://mirror.uni-passau.example/corner"),
    # The incumbent keeps the slash, and puts its own behind it.
    (25, "https://ftp.th-rheinland.example/corner/"),
    (1, "rsync://dl.fedora.example/corner"),
    (49, "https://ftp.jaist.example/corner"),
    (49, "https://ftp2.jaist.example/corner"),
)
_CORNER_DIRECTORIES = {
    9001: "pub/corner",
    9002: "pub/corner/a&b",
    9003: "pub/corner/with blank",
    9004: "pub/corner/a&b/repodata",
    9005: "pub/corner/bare",
    9006: "pub/corner/versions/repodata",
    9007: "pub/corner/versions",
    9008: "pub/outside",
}
_CORNER_REPOSITORIES = {
    "corner-and": 9002,
    "corner-blank": 9003,
    "corner-bare": 9005,
    "corner-versions": 9007,
    "corner-outside": 9008,
}
# Not by time: the newest is in the middle, without a size; the last has no hash.
_CORNER_DETAILS = (
    (9001, 9004, "repomd.xml", 1700000000, 4000, f"'{'0a' * 32}'"),
    (9002, 9006, "repomd.xml", 1700000000, 4000, f"'{'0b' * 32}'"),
    (9003, 9006, "repomd.xml", 1700000300, "NULL", f"'{'0c' * 32}'"),
    (9004, 9006, "repomd.xml", 1700000200, 4200, "NULL"),
)

# What the incumbent does not read, or reads otherwise: our export of the rest says what it says.
VARIANTS: dict[str, tuple[str, ...]] = {
    "peer ASNs": ("DELETE FROM host_peer_asn",),
    "allowed countries": ("DELETE FROM host_country_allowed",),
    "netblock_country": (f"DELETE FROM netblock_country WHERE netblock = '{_NARROW}'",),
    "directory in several categories": (f"DELETE FROM category_directory WHERE {_LATER_CATEGORY}",),
}


def fill(engine: Engine) -> None:
    """Create the tables in an empty database and insert the comparison's rows."""
    fill_demo(engine)
    execute(engine, (*_EDITS, *_corner()))


def execute(engine: Engine, statements: tuple[str, ...]) -> None:
    """Execute statements in one transaction."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement.replace(":", r"\:")))


def write_files(folder: Path) -> None:
    """Write the ASN lines, the continents and the GeoIP file that both servers read."""
    asn_path(folder).write_text("\n".join([*demo_asn_lines(), ""]))
    continents = sorted(built_in_continents().items())
    lines = [f"{country},{continent}\n" for country, continent in continents]
    (folder / "country_continent.csv").write_text("".join(lines))
    named = {CLIENTS[country]: country for country in CLIENTS}
    named |= {CLIENTS6[country]: country for country in CLIENTS6}
    write_countries(geoip_path(folder), named)


def asn_path(folder: Path) -> Path:
    """Return where the lines `prefix ASN` are."""
    return folder / "global_netblocks.txt"


def geoip_path(folder: Path) -> Path:
    """Return where the GeoIP file is."""
    return folder / "countries.mmdb"


def export_database(url: str, folder: Path, name: str = "ours") -> Snapshot:
    """Export a database with the folder's ASN lines and open the snapshot."""
    path = folder / f"{name}.snap"
    export(url, path, asn=asn_path(folder))
    return Snapshot(path)


def make_sqlite(folder: Path) -> Path:
    """Write the comparison's rows to a SQLite file, the same rows as in PostgreSQL."""
    path = folder / "comparison.sqlite"
    path.unlink(missing_ok=True)
    engine = create_engine(f"sqlite:///{path}")
    fill(engine)
    engine.dispose()
    return path


def export_variants(folder: Path) -> dict[frozenset[str], Snapshot]:
    """Export the data once for each known difference in it, and once for all together."""
    database = make_sqlite(folder)
    wanted = [frozenset((kind,)) for kind in VARIANTS] + [frozenset(VARIANTS)]
    return {kinds: _variant(database, folder, place, kinds) for place, kinds in enumerate(wanted)}


def _variant(database: Path, folder: Path, place: int, kinds: frozenset[str]) -> Snapshot:
    copy = folder / f"variant-{place}.sqlite"
    shutil.copyfile(database, copy)
    engine = create_engine(f"sqlite:///{copy}")
    execute(engine, tuple(statement for kind in sorted(kinds) for statement in VARIANTS[kind]))
    engine.dispose()
    return export_database(f"sqlite:///{copy}", folder, f"variant-{place}")


def _corner() -> list[str]:
    return [
        *(
            "INSERT INTO directory (id, name, readable, ctime)"
            f" VALUES ({id}, '{name}', true, 1700000000)"
            for id, name in _CORNER_DIRECTORIES.items()
        ),
        _CORNER_CATEGORY,
        *(
            f"INSERT INTO category_directory (category_id, directory_id) VALUES (9001, {id})"
            for id, name in _CORNER_DIRECTORIES.items()
            if name.startswith("pub/corner")
        ),
        *(
            "INSERT INTO host_category (id, host_id, category_id, always_up2date)"
            f" VALUES ({id}, {host}, 9001, true)"
            for host, id in _CORNER_HOSTS.items()
        ),
        *(
            "INSERT INTO host_category_url (id, host_category_id, url, private)"
            f" VALUES ({9100 + place}, {_CORNER_HOSTS[host]}, '{url}', false)"
            for place, (host, url) in enumerate(_CORNER_URLS)
        ),
        *(
            "INSERT INTO repository"
            " (id, name, prefix, category_id, version_id, arch_id, directory_id, disabled)"
            f" VALUES ({9001 + place}, '{prefix}', '{prefix}', 9001, 3, 1, {directory}, false)"
            for place, (prefix, directory) in enumerate(_CORNER_REPOSITORIES.items())
        ),
        *(
            "INSERT INTO file_detail (id, directory_id, filename, timestamp, size, sha256)"
            f" VALUES ({id}, {directory}, '{name}', {stamp}, {size}, {digest})"
            for id, directory, name, stamp, size, digest in _CORNER_DETAILS
        ),
    ]
