"""Keeps a measurement, which empties its database each time, from one that has other data."""

import click
from sqlalchemy import Engine, inspect

MARK = "loadtest_scratch"
"""A table that says that a database is one to throw away."""


def claim(engine: Engine) -> None:
    """Mark an empty database as one of measurements; raises ClickException for one with tables."""
    names = inspect(engine).get_table_names()
    if MARK in names:
        return
    if names:
        raise click.ClickException(
            f"the database has tables, such as {min(names)}, and a measurement would empty it:"
            " give an empty database"
        )
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {MARK} (number INTEGER)")
