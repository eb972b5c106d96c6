"""The tables of MirrorManager2 that no export reads: people, places, statistics, login.

A program that makes a database needs them, so that the database is complete for MirrorManager.
Importing this module adds them to `schema.metadata`.
"""

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    insert,
    inspect,
)

from snapshot.export.columns import row_id, unique_name
from snapshot.export.schema import metadata

HEAD_REVISION = "3264c6353b51"
"""The newest of MirrorManager2's own migrations (April 2025), which all these tables equal."""

host_acl_ip = Table(
    "host_acl_ip",
    metadata,
    row_id(),
    Column("ip", Text, unique=True),
    Column("host_id", Integer, ForeignKey("host.id")),
    UniqueConstraint("host_id", "ip", name="host_acl_ip_hipindex"),
)

country = Table("country", metadata, row_id(), Column("code", Text, nullable=False, unique=True))

host_country = Table(
    "host_country",
    metadata,
    row_id(),
    Column("country_id", Integer, ForeignKey("country.id"), nullable=False),
    Column("host_id", Integer, ForeignKey("host.id"), nullable=False),
    UniqueConstraint("host_id", "country_id", name="host_country_hlidx"),
)

location = Table("location", metadata, row_id(), unique_name())

host_location = Table(
    "host_location",
    metadata,
    row_id(),
    Column("location_id", Integer, ForeignKey("location.id"), nullable=False),
    Column("host_id", Integer, ForeignKey("host.id"), nullable=False),
    UniqueConstraint("location_id", "host_id", name="host_location_hlidx"),
)

directory_exclusive_host = Table(
    "directory_exclusive_host",
    metadata,
    row_id(),
    Column("directory_id", Integer, ForeignKey("directory.id"), nullable=False),
    Column("host_id", Integer, ForeignKey("host.id"), nullable=False),
    UniqueConstraint("directory_id", "host_id", name="directory_exclusive_host_idx"),
)

embargoed_country = Table(
    "embargoed_country",
    metadata,
    row_id(),
    Column("country_code", Text, nullable=False, unique=True),
)

site_admin = Table(
    "site_admin",
    metadata,
    row_id(),
    Column("username", Text),
    Column("site_id", Integer, ForeignKey("site.id"), nullable=False),
)

site_to_site = Table(
    "site_to_site",
    metadata,
    row_id(),
    Column("username", Text),
    Column("password", Text),
    Column("upstream_site_id", Integer, ForeignKey("site.id"), nullable=False),
    Column("downstream_site_id", Integer, ForeignKey("site.id"), nullable=False),
    UniqueConstraint("upstream_site_id", "downstream_site_id", name="site_to_site_idx"),
    UniqueConstraint("upstream_site_id", "username", name="site_to_site_username_idx"),
)

host_stats = Table(
    "host_stats",
    metadata,
    row_id(),
    Column("timestamp", DateTime, nullable=False),
    Column("type", Text),
    Column("data", LargeBinary),  # a Python pickle: never loaded
    Column("host_id", Integer, ForeignKey("host.id")),
)

file_group = Table("file_group", metadata, row_id(), unique_name())

file_detail_file_group = Table(
    "file_detail_file_group",
    metadata,
    row_id(),
    Column("file_detail_id", Integer, ForeignKey("file_detail.id"), nullable=False),
    Column("file_group_id", Integer, ForeignKey("file_group.id"), nullable=False),
)

access_stat_category = Table(
    "access_stat_category",
    metadata,
    row_id(),
    Column("name", String(255), nullable=False, unique=True),
)

access_stat = Table(
    "access_stat",
    metadata,
    Column(
        "category_id",
        Integer,
        ForeignKey("access_stat_category.id"),
        primary_key=True,
        index=True,
    ),
    Column("date", Date, primary_key=True, index=True),
    Column("name", String(255), primary_key=True),
    Column("percent", Float),
    Column("requests", Integer, index=True),
)

propagation_stat = Table(
    "propagation_stat",
    metadata,
    # Nullable by MirrorManager's own definition, although PostgreSQL forbids it in a primary key.
    Column(
        "repository_id",
        Integer,
        ForeignKey("repository.id"),
        primary_key=True,
        nullable=True,
        index=True,
    ),
    Column("datetime", DateTime, primary_key=True, index=True),  # local time of the crawler
    Column("same_day", Integer, default=0, nullable=False),
    Column("one_day", Integer, default=0, nullable=False),
    Column("two_day", Integer, default=0, nullable=False),
    Column("older", Integer, default=0, nullable=False),
    Column("no_info", Integer, default=0, nullable=False),
)

mm_user = Table(
    "mm_user",
    metadata,
    row_id(),
    Column("user_name", String(16), nullable=False, unique=True),
    Column("email_address", String(255), nullable=False, unique=True),
    Column("display_name", String(255)),
    Column("password", Text),
    Column("token", String(50)),
    Column("created", DateTime, nullable=False),
    Column("updated_on", DateTime, nullable=False),
)

mm_group = Table(
    "mm_group",
    metadata,
    row_id(),
    Column("group_name", String(16), nullable=False, unique=True),
    Column("display_name", String(255)),
    Column("created", DateTime, nullable=False),
)

mm_user_group = Table(
    "mm_user_group",
    metadata,
    Column("user_id", Integer, ForeignKey("mm_user.id"), primary_key=True),
    Column("group_id", Integer, ForeignKey("mm_group.id"), primary_key=True),
    UniqueConstraint("user_id", "group_id"),
)

mm_user_visit = Table(
    "mm_user_visit",
    metadata,
    row_id(),
    Column("user_id", Integer, ForeignKey("mm_user.id"), nullable=False),
    Column("visit_key", String(40), nullable=False, unique=True, index=True),
    Column("user_ip", String(50), nullable=False),
    Column("created", DateTime, nullable=False),
    Column("expiry", DateTime),
)

# Alembic's own bookkeeping of the migrations that a database has had; the name is Alembic's.
alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def create_tables(engine: Engine) -> None:
    """Create all tables that are missing; an empty database also gets the migration number.

    Raises SQLAlchemy's `DBAPIError` if the database cannot be reached or refuses.
    """
    with engine.begin() as connection:
        create_tables_in(connection)


def create_tables_in(connection: Connection) -> None:
    """Do what `create_tables` does in a connection's transaction."""
    empty = metadata.tables.keys().isdisjoint(inspect(connection).get_table_names())
    metadata.create_all(connection)
    if empty:
        connection.execute(insert(alembic_version).values(version_num=HEAD_REVISION))
