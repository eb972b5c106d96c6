"""The data behind the contract's cases: one small network of mirrors with every kind of host.

Hosts 1 to 9 are those of `factories.world`. A case names hosts by these numbers; each directory
below pub/linux has hosts of its own choice, so that the expected lists stay short.
"""

from pathlib import Path
from typing import Any

from snapshot.file.reader import Snapshot
from tests.factories import SHA256, Row, Tables, export_tables, file_detail, host, site, world

BOOT = "boot.iso"

# Clients that GeoIP knows. No network of the world around them but where a rule needs it.
GERMAN, FRENCH, AMERICAN, JAPANESE = (f"198.51.100.{number}" for number in (1, 2, 3, 4))
BRAZILIAN, TURK, BRITON, KOREAN, AUSTRALIAN = (f"198.51.100.{n}" for n in (5, 6, 7, 8, 9))
GERMAN6 = "2001:db8:de::1"
OVERRIDDEN = "203.0.113.10"
OVERRIDDEN_INSIDE = "203.0.113.200"
# A client that GeoIP does not know, and who is in no netblock and no ASN.
NOBODY = "198.51.100.99"

COUNTRIES = {
    GERMAN: "DE",
    FRENCH: "FR",
    AMERICAN: "US",
    JAPANESE: "JP",
    BRAZILIAN: "BR",
    TURK: "TR",
    BRITON: "GB",
    KOREAN: "KR",
    AUSTRALIAN: "AU",
    GERMAN6: "DE",
    OVERRIDDEN: "DE",
    OVERRIDDEN_INSIDE: "DE",
    "192.0.2.5": "DE",
    "20.30.40.50": "US",
    "21.0.0.9": "DE",
}

# Lines of a global_netblocks.txt: 64510 with a hole of somebody else's, 64511 to 64513.
ASN_LINES = """\
# prefix ASN
198.51.100.128/25 64510
198.51.100.192/26 64999
198.18.1.0/24 64511
198.18.2.0/24 64512
21.1.0.0/16 64513
198.18.4.0/24 64500
192.0.2.0/25 64500
2001:db8:a5::/48 64510
"""

# What changes in the factory's host, by id.
_HOSTS: dict[int, Row] = {
    10: {"country": "US", "private": True},
    11: {"country": "US", "private": True},
    12: {"country": "US", "private": True},
    13: {"country": "JP"},
    14: {"country": "FR", "private": True},
    15: {"country": "US", "private": True, "asn": 64510},
    16: {"country": "FR", "asn": 64512},
    17: {"country": "US", "asn": 64510, "asn_clients": False},
    18: {"country": "DE", "asn": 64513},
    19: {"country": "US"},
    20: {"country": ""},
    21: {"country": "ES"},
    22: {"country": "IT"},
    23: {"country": "PL"},
    24: {"country": "CA"},
    25: {"country": "BR"},
    26: {"country": "AU"},
    27: {"country": "ZA"},
    28: {"country": "KR"},
    29: {"country": "TR"},
    30: {"country": "DE"},
    31: {"country": "DE"},
    32: {"country": "DE"},
    33: {"country": "DE"},
    34: {"country": "DE", "bandwidth_int": None},
    35: {"country": "DE", "bandwidth_int": 0},
}
_SITES: dict[int, Row] = {30: {"private": True}, 33: {"admin_active": False}}

# The protocols of a host's URLs in the order of their ids; host 24 has EPEL instead.
_PROTOCOLS = {
    18: ["rsync", "https", "http"],
    21: ["ftp", "http", "https"],
    22: ["http"],
    23: ["https"],
    24: [],
    31: [],
}

