"""The SQL of a scan: how many statements there are does not depend on the number of rows.

The same text runs on PostgreSQL and on SQLite. Parameters: the category's id, its product's id,
and the ages (`stale`, `propagation`) in seconds since 1970.
"""

STATE_TABLE = "mirrorlist_scan"
"""What the last scan of a category saw; MirrorManager does not know this table."""

CREATE_STATE = f"""CREATE TABLE {STATE_TABLE} (
    category_id INTEGER PRIMARY KEY, serial BIGINT NOT NULL, mark TEXT NOT NULL,
    digest TEXT NOT NULL, due BIGINT, state BYTEA NOT NULL)"""

READ_STATE = f"""SELECT serial, mark, digest, due, state FROM {STATE_TABLE}
    WHERE category_id = %(category)s"""

WRITE_STATE = f"""INSERT INTO {STATE_TABLE} (category_id, serial, mark, digest, due, state)
    VALUES (%(category)s, %(serial)s, %(mark)s, %(digest)s, %(due)s, %(state)s)
    ON CONFLICT (category_id) DO UPDATE SET serial = excluded.serial, mark = excluded.mark,
        digest = excluded.digest, due = excluded.due, state = excluded.state"""

CATEGORY = """SELECT c.id, c.product_id, d.name
    FROM category c LEFT JOIN directory d ON d.id = c.topdir_id WHERE c.name = %(name)s"""

CATEGORIES = "SELECT name FROM category ORDER BY name"

# What else than the primary decides what a scan writes, and what somebody may have changed.
MARK = """SELECT (SELECT count(*) FROM arch), (SELECT coalesce(max(id), 0) FROM arch),
    (SELECT count(*) FROM version), (SELECT coalesce(max(id), 0) FROM version),
    (SELECT count(*) FROM repository), (SELECT coalesce(max(id), 0) FROM repository),
    (SELECT count(*) FROM category_directory WHERE category_id = %(category)s)"""

ARCHES = "SELECT id, name FROM arch ORDER BY id"

VERSIONS = """SELECT id, name FROM version WHERE name IS NOT NULL
    AND product_id IS NOT DISTINCT FROM CAST(%(product)s AS INTEGER) ORDER BY id"""

# One pass over category_directory, which has no index that begins with the directory.
REPOSITORIES = """SELECT r.id, r.name, r.prefix, r.arch_id, d.name,
    coalesce(k.here, 0), coalesce(k.elsewhere, 0)
    FROM repository r LEFT JOIN directory d ON d.id = r.directory_id
    LEFT JOIN (SELECT directory_id,
            max(CASE WHEN category_id = %(category)s THEN 1 ELSE 0 END) AS here,
            max(CASE WHEN category_id = %(category)s THEN 0 ELSE 1 END) AS elsewhere
        FROM category_directory WHERE directory_id IN (SELECT directory_id FROM repository)
        GROUP BY directory_id) k ON k.directory_id = r.directory_id
    ORDER BY r.id"""

TEMPORARY = {
    "scan_directory": {"name": "TEXT", "ctime": "BIGINT", "readable": "BOOLEAN", "files": "BYTEA"},
    "scan_unlisted": {"name": "TEXT"},
    "scan_place": {"name": "TEXT"},
    "scan_version": {"name": "TEXT", "is_test": "BOOLEAN", "display": "BOOLEAN"},
    "scan_repository": {
        "id": "INTEGER",
        "name": "TEXT",
        "prefix": "TEXT",
        "arch_id": "INTEGER",
        "version": "TEXT",
    },
    "scan_detail": {
        "directory": "TEXT",
        "filename": "TEXT",
        "timestamp": "BIGINT",
        "size": "BIGINT",
        "md5": "TEXT",
        "sha1": "TEXT",
        "sha256": "TEXT",
        "sha512": "TEXT",
    },
}
"""The temporary tables, with their columns: what the database is to hold."""

CREATE_SCOPE = "CREATE TEMPORARY TABLE scan_scope (name TEXT)"

KEYS = {
    "scan_directory": ", PRIMARY KEY (name)",
    "scan_place": ", PRIMARY KEY (name)",
    "scan_detail": ", PRIMARY KEY (directory, filename)",
}

GONE = """CREATE TEMPORARY TABLE scan_gone AS SELECT d.id, d.name
    FROM category_directory cd JOIN directory d ON d.id = cd.directory_id
    LEFT JOIN scan_directory w ON w.name = d.name
    WHERE cd.category_id = CAST({category} AS INTEGER) AND w.name IS NULL AND NOT EXISTS (
        SELECT 1 FROM scan_unlisted u WHERE d.name = u.name
            OR substr(d.name, 1, length(u.name) + 1) = u.name || '/'){scope}"""

