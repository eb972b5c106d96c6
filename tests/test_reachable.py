"""Which directories anybody can reach."""

import pytest

from snapshot.file.model import Directory
from snapshot.file.reachable import reachable


def test_a_deep_tree() -> None:
    """However deep a tree is, it is walked to its top."""
    name = "/".join("a" * 3000)
    top, bottom = Directory("a", None, None, False, 0), Directory(name, None, None, True, 0)
    assert reachable([top, bottom]) == [False, False]


@pytest.mark.parametrize(
    ("unreadable", "hidden"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["a/b"], ["a/b", "a/b/c/d"], id="what is below, with a gap too"),
        pytest.param(["a/b/c/d"], ["a/b/c/d"], id="nothing above"),
        pytest.param(["a"], ["a", "a/b", "a/b-c", "a/b/c/d"], id="a whole tree"),
        pytest.param(["a/b-c"], ["a/b-c"], id="no namesake"),
        pytest.param([""], ["", "a", "a/b", "a/b-c", "a/b/c/d", "ab"], id="the root"),
    ],
)
def test_reachable(unreadable: list[str], hidden: list[str]) -> None:
    """What is unreadable hides itself and all below it."""
    names = ["", "a", "a/b", "a/b-c", "a/b/c/d", "ab"]
    directories = [Directory(name, None, None, name not in unreadable, 0) for name in names]
    found = zip(names, reachable(directories), strict=True)
    assert [name for name, can_be_read in found if not can_be_read] == hidden
