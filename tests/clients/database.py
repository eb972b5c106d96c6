"""A small MirrorManager database whose hosts are the mirrors of one scenario."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path

from sqlalchemy import Connection, Table, create_engine, insert

from snapshot import schema
from tests.clients.packages import RepositoryFiles

TOPDIR = "pub/test"
SUBPATH = "40/x86_64"
DIRECTORY = f"{TOPDIR}/{SUBPATH}"

_DISABLED_DIRECTORY = f"{TOPDIR}/38/x86_64"
_DIRECTORIES = {
    1: TOPDIR,
    2: DIRECTORY,
    3: f"{DIRECTORY}/repodata",
    4: _DISABLED_DIRECTORY,
    5: f"{_DISABLED_DIRECTORY}/repodata",
}
_REPODATA = 3

Row = Mapping[str, object]


def write_database(
    file: Path, urls: Sequence[str], details: Sequence[RepositoryFiles], *, shuffled: bool
) -> None:
    """Write an SQLite file with one host a URL, all of them up to date.

    The order of the URLs is held by netblocks around the loopback address, longest prefix
    first, because a bandwidth only makes an order likely; `shuffled` leaves them out.
    `details` are the accepted versions of fedora-40's repomd.xml; fedora-38 is disabled.
    """
    engine = create_engine(f"sqlite:///{file}")
    schema.create_tables(engine)
    with engine.begin() as connection:
        _insert_tree(connection, details)
        _insert_hosts(connection, urls)
        if not shuffled:
            _insert(connection, schema.host_netblock, list(_netblocks(len(urls))))
    engine.dispose()


def _insert_tree(connection: Connection, details: Sequence[RepositoryFiles]) -> None:
    """Directories, category, repositories and file details, parents before their children."""
    for table, rows in (
        (schema.directory, [{"id": key, "name": name} for key, name in _DIRECTORIES.items()]),
        (schema.product, [{"id": 1, "name": "Fedora"}]),
        (schema.category, [{"id": 1, "name": "Fedora Linux", "product_id": 1, "topdir_id": 1}]),
        (
            schema.category_directory,
            [{"category_id": 1, "directory_id": directory} for directory in _DIRECTORIES],
        ),
        (schema.arch, [{"id": 1, "name": "x86_64"}]),
        (schema.version, [{"id": name, "name": str(name), "product_id": 1} for name in (40, 38)]),
        (schema.repository, [_repository(40, 2), _repository(38, 4, disabled=True)]),
        (schema.file_detail, [_file_detail(detail) for detail in details]),
    ):
        _insert(connection, table, rows)


def _repository(version: int, directory: int, *, disabled: bool = False) -> Row:
    return {
        "name": _DIRECTORIES[directory],
        "prefix": f"fedora-{version}",
        "category_id": 1,
        "version_id": version,
        "arch_id": 1,
        "directory_id": directory,
        "disabled": disabled,
    }


def _file_detail(files: RepositoryFiles) -> Row:
    return {
        "filename": "repomd.xml",
        "timestamp": files.timestamp,
        "size": len(files.repomd),
        "directory_id": _REPODATA,
        **files.hashes,
    }


def _insert_hosts(connection: Connection, urls: Sequence[str]) -> None:
    """One site, and a host a URL that has every directory up to date."""
    keys = _host_ids(len(urls))
    _insert(connection, schema.site, [{"id": 1, "name": "Example", "created_by": "tests"}])
    names = [{"id": key, "name": f"mirror{key}.example.org"} for key in keys]
    _insert(connection, schema.host, [{**name, "site_id": 1, "country": "DE"} for name in names])
    carried = [{"id": key, "host_id": key, "category_id": 1} for key in keys]
    _insert(connection, schema.host_category, carried)
    served = [
        {"id": key, "host_category_id": key, "url": url}
        for key, url in zip(keys, urls, strict=True)
    ]
    _insert(connection, schema.host_category_url, served)
    crawled = [
        {"host_category_id": key, "directory_id": directory, "path": name.removeprefix(TOPDIR)}
        for key in keys
        for directory, name in _DIRECTORIES.items()
    ]
    _insert(connection, schema.host_category_dir, crawled)


def _host_ids(count: int) -> range:
    """The hosts' ids in the order of the list: falling, so that no order by id looks right."""
    return range(count, 0, -1)


def _netblocks(count: int) -> Iterator[Row]:
    """Networks around the loopback address, each one bit wider than that of the host before."""
    for place, host_id in enumerate(_host_ids(count)):
        netblock = ip_network(("127.0.0.1", 32 - place), strict=False)
        yield {"netblock": str(netblock), "host_id": host_id}


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    connection.execute(insert(table), rows)
