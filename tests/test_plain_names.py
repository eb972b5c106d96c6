"""Names of directories are judged at once where all are plain, with the same result as singly."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snapshot.export.content import usable_directories
from snapshot.export.leftout import LeftOutRows
from snapshot.export.rows import DirectoryRow, Rows

NAMES = st.lists(
    st.one_of(
        st.lists(st.sampled_from(["pub", "a", "Z", "~", "x y"]), max_size=3).map("/".join),
        st.text(st.sampled_from("a/ \n\t\x7f\xa0\xe9\u2028\udcff"), max_size=4),
    ),
    max_size=6,
)
# Its name is usable and not plain, so all names beside it are judged singly.
ODD = DirectoryRow(-1, "\xe9", True, None)


def _usable(rows: list[DirectoryRow]) -> tuple[list[DirectoryRow], list[object]]:
    nothing: dict[str, Any] = {name: [] for name in Rows._fields}
    left_out = LeftOutRows()
    found = usable_directories(Rows(**nothing)._replace(directories=rows), left_out)
    return [row for row in found if row is not ODD], [left_out.sorted(), left_out.notes]


def _rows(names: list[Any]) -> list[DirectoryRow]:
    return [DirectoryRow(id, name, True, None) for id, name in enumerate(names)]


@given(NAMES)
def test_the_same_as_singly(names: list[str]) -> None:
    """The same rows are usable in the same order, with the same reports."""
    rows = _rows(names)
    assert _usable(rows) == _usable([*rows, ODD])


@pytest.mark.parametrize(
    "name",
    [
        *("/a", "a/", "a//b", " a", "a ", "a\nb", "a\tb", "\x7f", "\xe9", "x" * 4097, "x" * 4096),
        *(None, 7, b"a", "", "a", "a b", "\xa0a", "\u2028"),
    ],
)
def test_each_name(name: object) -> None:
    """Each kind of name among plain ones."""
    rows = _rows(["pub", name, "pub/a"])
    assert _usable(rows) == _usable([*rows, ODD])
