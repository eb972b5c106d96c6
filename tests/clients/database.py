"""A small MirrorManager database whose hosts are the mirrors of one scenario."""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

from sqlalchemy import Connection, Table, create_engine, insert

from snapshot.demo.tables import create_tables
from snapshot.export import schema
from tests.clients.packages import PACKAGE_FILE, RepositoryFiles, hashes

TOPDIR = "pub/test"
SUBPATH = "40/x86_64"
DIRECTORY = f"{TOPDIR}/{SUBPATH}"

_DISABLED_DIRECTORY = f"{TOPDIR}/38/x86_64"
_PACKAGE_FOLDER, _, _PACKAGE_NAME = PACKAGE_FILE.rpartition("/")
_DIRECTORIES = {
    1: TOPDIR,
    2: DIRECTORY,
    3: f"{DIRECTORY}/repodata",
    4: _DISABLED_DIRECTORY,
    5: f"{_DISABLED_DIRECTORY}/repodata",
    6: f"{DIRECTORY}/{_PACKAGE_FOLDER}",
}
_REPODATA, _PACKAGES = 3, 6

Row = Mapping[str, object]


def write_database(
    file: Path,
    hosts: Sequence[Sequence[str]],
    details: Sequence[RepositoryFiles],
    *,
    client: str | None,
) -> None:
    """Write an SQLite file with hosts that have these URLs, all of them up to date.

    The order of the hosts is held by netblocks around the client's address, longest prefix
    first, because a bandwidth only makes an order likely; without `client` chance decides.
    `details` are the accepted versions of fedora-40's repomd.xml; fedora-38 is disabled, and
    fedora-current is another name of fedora-40.
    """
    engine = create_engine(f"sqlite:///{file}")
    create_tables(engine)
    with engine.begin() as connection:
        _insert_tree(connection, details)
        _insert_hosts(connection, hosts)
        if client is not None:
            _insert(connection, schema.host_netblock, list(_netblocks(client, len(hosts))))
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
        (schema.repository_redirect, [{"from_repo": "fedora-current", "to_repo": "fedora-40"}]),
        (schema.file_detail, [_repomd_detail(detail) for detail in details]),
        (schema.file_detail, [_package_detail(details[-1])]),
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


def _repomd_detail(files: RepositoryFiles) -> Row:
    return _file_detail("repomd.xml", files.repomd, files.timestamp, _REPODATA)


def _package_detail(files: RepositoryFiles) -> Row:
    return _file_detail(_PACKAGE_NAME, files.package, files.timestamp, _PACKAGES)


def _file_detail(name: str, content: bytes, timestamp: int, directory: int) -> Row:
    return {
        "filename": name,
        "timestamp": timestamp,
        "size": len(content),
        "directory_id": directory,
        **hashes(content),
    }


def _insert_hosts(connection: Connection, hosts: Sequence[Sequence[str]]) -> None:
    """One site, and hosts that have every directory up to date."""
    keys = _host_ids(len(hosts))
    _insert(connection, schema.site, [{"id": 1, "name": "Example", "created_by": "tests"}])
    names = [{"id": key, "name": f"mirror{key}.example.org"} for key in keys]
    _insert(connection, schema.host, [{**name, "site_id": 1, "country": "DE"} for name in names])
    carried = [{"id": key, "host_id": key, "category_id": 1} for key in keys]
    _insert(connection, schema.host_category, carried)
    served = [
        {"host_category_id": key, "url": url}
        for key, urls in zip(keys, hosts, strict=True)
        for url in urls
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


def _netblocks(client: str, count: int) -> Iterator[Row]:
    """Networks around the client's address, each one bit wider than that of the host before."""
    address = ip_address(client)
    for place, host_id in enumerate(_host_ids(count)):
        netblock = ip_network((client, address.max_prefixlen - place), strict=False)
        yield {"netblock": str(netblock), "host_id": host_id}


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    connection.execute(insert(table), rows)