SCOPE = """ AND EXISTS (SELECT 1 FROM scan_scope s WHERE d.name = s.name
        OR substr(d.name, 1, length(s.name) + 1) = s.name || '/')"""

COUNT_GONE = """SELECT
    (SELECT count(*) FROM category_directory WHERE category_id = %(category)s),
    (SELECT count(*) FROM scan_gone)"""

UPDATE_DIRECTORIES = """UPDATE directory
    SET ctime = coalesce(w.ctime, directory.ctime), readable = w.readable, files = w.files
    FROM scan_directory w
    WHERE directory.name = w.name AND (directory.readable IS DISTINCT FROM w.readable
        OR directory.ctime IS DISTINCT FROM coalesce(w.ctime, directory.ctime)
        OR directory.files IS DISTINCT FROM w.files)
    RETURNING directory.name"""

INSERT_DIRECTORIES = """INSERT INTO directory (name, ctime, readable, files)
    SELECT w.name, coalesce(w.ctime, 0), w.readable, w.files
    FROM scan_directory w LEFT JOIN directory d ON d.name = w.name
    WHERE d.id IS NULL ORDER BY w.name RETURNING name"""

INSERT_LINKS = """INSERT INTO category_directory (category_id, directory_id)
    SELECT CAST(%(category)s AS INTEGER), d.id
    FROM scan_directory w JOIN directory d ON d.name = w.name
    WHERE NOT EXISTS (SELECT 1 FROM category_directory cd
        WHERE cd.category_id = %(category)s AND cd.directory_id = d.id)"""

INSERT_VERSIONS = """INSERT INTO version
        (name, product_id, is_test, display, ordered_mirrorlist, sortorder)
    SELECT w.name, CAST(%(product)s AS INTEGER), w.is_test, w.display, CAST(1 AS BOOLEAN), 0
    FROM scan_version w ORDER BY w.name"""

_VERSION_ID = """(SELECT min(v.id) FROM version v WHERE v.name = w.version
        AND v.product_id IS NOT DISTINCT FROM CAST(%(product)s AS INTEGER))"""

UPDATE_REPOSITORIES = f"""UPDATE repository
    SET name = w.name, prefix = w.prefix, arch_id = w.arch_id, directory_id = d.id,
        category_id = %(category)s, version_id = {_VERSION_ID}
    FROM scan_repository w JOIN directory d ON d.name = w.name WHERE repository.id = w.id"""

INSERT_REPOSITORIES = f"""INSERT INTO repository
        (name, prefix, category_id, version_id, arch_id, directory_id, disabled)
    SELECT w.name, w.prefix, CAST(%(category)s AS INTEGER), {_VERSION_ID}, w.arch_id, d.id,
        CAST(0 AS BOOLEAN)
    FROM scan_repository w JOIN directory d ON d.name = w.name
    WHERE w.id IS NULL ORDER BY w.name"""

ORPHANS = """CREATE TEMPORARY TABLE scan_orphan AS SELECT g.id FROM scan_gone g
    WHERE g.id NOT IN (SELECT directory_id FROM category_directory
            WHERE category_id <> CAST({category} AS INTEGER))
        AND NOT EXISTS (SELECT 1 FROM category c WHERE c.topdir_id = g.id)"""

# A repository is lost with its directory, or when its metadata is gone from there.
LOST = """CREATE TEMPORARY TABLE scan_lost AS SELECT r.id, r.name FROM repository r
    WHERE r.directory_id IN (SELECT id FROM scan_orphan)
    OR (r.category_id = CAST({category} AS INTEGER) AND r.directory_id IN (
        SELECT d.id FROM (
            SELECT substr(name, 1, length(name) - length('/repodata')) AS place
            FROM scan_gone WHERE name LIKE '%/repodata'
            UNION ALL SELECT substr(name, 1, length(name) - length('/objects'))
            FROM scan_gone WHERE name LIKE '%/objects') g
        JOIN directory d ON d.name = g.place
        WHERE NOT EXISTS (SELECT 1 FROM scan_place p WHERE p.name = d.name)))"""

COUNT_LOST = """SELECT
    (SELECT count(*) FROM repository WHERE category_id = %(category)s),
    (SELECT count(*) FROM scan_lost)"""

DELETE_LOST = (
    (
        "propagation_stat",
        "DELETE FROM propagation_stat WHERE repository_id IN (SELECT id FROM scan_lost)",
    ),
    ("repository", "DELETE FROM repository WHERE id IN (SELECT id FROM scan_lost)"),
)
"""What is deleted with a repository: by table, because old databases lack some."""

