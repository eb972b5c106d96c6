"""The demo's hosts: private, limited, inactive, stale and odd ones, all of them fictional."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address, ip_network

import pytest

from snapshot.demo import build_demo, demo_asn_lines
from tests.demo_queries import CARRIED, USABLE, column, one

DOCUMENTATION = [
    ip_network(text)
    for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
DOCUMENTATION_ASNS = {*range(64496, 64512), *range(65536, 65552)}
OS = "pub/fedora/linux/releases/43/Everything/x86_64/os"
RAWHIDE = "pub/fedora/linux/development/rawhide/Everything/x86_64/os"
UPDATES = "pub/fedora/linux/updates/43/Everything/x86_64"
UPDATES_44 = "pub/fedora/linux/updates/44/Everything/x86_64"
TESTING = "pub/fedora/linux/updates/testing/44/Everything/x86_64"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A connection to the demo's database."""
    path = tmp_path_factory.mktemp("demo") / "demo.sqlite"
    build_demo(path)
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def _asn_networks() -> list[tuple[str, int]]:
    return [(prefix, int(asn)) for prefix, asn in (line.split() for line in demo_asn_lines())]


@pytest.mark.parametrize(
    ("host", "netblocks"),
    [
        ("fedora.intern.uni-passau.example", ["192.0.2.0/26", "2001:db8:496::/48"]),
        ("pakete.nordwind.example", ["192.0.2.64/255.255.255.224"]),
        ("cache.buildfarm.example", ["192.0.2.100"]),
        ("espelho.paulista.example", ["192.0.2.160/28"]),
        ("linuxsoft.collider.example", ["2001:db8:541::1/48"]),
    ],
)
def test_private_hosts_with_netblocks(
    demo: sqlite3.Connection, host: str, netblocks: list[str]
) -> None:
    """Netblocks of private hosts come as CIDR, with a mask, as an address and with host bits."""
    found = demo.execute(
        "SELECT netblock, host.private OR site.private FROM host_netblock"
        " JOIN host ON host.id = host_id JOIN site ON site.id = site_id"
        " WHERE host.name = ? ORDER BY host_netblock.id",
        (host,),
    ).fetchall()
    assert found == [(netblock, 1) for netblock in netblocks]


def test_a_public_host_with_a_netblock_around_a_private_one(demo: sqlite3.Connection) -> None:
    """C3SL's netblock contains the university's, so the longer prefix decides."""
    query = "SELECT netblock FROM host_netblock JOIN host ON host.id = host_id WHERE host.name = ?"
    inner = ip_network(str(one(demo, query, "espelho.paulista.example")))
    outer = ip_network(str(one(demo, query, "fedora.c3sl.example")))
    assert inner != outer
    assert inner.network_address in outer
    assert one(demo, "SELECT private FROM host WHERE name = 'fedora.c3sl.example'") == 0


def test_a_private_site(demo: sqlite3.Connection) -> None:
    """One private site has a host that is not private itself."""
    query = "SELECT host.private FROM host JOIN site ON site.id = site_id WHERE site.private"
    assert one(demo, query) == 0


@pytest.mark.parametrize(
    ("host", "private", "asn", "asn_clients", "peers"),
    [
        ("mirror.prairie.example", 0, 64500, 1, []),
        ("depot.prairie.example", 1, None, 1, [64505]),
        ("fedora.hokuto.example", 1, 65540, 1, [65544]),
        ("linuxsoft.collider.example", 1, 65541, 0, []),
        ("mirror.deccan.example", 0, None, 1, [65545]),
    ],
)
def test_asns(
    demo: sqlite3.Connection,
    host: str,
    private: int,
    asn: int | None,
    asn_clients: int,
    peers: list[int],
) -> None:
    """Hosts have an ASN, peer ASNs, both or neither; one does not serve its ASN."""
    found = demo.execute("SELECT private, asn, asn_clients FROM host WHERE name = ?", (host,))
    assert found.fetchall() == [(private, asn, asn_clients)]
    query = "SELECT host_peer_asn.asn FROM host_peer_asn JOIN host ON host.id = host_id"
    assert column(demo, f"{query} WHERE host.name = ?", host) == peers


@pytest.mark.parametrize(
    ("host", "flag"),
    [
        ("mirror.thames-mirror.example", "host.admin_active"),
        ("mirror.oldcolony.example", "host.user_active"),
        ("mirrors.tejo.example", "site.admin_active"),
        ("fedora.lyonix.example", "site.user_active"),
    ],
)
def test_inactive_hosts(demo: sqlite3.Connection, host: str, flag: str) -> None:
    """Each of the four flags makes one host inactive."""
    query = f"SELECT host.name FROM host JOIN site ON site.id = site_id WHERE NOT {flag}"
    assert one(demo, query) == host


