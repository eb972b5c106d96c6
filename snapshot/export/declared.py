"""The tables in which `mirrorlist sites` notes what it did; MirrorManager does not have them.

What an export reads of them is in `snapshot.export.site_rows`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    Text,
)

from snapshot.export import schema
from snapshot.export.site_rows import REQUEST_SHAPE, SITE_FILE, URL_STATE

own_metadata = MetaData()

site_file = Table(
    SITE_FILE,
    own_metadata,
    Column("name", Text, primary_key=True),  # as [site] says
    Column("contact", Text),
    Column("primary_url", Text),
    Column("applied", BigInteger, nullable=False),  # Unix seconds
    Column("reduced", BigInteger),  # Unix seconds; NULL if nothing was ever taken away
)


def _row_of(table: Table, name: str) -> Column[int]:
    """The id of a row that goes together with this one, in a database that knows foreign keys."""
    key = ForeignKey(table.c.id, ondelete="CASCADE")
    return Column(name, Integer, key, primary_key=True, autoincrement=False)


# When a probe first saw that a row of file_detail is not the current one. The row's own timestamp
# does not tell: a tree may be made a week before it is published.
replaced = Table(
    "mirrorlist_replaced",
    own_metadata,
    _row_of(schema.file_detail, "file_detail_id"),
    Column("at", BigInteger, nullable=False),  # Unix seconds
)

# What the primary gave for a file that tells the state of repositories.
primary_file = Table(
    "mirrorlist_primary",
    own_metadata,
    _row_of(schema.directory, "directory_id"),
    Column("filename", Text, primary_key=True),
    Column("etag", Text, nullable=False),  # "" if it has none
    Column("sha256", Text, nullable=False),
    Column("timestamp", BigInteger),  # Unix seconds; NULL if the file tells no time
    Column("is_time", Boolean, nullable=False),  # whether mirrors are judged by its time
)

# Which mirrors have, by the file, only a part of a category: a probe of the mirror writes the same
# rows of host_category_dir for a whole mirror and for a part.
partial = Table(
    "mirrorlist_partial", own_metadata, _row_of(schema.host_category, "host_category_id")
)

# Mirrors that are out of the lists for a while; their admin_active is off meanwhile.
drained = Table(
    "mirrorlist_drain",
    own_metadata,
    _row_of(schema.host, "host_id"),
    Column("since", BigInteger, nullable=False),  # Unix seconds
    Column("until", BigInteger, nullable=False),  # Unix seconds
    Column("reason", Text, nullable=False),
)

# How a URL of a mirror answered.
url_state = Table(
    URL_STATE,
    own_metadata,
    _row_of(schema.host_category_url, "url_id"),
    Column("failures", Integer, nullable=False),  # in a row; each is a probe without any answer
    Column("checked", BigInteger, nullable=False),  # Unix seconds
    Column("good", BigInteger),  # Unix seconds; NULL if it never was
    Column("error", Text),  # the last one, until it is good again
    Column("tls_expires", BigInteger),  # Unix seconds
    Column("since", BigInteger),  # Unix seconds: when it left the lists or came back last
    # What is wrong over each, or ""; NULL if they were not asked apart.
    Column("ipv4", Text),
    Column("ipv6", Text),
)

# What a URL of a mirror answered for the file of a repository: how it was judged, and what to ask
# next time whether it is still the same.
answer = Table(
    "mirrorlist_answer",
    own_metadata,
    _row_of(schema.host_category_url, "url_id"),
    _row_of(schema.directory, "directory_id"),
    Column("etag", Text, nullable=False),  # "" if it has none
    Column("sha256", Text, nullable=False),  # "" if it never gave the file
    Column("timestamp", BigInteger),  # Unix seconds; NULL if the file tells no time
    Column("verdict", Text, nullable=False),
    Column("since", BigInteger, nullable=False),  # Unix seconds: of this verdict
)


# Requests in other words than repo= and arch=, by site.
request_shape = Table(
    REQUEST_SHAPE,
    own_metadata,
    Column("site", Text, primary_key=True),  # as [site] says
    Column("request", Text, primary_key=True),  # as in the snapshot
    Column("names", Text, nullable=False),  # the parameters that count, joined by &
    Column("prefix", Text, nullable=False),
    Column("arch", Text, nullable=False),
)