_NETBLOCKS = [
    (10, "20.30.0.0/16"),
    (11, "20.30.32.0/19"),
    (12, "20.30.40.0/24"),
    (13, "20.30.40.0/24"),
    (14, "2001:db8:6::/48"),
    # 198.51.100.2 and 198.51.100.1 by 6to4: one literally, the other by its IPv4 address only.
    (14, "2002:c633:6402::/48"),
    # 20.30.0.0/16 by 6to4: its literal netblock comes before that of the IPv4 address.
    (14, "2002:141e::/32"),
    (18, "21.0.0.77/255.255.255.0"),
    (30, "20.30.200.7"),
    (33, "20.30.40.0/24"),
    # Junk switches off its own row only.
    (6, "not a netblock"),
]

_LINUX = "pub/linux"
# Directories by id: path below the topdir, hosts up to date there beside those of the topdir.
_DIRECTORIES: dict[int, tuple[str, list[int]]] = {
    10: ("near", [1, 3, 6, 10, 11, 12, 13, 14, 15, 16, 17, 30, 32, 33]),
    11: ("many", [1, 2, 3, 4, 5, 9, 21, 22, 23]),
    12: ("world", [5, 20, 25, 26, 27, 28, 29]),
    13: ("allowed", [1, 4, 18, 19]),
    14: ("limited", [18]),
    15: ("schemes", [1, 9, 21, 22, 23, 31]),
    16: ("with blank/a+b&c", [1, 31]),
    17: ("nobody", []),
    18: ("private", [6]),
    19: ("four", [1, 2, 3, 22, 4, 5]),
    20: ("five", [1, 2, 3, 22, 23, 4]),
    21: ("40/source", [1]),
    22: ("40/source/repodata", [1]),
    23: ("rolling/repodata", [1]),
    24: ("bare", [1]),
    25: ("no-details", [1]),
    26: ("no-details/repodata", [1]),
    27: ("alternates", [1]),
    28: ("alternates/repodata", [1]),
    29: ("sparse", [1]),
    30: ("sparse/repodata", [1]),
    31: ("nobody/repodata", []),
    32: ("weights", [34, 35]),
    33: ("unlisted", [32]),
    34: ("elsewhere/repodata", []),
}

# Repositories by prefix: arch id and directory id.
_REPOSITORIES = {
    "linux-source-40": (2, 21),
    "rolling": (1, 23),
    "bare": (1, 24),
    "no-details": (1, 25),
    "alternates": (1, 27),
    "sparse": (1, 29),
    "uncarried": (1, 17),
    "uncategorised": (1, 7),
    # Each of these redirects leads away from a repository that is there.
    "moved": (1, 29),
}
_REDIRECTS = {
    "chain-a": "chain-b",
    "chain-b": "linux-40",
    "gone": "old-39",
    "moved": "alternates",
    "latest-source": "linux-source-40",
}


def contract_tables() -> Tables:
    """Return the rows of the contract's database."""
    tables = world()
    _add_hosts(tables)
    _add_directories(tables)
    _add_repositories(tables)
    tables["file_detail"] += _file_details()
    tables["host_netblock"] += [
        {"id": 10 + place, "host_id": id, "netblock": netblock}
        for place, (id, netblock) in enumerate(_NETBLOCKS)
    ]
    tables["host_peer_asn"] = [
        {"id": id, "host_id": host_id, "asn": asn}
        for id, (host_id, asn) in enumerate([(16, 64510), (16, 64511), (17, 64511)], 1)
    ]
    tables["host_country_allowed"] = [
        {"id": id, "host_id": host_id, "country": country}
        for id, (host_id, country) in enumerate([(18, "JP"), (19, "de"), (19, "FR")], 1)
    ]
    tables["netblock_country"] = [
        {"id": id, "netblock": netblock, "country": country}
        for id, (netblock, country) in enumerate(
            [
                ("junk", "DE"),
                ("203.0.113.0/24", "jp"),
                ("203.0.113.129/25", "BR"),
                ("198.18.5.0/255.255.255.0", "AU"),
                ("198.18.6.1", "ZA"),
            ],
            1,
        )
    ]
    tables["country_continent_redirect"] = [{"id": 1, "country": "TR", "continent": "EU"}]
    return tables


