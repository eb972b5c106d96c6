"""A row that cannot be used is left out and reported; it never stops an export."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from snapshot.export.asn_netblocks import AsnNetblocks
from snapshot.export.assemble import Inputs, finish, prepare
from snapshot.export.continents import built_in_continents
from snapshot.export.database import parse_url, read_only
from snapshot.export.leftout import LeftOutRows
from snapshot.export.rows import SMALL, Rows
from snapshot.export.source import reading
from snapshot.file.model import LeftOut, SnapshotData
from snapshot.file.writer import encode
from tests.factories import Row, edited, export_tables, host, make_database

Edit = tuple[str, int | None, Row]


def _new(table: str, **columns: object) -> Edit:
    return (table, None, {"id": 70, **columns})


# mirrorlist-server loses the whole export to these: docs/mirrormanager.md#what-stops-its-exporter.
FATAL = [
    pytest.param([("host", 1, {"bandwidth_int": None})], (), id="host without bandwidth"),
    pytest.param(
        [_new("host_netblock", host_id=None, netblock="192.0.2.0/24")],
        [("host_netblock", 70, "no usable host")],
        id="netblock without host",
    ),
    pytest.param(
        [_new("host_netblock", host_id=1, netblock=None)],
        [("host_netblock", 70, "not a netblock, an address or a DNS name")],
        id="netblock that is NULL",
    ),
    pytest.param(
        [_new("host_netblock", host_id=1, netblock="10.0.0.0/33")],
        [("host_netblock", 70, "not a netblock, an address or a DNS name")],
        id="netblock too long",
    ),
    pytest.param(
        [_new("host_netblock", host_id=1, netblock="10.0.0.0/255.0.0.x")],
        [("host_netblock", 70, "not a netblock, an address or a DNS name")],
        id="netblock with a bad mask",
    ),
    pytest.param(
        [_new("host_country_allowed", host_id=None, country="DE")],
        [("host_country_allowed", 70, "no usable host")],
        id="country allowed without host",
    ),
    pytest.param(
        [_new("host_category_dir", host_category_id=11, directory_id=None, path="", up2date=True)],
        [("host_category_dir", 70, "no directory")],
        id="up to date without directory",
    ),
    pytest.param(
        [_new("category", name="No topdir", topdir_id=None)],
        [("category", 70, "no usable topdir")],
        id="category without topdir",
    ),
    pytest.param(
        [
            _new("category", name="New", topdir_id=7),
            ("category_directory", None, {"category_id": 70, "directory_id": 7}),
        ],
        (),
        id="category with directories but no host",
    ),
]
LOST = {"host_category_id": 11, "directory_id": None, "up2date": True}
REPOSITORY = {"id": 70, "name": "x", "prefix": "x", "arch_id": 1, "version_id": 1}
ROWS = [
    pytest.param([("host", None, host(70, site_id=None))], [("host", 70, "no site")], id="no site"),
    pytest.param([("host", None, host(70))], [("host", 70, "no site")], id="dangling site"),
    pytest.param(
        [("host", 7, {"country": "D\nE"})],
        [
            ("host", 7, "country has a control character"),
            ("host_category", 71, "no usable host"),
        ],
        id="country with a line feed",
    ),
    pytest.param(
        [("host", 1, {"asn": 0})],
        [("host", 1, "ASN 0 is out of range: host kept without it")],
        id="ASN 0",
    ),
    pytest.param(
        [("host", 1, {"asn": -5})],
        [("host", 1, "ASN -5 is out of range: host kept without it")],
        id="negative ASN",
    ),
    pytest.param(
        [_new("host_peer_asn", host_id=1, asn=1 << 32)],
        [("host_peer_asn", 70, "ASN 4294967296 is out of range")],
        id="large peer ASN",
    ),
    pytest.param(
        [_new("host_peer_asn", host_id=None, asn=64500)],
        [("host_peer_asn", 70, "no usable host")],
        id="peer ASN without host",
    ),
    pytest.param(
        [_new("host_country_allowed", host_id=1, country="")],
        [("host_country_allowed", 70, "no country")],
        id="empty country allowed",
    ),
    pytest.param(
        [_new("host_country_allowed", host_id=1, country="D\0")],
        [("host_country_allowed", 70, "country has a control character")],
        id="country allowed with a zero byte",
    ),
    pytest.param(
        [_new("host_category", host_id=None, category_id=1)],
        [("host_category", 70, "no usable host")],
        id="host category without host",
    ),
    pytest.param(
        [_new("host_category", host_id=2, category_id=None)],
        [("host_category", 70, "no category")],
        id="host category without category",
    ),
    pytest.param(
        [_new("host_category", host_id=2, category_id=99)],
        [("host_category", 70, "no category")],
        id="host category of no category",
    ),
    pytest.param(
        [_new("host_category_url", host_category_id=999, url="http://a.example")],
        [("host_category_url", 70, "no host category")],
        id="URL of no host category",
    ),
    pytest.param(
        [_new("host_peer_asn", host_id=999, asn=64500)],
        [("host_peer_asn", 70, "no usable host")],
        id="peer ASN of no host",
    ),
    pytest.param(
        [_new("host_country_allowed", host_id=999, country="DE")],
        [("host_country_allowed", 70, "no usable host")],
        id="country allowed of no host",
    ),
    pytest.param(
        [("host_category_dir", None, {"id": id, **LOST, "path": str(id)}) for id in (70, 71, 72)],
        [("host_category_dir", 70, "no directory, and 2 more rows")],
        id="several without directory",
    ),
    pytest.param(
        [("host_category_dir", None, {"id": 70, **LOST, "path": "", "up2date": False})],
        (),
        id="not up to date without directory",
    ),
    pytest.param(
        [_new("directory", name="pub/a\nb")],
        [("directory", 70, "name has a control character")],
        id="directory with a line feed",
    ),
    pytest.param(
        [("category_directory", None, {"category_id": 1, "directory_id": 999})],
        [("category_directory", 999, "category 1: no usable directory")],
        id="category of no directory",
    ),
    pytest.param(
        [("category_directory", None, {"category_id": 99, "directory_id": 1})],
        [("category_directory", 1, "category 99: no usable category")],
        id="directory in no category",
    ),
    pytest.param(
        [("repository", None, {**REPOSITORY, "prefix": None, "directory_id": 1})],
        [("repository", 70, "no prefix: no client can ask for it")],
        id="repository without prefix",
    ),
    pytest.param(
        [("repository", None, {**REPOSITORY, "prefix": "", "directory_id": 1})],
        [("repository", 70, "no prefix: no client can ask for it")],
        id="repository with an empty prefix",
    ),
    pytest.param(
        [("repository", None, {**REPOSITORY, "version_id": None, "directory_id": 1})],
        [("repository", 70, "no version")],
        id="repository without version",
    ),
    pytest.param(
        [("repository", None, {**REPOSITORY, "arch_id": None, "directory_id": 1})],
        [("repository", 70, "no arch")],
        id="repository without arch",
    ),
    pytest.param(
        [("repository", None, {**REPOSITORY, "arch_id": 99, "directory_id": 1})],
        [("repository", 70, "no arch")],
        id="repository with a dangling arch",
    ),
    pytest.param(
        [("repository", None, REPOSITORY)],
        [("repository", 70, "no usable directory")],
        id="repository without directory",
    ),
    pytest.param(
        [("repository", None, {**REPOSITORY, "prefix": "a\rb", "directory_id": 1})],
        [("repository", 70, "prefix has a control character")],
        id="repository with a carriage return",
    ),
    pytest.param(
        [_new("repository_redirect", from_repo="a", to_repo=None)],
        [("repository_redirect", 70, "leads nowhere")],
        id="redirect without target",
    ),
    pytest.param(
        [_new("repository_redirect", from_repo="a", to_repo="b\u2028c")],
        [("repository_redirect", 70, "to_repo has a control character")],
        id="redirect with a line separator",
    ),
    pytest.param(
        [_new("country_continent_redirect", country="DEU", continent="EU")],
        [
            (
                "country_continent_redirect",
                70,
                "not a country and a continent of two letters each",
            )
        ],
        id="country of three letters",
    ),
    pytest.param(
        [("host", 8, {"site_id": None}), _new("host_netblock", host_id=8, netblock="::/0")],
        [
            ("host", 8, "no site"),
            ("host_category", 81, "no usable host"),
            ("host_netblock", 70, "no usable host"),
        ],
        id="what belongs to a host left out",
    ),
]


@pytest.mark.parametrize(("edits", "left_out"), [*FATAL, *ROWS])
def test_rows_left_out(
    tmp_path: Path, edits: list[Edit], left_out: list[tuple[str, int, str]]
) -> None:
    """The row is reported with table, id and reason; everything else is exported."""
    snapshot, result = export_tables(tmp_path, edited(*edits))
    assert result.left_out == tuple(LeftOut(*one) for one in left_out)
    assert snapshot.report.left_out == result.left_out
    assert len(snapshot.repositories) == 3
    assert len(snapshot.hosts) >= 8


def test_reports_are_sorted() -> None:
    """Reports stand in the order of table, id and reason, whatever was met first."""
    expected = [
        *(("a", None, "y"), ("a", 9, "x"), ("a", 80, "x"), ("a", 80, "y")),
        *(("b", None, "x"), ("b", 7, "x")),
    ]
    for order in (expected, expected[::-1], expected[3:] + expected[:3]):
        left_out = LeftOutRows()
        for one in order:
            left_out.add(*one)
        assert left_out.sorted() == tuple(LeftOut(*one) for one in expected)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The small world as rows, with at least one row of each kind."""
    tables = edited(
        _new("host_country_allowed", host_id=1, country="DE"),
        _new("host_peer_asn", host_id=1, asn=1),
        _new("country_continent_redirect", country="TR", continent="EU"),
        _new("netblock_country", netblock="192.0.2.0/24", country="DE"),
    )
    url = make_database(tmp_path_factory.mktemp("rows") / "mm.sqlite", tables)
    with (
        read_only(parse_url(url)) as connection,
        reading(connection, lambda phase, done, total: None, LeftOutRows()) as rows,
    ):
        return rows


