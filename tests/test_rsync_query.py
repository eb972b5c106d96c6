"""The query string of an rsync filter: what is understood, and what each mistake says."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.errors import BadQuery
from mirrorlist.request.query import MAX_LIST_ELEMENTS, MAX_PATH_BYTES
from mirrorlist.rsync.query import FilterQuery, asked_form, parse_filter_query
from snapshot.file.model import Category
from tests.examples import examples

CATEGORIES = [
    Category(id, name, "pub", ()) for id, name in enumerate(["Linux", "Linux EPEL", "C++", "Ä"])
]
PLAIN = FilterQuery((0,), 5, "", "classic", (), False)


def parse(query: str) -> FilterQuery:
    """Parse a query string among the four categories."""
    return parse_filter_query(query.encode(), CATEGORIES)


def test_plain() -> None:
    """Without more than its two parameters a query is classic, of whole names, of everything."""
    assert parse("categories=Linux&since=5") == PLAIN


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        pytest.param("categories=Linux%20EPEL,Linux", "categories", (0, 1), id="two"),
        pytest.param("categories=Linux,,Linux,", "categories", (0,), id="empty and repeated ones"),
        pytest.param("categories=Linux+EPEL", "categories", (1,), id="a form's blank"),
        pytest.param("categories=C++", "categories", (2,), id="a plus"),
        pytest.param("categories=%C3%84", "categories", (3,), id="UTF-8"),
        pytest.param("categories=Nope&categories=C%2b%2B", "categories", (2,), id="the last"),
        pytest.param("since=0", "since", 0, id="for ever"),
        pytest.param("since=007", "since", 7, id="zeros in front"),
        pytest.param("since=" + "9" * 19, "since", 10**19 - 1, id="far in the future"),
        pytest.param("stripprefix=//pub//linux/", "prefix", "pub/linux", id="slashes"),
        pytest.param("stripprefix=a=b", "prefix", "a=b", id="an equals sign"),
        pytest.param("stripprefix=c++", "prefix", "c++", id="a plus stays"),
        pytest.param("stripprefix=/", "prefix", "", id="no prefix"),
        pytest.param("form=files", "form", "files", id="files"),
        pytest.param("form=", "form", "classic", id="no form"),
        pytest.param("select=b/**&select=/a/&select=b/**", "select", ("a", "b/**"), id="select"),
        pytest.param("select=", "select", (), id="no select"),
        pytest.param("noise=1", "noise", True, id="noise"),
        pytest.param("noise=0", "noise", False, id="no noise"),
        pytest.param("countme=1&Since=x", "since", 5, id="unknown ones"),
    ],
)
def test_values(query: str, field: str, value: object) -> None:
    """Each parameter is decoded and tidied; what is not there is as if it were not asked."""
    assert getattr(parse(f"categories=Linux&since=5&{query}"), field) == value


SINCE, LINUX = "since=5", "categories=Linux"
LONG = "x" * MAX_PATH_BYTES


@pytest.mark.parametrize(
    ("query", "says"),
    [
        pytest.param(SINCE, "# categories=: missing: names with commas", id="no categories"),
        pytest.param(f"{SINCE}&categories=,", "# categories=: missing", id="empty categories"),
        pytest.param(
            f"{SINCE}&categories=Linux,No%3C",
            "# categories=: no category No?; there are Linux, Linux%20EPEL, C++, %C3%84",
            id="unknown category",
        ),
        pytest.param(f"{SINCE}&categories=linux", "# categories=: no category linux", id="case"),
        pytest.param(
            f"{SINCE}&categories=" + "Linux," * (MAX_LIST_ELEMENTS + 1),
            f"# categories=: more than {MAX_LIST_ELEMENTS} elements",
            id="many categories",
        ),
        pytest.param(LINUX, "# since=: missing: seconds since 1970", id="no since"),
        pytest.param(f"{LINUX}&since=", "# since=: missing", id="empty since"),
        *(
            pytest.param(
                f"{LINUX}&since={since}", "# since=: not a number of seconds", id=f"since={since}"
            )
            for since in ("-1", "+1", "1.5", "1e9", "yesterday", "0x1", "%D9%A1", "%201", "1" * 20)
        ),
        pytest.param(f"{LINUX}&{SINCE}&form=zip", "# form=: not one of classic, files", id="form"),
        pytest.param(
            f"{LINUX}&{SINCE}" + "&select=a" * (MAX_LIST_ELEMENTS + 1),
            f"# select=: more than {MAX_LIST_ELEMENTS} of them",
            id="many globs",
        ),
        *(
            pytest.param(f"{LINUX}&{SINCE}&{name}={value}", f"# {name}=: {says}", id=f"{name} {id}")
            for name in ("categories", "since", "stripprefix", "form", "select", "noise")
            for id, value, says in (
                ("with a line feed", "a%0A+ /***", "a control character"),
                ("not UTF-8", "%ff", "not valid UTF-8"),
                ("with a broken escape", "%2", "a % that is not followed"),
                ("too long", LONG + "x", f"longer than {MAX_PATH_BYTES} bytes"),
            )
        ),
    ],
)
def test_mistakes(query: str, says: str) -> None:
    """A mistake is a comment that says what it is."""
    with pytest.raises(BadQuery) as caught:
        parse(query)
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isascii()


def test_limits() -> None:
    """What is at its limit is taken."""
    assert parse(f"{LINUX}&{SINCE}&stripprefix={LONG}").prefix == LONG
    assert len(parse(f"{LINUX}&{SINCE}" + "&select=a" * MAX_LIST_ELEMENTS).select) == 1
    assert parse(f"{SINCE}&categories=" + ",".join(["Linux"] * MAX_LIST_ELEMENTS)).categories


def test_many_categories() -> None:
    """A mistake names at most twenty of the categories that there are."""
    categories = [Category(id, f"c{id}", "", ()) for id in range(50)]
    with pytest.raises(BadQuery, match=r"c18, c19, \.\.\.$"):
        parse_filter_query(b"since=1", categories)


def test_asked_form() -> None:
    """The form of a query with mistakes is found all the same."""
    assert asked_form(b"since=x&form=files") == "files"
    assert asked_form(b"since=x&form=filest") == "classic"


@examples(50)
@given(st.binary(max_size=60) | st.text("categories=Linux&since0%").map(str.encode))
def test_whatever_is_sent(raw: bytes) -> None:
    """Any bytes give a query or a mistake, nothing else."""
    with suppress(BadQuery):
        assert parse_filter_query(raw, CATEGORIES).categories
