"""Globs over names of directories: what they match, and that none takes long."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorlist.pathglob import PathGlob

NAMES = ["", "releases", "releases/44", "releases/44/os", "releases/44/os/x86_64", "updates/44"]
BELOW_44 = NAMES[2:5]


@pytest.mark.parametrize(
    ("glob", "matched"),
    [
        pytest.param("releases", ["releases"], id="a name is itself alone"),
        pytest.param("/releases/", ["releases"], id="outer slashes"),
        pytest.param("releases//44", ["releases/44"], id="inner slashes"),
        pytest.param("releases/44/**", BELOW_44, id="a directory and all below"),
        pytest.param("**", NAMES, id="everything, the root too"),
        pytest.param("*", ["releases"], id="a star stays in its component"),
        pytest.param("*/44", ["releases/44", "updates/44"], id="a star in front"),
        pytest.param("**/44", ["releases/44", "updates/44"], id="two stars in front"),
        pytest.param("**/os/**", ["releases/44/os", "releases/44/os/x86_64"], id="in the middle"),
        pytest.param("re*es/4?", ["releases/44"], id="within a component"),
        pytest.param("releases/[34][34]", ["releases/44"], id="a set"),
        pytest.param("releases/[!4]4", [], id="not a set"),
        pytest.param("releases/**/x86_64", ["releases/44/os/x86_64"], id="any number between"),
        pytest.param("releases/**/**/44", ["releases/44"], id="none between"),
        pytest.param("**/os/**/os", [], id="no component twice"),
        pytest.param("releases/4**", ["releases/44"], id="two stars beside others are a star"),
        pytest.param("RELEASES", [], id="case counts"),
        pytest.param("", [""], id="the root"),
    ],
)
def test_matches(glob: str, matched: list[str]) -> None:
    """A glob matches whole names by its components."""
    assert [name for name in NAMES if PathGlob(glob).matches(name)] == matched


def _expression(glob: str) -> str:
    """The same as a regular expression over a name that has a slash behind each component."""
    parts = {"**": "(?:[^/]+/)*"}
    return "".join(
        parts.get(part, re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") + "/")
        for part in glob.split("/")
    )


paths = st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=6).map("/".join)
globs = st.lists(
    st.just("**") | st.text("ab*?", min_size=1, max_size=3), min_size=1, max_size=6
).map("/".join)


@settings(max_examples=100, deadline=None)
@given(globs, paths)
def test_as_a_regular_expression_does(glob: str, name: str) -> None:
    """Taking the first place that fits finds a match if there is one."""
    expected = re.fullmatch(_expression(glob), name + "/") is not None
    assert PathGlob(glob).matches(name) is expected


@pytest.mark.parametrize("glob", ["*a" * 120 + "b", "/".join(["**", "*a*a*a*a*b"] * 20), "[" * 200])
def test_no_glob_takes_long(glob: str) -> None:
    """What would make a backtracking matcher run for years is answered, as no match."""
    assert not PathGlob(glob).matches("/".join(["a" * 250] * 60))
