"""The SQL of an import: how many statements there are does not depend on the number of rows.

The same text runs on PostgreSQL and on SQLite, but for the types in `tables`. The staged rows
stand first in each join, because SQLite follows the order that is written for a LEFT JOIN.
"""

from collections.abc import Mapping

from snapshot.link import POSTGRESQL, SQLITE
from snapshot.packages.tables import CAPABILITY, LOCATION, PACKAGE, REPODATA, USES

REPOSITORIES = """SELECT DISTINCT d.name FROM repository r JOIN directory d ON d.id = r.directory_id
    LEFT JOIN arch a ON a.id = r.arch_id
    WHERE (CAST(%(repo)s AS TEXT) IS NULL OR r.prefix = %(repo)s)
        AND (CAST(%(arch)s AS TEXT) IS NULL OR a.name = %(arch)s) ORDER BY d.name"""

PREFIXES = "SELECT DISTINCT prefix FROM repository WHERE prefix IS NOT NULL ORDER BY prefix"

# The newest first. What a scan could not read has no sum.
DETAILS = """SELECT d.name, f.sha256, f.sha512, f.sha1 FROM file_detail f
    JOIN directory d ON d.id = f.directory_id WHERE f.filename = 'repomd.xml'
    ORDER BY d.name, f.timestamp DESC, f.id DESC"""

KNOWN = f"SELECT id, directory, source, revision, sum, packages FROM {REPODATA} ORDER BY directory"

_AGGREGATE = {
    POSTGRESQL: "string_agg(encode(key, 'hex'), '')",
    SQLITE: "group_concat(hex(key), '')",
}


def keys(kind: str, ids: list[int]) -> str:
    """Return the query of the keys of packages in some repositories, a text for each of them."""
    listed = ", ".join(map(str, [0, *ids]))
    return f"""SELECT repodata_id, {_AGGREGATE[kind]} FROM {LOCATION}
        WHERE repodata_id IN ({listed}) GROUP BY repodata_id"""


TEMPORARY: Mapping[str, Mapping[str, str]] = {
    "import_capability": {
        "package": "INTEGER",
        "kind": "SMALLINT",
        "name": "TEXT",
        "flags": "SMALLINT",
        "evr": "TEXT",
    },
    "import_package": {
        "number": "INTEGER PRIMARY KEY",
        "repository": "INTEGER",
        "key": "BYTEA",
        "path": "TEXT",
        "name": "TEXT",
        "epoch": "TEXT",
        "version": "TEXT",
        "release": "TEXT",
        "arch": "TEXT",
        "size": "BIGINT",
        "sum_kind": "TEXT",
        "sum": "TEXT",
        "content": "BYTEA",
    },
    "import_gone": {"repository": "INTEGER", "key": "BYTEA"},
    "import_repodata": {
        "number": "INTEGER PRIMARY KEY",
        "directory": "TEXT",
        "source": "TEXT",
        "revision": "TEXT",
        "sum": "TEXT",
        "packages": "INTEGER",
        "leaves": "BOOLEAN",
    },
}
"""The temporary tables with their columns; `number` is of this import alone."""

REPODATA_WRITTEN = f"""INSERT INTO {REPODATA} (directory, source, revision, sum, packages)
    SELECT directory, source, revision, sum, packages FROM import_repodata
    WHERE NOT leaves ORDER BY directory
    ON CONFLICT (directory) DO UPDATE SET source = excluded.source, revision = excluded.revision,
        sum = excluded.sum, packages = excluded.packages"""

# Of repositories that could not be read to their end, staged rows have no row in import_repodata.
FRESH = f"""CREATE TEMPORARY TABLE import_fresh AS SELECT min(w.number) AS number
    FROM import_package w JOIN import_repodata i ON i.number = w.repository
    LEFT JOIN {PACKAGE} p ON p.content = w.content WHERE p.id IS NULL GROUP BY w.content"""

PACKAGES = f"""INSERT INTO {PACKAGE}
        (content, name, epoch, version, release, arch, size, sum_kind, sum)
    SELECT w.content, w.name, w.epoch, w.version, w.release, w.arch, w.size, w.sum_kind, w.sum
    FROM import_fresh f JOIN import_package w ON w.number = f.number ORDER BY w.number"""

