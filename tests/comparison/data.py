"""The data of the comparison: a small MirrorManager database that mirrorlist-server survives.

What the two treat differently on purpose has a directory of its own, so that all other requests
are equal. Beside it stands a twin that mirrorlist-server treats as we treat the first.
"""

from pathlib import Path

from snapshot.file.reader import Snapshot
from tests.comparison import network
from tests.factories import Row, Tables, export_tables, file_detail, host, site

IMAGE = "boot.iso"
TOPDIRS = {1: "pub/linux", 2: "pub/extras", 3: "pub/linux/nested", 4: ""}

# Name: country, bandwidth, protocols in the order of their ids, what else is changed.
HOSTS: dict[str, tuple[str, int, str, Row]] = {
    "de1": ("DE", 1000, "http https rsync", {}),
    "de2": ("de", 300, "https http", {"asn": 64505}),
    "de3": ("DE", 100, "http", {}),
    "fr1": ("FR", 800, "rsync http https", {}),
    "fr2": ("FR", 100, "http https", {}),
    "nl1": ("NL", 500, "https", {}),
    "gb1": ("GB", 500, "ftp http", {}),
    "pl1": ("PL", 200, "rsync", {}),
    "tr1": ("TR", 200, "http", {}),
    "us1": ("US", 900, "https http rsync", {"asn": 64507}),
    "us2": ("US", 200, "http https", {"internet2": True}),
    "ca1": ("CA", 300, "http https ftp", {}),
    "mx1": ("MX", 300, "http", {}),
    "br1": ("BR", 400, "http https", {"asn": 64507}),
    "ar1": ("AR", 100, "ftp", {}),
    "jp1": ("JP", 1000, "https http", {}),
    "jp2": ("JP", 250, "http rsync", {}),
    "cn1": ("CN", 600, "https", {}),
    "kr1": ("KR", 300, "http", {"asn": 64503, "asn_clients": False}),
    "au1": ("AU", 500, "http https", {}),
    "nz1": ("NZ", 150, "https", {}),
    "za1": ("ZA", 200, "http", {}),
    "none1": ("", 100, "http", {}),
    "p1": ("DE", 100, "http", {"private": True}),
    "p2": ("FR", 100, "https rsync", {"private": True}),
    "p3": ("US", 100, "rsync http", {"private": True, "internet2_clients": True}),
    "p4": ("JP", 100, "http", {}),
    "p5": ("US", 100, "https", {"private": True, "asn": 64500}),
    "off1": ("DE", 100, "http", {"admin_active": False, "asn": 64504}),
    "off2": ("DE", 100, "http", {}),
    # Each of these carries only what its difference needs.
    "r1": ("JP", 300, "http", {}),
    "r2": ("FR", 300, "http", {}),
    "r3": ("US", 300, "http", {}),
    "lu1": ("LU", 100, "", {}),
    "amp1": ("NL", 100, "http", {}),
    "slash1": ("NL", 100, "http", {}),
}
IDS = {name: id for id, name in enumerate(HOSTS, 1)}
_SITES: dict[str, Row] = {"p4": {"private": True}, "off2": {"user_active": False}}
_NETBLOCKS = (
    ("p1", "203.0.113.0/25"),
    ("p2", "203.0.113.64/26"),
    ("p3", "203.0.113.64/255.255.255.192"),
    ("de2", "203.0.113.70"),
    ("p1", "203.0.113.131/25"),
    ("p2", "203.0.113.200/29"),
    ("p1", "2001:db8:ff00::/40"),
    ("p2", "2001:db8:ff00::/48"),
    ("p3", "2001:db8:ff00:1::/64"),
    ("p4", "2001:db8:ff00:1::5"),
    ("off1", "203.0.113.0/24"),
    ("off2", "203.0.113.64/26"),
)
# One country can be allowed for one host only, by MirrorManager's own constraint.
ALLOWED = {"r1": ("JP",), "r2": ("FR", "BE"), "r3": ("CA",)}
ASN_HOSTS = {
    "64500": {"p5"},
    "64501": {"p5"},
    "64504": {"off1"},
    "64505": {"de2"},
    "64507": {"us1", "br1"},
}