# What a column may hold: NULL, as a migrated database differs in nullability; and in SQLite,
# whose types are only advice, bytes in a text column and anything in a number's.
JUNK: dict[object, list[object]] = {
    str: [None, "", "junk", "\udcff", "a\nb", "\0", "x" * 9999, b"", b"\xff"],
    int: [None, 0, -1, 1.5, float("inf"), 1 << 31, (1 << 63) - 1, -(1 << 63), "", "junk", b"\xff"],
    bool: [None, True, False],
}
# What a database makes itself: the ids of rows. `tests/test_carried.py` has the largest table.
SURE = {
    "id",
    "category_directories.category_id",
    "category_directories.directory_id",
}


def _columns() -> Iterator[Any]:
    for field, (_, row) in SMALL.items():
        for column, kind in row.__annotations__.items():
            name = f"{field}.{column}"
            if not SURE & {column, name}:
                junk = JUNK[(get_args(kind) or (kind,))[0]]
                yield pytest.param(field, column, junk, id=name)


def test_flags_that_are_null(rows: Rows) -> None:
    """Where a flag is NULL, nothing gets out: neither a private URL, nor a host, nor as active."""
    host, site = rows.hosts[0], rows.sites[0]
    for changed in (
        rows._replace(hosts=[host._replace(private=cast("bool", None)), *rows.hosts[1:]]),
        rows._replace(sites=[site._replace(private=cast("bool", None)), *rows.sites[1:]]),
    ):
        assert _made(changed)[0].hosts[0].private
    changed = rows._replace(hosts=[host._replace(user_active=cast("bool", None)), *rows.hosts[1:]])
    assert _made(changed)[0].hosts[0].inactive
    url = rows.urls[0]._replace(private=cast("bool", None))
    data, left_out = _made(rows._replace(urls=[url, *rows.urls[1:]]))
    assert url.url not in data.categories[0].hosts[0].urls
    reason = "does not say whether it is private"
    assert left_out == (LeftOut("host_category_url", url.id, reason),)


