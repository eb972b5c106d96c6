"""Gives a site of a database its new name, wherever the name marks what the site's file owns."""

from typing import Any

from sqlalchemy import Connection, Table, select, update

from snapshot.export import schema
from snapshot.export.declared import request_shape, site_file
from snapshot.sites.config import Site
from snapshot.sites.conflicts import ConflictError
from snapshot.sites.current import owner
from snapshot.sites.rows import rows_of, update_all


def rename(connection: Connection, site: Site) -> str | None:
    """Rename the site that has the file's `renamed_from`; return this name if there was one.

    Raises ConflictError if the new name is taken.
    """
    old, new = site.renamed_from, site.name
    if old is None:
        return None
    names = {*connection.scalars(select(site_file.c.name).where(site_file.c.name.in_((old, new))))}
    if old not in names:
        return None
    if new in names:
        raise ConflictError(
            f"the database has a site {old} and a site {new}; nothing was written; take"
            " `renamed_from` out of [site], or give [site] another name"
        )
    _check_free(connection, schema.product, [new])
    _rename_categories(connection, old, new)
    for table, column in ((schema.product, "name"), (site_file, "name"), (request_shape, "site")):
        _replace(connection, table, column, old, new)
    _replace(connection, schema.site, "created_by", owner(old), owner(new))
    return old


def _check_free(connection: Connection, table: Table, names: list[str]) -> None:
    for row in rows_of(connection, table, "name", names):
        raise ConflictError(
            f"the database has a {table.name} {row.name} that is not from this file; nothing was"
            " written; give [site] another name"
        )


def _rename_categories(connection: Connection, old: str, new: str) -> None:
    """Rename those of the site, which have its name, and the tree's behind it."""
    products = select(schema.product.c.id).where(schema.product.c.name == old)
    table: Any = schema.category
    found = connection.execute(select(table).where(table.c.product_id.in_(products)))
    rows = [
        {"id": row.id, "name": f"{new}{row.name[len(old) :]}"}
        for row in found
        if row.name == old or row.name.startswith(f"{old} ")
    ]
    _check_free(connection, table, [row["name"] for row in rows])
    update_all(connection, table, rows)


def _replace(connection: Connection, table: Table, column: str, old: str, new: str) -> None:
    statement = update(table).where(table.c[column] == old).values({column: new})
    connection.execute(statement)
