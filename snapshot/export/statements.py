"""The SQL text of the statements that read MirrorManager's tables."""

from collections.abc import Iterable
from functools import cache
from typing import Any

from sqlalchemy import URL, Boolean, Column, ColumnElement, Select, Table, select, type_coerce
from sqlalchemy.types import NullType


@cache
def statement(driver: str, table: Table, fields: tuple[str, ...]) -> str:
    """Return what reads fields of a table, for SQLAlchemy's driver name.

    Each export has its own engine, which would compile all statements again: nearly half of the CPU
    time of exporting a small database.
    """
    dialect = URL.create(driver).get_dialect()()
    return str(
        _columns(table, fields).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    )


def _columns(table: Table, fields: Iterable[str]) -> Select[Any]:
    return select(*(_raw(table.c[name]) for name in fields))


def _raw(column: Column[Any]) -> ColumnElement[Any]:
    # Without NullType, SQLAlchemy converts a boolean column itself: every text would become True.
    return type_coerce(column, NullType()) if isinstance(column.type, Boolean) else column
