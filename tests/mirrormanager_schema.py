"""What MirrorManager2's own definition says of its tables, at migration 3264c6353b51."""

# Each column with its type and ! for NOT NULL or ? for nullable.
COLUMNS = {
    "site": "id:I! name:T! password:T? org_url:T? private:B! admin_active:B! user_active:B!"
    " created_at:TS! created_by:T! all_sites_can_pull_from_me:B! downstream_comments:T?"
    " email_on_drop:B! email_on_add:B!",
    "host": "id:I! name:T! site_id:I? robot_email:T? admin_active:B! user_active:B! country:T!"
    " bandwidth_int:I? comment:T? config:BY? last_checked_in:TS? last_crawled:TS? private:B!"
    " internet2:B! internet2_clients:B! asn:I? asn_clients:B! max_connections:I!"
    " last_crawl_duration:L? crawl_failures:I! disable_reason:T? push_ssh_private_key:T?"
    " push_ssh_host:T? push_ssh_command:T? last_crawls:BY? latitude:F? longitude:F?",
    "host_category": "id:I! host_id:I? category_id:I? always_up2date:B!",
    "host_category_url": "id:I! host_category_id:I! url:T! private:B!",
    "host_category_dir": "id:I! host_category_id:I! path:T? up2date:B! directory_id:I?",
    "directory": "id:I! name:T! files:BY? readable:B! ctime:L?",
    "category": "id:I! name:T! canonicalhost:T? publiclist:B! geo_dns_domain:T? admin_only:B?"
    " product_id:I? topdir_id:I?",
    "category_directory": "category_id:I! directory_id:I!",
    "repository": "id:I! name:T! prefix:T? category_id:I? version_id:I? arch_id:I?"
    " directory_id:I? disabled:B!",
    "arch": "id:I! name:T! publiclist:B! primary_arch:B!",
    "product": "id:I! name:T! publiclist:B!",
    "version": "id:I! name:T? codename:T? is_test:B! display:B! display_name:T?"
    " ordered_mirrorlist:B! sortorder:I! product_id:I?",
    "file_detail": "id:I! filename:T! timestamp:L? size:L? sha1:T? md5:T? sha256:T? sha512:T?"
    " directory_id:I!",
    "host_netblock": "id:I! netblock:T? name:T? host_id:I?",
    "host_country_allowed": "id:I! country:T! host_id:I?",
    "host_peer_asn": "id:I! asn:I! name:T? host_id:I?",
    "repository_redirect": "id:I! to_repo:T? from_repo:T!",
    "country_continent_redirect": "id:I! country:T! continent:T!",
    "netblock_country": "id:I! netblock:T! country:T!",
    "host_acl_ip": "id:I! ip:T? host_id:I?",
    "country": "id:I! code:T!",
    "host_country": "id:I! country_id:I! host_id:I!",
    "location": "id:I! name:T!",
    "host_location": "id:I! location_id:I! host_id:I!",
    "directory_exclusive_host": "id:I! directory_id:I! host_id:I!",
    "embargoed_country": "id:I! country_code:T!",
    "site_admin": "id:I! username:T? site_id:I!",
    "site_to_site": "id:I! username:T? password:T? upstream_site_id:I! downstream_site_id:I!",
    "host_stats": "id:I! timestamp:TS! type:T? data:BY? host_id:I?",
    "file_group": "id:I! name:T!",
    "file_detail_file_group": "id:I! file_detail_id:I! file_group_id:I!",
    "access_stat_category": "id:I! name:V255!",
    "access_stat": "category_id:I! date:D! name:V255! percent:F? requests:I?",
    "propagation_stat": "repository_id:I? datetime:TS! same_day:I! one_day:I! two_day:I!"
    " older:I! no_info:I!",
    "mm_user": "id:I! user_name:V16! email_address:V255! display_name:V255? password:T?"
    " token:V50? created:TS! updated_on:TS!",
    "mm_group": "id:I! group_name:V16! display_name:V255? created:TS!",
    "mm_user_group": "user_id:I! group_id:I!",
    "mm_user_visit": "id:I! user_id:I! visit_key:V40! user_ip:V50! created:TS! expiry:TS?",
    "alembic_version": "version_num:V32!",
}

TYPES = {
    "I": "INTEGER",
    "L": "BIGINT",
    "T": "TEXT",
    "B": "BOOLEAN",
    "F": "FLOAT",
    "TS": "TIMESTAMP WITHOUT TIME ZONE",
    "BY": "BYTEA",
    "D": "DATE",
    **{f"V{size}": f"VARCHAR({size})" for size in (16, 32, 40, 50, 255)},
}

# What a program fills in when it inserts a row without the column; flags have one as well.
DEFAULTS = {
    ("category", "admin_only"): False,
    ("directory", "ctime"): 0,
    ("host", "bandwidth_int"): 100,
    ("host", "max_connections"): 1,
    ("host", "last_crawl_duration"): 0,
    ("host", "crawl_failures"): 0,
    ("version", "sortorder"): 0,
    **{
        ("propagation_stat", name): 0
        for name in ("same_day", "one_day", "two_day", "older", "no_info")
    },
}

