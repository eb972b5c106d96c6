"""Writes a site's mirrors: sponsors, hosts, URLs, netblocks, allowed countries, directories."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import count, product
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, select

from snapshot.export import schema
from snapshot.export.declared import partial
from snapshot.sites.current import Current, owner
from snapshot.sites.rows import chunks, delete_where, insert_all, rows_of, update_all
from snapshot.sites.state import MirrorState, State
from snapshot.sites.tree_rows import TreeIds


def write_mirrors(
    connection: Connection,
    site: str,
    have: Current,
    want: State,
    ids: TreeIds,
    *,
    prune: bool,
) -> None:
    """Write the mirrors that differ; with `prune`, remove those that are gone."""
    gone = [have.hosts[name] for name in have.hosts.keys() - want.mirrors.keys()] if prune else []
    delete_where(connection, schema.host, "id", gone)
    sponsors = _sponsors(connection, site, have, want)
    changed = {
        name: one for name, one in want.mirrors.items() if have.state.mirrors.get(name) != one
    }
    hosts = _hosts(connection, have, changed, sponsors)
    _netblocks(connection, have, changed, hosts)
    _countries(connection, have, changed, hosts)
    _urls(connection, have, changed, hosts, ids)
    if prune:
        _prune_sponsors(connection, sponsors)


def _sponsors(connection: Connection, site: str, have: Current, want: State) -> dict[str, int]:
    """Return the ids of sponsors, which are MirrorManager's sites, by name."""
    urls = {one.sponsor: one.sponsor_url for one in want.mirrors.values()}
    new = [_sponsor(site, name, url) for name, url in urls.items() if name not in have.sponsors]
    insert_all(connection, schema.site, new)
    rows = rows_of(connection, schema.site, "created_by", [owner(site)])
    moved = [
        {"id": row.id, "org_url": urls[row.name]}
        for row in rows
        if row.name in urls and row.org_url != urls[row.name]
    ]
    update_all(connection, schema.site, moved)
    return {row.name: row.id for row in rows}


def _sponsor(site: str, name: str, url: str | None) -> dict[str, Any]:
    return {
        "name": name,
        "org_url": url,
        "private": False,
        "admin_active": True,
        "user_active": True,
        "created_at": datetime.now(UTC).replace(tzinfo=None),
        "created_by": owner(site),
        "all_sites_can_pull_from_me": False,
        "email_on_drop": False,
        "email_on_add": False,
    }


def _prune_sponsors(connection: Connection, sponsors: dict[str, int]) -> None:
    used = {row.site_id for row in rows_of(connection, schema.host, "site_id", sponsors.values())}
    delete_where(connection, schema.site, "id", {*sponsors.values()} - used)


def _hosts(
    connection: Connection,
    have: Current,
    changed: dict[str, MirrorState],
    sponsors: dict[str, int],
) -> dict[str, int]:
    new = [
        {**_host(name, one, sponsors), **_NEW_HOST}
        for name, one in changed.items()
        if name not in have.hosts
    ]
    insert_all(connection, schema.host, new)
    old = [
        {"id": have.hosts[name], **_host(name, one, sponsors)}
        for name, one in changed.items()
        if name in have.hosts
    ]
    update_all(connection, schema.host, old)
    rows = rows_of(connection, schema.host, "site_id", sponsors.values())
    return {row.name: row.id for row in rows if row.name in changed}


# The columns of a new host that a file does not decide.
_NEW_HOST = {
    "admin_active": True,
    "internet2": False,
    "internet2_clients": False,
    "asn_clients": True,
    "max_connections": 1,
    "crawl_failures": 0,
    "last_crawl_duration": 0,
}


def _host(name: str, one: MirrorState, sponsors: dict[str, int]) -> dict[str, Any]:
    return {
        "name": name,
        "site_id": sponsors[one.sponsor],
        "robot_email": one.contact,
        "user_active": one.active,
        "country": one.country,
        "bandwidth_int": one.weight,
        "private": one.private,
        "asn": one.asn,
    }


def _differing(
    have: Current, changed: dict[str, MirrorState], field: str
) -> Iterator[tuple[str, MirrorState]]:
    """Yield the mirrors of which a field differs from the database's, new mirrors among them."""
    for name, one in changed.items():
        before = have.state.mirrors.get(name)
        if before is None or getattr(before, field) != getattr(one, field):
            yield name, one


