"""Writes the demo: into a new SQLite file, or into any database that is empty."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, StaticPool, create_engine, insert

from snapshot.demo.host_rows import host_rows
from snapshot.demo.tables import create_tables
from snapshot.demo.tree_rows import tree_rows
from snapshot.export import schema
from snapshot.file.writer import check_output, replace_file

Progress = Callable[[str], None]


def build_demo(path: Path, progress: Progress | None = None) -> None:
    """Write the demo's database as a SQLite file, whole or not at all, replacing an older one.

    Raises OutputError if the file cannot be written. Progress is told each step as a short text.
    """
    check_output(path)
    # Built in memory (some 20 MB), so that the file needs one write and one rename.
    with closing(sqlite3.connect(":memory:")) as connection:
        engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        fill_demo(engine, progress)
        content = connection.serialize()
    replace_file(path, content)


def fill_demo(engine: Engine, progress: Progress | None = None) -> None:
    """Create the tables in an empty database and insert the demo's rows.

    The rows bring their ids, so the sequences of a PostgreSQL database do not advance.
    """
    say = progress or (lambda text: None)
    say("tables")
    create_tables(engine)
    rows = tree_rows() | host_rows()
    with engine.begin() as connection:
        # Sorted by the foreign keys: each row comes after those that it refers to.
        for table in schema.metadata.sorted_tables:
            if table.name in rows:
                say(f"{table.name}: {len(rows[table.name])} rows")
                connection.execute(insert(table), rows[table.name])