_ODD = ("r1", "r2", "r3", "lu1", "amp1", "slash1")
_MOST = tuple(name for name in HOSTS if name not in _ODD)
_FEW = ("de1", "fr1", "nl1", "p1")

# Directories below pub/linux by path: the hosts that are up to date there.
_LINUX: dict[str, tuple[str, ...]] = {
    "": _MOST,
    "40/x86_64/os": tuple(name for name in _MOST if name not in ("fr2", "jp2")),
    "40/x86_64/os/repodata": tuple(name for name in _MOST if name not in ("fr2", "jp2")),
    "40/x86_64/iso": tuple(name for name in _MOST if name != "us1"),
    "40/aarch64/os": ("de1", "us1", "jp1", "p2", "p5"),
    "40/aarch64/os/repodata": ("de1", "us1", "jp1", "p2", "p5"),
    "40/source/tree": ("de1", "de2", "us2", "br1", "au1"),
    "40/source/tree/repodata": ("de1", "de2", "us2", "br1", "au1"),
    "updates/x86_64": tuple(name for name in _MOST if name not in ("de2", "cn1")),
    "updates/x86_64/repodata": tuple(name for name in _MOST if name not in ("de2", "cn1")),
    "four": (*_FEW, "tr1"),
    "five": (*_FEW, "tr1", "de3"),
    "rsync": ("pl1", "de1", "fr1", "jp2"),
    "private": ("p1", "p2", "p5"),
    "c++/libstdc++": ("de1", "us1", "jp1"),
    "sparse/repodata": ("de1", "us1", "jp1"),
    "bare": ("de1", "us1"),
    "nobody": (),
    "nobody/repodata": (),
    "with blank": ("de1", "us1"),
    "ümlaut": ("de1", "us1"),
    "upper/repodata": ("de1", "us1"),
    "amp": ("amp1", "de1", "us1"),
    "amp/repodata": ("amp1", "de1", "us1"),
    "slash": ("slash1", "us1", "br1"),
    "slash/repodata": ("slash1", "us1", "br1"),
    "lux": ("lu1", "us1", "jp1"),
    "lux-twin": ("us1", "jp1"),
    "limited": ("r1", "r2", "r3", "nl1", "us2"),
    **{
        f"limited-{twin}": (*(name for name in ("r1", "r2", "r3") if name == twin), "nl1", "us2")
        for twin in ("r1", "r2", "r3", "none")
    },
    "nested": (),
    "nested/a": ("de1", "us1", "jp1"),
    "nested/b": ("de1", "us1", "jp1"),
}
_EXTRAS = ("de1", "fr1", "us1", "us2", "jp1", "au1", "p1", "p5")
_NESTED = ("gb1", "mx1")
_DETAILS = ("40/x86_64/iso", "lux", "lux-twin", "nested/a", "nested/b", "c++/libstdc++")
_LIMITED = tuple(path for path in _LINUX if path.startswith("limited"))

