"""Values of other types than their columns have: understood, or the row is left out."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from snapshot.export import schema
from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.export.pipeline import ExportResult
from snapshot.export.rows import SMALL
from snapshot.export.values import as_flag, as_number, as_text, as_time
from snapshot.file.reader import Snapshot
from tests.factories import make_database, world

FLAGS = [
    *(
        (one, True)
        for one in (True, 1, 1.0, "t", "T", " true ", "TRUE", "1", "1.0", "y", "yes", "on")
    ),
    *((one, False) for one in (False, 0, 0.0, "f", "false", "No", "0", "n", "off", b"f")),
    *((one, None) for one in (None, "", " ")),
]


@pytest.mark.parametrize(("value", "expected"), FLAGS)
def test_flags(value: object, expected: bool | None) -> None:
    """A flag is true or false in all the ways that databases and people write it."""
    assert as_flag(value) is expected


@pytest.mark.parametrize("value", ["maybe", "tt", 2, -1, 0.5, float("nan"), b"\xff", "\udcff"])
def test_no_flags(value: object) -> None:
    """What is neither true nor false is refused."""
    with pytest.raises(ValueError, match="neither true nor false"):
        as_flag(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((5, 5), ("5", 5), (" -5 ", -5), (5.0, 5), ("5.0", 5), ("5.", 5), ("+5", 5), (b"5", 5)),
        *((None, None), ("", None), ("5.5", "5.5"), ("1e3", "1e3"), ("junk", "junk"), (5.5, 5.5)),
        *((1e300, 1e300), ("9" * 19, "9" * 19), (-1e19, -1e19)),
        *(("9" * 30, "9" * 30), ("\u0665", "\u0665"), (".", "."), ("-", "-")),
    ],
)
def test_numbers(value: object, expected: object) -> None:
    """A whole number is one however it is written; what is not stays for the rules."""
    assert as_number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((1767225600, 1767225600), ("1767225600", 1767225600), (1767225600.75, 1767225600)),
        *(("1767225600.75", 1767225600), ("2026-01-01", 1767225600), (None, None), ("", None)),
        *(("2026-01-01 00:00:00", 1767225600), ("2026-01-01T01:00:00+01:00", 1767225600)),
        *(("2026-01-01 00:00:00.5", 1767225600), ("yesterday", "yesterday"), ("inf", "inf")),
        ("nan", "nan"),
        # A float has all whole numbers up to here, and no longer each one beyond.
        *(("9.007199254740991e15", (1 << 53) - 1), ("9.007199254740992e15",) * 2),
        *((float("inf"), float("inf")), ("1e300", "1e300")),
    ],
)
def test_times(value: object, expected: object) -> None:
    """A time may be a number or a date, which is in UTC unless it says otherwise."""
    assert as_time(value) == expected


def test_text() -> None:
    """Bytes and numbers in a text column are its text."""
    assert [as_text(one) for one in ("a", b"a", b"\xff", 40, None, 1.5)] == [
        *("a", "a", "\udcff", "40", None, 1.5),
    ]


def _exported(folder: Path, *commands: str) -> tuple[Snapshot, ExportResult]:
    url = make_database(folder / "mm.sqlite", world())
    with closing(sqlite3.connect(folder / "mm.sqlite")) as connection:
        for command in commands:
            connection.execute(command)
        connection.commit()
    result = export(url, Job(folder / "mm.snap", resolve_dns=False, max_loss=None))
    return Snapshot(folder / "mm.snap"), result


def _flags() -> list[tuple[str, str]]:
    """Every boolean column of the tables that an export reads."""
    return [
        (table, column.name)
        for table, _ in SMALL.values()
        for column in schema.metadata.tables[table].columns
        if str(column.type) == "BOOLEAN"
    ]


@pytest.mark.parametrize(
    ("true", "false"), [("t", "f"), ("true", "false"), ("TRUE", "FALSE"), ("yes", "no")]
)
def test_all_booleans_as_text(tmp_path: Path, true: str, false: str) -> None:
    """A database whose booleans are all text gives the very same snapshot."""
    expected, _ = _exported(tmp_path)
    changes = [
        f"UPDATE {table} SET {column} = CASE WHEN {column} THEN '{true}' ELSE '{false}' END"
        for table, column in _flags()
    ]
    found, result = _exported(tmp_path, *changes)
    assert len(changes) > 10
    assert found.id == expected.id
    assert result.left_out == ()


@pytest.mark.parametrize(
    "make", [str, "{}.0".format, " {} ".format], ids=["text", "float", "blank"]
)
def test_all_numbers_as_text(tmp_path: Path, make: Callable[[int], str]) -> None:
    """In a copy whose columns have no types, numbers as text give the very same snapshot."""
    expected, _ = _exported(tmp_path)
    shape, commands = make(0).replace("0", "' || {column} || '", 1), []
    for table, _ in SMALL.values():
        columns = ", ".join(
            f"'{shape.format(column=one.name)}' AS {one.name}"
            if str(one.type) in ("INTEGER", "BIGINT", "BOOLEAN")
            else str(one.name)
            for one in schema.metadata.tables[table].columns
        )
        commands += [
            f"CREATE TABLE other AS SELECT {columns} FROM {table}",
            f"DROP TABLE {table}",
            f"ALTER TABLE other RENAME TO {table}",
        ]
    found, result = _exported(tmp_path, *commands)
    assert result.left_out == ()
    assert found.id == expected.id


@pytest.mark.parametrize(
    ("command", "table", "id", "says"),
    [
        (
            "UPDATE host SET user_active = 'maybe' WHERE id = 1",
            "host",
            1,
            "user_active: 'maybe' is neither true nor false",
        ),
        ("UPDATE host SET private = 2 WHERE id = 1", "host", 1, "private: 2 is neither"),
        ("UPDATE site SET private = 'x' WHERE id = 3", "site", 3, "private: 'x' is neither"),
        ("UPDATE repository SET disabled = 'x' WHERE id = 1", "repository", 1, "disabled: 'x'"),
        (
            "UPDATE host_category_url SET private = x'ff' WHERE id = 110",
            "host_category_url",
            110,
            "private: b'\\xff' is neither",
        ),
        (
            "UPDATE host SET bandwidth_int = 'fast' WHERE id = 1",
            "host",
            1,
            "bandwidth 'fast' is not a number: host kept with 100",
        ),
        ("UPDATE file_detail SET size = '1 MB' WHERE id = 1", "file_detail", 1, "size '1 MB'"),
        (
            "UPDATE directory SET ctime = 'long ago' WHERE id = 1",
            "directory",
            1,
            "ctime is out of range: directory kept without it",
        ),
    ],
)
def test_a_value_that_means_nothing(
    tmp_path: Path, command: str, table: str, id: int, says: str
) -> None:
    """The row is left out, or kept without the value, and named with column and value."""
    _, result = _exported(tmp_path, command)
    (found,) = [one for one in result.left_out if (one.table, one.id) == (table, id)]
    assert says in found.reason


def test_a_host_switched_off_by_a_letter(tmp_path: Path) -> None:
    """`f` is off: the host is inactive, and so is one of which nothing is said."""
    commands = [
        "UPDATE host SET user_active = 'f' WHERE id = 1",
        "UPDATE host SET admin_active = '' WHERE id = 2",
        "UPDATE host SET private = '' WHERE id = 3",
    ]
    snapshot, result = _exported(tmp_path, *commands)
    assert [bool(host.inactive) for host in snapshot.hosts[:3]] == [True, True, False]
    assert snapshot.hosts[2].private
    assert result.left_out == ()
