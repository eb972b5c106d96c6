"""The SQL text of the statements that read MirrorManager's tables."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import (
    URL,
    Boolean,
    Column,
    ColumnElement,
    Integer,
    Select,
    Table,
    Text,
    and_,
    func,
    or_,
    select,
    type_coerce,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.types import NullType

from snapshot.export import schema
from snapshot.export.values import TRUE


@cache
def statement(driver: str, table: Table, fields: tuple[str, ...]) -> str:
    """Return what reads fields of a table, for SQLAlchemy's driver name; up-to-date rows grouped.

    Each export has its own engine, which would compile all statements again: nearly half of the CPU
    time of exporting a small database.
    """
    dialect = URL.create(driver).get_dialect()()
    is_up2date = table is schema.host_category_dir
    query = _up2date(dialect.name == "sqlite") if is_up2date else _columns(table, fields)
    return str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def _columns(table: Table, fields: Iterable[str]) -> Select[Any]:
    return select(*(_raw(table.c[name]) for name in fields))


def _raw(column: Column[Any]) -> ColumnElement[Any]:
    # Without NullType, SQLAlchemy converts a boolean column itself: every text would become True.
    return type_coerce(column, NullType()) if isinstance(column.type, Boolean) else column


def _up2date(is_sqlite: bool) -> Select[Any]:
    # "The table has no index by directory, so the database groups the rows, and an export sees one
    # row a directory." (docs/mirrormanager.md#up-to-date)
    table = schema.host_category_dir
    host_category: ColumnElement[Any] = table.c.host_category_id
    up2date: ColumnElement[Any] = table.c.up2date
    if is_sqlite:
        # A SQLite column has no fixed type, so `up2date` may be text such as "t".
        flag = _raw(table.c.up2date)
        words = func.lower(func.trim(flag)).in_(TRUE)
        up2date = or_(flag == 1, and_(func.typeof(flag) == "text", words))
        host_category = sql_cast(host_category, Integer)
    return (
        select(
            table.c.directory_id,
            func.aggregate_strings(sql_cast(host_category, Text), ","),
            func.count(),
            func.min(table.c.id),
        )
        .where(up2date)
        .group_by(table.c.directory_id)
    )