# Prefix: arch, directory, disabled.
_REPOSITORIES: tuple[tuple[str, str, str | None, bool], ...] = (
    ("linux-40", "x86_64", "pub/linux/40/x86_64/os", False),
    ("linux-40", "aarch64", "pub/linux/40/aarch64/os", False),
    ("linux-source-40", "source", "pub/linux/40/source/tree", False),
    ("updates-40", "x86_64", "pub/linux/updates/x86_64", False),
    ("extras-9", "x86_64", "pub/extras/9/x86_64", False),
    ("sparse", "x86_64", "pub/linux/sparse/repodata", False),
    ("upper", "x86_64", "pub/linux/upper/repodata", False),
    ("old-39", "x86_64", "pub/linux/five", True),
    ("old-39", "aarch64", "pub/linux/four", False),
    ("bare", "x86_64", "pub/linux/bare", False),
    ("nobody", "x86_64", "pub/linux/nobody", False),
    ("outside", "x86_64", "pub/outside", False),
    ("blank", "x86_64", "pub/linux/with blank", False),
    ("umlaut", "x86_64", "pub/linux/ümlaut", False),
    ("amp", "x86_64", "pub/linux/amp", False),
    ("slash", "x86_64", "pub/linux/slash", False),
    ("homeless", "x86_64", None, True),
    ("c++", "x86_64", "pub/linux/c++/libstdc++", False),
)
_REDIRECTS = (
    ("linux-latest", "linux-40"),
    ("linux-stable", "linux-latest"),
    ("old", "old-39"),
    ("old-39-again", "linux-40"),
    ("bare", "linux-40"),
    ("latest-source", "linux-source-40"),
    ("lost", "nowhere"),
    ("broken", None),
)
_ARCHES = ("x86_64", "aarch64", "source")


def tables() -> Tables:
    """Return the rows of all tables."""
    names = _directory_names()
    directories = {name: id for id, name in enumerate(names, 1)}
    return {
        "site": [site(id, **_SITES.get(name, {})) for name, id in IDS.items()],
        "host": [_host(name) for name in HOSTS],
        "directory": [{"id": id, "name": name, "ctime": 1} for name, id in directories.items()],
        "category": [
            {"id": id, "name": f"category {id}", "topdir_id": directories[topdir]}
            for id, topdir in TOPDIRS.items()
        ],
        "category_directory": list(_category_directories(directories)),
        "arch": [{"id": id, "name": name} for id, name in enumerate(_ARCHES, 1)],
        "version": [{"id": 1, "name": "40"}],
        "repository": _repositories(directories),
        "repository_redirect": [{"from_repo": old, "to_repo": new} for old, new in _REDIRECTS],
        "file_detail": _file_details(directories),
        "host_netblock": [{"host_id": IDS[name], "netblock": text} for name, text in _NETBLOCKS],
        "host_peer_asn": [{"host_id": IDS["p5"], "asn": 64501}],
        "host_country_allowed": [
            {"host_id": IDS[name], "country": code}
            for name, codes in ALLOWED.items()
            for code in codes
        ],
        "netblock_country": [
            {"netblock": text, "country": code} for text, code in network.NETBLOCK_COUNTRY
        ],
        "country_continent_redirect": [
            {"country": code, "continent": continent}
            for code, continent in network.CONTINENT_REDIRECTS
        ],
        **_carried(directories),
    }


def export_data(folder: Path) -> tuple[Snapshot, Path]:
    """Write the snapshot and the files beside it by SQLite; return it with the GeoIP file."""
    folder.mkdir(parents=True, exist_ok=True)
    geoip, asns, continents = network.write_files(folder)
    snapshot, _ = export_tables(folder, tables(), asn=asns, country_continent=continents)
    return snapshot, geoip


def _directory_names() -> list[str]:
    linux = [f"pub/linux/{path}".rstrip("/") for path in _LINUX]
    extras = ["pub/extras", "pub/extras/9/x86_64", "pub/extras/9/x86_64/repodata"]
    return [*linux, *extras, "pub/outside", "pub/outside/repodata", ""]


def _host(name: str) -> Row:
    country, bandwidth, _, changes = HOSTS[name]
    row = host(IDS[name], country=country, bandwidth_int=bandwidth, **changes)
    return {**row, "name": f"{name}.example"}


def _category_directories(directories: dict[str, int]) -> list[Row]:
    pairs = []
    for name, id in directories.items():
        if name.startswith("pub/linux/nested"):
            # mirrorlist-server takes the first row: for one directory the outer category, for the
            # other the inner one, as we do for both.
            both = [1, 3] if name.endswith("/a") else [3, 1]
            pairs += [(category, id) for category in both]
        elif name.startswith("pub/linux"):
            pairs.append((1, id))
        elif name.startswith("pub/extras"):
            pairs.append((2, id))
        elif not name:
            pairs.append((4, id))
    return [{"category_id": category, "directory_id": id} for category, id in pairs]


