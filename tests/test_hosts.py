"""The rules for hosts, categories and URLs: who may be offered, and where."""

from pathlib import Path
from typing import Any

import pytest

from snapshot.file.model import Inactive, LeftOut
from snapshot.file.reader import Snapshot
from tests.factories import Row, edited, export_tables, host, site, world

Edit = tuple[str, int | None, Row]

LINUX, EPEL = "pub/linux/40/x86_64/os", "pub/epel/9/x86_64"
# Host 7 is inactive, 8 has nothing up to date; 1 alone carries EPEL.
CARRY_LINUX = {1, 2, 3, 4, 5, 6, 9}
ADMIN, USER, SITE_ADMIN, SITE_USER = Inactive


def offered(snapshot: Snapshot, directory: str) -> set[int]:
    """Return the ids of the hosts that may be offered for a directory."""
    index = snapshot.find_directory(directory)
    assert index is not None
    host_set = snapshot.directory(index).host_set
    assert host_set is not None
    return {snapshot.hosts[host].id for host in snapshot.host_set(host_set)}


def urls(snapshot: Snapshot, host_id: int) -> tuple[str, ...]:
    """Return the public URLs under which a host has the category Linux."""
    hosts = {snapshot.hosts[host.host].id: host.urls for host in snapshot.categories[0].hosts}
    return hosts[host_id]


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        pytest.param([], {"name": "host1.example", "site": "site 1"}, id="names"),
        pytest.param([("site", 1, {"name": "a\nb"})], {"site": "a?b"}, id="line feed in a name"),
        pytest.param([("host", 1, {"site_id": 2})], {"site": "site 2"}, id="site by id"),
        pytest.param([], {"inactive": 0, "private": False, "bandwidth": 100}, id="by default"),
        pytest.param([("host", 1, {"admin_active": False})], {"inactive": ADMIN}, id="host admin"),
        pytest.param([("host", 1, {"user_active": False})], {"inactive": USER}, id="host user"),
        pytest.param(
            [("site", 1, {"admin_active": False})], {"inactive": SITE_ADMIN}, id="site admin"
        ),
        pytest.param(
            [("site", 1, {"user_active": False})], {"inactive": SITE_USER}, id="site user"
        ),
        pytest.param(
            [
                ("host", 1, {"admin_active": False, "user_active": False}),
                ("site", 1, {"admin_active": False, "user_active": False}),
            ],
            {"inactive": 15},
            id="all four flags",
        ),
        pytest.param(
            [("site", 2, {"admin_active": False})], {"inactive": 0}, id="another host's site"
        ),
        pytest.param([("host", 1, {"private": True})], {"private": True}, id="private host"),
        pytest.param([("site", 1, {"private": True})], {"private": True}, id="private site"),
        pytest.param([("host", 1, {"bandwidth_int": None})], {"bandwidth": 100}, id="no bandwidth"),
        pytest.param([("host", 1, {"bandwidth_int": 0})], {"bandwidth": 1}, id="bandwidth 0"),
        pytest.param([("host", 1, {"bandwidth_int": -7})], {"bandwidth": 1}, id="bandwidth -7"),
        pytest.param([("host", 1, {"bandwidth_int": 1})], {"bandwidth": 1}, id="least bandwidth"),
        pytest.param(
            [("host", 1, {"bandwidth_int": 10000})], {"bandwidth": 10000}, id="most bandwidth"
        ),
        pytest.param(
            [("host", 1, {"bandwidth_int": 10001})], {"bandwidth": 10000}, id="more than most"
        ),
        pytest.param([("host", 1, {"country": " at "})], {"country": "AT"}, id="country"),
        pytest.param([("host", 1, {"country": ""})], {"country": ""}, id="empty country"),
        pytest.param([("host", 1, {"asn": 64500})], {"asns": (64500,)}, id="ASN"),
        pytest.param([("host", 1, {"asn": None})], {"asns": ()}, id="no ASN"),
        pytest.param(
            [("host", 1, {"asn": 64500, "asn_clients": False})], {"asns": ()}, id="no ASN clients"
        ),
        pytest.param([("host", 1, {"asn": (1 << 32) - 1})], {"asns": (4294967295,)}, id="last ASN"),
        pytest.param(
            [
                ("host", 1, {"asn": 64500}),
                ("host_peer_asn", None, {"id": 1, "host_id": 1, "asn": 64499}),
                ("host_peer_asn", None, {"id": 2, "host_id": 1, "asn": 64501}),
                ("host_peer_asn", None, {"id": 3, "host_id": 2, "asn": 64502}),
                ("host_peer_asn", None, {"id": 4, "host_id": 1, "asn": 64500}),
            ],
            {"asns": (64499, 64500, 64501)},
            id="peer ASNs",
        ),
        pytest.param(
            [("host_peer_asn", None, {"id": 1, "host_id": 1, "asn": 64499})],
            {"asns": (64499,)},
            id="peer ASN alone",
        ),
        pytest.param(
            [
                ("host", 1, {"asn_clients": False}),
                ("host_peer_asn", None, {"id": 1, "host_id": 1, "asn": 64499}),
            ],
            {"asns": ()},
            id="peer ASN without ASN clients",
        ),
        pytest.param([], {"countries_allowed": ()}, id="every country allowed"),
        pytest.param(
            [
                ("host_country_allowed", None, {"id": 1, "host_id": 1, "country": "us"}),
                ("host_country_allowed", None, {"id": 2, "host_id": 1, "country": "CA "}),
                ("host_country_allowed", None, {"id": 3, "host_id": 2, "country": "MX"}),
            ],
            {"countries_allowed": ("CA", "US")},
            id="countries allowed",
        ),
    ],
)
def test_a_host(tmp_path: Path, edits: list[Edit], expected: dict[str, Any]) -> None:
    """Host 1 is what its own row, its site and its ASNs and countries say."""
    snapshot, result = export_tables(tmp_path, edited(*edits))
    found = snapshot.hosts[0]
    assert found.id == 1
    assert {name: getattr(found, name) for name in expected} == expected
    assert result.left_out == ()


