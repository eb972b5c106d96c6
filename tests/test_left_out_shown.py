"""The table of rows that were left out, as an export and a cache's import show it."""

import sys
from io import StringIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mirrorlist.cli import left_out as module
from mirrorlist.cli.left_out import plain_lines, tell_left_out
from snapshot.file.model import LeftOut

REASONS = st.one_of(st.text(max_size=12), st.sampled_from(["[red]no[/]", "a  b ", "x" * 999, ""]))
ROWS = st.lists(
    st.builds(
        LeftOut,
        st.sampled_from(["host", "repository"]),
        st.one_of(st.none(), st.integers(0, 10**6)),
        REASONS,
    ),
    min_size=1,
    max_size=9,
)


def _told(rows: list[LeftOut], *, plainly: bool) -> str:
    """Return what is printed in a pipe."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", StringIO())
        if not plainly:
            patch.setattr(module, "plain_lines", lambda rows: None)
        tell_left_out(rows)
        assert isinstance(sys.stderr, StringIO)
        return sys.stderr.getvalue()


@given(ROWS)
@example([LeftOut("host", number, "no name") for number in range(7)])
def test_the_plain_table_is_richs(rows: list[LeftOut]) -> None:
    """What is printed without rich is what rich prints."""
    assert _told(rows, plainly=True) == _told(rows, plainly=False)


def test_a_plain_table() -> None:
    """Columns are as wide as their widest cell; a text that rich must measure gives no lines."""
    assert plain_lines([("a", "b"), ("long", "c")]) == ["a     b", "long  c"]
    assert plain_lines([("a", "\u00e9")]) is None
    assert plain_lines([("a", "\t")]) is None
    assert plain_lines([("a", "b" * 1000)]) is None
