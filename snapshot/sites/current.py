"""Reads from a database what an earlier `sites apply` of the same site wrote there."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from snapshot.export import schema
from snapshot.export.declared import partial
from snapshot.export.netblock import parse_netblock
from snapshot.sites.rows import rows_of
from snapshot.sites.state import MirrorState, RepositoryState, State, netblock_text

_CARRIER = "host_category_id"
OWNER = "mirrorlist sites: "
"""How the mark of rows that belong to a file begins; the site's name is the rest."""


class Current(Struct, frozen=True):
    """What is there, and the ids of the rows: mirrors by name, repositories by name and arch."""

    state: State
    product: int | None
    hosts: dict[str, int]
    repositories: dict[tuple[str, str], int]
    sponsors: dict[str, int]
    categories: dict[str, int]
    directories: dict[str, int]
    host_categories: dict[tuple[int, int], int]


def owner(site: str) -> str:
    """Return the mark, in `site.created_by`, of the rows that belong to a site's file."""
    return f"{OWNER}{site}"


def read_current(connection: Connection, site: str) -> Current:
    """Return what the database holds of a site; the number of statements is fixed."""
    product = connection.scalar(select(schema.product.c.id).where(schema.product.c.name == site))
    categories = _all(connection, schema.category, "product_id", [product] if product else [])
    directories = _directories(connection, [row.id for row in categories])
    names = {row.id: row.name for row in directories}
    category_names = {row.id: row.name for row in categories}
    sponsors = _all(connection, schema.site, "created_by", [owner(site)])
    hosts = _all(connection, schema.host, "site_id", [row.id for row in sponsors])
    host_ids = [row.id for row in hosts]
    carriers = _all(connection, schema.host_category, "host_id", host_ids)
    repositories = _repositories(connection, category_names, names)
    return Current(
        state=State(
            {row.name: names.get(row.topdir_id, "") for row in categories},
            {row.name: category_names[row.category_id] for row in directories},
            {key: state for key, (_, state) in repositories.items()},
            _mirrors(connection, hosts, sponsors, carriers, category_names, names),
        ),
        product=product,
        hosts={row.name: row.id for row in hosts},
        repositories={key: id for key, (id, _) in repositories.items()},
        sponsors={row.name: row.id for row in sponsors},
        categories={row.name: row.id for row in categories},
        directories={row.name: row.id for row in directories},
        host_categories={(row.host_id, row.category_id): row.id for row in carriers},
    )


def _all(connection: Connection, table: Any, column: str, values: Iterable[Any]) -> list[Any]:
    return sorted(rows_of(connection, table, column, values), key=lambda row: row.id)


def _directories(connection: Connection, categories: list[int]) -> list[Any]:
    link, table = schema.category_directory, schema.directory
    joined = select(table.c.id, table.c.name, link.c.category_id).join(
        link, link.c.directory_id == table.c.id
    )
    return [*connection.execute(joined.where(link.c.category_id.in_(categories)))]


def _repositories(
    connection: Connection, categories: dict[int, str], names: dict[int, str]
) -> dict[tuple[str, str], tuple[int, RepositoryState]]:
    row, arch, version = schema.repository, schema.arch, schema.version
    columns = (row.c.id, row.c.prefix, row.c.category_id, row.c.directory_id)
    statement = (
        select(*columns, arch.c.name.label("arch"), version.c.name.label("version"))
        .join(arch, arch.c.id == row.c.arch_id)
        .join(version, version.c.id == row.c.version_id)
        .where(row.c.category_id.in_(categories))
    )
    return {
        (found.prefix, found.arch): (
            found.id,
            RepositoryState(
                directory=names.get(found.directory_id, ""),
                category=categories[found.category_id],
                version=found.version,
            ),
        )
        for found in connection.execute(statement)
    }


def _mirrors(
    connection: Connection,
    hosts: list[Any],
    sponsors: list[Any],
    carriers: list[Any],
    categories: dict[int, str],
    directories: dict[int, str],
) -> dict[str, MirrorState]:
    sites = {row.id: row for row in sponsors}
    ids = [row.id for row in hosts]
    host_of = {row.id: row.host_id for row in carriers}
    category_of = {row.id: categories.get(row.category_id, "") for row in carriers}
    urls, netblocks, countries = (defaultdict[int, list[Any]](list) for _ in range(3))
    for row in _all(connection, schema.host_category_url, "host_category_id", host_of):
        urls[host_of[row.host_category_id]].append((category_of[row.host_category_id], row.url))
    for row in _all(connection, schema.host_netblock, "host_id", ids):
        netblocks[row.host_id].append(_netblock(row.netblock))
    for row in _all(connection, schema.host_country_allowed, "host_id", ids):
        countries[row.host_id].append(row.country.strip().upper())
    parts = [row.host_category_id for row in rows_of(connection, partial, _CARRIER, host_of)]
    has: dict[int, list[str]] = {host_of[id]: [] for id in parts}
    for row in rows_of(connection, schema.host_category_dir, _CARRIER, parts):
        has[host_of[row.host_category_id]].append(directories.get(row.directory_id, ""))
    return {
        row.name: MirrorState(
            country=row.country,
            urls=tuple(urls[row.id]),
            weight=row.bandwidth_int,
            asn=row.asn,
            netblocks=tuple(sorted(netblocks[row.id])),
            private=row.private,
            active=row.user_active,
            countries_allowed=tuple(sorted(countries[row.id])),
            has=tuple(sorted(has[row.id])) if row.id in has else None,
            contact=row.robot_email,
            sponsor=sites[row.site_id].name,
            sponsor_url=sites[row.site_id].org_url,
        )
        for row in hosts
    }


def _netblock(text: str) -> str:
    try:
        return netblock_text(parse_netblock(text))
    except ValueError:
        return text