def test_hosts_are_sorted_by_id(tmp_path: Path) -> None:
    """All hosts with a site are there by rising id, inactive ones too."""
    tables = edited(("host", None, host(4000)), ("site", None, site(4000)))
    snapshot, _ = export_tables(tmp_path, {**tables, "host": tables["host"][::-1]})
    assert [one.id for one in snapshot.hosts] == [*range(1, 10), 4000]
    assert [one.id for one in snapshot.hosts if one.inactive] == [7]


UP2DATE: Row = {"host_category_id": 81, "directory_id": 2, "path": "x", "up2date": True}
# Host 8 carries EPEL as well, and there it is up to date with a directory of Linux: nonsense.
EPEL_OF_8: list[Edit] = [
    ("host_category", None, {"id": 82, "host_id": 8, "category_id": 2}),
    (
        "host_category_url",
        None,
        {"id": 820, "host_category_id": 82, "url": "http://host8.example/epel"},
    ),
]


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        pytest.param([], CARRY_LINUX, id="the small world"),
        pytest.param([("host", 1, {"admin_active": False})], CARRY_LINUX - {1}, id="host admin"),
        pytest.param([("host", 1, {"user_active": False})], CARRY_LINUX - {1}, id="host user"),
        pytest.param([("site", 1, {"admin_active": False})], CARRY_LINUX - {1}, id="site admin"),
        pytest.param([("site", 1, {"user_active": False})], CARRY_LINUX - {1}, id="site user"),
        pytest.param([("host", 1, {"private": True})], CARRY_LINUX, id="private host stays"),
        pytest.param([("site", 1, {"private": True})], CARRY_LINUX, id="private site stays"),
        pytest.param([("host", 7, {"user_active": True})], CARRY_LINUX | {7}, id="active again"),
        pytest.param([("host_category_dir", None, UP2DATE)], CARRY_LINUX | {8}, id="up to date"),
        pytest.param(
            [("host_category_dir", None, {**UP2DATE, "up2date": False})],
            CARRY_LINUX,
            id="not up to date",
        ),
        pytest.param(
            [("host_category_dir", None, {**UP2DATE, "directory_id": 3})],
            CARRY_LINUX,
            id="up to date elsewhere",
        ),
        pytest.param(
            [
                ("host_category_dir", None, {**UP2DATE, "path": ""}),
                ("host_category_dir", None, {**UP2DATE, "path": "/x"}),
                ("host_category_dir", None, UP2DATE),
            ],
            CARRY_LINUX | {8},
            id="the same directory under three paths",
        ),
        pytest.param(
            [
                ("host_category_dir", None, {**UP2DATE, "path": "", "up2date": False}),
                ("host_category_dir", None, UP2DATE),
            ],
            CARRY_LINUX | {8},
            id="up to date under one path of two",
        ),
        pytest.param(
            [("host_category_dir", None, {**UP2DATE, "path": None})],
            CARRY_LINUX | {8},
            id="up to date without a path",
        ),
        pytest.param(
            [("host_category", 81, {"always_up2date": True})],
            CARRY_LINUX | {8},
            id="always up to date",
        ),
        pytest.param(
            [("host_category", 71, {"always_up2date": True})],
            CARRY_LINUX,
            id="inactive but always up to date",
        ),
        pytest.param(
            [*EPEL_OF_8, ("host_category_dir", None, {**UP2DATE, "host_category_id": 82})],
            CARRY_LINUX,
            id="up to date in another category",
        ),
        pytest.param(
            [*EPEL_OF_8, ("host_category", 82, {"always_up2date": True})],
            CARRY_LINUX,
            id="always up to date in another category",
        ),
        pytest.param(
            [("host_category_dir", None, {**UP2DATE, "host_category_id": 999})],
            CARRY_LINUX,
            id="up to date on nobody",
        ),
        pytest.param(
            [("host_category_url", id, {"private": True}) for id in (110, 111, 112)],
            CARRY_LINUX - {1},
            id="private URLs only",
        ),
        pytest.param(
            [("host_category_url", id, {"private": True}) for id in (110, 111)],
            CARRY_LINUX,
            id="one public URL",
        ),
        pytest.param(
            [("host_category_url", id, {"host_category_id": 11}) for id in (210, 211, 212)],
            CARRY_LINUX - {2},
            id="no URLs",
        ),
    ],
)
def test_who_may_be_offered(tmp_path: Path, edits: list[Edit], expected: set[int]) -> None:
    """Only active hosts with a public URL that are up to date, or always are, may be offered."""
    snapshot, _ = export_tables(tmp_path, edited(*edits))
    assert offered(snapshot, LINUX) == expected


