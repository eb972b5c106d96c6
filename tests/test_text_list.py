"""The text list: its first line, and a URL a line."""

from random import Random

import pytest
from msgspec.structs import replace

from mirrorlist.catalog.roster import GLOBAL
from mirrorlist.lists.answer import Answer, answer_plan
from mirrorlist.lists.plan import make_plan
from mirrorlist.lists.selection import Offer
from mirrorlist.lists.text import CONTENT_TYPE, render_error, used
from mirrorlist.request.query import MAX_ECHO, echo
from tests.in_process import NOW
from tests.small_worlds import (
    Mirror,
    catalog_of,
    small_catalog,
    small_data,
    small_situation,
)

NEAR = "20.30.40.50"
NEAR_BLOCK = Mirror(netblocks=("20.0.0.0/8",))
ASNS = {"20.0.0.0/8": 64500}
GERMAN, FRENCH, JAPANESE = Mirror("DE"), Mirror("FR"), Mirror("JP")


def _sent(
    mirrors: list[Mirror],
    query: str = "",
    address: str = "203.0.113.1",
    country: str | None = None,
    minimum: int = 1,
) -> Answer:
    """Return the text list that a client gets of `top/dir`."""
    catalog = small_catalog(*mirrors, asns=ASNS)
    asked = small_situation(catalog, query, address, country, minimum)
    plan = make_plan(asked.query, catalog, minimum)
    return answer_plan(plan, asked.client, asked.place, None, Random(1), NOW)


@pytest.mark.parametrize(
    ("mirrors", "query", "country", "expected"),
    [
        pytest.param([NEAR_BLOCK], "", None, "Using preferred netblock ", id="netblock"),
        pytest.param([Mirror(asns=(64500,))], "", None, "Using ASN 64500 ", id="ASN"),
        pytest.param([GERMAN, FRENCH], "country=fr,de", None,
                     "country = DE country = FR ", id="countries"),
        pytest.param([FRENCH, Mirror("CA")], "country=de,us", None,
                     "country = FR country = CA ", id="continents in the order asked for"),
        pytest.param([Mirror("DE", protocols=("http",)), JAPANESE], "country=de&protocol=https",
                     "DE", "country = DE country = global protocol = https", id="each once"),
        pytest.param([Mirror(asns=(64500,), protocols=("http",)), JAPANESE], "protocol=https",
                     None, "country = global protocol = https", id="ASN of no listed host"),
        pytest.param([GERMAN], "", None, "country = global ", id="global"),
        pytest.param([GERMAN], "protocol=HTTPS,https", "DE",
                     "country = DE protocol = HTTPS,https", id="protocol as asked"),
        pytest.param([GERMAN], "protocol=https,%3C%26", "DE",
                     "country = DE protocol = https,??", id="protocol limited"),
        pytest.param([Mirror("Q;")], "", "Q;", "country = Q? ", id="country limited"),
        pytest.param([Mirror("DE", netblocks=("20.0.0.0/8",), asns=(64500,)), JAPANESE],
                     "protocol=https", "DE",
                     "Using preferred netblock Using ASN 64500 country = DE country = global"
                     " protocol = https", id="everything"),
    ],
)  # fmt: skip
def test_heading(mirrors: list[Mirror], query: str, country: str | None, expected: str) -> None:
    """The first line says what was used, in a fixed order."""
    minimum = 2 if len(mirrors) == 2 else 1
    body = _sent(mirrors, query, NEAR, country, minimum).body.decode()
    assert body.partition("\n")[0] == f"# path = top/dir {expected}"


def test_countries_of_a_continent() -> None:
    """The heading names the other countries of a continent in the order of their letters."""
    continents = {"DE": "EU", "FR": "EU", "AT": "EU"}
    data = replace(small_data((FRENCH, Mirror("AT")), {}), continents=continents)
    catalog = catalog_of(data)
    asked = small_situation(catalog, country="DE", minimum=1)
    plan = make_plan(asked.query, catalog, 1)
    body = answer_plan(plan, asked.client, asked.place, None, Random(1), NOW).body
    assert body.startswith(b"# path = top/dir country = AT country = FR \n")


NEARER = Mirror("DE", urls=("http://a.example", "ftp://a.example"))
FURTHER = Mirror("JP", urls=("http://b.example/x",))


def test_list() -> None:
    """Each URL has a line of its own, with the path behind it."""
    found = _sent([FURTHER, NEARER], "protocol=http,ftp", country="DE", minimum=2)
    assert (found.status, found.content_type) == (200, CONTENT_TYPE)
    assert found.body == (
        b"# path = top/dir country = DE country = global protocol = http,ftp\n"
        b"http://a.example/dir/\nftp://a.example/dir/\nhttp://b.example/x/dir/\n"
    )


def test_time() -> None:
    """With time the second line is the time of the database read."""
    assert _sent([FURTHER], "time", country="JP").body == (
        b"# path = top/dir country = JP \n# database creation time: 1000\nhttp://b.example/x/dir/\n"
    )


def test_no_protocol() -> None:
    """A list of no protocols would be its first line alone: it is an error that says so."""
    found = _sent([GERMAN], "protocol=")
    assert found.status == 404
    assert found.body.endswith(b"with one of no protocols (protocol=)")


@pytest.mark.parametrize(
    "countries",
    [
        [],
        ["DE"],
        ["GLOBAL", "DE", "FR"],
        ["DE", "D\nE", "a b"],
        ["Ü", "DE"],
        ["x" * (MAX_ECHO + 1)],
        ["DE"] * MAX_ECHO,
        ["", "DE"],
    ],
)
def test_what_was_used(countries: list[str]) -> None:
    """Each country is named as far as an answer may repeat it, the world as `global`."""
    found = Offer([], {}, nearer=0, netblock=True, asn=7, countries=countries)
    names = ["global" if one == GLOBAL else echo(one) for one in countries]
    due = "".join(f"country = {name} " for name in names)
    assert used(found).decode() == f"Using preferred netblock Using ASN 7 {due}"


def test_error() -> None:
    """An error is bare text."""
    assert render_error("error: invalid path") == b"error: invalid path"