@pytest.mark.parametrize(
    ("field", "table", "reason"),
    [
        ("host_categories", "host_category", "the host has this category already"),
        ("repositories", "repository", "the same prefix and arch as an earlier one"),
        ("urls", "host_category_url", "the same URL as an earlier one once cleaned"),
        ("netblock_countries", "netblock_country", "the same netblock as an earlier one"),
    ],
)
def test_the_same_twice(rows: Rows, field: str, table: str, reason: str) -> None:
    """Without MirrorManager's constraints a thing may be there twice: the lowest id counts."""
    found = getattr(rows, field)
    again = rows._replace(**cast("dict[str, Any]", {field: [found[0]._replace(id=9999), *found]}))
    data, left_out = _made(again)
    assert left_out == (LeftOut(table, 9999, reason),)
    assert encode(data, built=0)[40:56] == encode(_made(rows)[0], built=0)[40:56]


def _made(rows: Rows) -> tuple[SnapshotData, tuple[LeftOut, ...]]:
    left_out = LeftOutRows()
    inputs = Inputs(rows, 0, built_in_continents(), AsnNetblocks())
    return finish(prepare(inputs, left_out), left_out), left_out.sorted()


@pytest.mark.parametrize(("field", "column", "junk"), list(_columns()))
def test_whatever_a_column_holds(rows: Rows, field: str, column: str, junk: list[object]) -> None:
    """NULL or junk in any column, alone among sound rows, never stops an export."""
    first, *others = getattr(rows, field)
    for value in junk:
        changed: list[Any] = [first._replace(**{column: value}), *others]
        spoilt = rows._replace(**cast("dict[str, Any]", {field: changed}))
        assert encode(_made(spoilt)[0], built=0)