def _repositories(directories: dict[str, int]) -> list[Row]:
    rows: list[Row] = [
        {
            "name": f"{prefix}-{arch}",
            "prefix": prefix,
            "arch_id": _ARCHES.index(arch) + 1,
            "version_id": 1,
            "directory_id": directory and directories[directory],
            "disabled": disabled,
        }
        for prefix, arch, directory, disabled in _REPOSITORIES
    ]
    without = {**rows[0], "name": "no version", "prefix": "timeless", "version_id": None}
    return [*rows, without]


def _file_details(directories: dict[str, int]) -> list[Row]:
    def at(path: str) -> int:
        return directories[f"pub/linux/{path}/repodata"]

    plain = [name for name in directories if name.endswith("/repodata")]
    special = {at("updates/x86_64"), at("sparse"), at("upper")}
    rows = [
        file_detail(id, id) for id in (directories[name] for name in plain) if id not in special
    ]
    only = {"md5": None, "sha1": None, "sha512": None}
    images = [directories[f"pub/linux/{path}"] for path in (*_DETAILS, *_LIMITED)]
    rows += [
        file_detail(1000 + id, id, filename=IMAGE, timestamp=7, size=7, **only) for id in images
    ]
    updates, sparse, upper = at("updates/x86_64"), at("sparse"), at("upper")
    return [
        *rows,
        file_detail(2000, updates, timestamp=1000, sha256="aa" * 32, **only),
        file_detail(2001, updates, timestamp=3000, sha256="cc" * 32, **only),
        file_detail(2002, updates, timestamp=2000, sha256="bb" * 32, md5="dd" * 16, sha1=""),
        file_detail(2003, sparse, timestamp=None, size=None, **only),
        file_detail(2004, sparse, timestamp=0, size=0, sha256=None, md5="ee" * 16, sha1=None),
        file_detail(2005, upper, sha256="AB" * 32, **only),
    ]


def _carried(directories: dict[str, int]) -> Tables:
    found: Tables = {"host_category": [], "host_category_url": [], "host_category_dir": []}
    carriers = {f"pub/linux/{path}".rstrip("/"): names for path, names in _LINUX.items()}
    for name, host_id in IDS.items():
        _carry(found, name, 10 * host_id + 1, 1, False)
        found["host_category_dir"] += [
            {
                "host_category_id": 10 * host_id + 1,
                "directory_id": directories[directory],
                "path": directory,
                # Crawled once, and lagging since.
                "up2date": name in names,
            }
            for directory, names in carriers.items()
            if name in names or name == "de3"
        ]
    for name in _EXTRAS:
        _carry(found, name, 10 * IDS[name] + 2, 2, True)
    for name in _NESTED:
        _carry(found, name, 10 * IDS[name] + 3, 3, True)
    _carry(found, "ca1", 10 * IDS["ca1"] + 4, 4, True)
    return found


def _carry(found: Tables, name: str, id: int, category: int, always: bool) -> None:
    found["host_category"].append(
        {"id": id, "host_id": IDS[name], "category_id": category, "always_up2date": always}
    )
    path = {1: "linux", 2: "extras", 3: "nested", 4: "all"}[category]
    path = {"amp1": "get&go/linux", "slash1": "linux/"}.get(name, path)
    protocols = HOSTS[name][2].split()
    urls = [(f"{protocol}://{name}.example/{path}", False) for protocol in protocols]
    urls.append((f"https://{name}.example/push/{path}", True))
    found["host_category_url"] += [
        {"id": 10 * id + place, "host_category_id": id, "url": url, "private": private}
        for place, (url, private) in enumerate(urls)
    ]
