"""The text list: its first line, and a URL a line."""

import pytest

from mirrorlist.plain import render_error, render_mirrorlist
from mirrorlist.query import Query, parse_query
from mirrorlist.roster import Carriers
from mirrorlist.selection import Chosen, Selection, Tier
from mirrorlist.target import Target
from mirrorlist.urls import make_url, path_below
from snapshot.file.model import Host

TARGET = Target(
    directory=0,
    name="pub/linux",
    file=None,
    category=0,
    host_set=0,
    carriers=Carriers((), []),
    path=path_below("40/os", None),
    heading="# repo = r arch = a ",
)
HOSTS = [Host(id, "h", "s", "DE", 100, False, 0, (), ()) for id in (1, 2)]


def _query(raw: bytes = b"") -> Query:
    return parse_query(raw, False)


def _selection(
    *chosen: Chosen, netblock: bool = False, asn: int | None = None, countries: str = ""
) -> Selection:
    return Selection(list(chosen), netblock, asn, countries.split())


@pytest.mark.parametrize(
    ("query", "selection", "expected"),
    [
        pytest.param(b"", _selection(), "", id="nothing used"),
        pytest.param(b"", _selection(netblock=True), "Using preferred netblock ", id="netblock"),
        pytest.param(b"", _selection(asn=64500), "Using ASN 64500 ", id="ASN"),
        pytest.param(
            b"", _selection(countries="DE FR"), "country = DE country = FR ", id="countries"
        ),
        pytest.param(b"", _selection(countries="GLOBAL"), "country = global ", id="global"),
        pytest.param(b"protocol=", _selection(), "protocol = ", id="protocol empty"),
        pytest.param(
            b"protocol=HTTP,http", _selection(), "protocol = HTTP,http", id="protocol as asked"
        ),
        pytest.param(b"protocol=%3C%26", _selection(), "protocol = ??", id="protocol limited"),
        pytest.param(b"", _selection(countries="Q;"), "country = Q? ", id="country limited"),
        pytest.param(
            b"protocol=https",
            _selection(netblock=True, asn=1, countries="DE GLOBAL"),
            "Using preferred netblock Using ASN 1 country = DE country = global protocol = https",
            id="everything",
        ),
    ],
)
def test_heading(query: bytes, selection: Selection, expected: str) -> None:
    """The first line says what was used, in a fixed order."""
    body = render_mirrorlist(_query(query), TARGET, selection, 0, HOSTS)
    assert body.decode() == f"# repo = r arch = a {expected}\n"


FIRST = Chosen(1, Tier.COUNTRY, [make_url("http://a.example"), make_url("https://a.example")])
SECOND = Chosen(0, Tier.GLOBAL, [make_url("http://b.example/x")])


def test_list() -> None:
    """Each URL has a line of its own, with the path behind it."""
    body = render_mirrorlist(_query(), TARGET, _selection(FIRST, SECOND), 1700, HOSTS)
    assert body == (
        b"# repo = r arch = a \n"
        b"http://a.example/40/os/\nhttps://a.example/40/os/\nhttp://b.example/x/40/os/\n"
    )


def test_time() -> None:
    """With time the second line is the time of the database read."""
    body = render_mirrorlist(_query(b"time"), TARGET, _selection(SECOND), 1700, HOSTS)
    assert body == (
        b"# repo = r arch = a \n# database creation time: 1700\nhttp://b.example/x/40/os/\n"
    )


def test_empty_list() -> None:
    """A list without hosts is its first line alone."""
    assert render_mirrorlist(_query(), TARGET, _selection(), 0, HOSTS) == b"# repo = r arch = a \n"


def test_error() -> None:
    """An error is bare text."""
    assert render_error("error: invalid path") == b"error: invalid path"