def contract_world(folder: Path) -> Snapshot:
    """Export the contract's database with its ASN file and open the snapshot."""
    folder.mkdir(parents=True, exist_ok=True)
    asn = folder / "asn.txt"
    asn.write_text(ASN_LINES)
    snapshot, _ = export_tables(folder, contract_tables(), asn=asn, allow_wide=True)
    return snapshot


def _add_hosts(tables: Tables) -> None:
    for id, changes in _HOSTS.items():
        tables["site"].append(site(id, **_SITES.get(id, {})))
        tables["host"].append(host(id, **changes))
        category, path = (2, "epel") if id == 24 else (1, "linux")
        tables["host_category"].append(_host_category(id, category))
        for number, protocol in enumerate(_PROTOCOLS.get(id, ["http", "https", "rsync"])):
            _add_url(tables, id, number, f"{protocol}://host{id}.example/{path}", id == 32)
    _add_url(tables, 24, 0, "https://host24.example/epel", False)
    _add_url(tables, 31, 0, "http://host31.example/get&go/linux", False)


def _host_category(id: int, category: int) -> Row:
    # Host 24 is never crawled, and needs no crawl.
    always = id == 24
    row = {"host_id": id, "category_id": category, "always_up2date": always}
    return {"id": 10 * id + 1, **row}


def _add_url(tables: Tables, id: int, number: int, url: str, private: bool) -> None:
    row: dict[str, Any] = {"host_category_id": 10 * id + 1, "url": url, "private": private}
    tables["host_category_url"].append({"id": 10000 + 10 * id + number, **row})


def _add_directories(tables: Tables) -> None:
    for id, (path, carriers) in _DIRECTORIES.items():
        in_category = not path.startswith("elsewhere")
        name = f"{_LINUX}/{path}" if in_category else f"pub/{path}"
        tables["directory"].append({"id": id, "name": name, "ctime": 1000 + id})
        if in_category:
            tables["category_directory"].append({"category_id": 1, "directory_id": id})
        tables["host_category_dir"] += [
            {"host_category_id": 10 * carrier + 1, "directory_id": id, "path": path}
            for carrier in carriers
        ]
    # Crawled here once, and lagging since.
    lagging = {"host_category_id": 10 * 8 + 1, "directory_id": 11, "path": "many"}
    tables["host_category_dir"].append({**lagging, "up2date": False})


def _add_repositories(tables: Tables) -> None:
    tables["arch"].append({"id": 3, "name": "aarch64"})
    tables["repository"] += [
        {
            "id": 10 + place,
            "name": f"{prefix} repository",
            "prefix": prefix,
            "arch_id": arch,
            "version_id": 1,
            "directory_id": directory,
            "disabled": False,
        }
        for place, (prefix, (arch, directory)) in enumerate(_REPOSITORIES.items())
    ]
    # One arch of a disabled prefix is not disabled itself.
    tables["repository"].append(
        {**tables["repository"][2], "id": 9, "name": "old, other arch", "arch_id": 3}
    )
    tables["repository"][-1]["disabled"] = False
    tables["repository_redirect"] += [
        {"id": 10 + place, "from_repo": source, "to_repo": target}
        for place, (source, target) in enumerate(_REDIRECTS.items())
    ]


def _file_details() -> list[Row]:
    boots = [file_detail(100 + id, id, filename=BOOT) for id in range(10, 21)]
    only_sha256 = {"md5": None, "sha1": None, "sha512": ""}
    alternates = [
        file_detail(200, 28, timestamp=1000, size=10, sha256="aa" * 32),
        file_detail(201, 28, timestamp=3000, size=30, sha256="cc" * 32),
        file_detail(202, 28, timestamp=2000, size=0, sha256="bb" * 32, sha512=None),
    ]
    return [
        *boots,
        *alternates,
        file_detail(300, 22),
        file_detail(301, 23),
        file_detail(302, 30, timestamp=0, size=None, sha256=SHA256, **only_sha256),
        file_detail(303, 31),
        file_detail(304, 34),
        file_detail(305, 16, filename='lib<std>c++ & "co".rpm'),
    ]
