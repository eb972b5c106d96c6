"""Questions to the demo's database that several tests ask."""

import sqlite3

# Hosts that clients can be sent to: active, public, with a site and a public URL.
USABLE = """
    SELECT DISTINCT host.id, host.name, upper(host.country) AS country FROM host
    JOIN site ON site.id = host.site_id
    JOIN host_category ON host_category.host_id = host.id
    JOIN host_category_url url ON url.host_category_id = host_category.id AND NOT url.private
    WHERE host.admin_active AND host.user_active AND site.admin_active AND site.user_active
    AND NOT host.private AND NOT site.private
"""

# What the crawler found on each host.
CARRIED = """
    SELECT directory.name, up2date, path FROM host_category_dir
    JOIN host_category ON host_category.id = host_category_id
    JOIN host ON host.id = host_id
    JOIN category ON category.id = category_id
    JOIN directory ON directory.id = directory_id
"""


def one(demo: sqlite3.Connection, query: str, *values: object) -> object:
    """Return the only value of the only row that a query finds."""
    ((value,),) = demo.execute(query, values).fetchall()
    return value


def column(demo: sqlite3.Connection, query: str, *values: object) -> list[object]:
    """Return the first value of each row that a query finds."""
    return [row[0] for row in demo.execute(query, values)]