# With a key, because SQLite joins by an index or not at all.
CREATE_IDS = "CREATE TEMPORARY TABLE import_id (number INTEGER PRIMARY KEY, id INTEGER)"

IDS = f"""INSERT INTO import_id (number, id) SELECT f.number, p.id FROM import_fresh f
    JOIN import_package w ON w.number = f.number JOIN {PACKAGE} p ON p.content = w.content"""

# Each once, before it is looked for: many are in several packages. By GROUP BY, because SQLite
# sorts for it; for DISTINCT it fills a tree in random order.
CAPABILITIES = f"""INSERT INTO {CAPABILITY} (name, flags, evr)
    SELECT c.name, c.flags, c.evr FROM (SELECT c.name, c.flags, c.evr
        FROM import_capability c WHERE c.package IN (SELECT number FROM import_id)
        GROUP BY c.name, c.flags, c.evr) c
    LEFT JOIN {CAPABILITY} k ON k.name = c.name AND k.flags = c.flags AND k.evr = c.evr
    WHERE k.id IS NULL ORDER BY c.name, c.flags, c.evr"""

USED = f"""INSERT INTO {USES} (package_id, kind, capability_id)
    SELECT f.id, c.kind, k.id FROM import_capability c
    CROSS JOIN {CAPABILITY} k CROSS JOIN import_id f
    WHERE f.number = c.package AND k.name = c.name AND k.flags = c.flags AND k.evr = c.evr"""

_LEAVING = f"""(SELECT r.id FROM import_repodata i JOIN {REPODATA} r ON r.directory = i.directory
    WHERE i.leaves)"""

DROPPED = f"""CREATE TEMPORARY TABLE import_dropped AS
    SELECT l.repodata_id, l.key, l.package_id FROM import_gone g
    JOIN import_repodata i ON i.number = g.repository
    JOIN {REPODATA} r ON r.directory = i.directory
    JOIN {LOCATION} l ON l.repodata_id = r.id AND l.key = g.key
    UNION ALL SELECT l.repodata_id, l.key, l.package_id FROM {LOCATION} l
    WHERE l.repodata_id IN {_LEAVING}"""

UNLOCATED = f"""DELETE FROM {LOCATION} WHERE (repodata_id, key) IN
    (SELECT repodata_id, key FROM import_dropped)"""

LOCATED = f"""INSERT INTO {LOCATION} (repodata_id, key, package_id, path)
    SELECT r.id, w.key, p.id, w.path FROM import_package w
    JOIN import_repodata i ON i.number = w.repository
    JOIN {REPODATA} r ON r.directory = i.directory
    JOIN {PACKAGE} p ON p.content = w.content
    WHERE 1 = 1 ORDER BY r.id, w.key ON CONFLICT DO NOTHING"""

LOST = f"""CREATE TEMPORARY TABLE import_lost AS SELECT DISTINCT g.package_id
    FROM import_dropped g
    WHERE NOT EXISTS (SELECT 1 FROM {LOCATION} l WHERE l.package_id = g.package_id)"""

UNUSED = f"""CREATE TEMPORARY TABLE import_unused AS SELECT DISTINCT u.capability_id
    FROM import_lost g JOIN {USES} u ON u.package_id = g.package_id"""

FORGOTTEN_USES = f"DELETE FROM {USES} WHERE package_id IN (SELECT package_id FROM import_lost)"

FORGOTTEN_PACKAGES = f"DELETE FROM {PACKAGE} WHERE id IN (SELECT package_id FROM import_lost)"

FORGOTTEN_CAPABILITIES = f"""DELETE FROM {CAPABILITY} WHERE id IN (SELECT g.capability_id
    FROM import_unused g
    WHERE NOT EXISTS (SELECT 1 FROM {USES} u WHERE u.capability_id = g.capability_id))"""

FORGOTTEN_REPODATA = f"DELETE FROM {REPODATA} WHERE id IN {_LEAVING}"
