"""The tables of MirrorManager2 that an export reads, as MirrorManager2 creates them today.

The other tables are in `snapshot.demo.tables`, for programs that make a database. A database that
came through MirrorManager's migrations differs in nullability and in constraint names, so an export
selects columns by name and relies on nothing else (docs/mirrormanager.md#a-grown-database-differs).
"No column has a default that the database itself fills in": a `default=` here is filled in by the
program that inserts (docs/mirrormanager.md#no-defaults-in-the-database).
"""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from snapshot.export.columns import flag, row_id, unique_name
from snapshot.export.columns import metadata as metadata


def _utcnow() -> datetime:
    """The time in UTC without a zone, which is how MirrorManager stores all its times."""
    return datetime.now(UTC).replace(tzinfo=None)


site = Table(
    "site",
    metadata,
    row_id(),
    # Not unique: two organisations may have the same name.
    Column("name", Text, nullable=False, index=True),
    Column("password", Text),
    Column("org_url", Text),
    flag("private", False, index=True),
    flag("admin_active", True, index=True),
    flag("user_active", True, index=True),
    Column("created_at", DateTime, default=_utcnow, nullable=False, index=True),
    Column("created_by", Text, nullable=False),
    flag("all_sites_can_pull_from_me", False),
    Column("downstream_comments", Text),
    flag("email_on_drop", False),
    flag("email_on_add", False),
)

host = Table(
    "host",
    metadata,
    row_id(),
    Column("name", Text, nullable=False, index=True),
    Column("site_id", Integer, ForeignKey("site.id")),
    Column("robot_email", Text),
    flag("admin_active", True, index=True),
    flag("user_active", True, index=True),
    Column("country", Text, nullable=False, index=True),
    Column("bandwidth_int", Integer, default=100),
    Column("comment", Text),
    Column("config", LargeBinary),  # a Python pickle: never loaded
    Column("last_checked_in", DateTime),
    Column("last_crawled", DateTime),
    flag("private", False, index=True),
    flag("internet2", False),
    flag("internet2_clients", False),
    Column("asn", Integer),  # signed: an ASN above 2,147,483,647 does not fit
    flag("asn_clients", True),
    Column("max_connections", Integer, default=1, nullable=False),
    Column("last_crawl_duration", BigInteger, default=0, index=True),
    Column("crawl_failures", Integer, default=0, nullable=False),
    Column("disable_reason", Text),
    Column("push_ssh_private_key", Text),
    Column("push_ssh_host", Text),
    Column("push_ssh_command", Text),
    Column("last_crawls", LargeBinary),  # a Python pickle: never loaded
    Column("latitude", Float),
    Column("longitude", Float),
    UniqueConstraint("site_id", "name", name="host_idx"),
)

directory = Table(
    "directory",
    metadata,
    row_id(),
    unique_name(),  # full path without outer slashes, for example pub/fedora/linux
    Column("files", LargeBinary),  # JSON; in old rows a Python pickle: never loaded
    flag("readable", True, index=True),
    Column("ctime", BigInteger, default=0),  # Unix seconds
)

product = Table("product", metadata, row_id(), unique_name(), flag("publiclist", True))

arch = Table(
    "arch",
    metadata,
    row_id(),
    unique_name(),
    flag("publiclist", True),
    flag("primary_arch", True),
)

version = Table(
    "version",
    metadata,
    row_id(),
    Column("name", Text),
    Column("codename", Text),
    flag("is_test", False),
    flag("display", True),
    Column("display_name", Text),
    flag("ordered_mirrorlist", True),
    Column("sortorder", Integer, default=0, nullable=False),
    Column("product_id", Integer, ForeignKey("product.id")),
    UniqueConstraint("name", "product_id", name="version_idx"),
)

category = Table(
    "category",
    metadata,
    row_id(),
    unique_name(),
    Column("canonicalhost", Text),
    flag("publiclist", True),
    Column("geo_dns_domain", Text),
    Column("admin_only", Boolean, default=False),
    Column("product_id", Integer, ForeignKey("product.id")),
    Column("topdir_id", Integer, ForeignKey("directory.id")),
)

category_directory = Table(
    "category_directory",
    metadata,
    Column("category_id", Integer, ForeignKey("category.id"), primary_key=True),
    Column("directory_id", Integer, ForeignKey("directory.id"), primary_key=True),
)

