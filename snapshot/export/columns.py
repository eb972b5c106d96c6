"""The metadata that all table definitions share, and the columns that nearly every table has."""

from sqlalchemy import Boolean, Column, Integer, MetaData, Text

# MirrorManager2 names its constraints by this rule wherever it does not give a name.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


def row_id() -> Column[int]:
    """The `id` of a row: SERIAL in PostgreSQL, the row number in SQLite."""
    return Column("id", Integer, primary_key=True)


def unique_name() -> Column[str]:
    """The `name` of a row in a table where no two rows share one."""
    return Column("name", Text, nullable=False, unique=True)


def flag(name: str, default: bool, *, index: bool = False) -> Column[bool]:
    """A yes-or-no column that is never NULL; the default is the client's, not the database's."""
    return Column(name, Boolean, default=default, nullable=False, index=index)
