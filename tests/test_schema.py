"""The tables are MirrorManager2's: columns, types, keys, constraints and their names."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import (
    Engine,
    ForeignKeyConstraint,
    Inspector,
    StaticPool,
    Table,
    create_engine,
    insert,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.schema import CreateTable

from snapshot.demo import tables
from snapshot.demo.tables import create_tables
from snapshot.export import schema
from tests.mirrormanager_schema import (
    COLUMNS,
    DEFAULTS,
    FOREIGN_KEYS,
    INDEXES,
    TRUE_FLAGS,
    TYPES,
    UNIQUES,
)

POSTGRESQL = make_url("postgresql://").get_dialect()()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty SQLite database in a file."""
    engine = create_engine(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def created() -> Iterator[Inspector]:
    """What SQLite says of the tables that were created."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    create_tables(engine)
    yield inspect(engine)
    engine.dispose()


def test_has_all_tables() -> None:
    """There are MirrorManager2's tables and no others."""
    assert set(schema.metadata.tables) == set(COLUMNS)


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(name: str) -> None:
    """Each table has these columns in this order, of this type in PostgreSQL, nullable or not."""
    found = [
        (column.name, column.type.compile(dialect=POSTGRESQL), column.nullable)
        for column in schema.metadata.tables[name].columns
    ]
    expected = []
    for column in COLUMNS[name].split():
        column_name, _, kind = column.partition(":")
        expected.append((column_name, TYPES[kind[:-1]], kind.endswith("?")))
    assert found == expected


@pytest.mark.parametrize("name", COLUMNS)
def test_sqlite_has_the_columns(created: Inspector, name: str) -> None:
    """SQLite creates each table with its columns."""
    names = [column.partition(":")[0] for column in COLUMNS[name].split()]
    assert [column["name"] for column in created.get_columns(name)] == names


@pytest.mark.parametrize("name", COLUMNS)
def test_no_default_in_the_database(name: str) -> None:
    """No column has a default in the database, as upstream has none."""
    table = schema.metadata.tables[name]
    assert [column.name for column in table.columns if column.server_default is not None] == []


@pytest.mark.parametrize("name", COLUMNS)
def test_defaults_of_the_inserting_program(name: str) -> None:
    """Flags and counters have a default outside the database, all others none."""
    flags = [column[:-3] for column in COLUMNS[name].split() if column.endswith(":B!")]
    expected: dict[str, object] = {flag: f"{name}.{flag}" in TRUE_FLAGS for flag in flags}
    expected |= {column: value for (table, column), value in DEFAULTS.items() if table == name}
    assert _defaults(schema.metadata.tables[name]) == expected


def _defaults(table: Table) -> dict[str, object]:
    return {
        column.name: getattr(column.default, "arg", None)
        for column in table.columns
        if column.default is not None and column.default.is_scalar
    }


def test_a_site_is_created_now(engine: Engine) -> None:
    """A site inserted without a creation time gets the present in UTC, without a zone."""
    create_tables(engine)
    before = datetime.now(UTC).replace(tzinfo=None)
    with engine.begin() as connection:
        connection.execute(insert(schema.site).values(name="JAIST", created_by="somebody"))
        found = connection.execute(select(schema.site.c.created_at)).scalar_one()
    assert before <= found <= datetime.now(UTC).replace(tzinfo=None)


def test_unique_constraints(created: Inspector) -> None:
    """The unique constraints have MirrorManager's columns and names."""
    found = {
        (table, constraint["name"], " ".join(str(name) for name in constraint["column_names"]))
        for table in created.get_table_names()
        for constraint in created.get_unique_constraints(table)
    }
    assert found == UNIQUES


def test_indexes(created: Inspector) -> None:
    """The indexes have MirrorManager's names."""
    names = {
        index["name"] for table in created.get_table_names() for index in created.get_indexes(table)
    }
    assert names == INDEXES


def test_visit_key_is_unique(created: Inspector) -> None:
    """The key of a visit is unique by its index, with no constraint beside it."""
    (index,) = created.get_indexes("mm_user_visit")
    assert index["unique"]


@pytest.mark.parametrize(
    ("table", "column", "target", "options"),
    [pytest.param(*case, id=f"{case[0]}.{case[1]}") for case in FOREIGN_KEYS],
)
def test_foreign_keys(
    created: Inspector, table: str, column: str, target: str, options: dict[str, str]
) -> None:
    """A foreign key has its target, its rule for deletion and update, and its name."""
    (found,) = (
        key for key in created.get_foreign_keys(table) if key["constrained_columns"] == [column]
    )
    assert found["name"] == f"fk_{table}_{column}_{target}"
    assert (found["referred_table"], found["referred_columns"]) == (target, ["id"])
    assert found.get("options", {}) == options


def test_every_reference_is_a_foreign_key() -> None:
    """Every column that ends in _id refers to the id of another table, and no other does."""
    keys = {
        str(column)
        for table in schema.metadata.sorted_tables
        for constraint in table.constraints
        if isinstance(constraint, ForeignKeyConstraint)
        for column in constraint.columns
    }
    columns = {
        str(column)
        for table in schema.metadata.sorted_tables
        for column in table.columns
        if column.name.endswith("_id")
    }
    assert keys == columns


def test_primary_keys_have_names() -> None:
    """Primary keys are named after their table, but alembic's own."""
    named = {table.name: table.primary_key.name for table in schema.metadata.sorted_tables}
    expected = {name: f"pk_{name}" for name in COLUMNS}
    assert named == expected | {"alembic_version": "alembic_version_pkc"}


def test_tables_are_constants_of_their_module() -> None:
    """Each table is a constant with the table's name: in `schema` what an export reads."""
    for name, table in schema.metadata.tables.items():
        module = schema if hasattr(schema, name) else tables
        assert getattr(module, name) is table


@pytest.mark.parametrize("name", [name for name in COLUMNS if COLUMNS[name].startswith("id:")])
def test_id_is_serial_in_postgresql(name: str) -> None:
    """PostgreSQL numbers the rows itself, with a SERIAL."""
    sql = CreateTable(schema.metadata.tables[name]).compile(dialect=POSTGRESQL)
    assert "id SERIAL NOT NULL" in str(sql)


def test_sqlite_numbers_the_rows(engine: Engine) -> None:
    """SQLite gives each row an id, so `id` is its row number."""
    create_tables(engine)
    with engine.begin() as connection:
        for name in ("x86_64", "aarch64"):
            connection.execute(insert(schema.arch).values(name=name))
        rows = connection.execute(select(schema.arch.c.id, schema.arch.c.primary_arch)).all()
    assert [tuple(row) for row in rows] == [(1, True), (2, True)]


def test_creating_again_keeps_rows(engine: Engine) -> None:
    """Creating the tables a second time changes nothing."""
    create_tables(engine)
    with engine.begin() as connection:
        connection.execute(insert(schema.arch).values(name="x86_64"))
    create_tables(engine)
    with engine.connect() as connection:
        assert connection.execute(select(schema.arch.c.name)).scalars().all() == ["x86_64"]
    assert _revisions(engine) == [tables.HEAD_REVISION]


def test_missing_tables_are_added(engine: Engine) -> None:
    """A database with some tables gets the rest, but no migration number that it has not had."""
    schema.arch.create(engine)
    create_tables(engine)
    assert set(inspect(engine).get_table_names()) == set(COLUMNS)
    assert _revisions(engine) == []


def test_other_tables_do_not_matter(engine: Engine) -> None:
    """Tables of somebody else stay, and do not make a database MirrorManager's."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE somebody_elses (id INTEGER)"))
    create_tables(engine)
    assert "somebody_elses" in inspect(engine).get_table_names()
    assert _revisions(engine) == [tables.HEAD_REVISION]


def _revisions(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        query = select(tables.alembic_version.c.version_num)
        return list(connection.execute(query).scalars())