repository = Table(
    "repository",
    metadata,
    row_id(),
    unique_name(),  # since MirrorManager2 the name of its directory
    Column("prefix", Text, index=True),
    Column("category_id", Integer, ForeignKey("category.id")),
    Column("version_id", Integer, ForeignKey("version.id")),
    Column("arch_id", Integer, ForeignKey("arch.id")),
    Column("directory_id", Integer, ForeignKey("directory.id")),
    flag("disabled", False),
    UniqueConstraint("prefix", "arch_id", name="repository_idx"),
    Index("t_repository_category_id_idx", "category_id"),
    Index("t_repository_version_id_idx", "version_id"),
    Index("t_repository_arch_id_idx", "arch_id"),
    Index("t_repository_directory_id_idx", "directory_id"),
)

repository_redirect = Table(
    "repository_redirect",
    metadata,
    row_id(),
    # "Both are texts, and the target need not exist." (docs/mirrormanager.md#redirects)
    Column("to_repo", Text),
    Column("from_repo", Text, nullable=False, unique=True),
    UniqueConstraint("from_repo", "to_repo", name="repository_redirect_idx"),
)

file_detail = Table(
    "file_detail",
    metadata,
    row_id(),
    Column("filename", Text, nullable=False),
    Column("timestamp", BigInteger, index=True),  # Unix seconds
    Column("size", BigInteger),  # bytes
    Column("sha1", Text),
    Column("md5", Text),
    Column("sha256", Text),
    Column("sha512", Text),
    Column("directory_id", Integer, ForeignKey("directory.id"), nullable=False),
)

host_category = Table(
    "host_category",
    metadata,
    row_id(),
    Column("host_id", Integer, ForeignKey("host.id")),
    Column("category_id", Integer, ForeignKey("category.id", ondelete="CASCADE")),
    flag("always_up2date", False),
    UniqueConstraint("host_id", "category_id", name="host_category_hcindex"),
    Index("t_hostcategory_host_id_idx", "host_id"),
    Index("t_hostcategory_category_id_idx", "category_id"),
)

host_category_url = Table(
    "host_category_url",
    metadata,
    row_id(),
    Column(
        "host_category_id",
        Integer,
        ForeignKey("host_category.id", ondelete="CASCADE", onupdate="CASCADE"),
        nullable=False,
    ),
    Column("url", Text, nullable=False, unique=True),
    flag("private", False, index=True),
    UniqueConstraint("host_category_id", "url", name="host_category_url_hcdindex"),
)

host_category_dir = Table(
    "host_category_dir",
    metadata,
    row_id(),
    Column(
        "host_category_id",
        Integer,
        ForeignKey("host_category.id", ondelete="CASCADE", onupdate="CASCADE"),
        nullable=False,
    ),
    Column("path", Text),  # below the topdir: with a leading slash from the crawler only
    flag("up2date", True, index=True),
    Column("directory_id", Integer, ForeignKey("directory.id", ondelete="CASCADE")),
    UniqueConstraint("host_category_id", "path", name="host_category_dir_hcdindex"),
)

host_netblock = Table(
    "host_netblock",
    metadata,
    row_id(),
    Column("netblock", Text),  # free text: CIDR, address, address/netmask or a DNS name
    Column("name", Text),
    Column("host_id", Integer, ForeignKey("host.id")),
)

host_country_allowed = Table(
    "host_country_allowed",
    metadata,
    row_id(),
    # "`country` is unique in this table without the host, so MirrorManager can allow a country for
    # one host only." (docs/mirrormanager.md#allowed-countries)
    Column("country", Text, nullable=False, unique=True),
    Column("host_id", Integer, ForeignKey("host.id")),
)

host_peer_asn = Table(
    "host_peer_asn",
    metadata,
    row_id(),
    Column("asn", Integer, nullable=False),
    Column("name", Text),
    Column("host_id", Integer, ForeignKey("host.id")),
    UniqueConstraint("host_id", "asn", name="host_peer_asn_idx"),
)

country_continent_redirect = Table(
    "country_continent_redirect",
    metadata,
    row_id(),
    Column("country", Text, nullable=False, unique=True),
    Column("continent", Text, nullable=False),
)

netblock_country = Table(
    "netblock_country",
    metadata,
    row_id(),
    Column("netblock", Text, nullable=False, unique=True),
    Column("country", Text, nullable=False),
)