def test_always_up_to_date_hosts_are_not_crawled(demo: sqlite3.Connection) -> None:
    """The Fedora Project's own hosts count as up to date, with no directory of theirs crawled."""
    query = "SELECT DISTINCT host.name FROM host JOIN host_category ON host_id = host.id"
    hosts = column(demo, f"{query} WHERE always_up2date ORDER BY host.id")
    assert hosts == ["dl.fedora.example", "cdn.fedora.example", "codecs.fedora.example"]
    assert column(demo, f"{CARRIED} WHERE always_up2date") == []


@pytest.mark.parametrize(
    ("host", "stale", "fresh"),
    [
        ("mirror.northcountry.example", TESTING, UPDATES),
        ("fedora.redes.example", UPDATES, OS),
        ("mirror2.hanse.example", RAWHIDE, UPDATES),
        ("fedora.altiplano.example", UPDATES_44, UPDATES),
        ("mirror.deccan.example", UPDATES, OS),
        ("mirror.andes.example", OS, None),
    ],
)
def test_stale_subtrees(demo: sqlite3.Connection, host: str, stale: str, fresh: str | None) -> None:
    """Hosts are outdated on a whole subtree, or on everything, and up to date elsewhere."""
    query = f"{CARRIED} WHERE host.name = ? AND up2date = ?"
    outdated, current = column(demo, query, host, 0), column(demo, query, host, 1)
    assert {stale, f"{stale}/repodata", f"{stale}/Packages/k"} <= set(outdated)
    assert fresh in current if fresh else current == []


def test_some_hosts_lack_subtrees(demo: sqlite3.Connection) -> None:
    """A host that excludes a subtree has no rows for it."""
    query = f"{CARRIED} WHERE host.name = 'mirror.savanna.example' AND directory.name LIKE ?"
    assert column(demo, query, "%/development/%") == []
    assert column(demo, query, "%/updates/%") != []


def test_hosts_carry_whole_categories(demo: sqlite3.Connection) -> None:
    """A host that lacks nothing has a row for each readable directory of its categories."""
    listed = """
        SELECT count(*) FROM category_directory JOIN category ON category.id = category_id
        JOIN directory ON directory.id = directory_id
        WHERE readable AND category.name IN ('Fedora Linux', 'Fedora EPEL')
    """
    carried = f"SELECT count(*) FROM ({CARRIED} WHERE host.name = 'mirror.cascadia.example')"
    assert one(demo, carried) == one(demo, listed)


def test_paths_are_the_crawlers(demo: sqlite3.Connection) -> None:
    """A path is what follows the topdir, with its slash; the topdir's own path is empty."""
    where = "WHERE host.name = 'ftp.jaist.example' AND category.name = 'Fedora Linux'"
    rows = demo.execute(f"{CARRIED} {where}").fetchall()
    assert rows[0][2] == ""
    assert all(name == f"pub/fedora/linux{path}" for name, _, path in rows)


@pytest.mark.parametrize(
    ("host", "protocols"),
    [
        ("mirror.uni-passau.example", "https http rsync"),
        ("mirror.hanse.example", "https"),
        ("fedora.pampa.example", "http"),
        ("rsync.redes.example", "rsync"),
        ("ftp.maple.example", "ftp http"),
        ("mirror.moravia.example", ""),
        ("staging.polder.example", ""),
    ],
)
def test_protocols(demo: sqlite3.Connection, host: str, protocols: str) -> None:
    """Hosts have public URLs of several protocols, of one, or none."""
    urls = column(
        demo,
        "SELECT url FROM host_category_url url JOIN host_category hc ON hc.id = host_category_id"
        " JOIN host ON host.id = host_id JOIN category ON category.id = category_id"
        " WHERE host.name = ? AND category.name = 'Fedora Linux' AND NOT url.private"
        " ORDER BY url.id",
        host,
    )
    assert " ".join(str(url).partition(":")[0] for url in urls) == protocols


def test_private_urls(demo: sqlite3.Connection) -> None:
    """Some URLs are private; one host has no other."""
    urls = column(demo, "SELECT url FROM host_category_url WHERE private ORDER BY url")
    assert urls == [
        "rsync://mirror.uni-passau.example/fedora-push",
        "rsync://staging.polder.example/fedora",
    ]