_ORPHANED = "(SELECT id FROM scan_orphan)"

DELETE_GONE = (
    (
        "category_directory",
        """DELETE FROM category_directory WHERE category_id = %(category)s
            AND directory_id IN (SELECT id FROM scan_gone)""",
    ),
    (
        "host_category_dir",
        f"""DELETE FROM host_category_dir WHERE directory_id IN {_ORPHANED}
            OR (directory_id IN (SELECT id FROM scan_gone) AND host_category_id IN
                (SELECT id FROM host_category WHERE category_id = %(category)s))""",
    ),
    (
        "directory_exclusive_host",
        f"DELETE FROM directory_exclusive_host WHERE directory_id IN {_ORPHANED}",
    ),
    (
        "file_detail_file_group",
        f"""DELETE FROM file_detail_file_group WHERE file_detail_id IN
            (SELECT id FROM file_detail WHERE directory_id IN {_ORPHANED})""",
    ),
    ("file_detail", f"DELETE FROM file_detail WHERE directory_id IN {_ORPHANED}"),
    ("directory", f"DELETE FROM directory WHERE id IN {_ORPHANED}"),
)
"""What is deleted with a directory, in this order."""

# Sums that are not known are NULL in umdl's rows, and empty in scan-primary-mirror's.
_EQUAL = " AND ".join(
    [
        "f.filename = w.filename",
        "coalesce(f.timestamp, 0) = coalesce(w.timestamp, 0)",
        "coalesce(f.size, 0) = coalesce(w.size, 0)",
        *(f"coalesce(f.{kind}, '') = coalesce(w.{kind}, '')" for kind in
          ("md5", "sha1", "sha256", "sha512")),
    ]
)  # fmt: skip

# A join, because SQLite would read all of file_detail for each row of NOT EXISTS: it has no index.
INSERT_DETAILS = f"""INSERT INTO file_detail
        (directory_id, filename, "timestamp", size, md5, sha1, sha256, sha512)
    SELECT d.id, w.filename, w.timestamp, w.size, w.md5, w.sha1, w.sha256, w.sha512
    FROM scan_detail w JOIN directory d ON d.name = w.directory
    LEFT JOIN file_detail f ON f.directory_id = d.id AND {_EQUAL}
    WHERE f.id IS NULL ORDER BY w.directory, w.filename"""

# Files as they are on the primary now are never aged, whatever their timestamps say.
_ALTERNATES = f"""FROM (SELECT f.id, f.timestamp AS stamp,
            row_number() OVER (PARTITION BY f.directory_id, f.filename
                ORDER BY f.timestamp DESC, f.id DESC) AS place,
            max(f.timestamp) OVER (PARTITION BY f.directory_id, f.filename) AS newest
        FROM file_detail f JOIN category_directory cd ON cd.directory_id = f.directory_id
        WHERE cd.category_id = CAST({{category}} AS INTEGER) AND f.timestamp IS NOT NULL) aged
    WHERE place > 1 AND NOT EXISTS (SELECT 1 FROM file_detail f JOIN directory d
            ON d.id = f.directory_id JOIN scan_detail w ON w.directory = d.name
        WHERE f.id = aged.id AND {_EQUAL})"""

AGED = f"""CREATE TEMPORARY TABLE scan_aged AS SELECT id {_ALTERNATES}
    AND stamp < CAST({{stale}} AS BIGINT)
    AND (place > 2 OR newest < CAST({{propagation}} AS BIGINT))"""

DELETE_AGED = (
    (
        "file_detail_file_group",
        "DELETE FROM file_detail_file_group WHERE file_detail_id IN (SELECT id FROM scan_aged)",
    ),
    ("file_detail", "DELETE FROM file_detail WHERE id IN (SELECT id FROM scan_aged)"),
)

# No age can be added to a timestamp near the largest number of the column.
_NO_TIME = 1 << 62

# The second newest waits until the newest has reached all mirrors, if that is later.
DUE = f"""SELECT min(CASE WHEN place > 2
            OR stamp + CAST({{stale_age}} AS BIGINT) > newest + CAST({{propagation_age}} AS BIGINT)
        THEN stamp + CAST({{stale_age}} AS BIGINT)
        ELSE newest + CAST({{propagation_age}} AS BIGINT) END) {_ALTERNATES}
    AND newest < {_NO_TIME}"""

OPTIONAL = ("propagation_stat", "directory_exclusive_host", "file_detail_file_group", STATE_TABLE)
"""Tables that a database may lack."""