def test_categories_have_hosts_of_their_own(tmp_path: Path) -> None:
    """A host is offered in the categories it has, and always up to date holds for one of them."""
    snapshot, _ = export_tables(tmp_path, edited(*EPEL_OF_8))
    assert offered(snapshot, EPEL) == {1}
    always: Edit = ("host_category", 82, {"always_up2date": True})
    snapshot, _ = export_tables(tmp_path, edited(*EPEL_OF_8, always))
    assert offered(snapshot, EPEL) == {1, 8}
    assert [one.always_up2date for one in snapshot.categories[1].hosts] == [False, True]


def test_categories(tmp_path: Path) -> None:
    """Categories come by rising id with name, topdir and all their hosts by rising index."""
    snapshot, _ = export_tables(tmp_path, world())
    assert [(one.id, one.name, one.topdir) for one in snapshot.categories] == [
        (1, "Linux", "pub/linux"),
        (2, "EPEL", "pub/epel"),
    ]
    members = [[member.host for member in one.hosts] for one in snapshot.categories]
    assert members == [list(range(9)), [0]]


def test_a_category_that_nobody_has(tmp_path: Path) -> None:
    """A category without hosts is exported, its directories with an empty host set."""
    tables = world()
    kept = [row for row in tables["host_category"] if row["category_id"] == 1]
    urls = [row for row in tables["host_category_url"] if row["host_category_id"] != 12]
    changed = {**tables, "host_category": kept, "host_category_url": urls}
    snapshot, result = export_tables(tmp_path, changed)
    assert snapshot.categories[1].hosts == ()
    assert offered(snapshot, EPEL) == set()
    assert result.left_out == ()


def test_no_hosts_at_all(tmp_path: Path) -> None:
    """A database whose tables have no rows gives a snapshot with nothing but continents."""
    snapshot, result = export_tables(tmp_path, {})
    assert set(result.counts.values()) == {0}
    assert snapshot.continents["DE"] == "EU"


def test_urls_in_the_order_of_their_ids(tmp_path: Path) -> None:
    """URLs stand in the order of their ids, however they are stored and spelled."""
    tables = edited(("host_category_url", 110, {"url": "https://zzz.example"}))
    tables["host_category_url"].reverse()
    snapshot, _ = export_tables(tmp_path, tables)
    host1 = "host1.example/linux"
    assert urls(snapshot, 1) == ("https://zzz.example", f"https://{host1}", f"rsync://{host1}")


def test_private_urls_are_left_out(tmp_path: Path) -> None:
    """A private URL is not in the snapshot, nor is that a reason for a report."""
    edit: Edit = ("host_category_url", 111, {"private": True, "url": "https://secret.example"})
    snapshot, result = export_tables(tmp_path, edited(edit))
    assert [url.partition(":")[0] for url in urls(snapshot, 1)] == ["http", "rsync"]
    assert b"secret" not in Path(snapshot.path).read_bytes()
    assert result.left_out == ()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("", "URL without scheme or host", id="empty"),
        pytest.param("host.example/linux", "URL without scheme or host", id="no scheme"),
        pytest.param("//host.example/linux", "URL without scheme or host", id="relative"),
        pytest.param("http://", "URL without scheme or host", id="no host"),
        pytest.param("http:///linux", "URL without scheme or host", id="empty host"),
        pytest.param("http://a.example/\nhttp://b", "URL has a control character", id="line feed"),
        pytest.param("http://a.example\x85", "URL has a control character", id="next line"),
        pytest.param("http://a.example/ x", "URL with a blank in it", id="blank"),
        pytest.param(
            "https://host1.example/linux//",
            "the same URL as an earlier one once cleaned",
            id="again",
        ),
    ],
)
def test_bad_urls(tmp_path: Path, url: str, reason: str) -> None:
    """A URL that no client can use is left out and reported; the others stay."""
    edit: Edit = ("host_category_url", 112, {"url": url})
    snapshot, result = export_tables(tmp_path, edited(edit))
    assert [one.partition(":")[0] for one in urls(snapshot, 1)] == ["http", "https"]
    assert result.left_out == (LeftOut("host_category_url", 112, reason),)
    assert snapshot.report.left_out == result.left_out


def test_cleaned_urls(tmp_path: Path) -> None:
    """Surrounding blanks and trailing slashes of a URL go."""
    edit: Edit = ("host_category_url", 110, {"url": " \tftp://a.example/x// "})
    snapshot, result = export_tables(tmp_path, edited(edit))
    assert urls(snapshot, 1)[0] == "ftp://a.example/x"
    assert result.left_out == ()