@pytest.mark.parametrize(
    ("host", "countries"),
    [("mirrors.jianghan.example", ["CN"]), ("metered.southerncross.example", ["AU", "NZ"])],
)
def test_allowed_countries(demo: sqlite3.Connection, host: str, countries: list[str]) -> None:
    """Two hosts are for some countries only."""
    query = """
        SELECT allowed.country FROM host_country_allowed allowed JOIN host ON host.id = host_id
        WHERE host.name = ? ORDER BY allowed.country
    """
    assert column(demo, query, host) == countries


def test_a_country_in_lower_case(demo: sqlite3.Connection) -> None:
    """One usable host has its country in lower case, as old rows do."""
    query = f"SELECT name FROM ({USABLE}) AS usable WHERE id IN (SELECT id FROM host"
    assert one(demo, f"{query} WHERE country = 'nl')") == "mirror.polder.example"


def test_names_are_nobodys(demo: sqlite3.Connection) -> None:
    """Every host's and URL's name ends in `.example`."""
    names = [str(name) for name in column(demo, "SELECT name FROM host")]
    urls = [str(url) for url in column(demo, "SELECT url FROM host_category_url")]
    names += [url.rpartition("://")[2].partition("/")[0] for url in urls]
    assert [name for name in names if not name.endswith(".example")] == []


@pytest.mark.parametrize("source", ["host_netblock", "netblock_country", "asn file"])
def test_addresses_are_nobodys(demo: sqlite3.Connection, source: str) -> None:
    """All networks but the deliberately broken one lie in the documentation ranges."""
    if source == "asn file":
        texts = [prefix for prefix, _ in _asn_networks()]
    else:
        texts = [str(text) for text in column(demo, f"SELECT netblock FROM {source}")]
    addresses = [
        ip_address(text.partition("/")[0]) for text in texts if not text.startswith("not ")
    ]
    assert addresses
    assert all(any(address in network for network in DOCUMENTATION) for address in addresses)


def test_asns_are_nobodys(demo: sqlite3.Connection) -> None:
    """All ASNs are documentation numbers, and the ASN file has a prefix for each in use."""
    used = set(column(demo, "SELECT asn FROM host WHERE asn IS NOT NULL"))
    used |= set(column(demo, "SELECT asn FROM host_peer_asn"))
    listed = {asn for _, asn in _asn_networks()}
    assert used < listed <= DOCUMENTATION_ASNS


def test_asn_file_has_holes(demo: sqlite3.Connection) -> None:
    """A prefix of an ASN with hosts has a longer one inside that is an ASN's without any."""
    used = set(column(demo, "SELECT asn FROM host WHERE asn IS NOT NULL"))
    used |= set(column(demo, "SELECT asn FROM host_peer_asn"))
    assert ("198.51.100.0/24", 64500) in _asn_networks()
    assert ("198.51.100.128/26", 64510) in _asn_networks()
    assert 64500 in used
    assert 64510 not in used


def test_asn_lines_are_networks_without_repeats() -> None:
    """Each line names a network once, with no host bits."""
    networks = [ip_network(prefix) for prefix, _ in _asn_networks()]
    assert len(networks) == len(set(networks))


def test_countries_of_netblocks(demo: sqlite3.Connection) -> None:
    """Documentation addresses, which GeoIP does not know, stand for clients of five countries."""
    rows = demo.execute("SELECT netblock, country FROM netblock_country ORDER BY id").fetchall()
    assert rows == [
        ("203.0.113.128/25", "NZ"),
        ("203.0.113.192/255.255.255.192", "CL"),
        ("2001:db8:49::/48", "DE"),
        ("2001:db8:55::/48", "BR"),
        ("2001:db8:81::/48", "JP"),
    ]


def test_continents_of_countries(demo: sqlite3.Connection) -> None:
    """Turkey counts for Europe, and the pseudo countries of GeoIP data have a continent."""
    rows = demo.execute("SELECT country, continent FROM country_continent_redirect ORDER BY id")
    assert rows.fetchall() == [("TR", "EU"), ("AP", "AS"), ("EU", "EU")]


def test_unusable_rows(demo: sqlite3.Connection) -> None:
    """Three rows cannot be used: a netblock, a host without a site, a URL without a scheme."""
    netblocks = column(demo, "SELECT netblock FROM host_netblock WHERE netblock LIKE 'not %'")
    urls = column(demo, "SELECT url FROM host_category_url WHERE url NOT LIKE '%://%'")
    assert netblocks == ["not a netblock/99"]
    assert urls == ["mirrors.kernel-labs.example/fedora/linux"]
    assert one(demo, "SELECT name FROM host WHERE site_id IS NULL") == "orphan.example"
