"""A database URL is taken apart as SQLAlchemy does it, and becomes what libpq wants."""

from string import printable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from snapshot.export.url import URL, libpq_parameters, take_apart

WORDS = """postgresql sqlite +psycopg :// :/// / // : @ ? & = # user p%40ss %zz % + [::1] [ ] h 5432
    127.0.0.1 -1 mm host=a host=a:1 port=1,2 sslmode= password=x ;"""
PIECES = st.sampled_from([*WORDS.split(), " 7", "\n", "\u00e9", ""])
TEXTS = st.one_of(
    st.lists(PIECES, max_size=12).map("".join),
    st.text(printable, max_size=30).map("postgresql://".__add__),
)


@given(TEXTS)
@example("postgresql://u:p%2F@[::1]:5432/m%20m?a=1&a=2&b=%20&c=")
@example("postgresql://h:/mm")
@example("postgresql://[::1]x/mm")
def test_the_parts_are_sqlalchemys(text: str) -> None:
    """Any text has the parts that SQLAlchemy finds, and is shown as it shows it, or is no URL."""
    try:
        expected = make_url(text)
    except (ArgumentError, ValueError):
        with pytest.raises(ValueError, match=r"\w"):
            take_apart(text)
        return
    found = take_apart(text)
    assert found[:6] == expected[:6]
    query = {key: (one,) if isinstance(one, str) else one for key, one in expected.query.items()}
    assert found.query == query
    assert found.text(password="***") == expected.render_as_string()
    assert found.text(password=None) == expected.render_as_string(hide_password=False)


@pytest.mark.parametrize(
    "text",
    [
        *("postgresql://", "postgresql://h", "postgresql:///mm", "postgresql://u@/mm?host=/run"),
        *("postgresql://u:p%40@h:5433/mm?sslmode=require", "postgresql://u:@h/mm"),
        *("postgresql://h/mm?host=other&port=1&user=u&password=p&dbname=d", "postgresql://[::1]/m"),
        *("postgresql://h/mm?host=a:1&host=b:2", "postgresql://h:7/mm?host=a&host=b"),
        *("postgresql://h/mm?host=a:1", "postgresql://h:7/mm?host=a,b", "postgresql://h/m?host=a:"),
        *("postgresql://h/m?host=a,b&port=1,2", "postgresql://h/m?host=a:1&host=b"),
        *("postgresql://h/m?host=a:1,b:2", "postgresql://h/mm?host=/run:1"),
    ],
)
def test_what_libpq_gets(text: str) -> None:
    """The parameters are those with which SQLAlchemy connects."""
    url = make_url(text).set(drivername="postgresql+psycopg")
    _, expected = url.get_dialect()().create_connect_args(url)
    assert libpq_parameters(take_apart(text)) == expected


def test_an_option_that_is_there_twice() -> None:
    """The last value counts, as in a URL that libpq takes apart itself."""
    url = URL("postgresql", query={"sslmode": ("disable", "require")})
    assert libpq_parameters(url) == {"sslmode": "require"}