TRUE_FLAGS = {
    "site.admin_active",
    "site.user_active",
    "host.admin_active",
    "host.user_active",
    "host.asn_clients",
    "host_category_dir.up2date",
    "directory.readable",
    "category.publiclist",
    "arch.publiclist",
    "arch.primary_arch",
    "product.publiclist",
    "version.display",
    "version.ordered_mirrorlist",
}

UNIQUES = {
    ("host", "host_idx", "site_id name"),
    ("host_category", "host_category_hcindex", "host_id category_id"),
    ("host_category_url", "uq_host_category_url_url", "url"),
    ("host_category_url", "host_category_url_hcdindex", "host_category_id url"),
    ("host_category_dir", "host_category_dir_hcdindex", "host_category_id path"),
    ("directory", "uq_directory_name", "name"),
    ("category", "uq_category_name", "name"),
    ("repository", "uq_repository_name", "name"),
    ("repository", "repository_idx", "prefix arch_id"),
    ("arch", "uq_arch_name", "name"),
    ("product", "uq_product_name", "name"),
    ("version", "version_idx", "name product_id"),
    ("host_country_allowed", "uq_host_country_allowed_country", "country"),
    ("repository_redirect", "uq_repository_redirect_from_repo", "from_repo"),
    ("repository_redirect", "repository_redirect_idx", "from_repo to_repo"),
    ("country_continent_redirect", "uq_country_continent_redirect_country", "country"),
    ("netblock_country", "uq_netblock_country_netblock", "netblock"),
    ("host_peer_asn", "host_peer_asn_idx", "host_id asn"),
    ("host_acl_ip", "uq_host_acl_ip_ip", "ip"),
    ("host_acl_ip", "host_acl_ip_hipindex", "host_id ip"),
    ("country", "uq_country_code", "code"),
    ("host_country", "host_country_hlidx", "host_id country_id"),
    ("location", "uq_location_name", "name"),
    ("host_location", "host_location_hlidx", "location_id host_id"),
    ("directory_exclusive_host", "directory_exclusive_host_idx", "directory_id host_id"),
    ("embargoed_country", "uq_embargoed_country_country_code", "country_code"),
    ("site_to_site", "site_to_site_idx", "upstream_site_id downstream_site_id"),
    ("site_to_site", "site_to_site_username_idx", "upstream_site_id username"),
    ("file_group", "uq_file_group_name", "name"),
    ("access_stat_category", "uq_access_stat_category_name", "name"),
    ("mm_user", "uq_mm_user_user_name", "user_name"),
    ("mm_user", "uq_mm_user_email_address", "email_address"),
    ("mm_group", "uq_mm_group_group_name", "group_name"),
    ("mm_user_group", "uq_mm_user_group_user_id", "user_id group_id"),
}

INDEXES = {
    *(f"ix_site_{name}" for name in ("name", "private", "admin_active", "user_active")),
    "ix_site_created_at",
    *(f"ix_host_{name}" for name in ("name", "private", "admin_active", "user_active")),
    "ix_host_country",
    "ix_host_last_crawl_duration",
    "t_hostcategory_host_id_idx",
    "t_hostcategory_category_id_idx",
    "ix_host_category_url_private",
    "ix_host_category_dir_up2date",
    "ix_directory_readable",
    "ix_repository_prefix",
    *(f"t_repository_{name}_id_idx" for name in ("category", "version", "arch", "directory")),
    "ix_file_detail_timestamp",
    *(f"ix_access_stat_{name}" for name in ("category_id", "date", "requests")),
    *(f"ix_propagation_stat_{name}" for name in ("repository_id", "datetime")),
    "ix_mm_user_visit_visit_key",
}

FOREIGN_KEYS = [
    ("host", "site_id", "site", {}),
    ("host_category", "host_id", "host", {}),
    ("host_category", "category_id", "category", {"ondelete": "CASCADE"}),
    (
        "host_category_url",
        "host_category_id",
        "host_category",
        {"ondelete": "CASCADE", "onupdate": "CASCADE"},
    ),
    (
        "host_category_dir",
        "host_category_id",
        "host_category",
        {"ondelete": "CASCADE", "onupdate": "CASCADE"},
    ),
    ("host_category_dir", "directory_id", "directory", {"ondelete": "CASCADE"}),
    ("category", "topdir_id", "directory", {}),
    ("category_directory", "category_id", "category", {}),
    ("repository", "arch_id", "arch", {}),
    ("file_detail", "directory_id", "directory", {}),
    ("host_netblock", "host_id", "host", {}),
    ("host_peer_asn", "host_id", "host", {}),
    ("site_to_site", "downstream_site_id", "site", {}),
    ("propagation_stat", "repository_id", "repository", {}),
    ("access_stat", "category_id", "access_stat_category", {}),
]
