"""The SQL of `mirrorlist repo`; its number of statements does not depend on the number of rows.

The same text runs on PostgreSQL and on SQLite.
"""

from snapshot.scan.statements import STATE_TABLE

REPOSITORIES = """SELECT r.id, r.name, r.prefix, a.name, v.name, p.name, c.id, c.name, d.id, d.name,
    r.disabled FROM repository r
    LEFT JOIN arch a ON a.id = r.arch_id LEFT JOIN version v ON v.id = r.version_id
    LEFT JOIN category c ON c.id = r.category_id LEFT JOIN directory d ON d.id = r.directory_id
    LEFT JOIN product p ON p.id = coalesce(v.product_id, c.product_id) ORDER BY r.id"""

NAMES = """SELECT 'category', name FROM category UNION SELECT 'product', name FROM product
    UNION SELECT 'version', name FROM version WHERE name IS NOT NULL
    UNION SELECT 'arch', name FROM arch"""

CATEGORIES = """SELECT c.name, c.id, c.product_id, d.name
    FROM category c LEFT JOIN directory d ON d.id = c.topdir_id"""

VERSION = """SELECT min(id) FROM version WHERE name = %(name)s
    AND product_id IS NOT DISTINCT FROM CAST(%(product)s AS INTEGER)"""

# The metadata of a yum repository is in its repodata, that of an ostree repository in itself.
_METADATA = """SELECT d.id AS place, f.id, f.timestamp
        FROM directory d JOIN directory m ON m.name = d.name || '/repodata'
        JOIN file_detail f ON f.directory_id = m.id
        WHERE f.filename = 'repomd.xml' AND d.id IN ({places})
    UNION ALL SELECT f.directory_id, f.id, f.timestamp FROM file_detail f
        WHERE f.filename = 'summary' AND f.directory_id IN ({places})"""

DETAILS = f"""SELECT place, count(*), max("timestamp") FROM (
    {_METADATA.format(places="SELECT directory_id FROM repository")}) found GROUP BY place"""

MOVES = {
    "id": "INTEGER",
    "old_id": "INTEGER",
    "name": "TEXT",
    "target": "TEXT",
    "category_id": "INTEGER",
    "version_id": "INTEGER",
}
"""The columns of the temporary table `repo_move`; `target` is the new directory."""

_TARGETS = "SELECT id FROM directory WHERE name IN (SELECT target FROM repo_move)"

# Hosts are counted in one pass, because host_category_dir has no index on its directory.
READY = f"""SELECT w.id, d.id, d.readable, cd.directory_id, coalesce(m.rows_there, 0),
        (SELECT min(coalesce(r.prefix, '')) FROM repository r
            WHERE r.directory_id = d.id),
        (SELECT min(coalesce(r.prefix, '')) FROM repository r
            WHERE r.name = w.name AND r.id <> w.id),
        coalesce(h.hosts, 0) + (SELECT count(*) FROM host_category hc
            WHERE hc.category_id = w.category_id AND hc.always_up2date)
    FROM repo_move w LEFT JOIN directory d ON d.name = w.target
    LEFT JOIN category_directory cd
        ON cd.directory_id = d.id AND cd.category_id = w.category_id
    LEFT JOIN (SELECT place, count(*) AS rows_there
        FROM ({_METADATA.format(places=_TARGETS)}) found GROUP BY place) m ON m.place = d.id
    LEFT JOIN (SELECT k.directory_id, hc.category_id, count(DISTINCT hc.host_id) AS hosts
        FROM host_category_dir k JOIN host_category hc ON hc.id = k.host_category_id
        WHERE k.up2date AND NOT hc.always_up2date AND k.directory_id IN ({_TARGETS})
        GROUP BY k.directory_id, hc.category_id) h
        ON h.directory_id = d.id AND h.category_id = w.category_id"""

DROP_UNREADY = "DELETE FROM repo_move WHERE id IN (SELECT id FROM repo_unready)"

UPDATE = """UPDATE repository SET name = w.name, directory_id = d.id, category_id = w.category_id,
        version_id = coalesce(w.version_id, repository.version_id)
    FROM repo_move w JOIN directory d ON d.name = w.target
    WHERE repository.id = w.id AND repository.directory_id = w.old_id"""

# "A row without `timestamp` counts as the newest [...]; of equal timestamps, the higher
# id is newer." (docs/mirrormanager.md#file-details)
ALTERNATES = """SELECT id, name, filename, stamp FROM (
        SELECT f.id, d.name, f.filename, f.timestamp AS stamp, row_number() OVER (
            PARTITION BY f.directory_id, f.filename ORDER BY
            CASE WHEN f.timestamp IS NULL THEN 0 ELSE 1 END, f.timestamp DESC, f.id DESC) AS place
        FROM file_detail f JOIN directory d ON d.id = f.directory_id) aged
    WHERE place > 1 ORDER BY name, filename, stamp DESC, id DESC"""

DELETE = (
    (
        "file_detail_file_group",
        "DELETE FROM file_detail_file_group WHERE file_detail_id IN (SELECT id FROM repo_expired)",
    ),
    ("file_detail", "DELETE FROM file_detail WHERE id IN (SELECT id FROM repo_expired)"),
)
"""What is deleted with a file detail: by table, because old databases lack some."""

CATEGORIES_OF = """SELECT cd.category_id FROM directory d
    LEFT JOIN category_directory cd ON cd.directory_id = d.id WHERE d.name = %(name)s"""

# The next scan of these categories compares everything.
FORGET = f"""UPDATE {STATE_TABLE} SET mark = ''
    WHERE category_id IN (SELECT id FROM repo_category)"""
