"""Writes a site's product, categories, directories and repositories."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, delete

from snapshot.export import schema
from snapshot.sites.current import Current
from snapshot.sites.rows import chunks, delete_where, ensure, insert_all, rows_of, update_all
from snapshot.sites.state import RepositoryState, State


class TreeIds(NamedTuple):
    """The ids of categories and directories by name, and the category of each directory."""

    categories: dict[str, int]
    directories: dict[str, int]
    category_of: dict[str, int]


def write_tree(
    connection: Connection, site: str, have: Current, want: State, *, prune: bool
) -> TreeIds:
    """Write all but the mirrors."""
    if prune:
        gone = have.state.repositories.keys() - want.repositories.keys()
        delete_where(connection, schema.repository, "id", [have.repositories[key] for key in gone])
        _prune_directories(connection, have, want)
    flags = {"publiclist": True}
    product = ensure(connection, schema.product, [site], **flags)[site]
    directories = ensure(connection, schema.directory, want.directories, readable=True, ctime=0)
    categories = _categories(connection, have, want, product, directories)
    links = [
        {"category_id": categories[category], "directory_id": directories[name]}
        for name, category in want.directories.items()
        if have.state.directories.get(name) != category
    ]
    insert_all(connection, schema.category_directory, links)
    category_of = {name: categories[one] for name, one in want.directories.items()}
    ids = TreeIds(categories, directories, category_of)
    _repositories(connection, have, want, product, ids)
    return ids


def _prune_directories(connection: Connection, have: Current, want: State) -> None:
    """Remove directories that are gone; one that others have too only leaves this site."""
    tops = {*have.state.categories.values()}
    names = have.directories.keys() - want.directories.keys() - tops
    gone = {have.directories[name] for name in names}
    link, mine = schema.category_directory, {*have.categories.values()}
    shared = _others(connection, link, gone, mine)
    shared |= _others(connection, schema.repository, gone, mine)
    delete_where(connection, schema.directory, "id", gone - shared)
    carriers = {*have.host_categories.values()}
    for part in chunks(shared):
        links = (link.c.directory_id.in_(part), link.c.category_id.in_(mine))
        connection.execute(delete(link).where(*links))
    rows = rows_of(connection, schema.host_category_dir, "directory_id", shared)
    ours = [row.id for row in rows if row.host_category_id in carriers]
    delete_where(connection, schema.host_category_dir, "id", ours)


def _others(connection: Connection, table: Any, directories: set[int], mine: set[int]) -> set[int]:
    """Return those of some directories that rows of other categories name."""
    rows = rows_of(connection, table, "directory_id", directories)
    return {row.directory_id for row in rows if row.category_id not in mine}


def _categories(
    connection: Connection,
    have: Current,
    want: State,
    product: int,
    directories: dict[str, int],
) -> dict[str, int]:
    missing = [
        {"name": name, "topdir_id": directories[top], "product_id": product, "publiclist": True}
        for name, top in want.categories.items()
        if name not in have.categories
    ]
    insert_all(connection, schema.category, missing)
    moved = [
        {"id": have.categories[name], "topdir_id": directories[top]}
        for name, top in want.categories.items()
        if name in have.categories and have.state.categories[name] != top
    ]
    update_all(connection, schema.category, moved)
    return ensure(connection, schema.category, want.categories)


def _repositories(
    connection: Connection, have: Current, want: State, product: int, ids: TreeIds
) -> None:
    rows = want.repositories
    arches = ensure(
        connection, schema.arch, [arch for _, arch in rows], publiclist=True, primary_arch=True
    )
    versions = ensure(
        connection,
        schema.version,
        [one.version for one in rows.values()],
        product_id=product,
        is_test=False,
        display=True,
        ordered_mirrorlist=True,
        sortorder=0,
    )

    def columns(key: tuple[str, str], one: RepositoryState) -> dict[str, Any]:
        return {
            "name": one.directory,
            "prefix": key[0],
            "category_id": ids.categories[one.category],
            "version_id": versions[one.version],
            "arch_id": arches[key[1]],
            "directory_id": ids.directories[one.directory],
            "disabled": False,
        }

    new = [columns(key, one) for key, one in rows.items() if key not in have.repositories]
    changed = [
        {"id": have.repositories[key], **columns(key, one)}
        for key, one in rows.items()
        if key in have.repositories and have.state.repositories[key] != one
    ]
    # Two repositories may swap their directories, and no name may be there twice meanwhile.
    update_all(
        connection,
        schema.repository,
        [{"id": row["id"], "name": f"~{row['id']}"} for row in changed],
    )
    update_all(connection, schema.repository, changed)
    insert_all(connection, schema.repository, new)