def _netblocks(
    connection: Connection, have: Current, changed: dict[str, MirrorState], hosts: dict[str, int]
) -> None:
    rows = [*_differing(have, changed, "netblocks")]
    delete_where(connection, schema.host_netblock, "host_id", [hosts[name] for name, _ in rows])
    new = [
        {"host_id": hosts[name], "netblock": netblock, "name": None}
        for name, one in rows
        for netblock in one.netblocks
    ]
    insert_all(connection, schema.host_netblock, new)


def _countries(
    connection: Connection, have: Current, changed: dict[str, MirrorState], hosts: dict[str, int]
) -> None:
    rows = [*_differing(have, changed, "countries_allowed")]
    table = schema.host_country_allowed
    delete_where(connection, table, "host_id", [hosts[name] for name, _ in rows])
    wanted = {country for _, one in rows for country in one.countries_allowed}
    taken = {*connection.scalars(select(table.c.country))}
    spellings = {
        country: (one for one in _spellings(country) if one not in taken) for country in wanted
    }
    new = [
        {"host_id": hosts[name], "country": next(spellings[country])}
        for name, one in rows
        for country in one.countries_allowed
    ]
    insert_all(connection, table, new)


def _spellings(country: str) -> Iterator[str]:
    """Yield ways to write a country, each of which an export reads as the country.

    "`country` is unique in this table without the host, so MirrorManager can allow a country for
    one host only." (docs/mirrormanager.md#allowed-countries) Exports ignore case, and ours blanks.
    """
    letters = [(letter.upper(), letter.lower()) for letter in country]
    for blanks in count():
        for written in product(*letters):
            yield "".join(written) + " " * blanks


def _urls(
    connection: Connection,
    have: Current,
    changed: dict[str, MirrorState],
    hosts: dict[str, int],
    ids: TreeIds,
) -> None:
    """Write which categories each mirror has, under which URLs, and of which directories."""
    rows = dict(_differing(have, changed, "urls")) | dict(_differing(have, changed, "has"))
    wanted = {
        (hosts[name], ids.categories[category]): one.has is None
        for name, one in rows.items()
        for category, _ in one.urls
    }
    touched = {hosts[name] for name in rows}
    # Not those of a mirror that is gone: SQLite gives its id to a new one.
    before = {have.hosts[name] for name in rows if name in have.hosts}
    mine = {pair: id for pair, id in have.host_categories.items() if pair[0] in before}
    table = schema.host_category
    delete_where(connection, table, "id", [id for pair, id in mine.items() if pair not in wanted])
    new = [_carrier(pair, whole) for pair, whole in wanted.items() if pair not in mine]
    insert_all(connection, table, new)
    kept = [
        {"id": mine[pair], "always_up2date": whole}
        for pair, whole in wanted.items()
        if pair in mine
    ]
    update_all(connection, table, kept)
    found = {
        (row.host_id, row.category_id): row.id
        for row in rows_of(connection, table, "host_id", touched)
    }
    carried = _Carried(rows, hosts, ids, found)
    _replace(connection, schema.host_category_url, found.values(), carried.urls())
    parts = [id for pair, id in found.items() if not wanted.get(pair, True)]
    for part in chunks(found.values()):
        connection.execute(delete(partial).where(partial.c.host_category_id.in_(part)))
    insert_all(connection, partial, [{"host_category_id": id} for id in parts])
    _replace(connection, schema.host_category_dir, found.values(), carried.directories())


def _carrier(pair: tuple[int, int], whole: bool) -> dict[str, Any]:
    return {"host_id": pair[0], "category_id": pair[1], "always_up2date": whole}


def _replace(
    connection: Connection, table: Any, ids: Iterable[int], rows: Iterable[dict[str, Any]]
) -> None:
    delete_where(connection, table, "host_category_id", ids)
    insert_all(connection, table, [*rows])


class _Carried(NamedTuple):
    """What mirrors carry, as rows of their host categories, whose ids are by host and category."""

    mirrors: dict[str, MirrorState]
    hosts: dict[str, int]
    ids: TreeIds
    host_categories: dict[tuple[int, int], int]

    def urls(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the URLs."""
        for name, one in self.mirrors.items():
            for category, url in one.urls:
                id = self.host_categories[self.hosts[name], self.ids.categories[category]]
                yield {"host_category_id": id, "url": url, "private": False}

    def directories(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the directories, but of no category that a mirror does not have."""
        for name, one in self.mirrors.items():
            for directory in one.has or ():
                pair = self.hosts[name], self.ids.category_of[directory]
                if (id := self.host_categories.get(pair)) is not None:
                    yield {
                        "host_category_id": id,
                        "path": directory,
                        "up2date": True,
                        "directory_id": self.ids.directories[directory],
                    }
