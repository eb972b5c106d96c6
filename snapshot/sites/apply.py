"""Brings a database to what a file says, in one transaction."""

import time
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, delete, insert

from snapshot.export.database import parse_url
from snapshot.export.declared import site_file
from snapshot.file.defaults import DEFAULT_MAX_LOSS
from snapshot.sites.config import Config, Primary
from snapshot.sites.conflicts import check_conflicts
from snapshot.sites.current import read_current
from snapshot.sites.database import writing
from snapshot.sites.difference import SiteDifference, check_loss, difference
from snapshot.sites.drains import end_drains
from snapshot.sites.mirror_rows import write_mirrors
from snapshot.sites.renaming import rename
from snapshot.sites.request_rows import RequestRows
from snapshot.sites.request_shapes import expand_shapes
from snapshot.sites.state import declared
from snapshot.sites.tree_rows import write_tree

Told = Callable[[SiteDifference], None]


def apply(
    database: str,
    config: Config,
    told: Told,
    *,
    prune: bool = False,
    dry: bool = False,
    max_loss: int = DEFAULT_MAX_LOSS,
) -> SiteDifference:
    """Write what a file says, after `told` was called with the difference.

    With `prune`, what is gone from the file is removed; with `dry`, nothing is written. After a
    BackendError the database is as before.
    """
    want = declared(config)
    with writing(parse_url(database), commit=not dry) as connection:
        renamed = rename(connection, config.site)
        have = read_current(connection, config.site.name)
        found = difference(config.site.name, have.state, want, prune=prune)
        requests = RequestRows(connection, config.site.name, expand_shapes(config))
        found = replace(found, requests=requests.differ, renamed_from=renamed)
        told(found)
        check_loss(have.state, want, prune=prune, max_loss=max_loss)
        check_conflicts(connection, config.site.name, have, want, prune=prune)
        if found.changes_anything or have.product is None:
            categories = write_tree(connection, config.site.name, have, want, prune=prune)
            write_mirrors(connection, config.site.name, have, want, categories, prune=prune)
        requests.write()
        _note(connection, config, found)
        end_drains(connection, int(time.time()))
    return found


def _note(connection: Connection, config: Config, found: SiteDifference) -> None:
    """Note when the file was applied, and when one last took something away."""
    table = site_file
    name = config.site.name
    before = connection.execute(table.select().where(table.c.name == name)).first()
    # Later than the time before, because an export only sees whether it is another one.
    now = max(int(time.time()), ((before and before.reduced) or 0) + 1)
    reduced: Any = now if found.reduces else before and before.reduced
    primary = config.primary.url if isinstance(config.primary, Primary) else None
    connection.execute(delete(table).where(table.c.name == name))
    connection.execute(
        insert(table).values(
            name=name,
            contact=config.site.contact,
            primary_url=primary,
            applied=now,
            reduced=reduced,
        )
    )
