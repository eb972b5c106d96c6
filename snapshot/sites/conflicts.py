"""Names and URLs that a database cannot hold twice, found before anything is written."""

from typing import Any

from sqlalchemy import Connection, select

from snapshot.export import schema
from snapshot.export.declared import site_file
from snapshot.file.errors import BackendError
from snapshot.sites.current import OWNER, Current
from snapshot.sites.rows import rows_of
from snapshot.sites.state import State


class ConflictError(BackendError):
    """A name or URL that something else in the database has already."""

    exit_code = 3


def check_conflicts(
    connection: Connection, site: str, have: Current, want: State, *, prune: bool
) -> None:
    """Raise ConflictError for what is there already and does not come from this site's file."""
    _check_product(connection, site, have)
    _check_categories(connection, have, want)
    _check_urls(connection, have, want, prune=prune)
    _check_repositories(connection, have, want, prune=prune)


def _check_product(connection: Connection, site: str, have: Current) -> None:
    known = connection.scalar(select(site_file.c.name).where(site_file.c.name == site))
    if have.product is not None and known is None:
        raise ConflictError(
            f"the database has a product {site} that is not from a file; nothing was written;"
            " give [site] another name"
        )


def _check_categories(connection: Connection, have: Current, want: State) -> None:
    for row in rows_of(connection, schema.category, "name", want.categories):
        if have.categories.get(row.name) != row.id:
            raise ConflictError(
                f"the database has a category {row.name} that is not from this file; nothing was"
                " written; give [site] or the tree another name"
            )


def _check_urls(connection: Connection, have: Current, want: State, *, prune: bool) -> None:
    owners = {url: name for name, one in want.mirrors.items() for _, url in one.urls}
    mine = {id: host for (host, _), id in have.host_categories.items()}
    names = {id: name for name, id in have.hosts.items()}
    for row in rows_of(connection, schema.host_category_url, "url", owners):
        name = names.get(mine.get(row.host_category_id, 0))
        if name is None:
            raise ConflictError(_of_another(connection, row))
        if name not in want.mirrors and not prune:
            raise ConflictError(
                f"{row.url} belongs to the mirror {name}, which is gone from the file; nothing was"
                " written; if it has a new name, apply with --prune"
            )


def _of_another(connection: Connection, url: Any) -> str:
    """Return what is said of a URL that belongs to another site, or to no file."""
    carrier, host, site = schema.host_category, schema.host, schema.site
    statement = (
        select(site.c.created_by)
        .join(host, host.c.site_id == site.c.id)
        .join(carrier, carrier.c.host_id == host.c.id)
        .where(carrier.c.id == url.host_category_id)
    )
    mark = connection.scalar(statement) or ""
    if not mark.startswith(OWNER):
        whose = "a host of the database that is not from this file"
        return f"{url.url} belongs to {whose}; nothing was written"
    return (
        f"{url.url} belongs to the site {mark[len(OWNER) :]} of this database; nothing was written;"
        " if this is a new name of it, say renamed_from in [site]; another site needs another"
        " database, which is another --state for `run`"
    )


def _check_repositories(connection: Connection, have: Current, want: State, *, prune: bool) -> None:
    of_id = {id: key for key, id in have.repositories.items()}
    directories = {one.directory: key for key, one in want.repositories.items()}
    arches = {row.id: row.name for row in connection.execute(select(schema.arch))}
    found = rows_of(connection, schema.repository, "name", directories)
    found += rows_of(
        connection, schema.repository, "prefix", {name for name, _ in want.repositories}
    )
    for row in found:
        if row.id not in of_id:
            if (
                row.name in directories
                or (row.prefix, arches.get(row.arch_id)) in want.repositories
            ):
                raise ConflictError(
                    f"the database has a repository {row.prefix} in {row.name} that is not from"
                    " this file; nothing was written; give it another prefix, name or path"
                )
        elif of_id[row.id] not in want.repositories and row.name in directories and not prune:
            raise ConflictError(
                f"{row.name} is the directory of {row.prefix}, which is gone from the file; nothing"
                " was written; if it has a new name, apply with --prune"
            )
