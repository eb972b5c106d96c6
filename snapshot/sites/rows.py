"""Statements over many rows at once, for tables that have an id."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, Table, bindparam, delete, insert, select, update

from snapshot.export.columns import metadata

# SQLite takes at most 32,766 values in a statement, PostgreSQL 65,535.
_MOST = 30_000


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Yield values in lists that fit into one statement."""
    rest = iter(values)
    while part := list(islice(rest, _MOST)):
        yield part


def rows_of(connection: Connection, table: Table, column: str, values: Iterable[Any]) -> list[Any]:
    """Return the rows whose column has one of the values."""
    statement = _among(table, column)
    return [row for part in chunks(values) for row in connection.execute(statement, {"part": part})]


@cache
def _among(table: Table, column: str) -> Select[Any]:
    """Return a statement for rows by a column: to put it together takes as long as to run it."""
    found = table.c[column]
    return select(table).where(found.in_(bindparam("part", type_=found.type, expanding=True)))


def ids_of(
    connection: Connection, table: Table, column: str, values: Iterable[Any], **same: Any
) -> dict[Any, int]:
    """Return the ids of the rows whose column has one of the values, by the value."""
    return {
        getattr(row, column): row.id
        for row in rows_of(connection, table, column, values)
        if all(getattr(row, name) == value for name, value in same.items())
    }


def insert_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, all with the same columns."""
    if rows:
        connection.execute(insert(table), [dict(row) for row in rows])


def ensure(
    connection: Connection, table: Table, names: Iterable[str], **columns: Any
) -> dict[str, int]:
    """Return the ids of named rows; a missing row is inserted, with some columns."""
    names = list(dict.fromkeys(names))
    same = {name: value for name, value in columns.items() if name == "product_id"}
    found = ids_of(connection, table, "name", names, **same)
    missing = [name for name in names if name not in found]
    if missing:
        insert_all(connection, table, [{"name": name, **columns} for name in missing])
        found = ids_of(connection, table, "name", names, **same)
    return found


def update_all(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update rows by their `id`, all in the same columns."""
    if rows:
        columns: dict[str, Any] = {
            name: bindparam(f"new_{name}") for name in rows[0] if name != "id"
        }
        statement = update(table).where(table.c.id == bindparam("of_id")).values(columns)
        connection.execute(
            statement,
            [
                {"of_id": row["id"], **{f"new_{name}": row[name] for name in row if name != "id"}}
                for row in rows
            ],
        )


def delete_where(connection: Connection, table: Table, column: str, ids: Iterable[int]) -> None:
    """Delete rows by a column, and before them all rows that refer to them."""
    for part in chunks(sorted(ids)):
        chosen = table.c[column].in_(part)
        for child, key in _referring(table):
            if "id" in child.c:
                found = connection.scalars(
                    select(child.c.id).where(child.c[key].in_(select(table.c.id).where(chosen)))
                )
                delete_where(connection, child, "id", [*found])
            else:
                inner = select(table.c.id).where(chosen)
                connection.execute(delete(child).where(child.c[key].in_(inner)))
        connection.execute(delete(table).where(chosen))


def _referring(table: Table) -> list[tuple[Table, str]]:
    """The tables with a foreign key to the id of a table, each with its column."""
    return [
        (child, key.parent.name)
        for child in metadata.sorted_tables
        for key in child.foreign_keys
        if key.column.table is table
    ]
