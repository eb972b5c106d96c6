"""Chooses the probe for a database."""

from snapshot.export.database import database_file, parse_url
from snapshot.watch.look import Probe
from snapshot.watch.postgresql import PostgresqlProbe
from snapshot.watch.sqlite import SqliteProbe


def make_probe(database: str) -> Probe:
    """Return the probe for the database of a URL, not connected yet; raises DatabaseURLError."""
    url = parse_url(database)
    return SqliteProbe(url) if database_file(url) else PostgresqlProbe(database)
