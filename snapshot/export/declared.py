"""The tables in which `mirrorlist sites` notes what it did; MirrorManager does not have them.

An export reads when somebody last took something away on purpose: then one snapshot may hold less
than the published one, whatever `--max-loss` says (docs/sites.md#when-much-goes-at-once).
"""

from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, Table, Text, func, select

own_metadata = MetaData()

site_file = Table(
    "mirrorlist_site",
    own_metadata,
    Column("name", Text, primary_key=True),  # as [site] says
    Column("contact", Text),
    Column("primary_url", Text),
    Column("applied", BigInteger, nullable=False),  # Unix seconds
    Column("reduced", BigInteger),  # Unix seconds; NULL if nothing was ever taken away
)

# When a probe first saw that a row of file_detail is not the current one. The row's own timestamp
# does not tell: a tree may be made a week before it is published.
replaced = Table(
    "mirrorlist_replaced",
    own_metadata,
    Column("file_detail_id", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),  # Unix seconds
)


def read_reduced(connection: Connection) -> int | None:
    """Return when a file last took something away, in seconds since 1970; None if never."""
    found = connection.scalar(select(func.max(site_file.c.reduced)))
    return found if type(found) is int else None
