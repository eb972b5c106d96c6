"""Notes that clients get less on purpose, so that the next export accepts the loss."""

from sqlalchemy import Connection, select, update

from snapshot.export.declared import site_file


def note_reduced(connection: Connection, site: str, now: int) -> None:
    """Let the next export lose something (docs/sites.md#when-much-goes-at-once)."""
    mine = site_file.c.name == site
    before = connection.scalar(select(site_file.c.reduced).where(mine)) or 0
    # Later than the time before, because an export only sees whether it is another one.
    moment = max(now, before + 1)
    connection.execute(update(site_file).where(mine).values(reduced=moment))
