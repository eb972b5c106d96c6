"""Globs over names of directories: what they match, and that none takes long."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mirrorlist.errors import BadQuery
from mirrorlist.rsync import pathglob
from mirrorlist.rsync.charset import parse_set
from mirrorlist.rsync.pathglob import PathGlobs
from tests.examples import examples

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
        pytest.param("releases[!a]44", [], id="what is not in a set is not a slash"),
        pytest.param("releases?44", [], id="a question mark is not a slash"),
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
    globs = PathGlobs([glob])
    assert [name for name in NAMES if globs.matches(name)] == matched


def _matches(glob: Sequence[str], name: Sequence[str]) -> bool:
    """The same as a definition: by the first component of the glob."""
    if not glob:
        return not name
    if glob[0] == "**":
        return any(_matches(glob[1:], name[place:]) for place in range(len(name) + 1))
    return bool(name) and fnmatchcase(name[0], glob[0]) and _matches(glob[1:], name[1:])


paths = st.lists(st.text("ab", min_size=1, max_size=3), max_size=6).map("/".join)
# With `/` there are empty components and outer slashes too.
globs = st.lists(
    st.just("**") | st.text("ab*?/", min_size=1, max_size=4) | st.sampled_from(["[ab]*", "[!b]"]),
    min_size=1,
    max_size=5,
).map("/".join)


@examples(300)
@given(st.lists(globs, max_size=4), st.lists(paths, max_size=6))
def test_as_the_definition_says(asked: list[str], names: list[str]) -> None:
    """Several globs read at once, over names in any order, match what each matches by itself."""
    parts = [[part for part in glob.split("/") if part] for glob in asked]
    expected = [any(_matches(one, [*filter(None, name.split("/"))]) for one in parts)
                for name in names]  # fmt: skip
    together = PathGlobs(asked)
    assert [together.matches(name) for name in names] == expected


@examples(500)
@given(st.text("ab-]![^\\&~|*?", max_size=8), st.text("ab-]![^\\&~|", min_size=1, max_size=4))
def test_a_component_is_one_of_fnmatch(glob: str, name: str) -> None:
    """Within a component the rules are those of fnmatch, sets and all their oddities included."""
    # Where an empty range comes first, fnmatch takes a `!` or `^` behind it for an inversion.
    assume(not any("-" in part and ("!" in part[1:] or "^" in part) for part in glob.split("[")))
    assume(glob not in ("", "**"))
    assert PathGlobs([glob]).matches(name) is fnmatchcase(name, glob)


@pytest.mark.parametrize(
    ("glob", "matched"),
    [
        pytest.param("[a-c]", "abc", id="a range"),
        pytest.param("[!a-c]", "-]!d", id="all but a range"),
        pytest.param("[]]", "]", id="a bracket that comes first"),
        pytest.param("[!]]", "abcd-!", id="all but a bracket"),
        pytest.param("[a-]", "a-", id="a hyphen at the end"),
        pytest.param("[-a]", "a-", id="a hyphen at the start"),
        pytest.param("[c-a]", "", id="a range that ends before it begins"),
        pytest.param("[!c-a]", "abcd-]!", id="all but that"),
        pytest.param("[a-b-d]", "ab-d", id="a hyphen behind a range"),
        pytest.param("[a!]", "a!", id="an exclamation mark that is not the first"),
    ],
)
def test_a_set(glob: str, matched: str) -> None:
    """A set has single characters and ranges."""
    found = parse_set(glob, 0)
    assert found is not None
    charset, end = found
    assert end == len(glob)
    assert sorted(one for one in "abcd-]!/" if one in charset) == sorted(matched)


def test_an_open_bracket_is_a_bracket() -> None:
    """A bracket that never ends begins no set."""
    assert parse_set("[abc", 0) is None
    assert PathGlobs(["[abc"]).matches("[abc")


@pytest.mark.parametrize(
    "globs",
    [
        pytest.param(["*a" * 120 + "b"], id="stars in a component"),
        pytest.param(["/".join(["**", "*a*a*a*a*b"] * 20)], id="stars of both kinds"),
        pytest.param(["[" * 200], id="brackets"),
        pytest.param([f"**/*/*/*/*~{one}/**" for one in range(32)], id="the review's 32"),
        pytest.param(["**/" + "?" * 2000], id="a component longer than any name"),
    ],
)
def test_no_glob_takes_long(globs: list[str]) -> None:
    """What would make a backtracking matcher run for years takes a step a character and word."""
    matcher = PathGlobs(globs)
    name = "/".join(["a" * 250] * 60)
    assert not matcher.matches(name)
    assert matcher.steps <= (len(name) + 1) * (1 + sum(map(len, globs)) // 256)


def test_a_name_costs_what_it_does_not_share() -> None:
    """Names below the same directory cost their own component, and one seen before nothing."""
    globs = PathGlobs(["**/os/*"])
    globs.matches("releases/44/os")
    before = globs.steps
    globs.matches("releases/44/tree")
    assert globs.steps == before + len("tree/")
    globs.matches("releases/45")
    before = globs.steps
    globs.matches("releases/45/tree")
    assert globs.steps == before


def test_steps_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the limit names are matched; one step more is the client's mistake, told as such."""
    name = "abc/def"
    monkeypatch.setattr(pathglob, "MOST_STEPS", len(name) + 1)
    assert PathGlobs(["**/def"]).matches(name)
    monkeypatch.setattr(pathglob, "MOST_STEPS", len(name))
    with pytest.raises(BadQuery, match="fewer or shorter"):
        PathGlobs(["**/def"]).matches(name)
