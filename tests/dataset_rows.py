"""Looks into databases that the load test's data set is in."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import create_engine, select

from loadtest.common.progress import Phases
from loadtest.dataset.dataset import Dataset, fill
from snapshot.export import schema
from snapshot.export.database import parse_url

SMALL = 0.01
"""The smallest scale, whose database is made in a moment."""

QUIET = Phases(None)


def fill_small(url: str, *, seed: int = 1, noise: bool = False, replace: bool = False) -> None:
    """Fill a database at the smallest scale."""
    fill(url, Dataset(SMALL, seed).rows(noise), replace, QUIET)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection to a SQLite database."""
    with closing(sqlite3.connect(path)) as connection:
        yield connection


def all_rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of every table, sorted, as Python values that do not know the database."""
    engine = create_engine(parse_url(url).text(password=None))
    with engine.connect() as connection:
        rows = {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in schema.metadata.sorted_tables
        }
    engine.dispose()
    return rows


def digest(dataset: Dataset) -> str:
    """Return a digest of all rows of a data set."""
    rows = dataset.rows(noise=True)
    text = repr(sorted(rows.tables.items())) + repr(list(rows.giant()))
    return hashlib.sha256(text.encode()).hexdigest()
