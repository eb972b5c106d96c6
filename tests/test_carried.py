"""Which directories each host category has, as SQLite's columns without types may say it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.export.carried import read_carried
from snapshot.export.database import parse_url, read_only
from snapshot.export.directories import Asked, Shared


def _read(path: Path, *rows: tuple[object, ...]) -> tuple[dict[int, list[int]], int, int, object]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE host_category_dir (id, host_category_id, up2date, directory_id)"
        )
        connection.executemany("INSERT INTO host_category_dir VALUES (?, ?, ?, ?)", rows)
        connection.commit()
    with read_only(parse_url(f"sqlite:///{path}")) as connection:
        found = read_carried(connection)
    sets = {id: list(one) for id, one in found.directories.items() if one}
    return sets, found.rows, found.unnamed, found.first_unnamed


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(7, [5, 7], id="a number"),
        pytest.param("7", [5, 7], id="a text"),
        pytest.param(b"7", [5, 7], id="bytes"),
        pytest.param(7.0, [5, 7], id="a whole REAL"),
        pytest.param(7.5, [5], id="a REAL"),
        pytest.param("7,8", [5], id="two numbers"),
        pytest.param("junk", [5], id="no number"),
        pytest.param(b"\xff", [5], id="no text"),
        pytest.param((1 << 63) - 1, [5, (1 << 63) - 1], id="a large number"),
        pytest.param(-1, [-1, 5], id="a negative number"),
        pytest.param(float("inf"), [5], id="infinity"),
    ],
)
def test_what_names_a_directory(tmp_path: Path, value: object, expected: list[int]) -> None:
    """Whatever a directory's id is stored as, numbers count and nothing else does."""
    found = _read(tmp_path / "mm.sqlite", (1, 31, 1, 5), (2, 31, 1, value))
    assert found == ({31: expected}, 2, 0, None)


@pytest.mark.parametrize("value", [None, "", " "])
def test_no_directory(tmp_path: Path, value: object) -> None:
    """Rows without a directory are counted, and the lowest id is named."""
    rows = [(9, 31, 1, value), (8, None, 1, None), (7, 41, 0, None), (10, 41, 1, 5)]
    assert _read(tmp_path / "mm.sqlite", *rows) == ({41: [5]}, 3, 2, 8)


@pytest.mark.parametrize(
    ("flag", "counts"),
    [
        *((flag, True) for flag in (1, 1.0, "t", " TRUE ")),
        *((flag, False) for flag in (0, "f", None, "maybe", 2)),
    ],
)
def test_up_to_date(tmp_path: Path, flag: object, counts: bool) -> None:
    """Only rows that are up to date count, however the flag is written."""
    expected = ({31: [5]}, 1, 0, None) if counts else ({}, 0, 0, None)
    assert _read(tmp_path / "mm.sqlite", (1, 31, flag, 5)) == expected


def test_host_categories_as_text(tmp_path: Path) -> None:
    """A host category's id that is stored as a text is its number."""
    found = _read(tmp_path / "mm.sqlite", (1, "31", 1, 6), (2, 31, 1, 5), (3, 32.0, 1, 5))
    assert found == ({31: [5, 6], 32: [5]}, 3, 0, None)


def test_equal_sets_are_one_object() -> None:
    """Equal sets share memory, in whatever order their ids come and however they come."""
    shared = Shared()
    first = shared.of([3, 1, 2])
    assert shared.of([1, 2, 3]) is first
    assert shared.of_bytes(b"".join(one.to_bytes(8, "big") for one in (2, 3, 1))) is first
    assert Shared([first]).of([1, 2, 3]) is first
    assert (first.itemsize, shared.of([1 << 31]).itemsize) == (4, 8)


IDS = st.sampled_from([0, 1, 7, -1, (1 << 31) - 1, 1 << 31, -(1 << 31), -(1 << 31) - 1, 1 << 62])


@given(st.lists(IDS | st.integers(0, 1 << 20)), st.booleans())
def test_sets_of_any_ids(ids: list[int], is_sorted: bool) -> None:
    """A set has its ids sorted, in four bytes each if all of them fit, however they come."""
    given_ids = sorted(ids) if is_sorted else ids
    fits = all(-(1 << 31) <= one < 1 << 31 for one in ids)
    of_bytes = Shared().of_bytes(b"".join(one.to_bytes(8, "big", signed=True) for one in given_ids))
    for found in (Shared().of(given_ids), of_bytes):
        assert found.tolist() == sorted(ids)
        assert found.typecode == ("i" if fits else "q")


def test_flags_of_directories() -> None:
    """The flags are those of the directories asked for, also after others were asked for."""
    ids = Shared().of([2, 5, 9])
    for asked in ([1, 2, 3], [5, 9], [1, 2, 3], [], [2]):
        for _ in range(2):
            assert ids.flags(Asked(asked)) == bytes(one in (2, 5, 9) for one in asked)


@given(st.sets(IDS | st.integers(0, 700), max_size=800), st.data())
def test_flags_of_many_sets(directories: set[int], data: st.DataObject) -> None:
    """The flags are right for each of several sets that are asked for the same directories."""
    ordered = sorted(directories)
    asked = Asked(ordered)
    some = st.sets(st.sampled_from([*ordered, 5]))
    for ids in data.draw(st.lists(some | st.sets(IDS), max_size=4)):
        for one in (ids, directories - ids):
            expected = bytes(directory in one for directory in ordered)
            assert Shared().of([*one]).flags(asked) == expected


def test_flags_of_large_ids() -> None:
    """Two ids of four bytes are not taken for one of eight that has the same bytes."""
    asked = Asked([3, 1 << 62])
    assert Shared().of([3, 5]).flags(asked) == b"\1\0"
    assert Shared().of([5 << 32 | 3]).flags(asked) == b"\0\0"
