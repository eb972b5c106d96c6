"""What an error suggests is itself accepted, and lists are understood as people write them."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from mirrorlist.catalog.catalog import Catalog
from mirrorlist.errors import BadQuery, OptionError, QueryError
from mirrorlist.lists.target import find_target
from mirrorlist.request.address import parse_address
from mirrorlist.request.client import Trust
from mirrorlist.request.query import parse_query
from mirrorlist.rsync.query import parse_filter_query
from mirrorlist.web.listener import host_and_port
from snapshot.file.model import Category
from tests.factories import edited, export_tables
from tests.small_worlds import Mirror, small_catalog, small_situation


def _repository(id: int, prefix: str, arch: int = 1) -> tuple[str, None, dict[str, object]]:
    row = {"id": id, "name": f"r{id}", "prefix": prefix, "arch_id": arch, "version_id": 1,
           "directory_id": 2, "disabled": False}  # fmt: skip
    return "repository", None, row


@pytest.mark.parametrize(
    "asked",
    ["linux-4", "c++-dev", "a b&c", "tree#%1", "old-3", "linux-source-4", "gone", "ünï"],
)
def test_suggestions_are_accepted(tmp_path: Path, asked: str) -> None:
    """Each close name that an error gives, put into a query as it is, is a repository."""
    names = ["c++-devel", "a b&cd", "tree#%41", "linux-source-40", "gone-40", "ünïx", "linux~^@1"]
    tables = edited(
        *(_repository(100 + place, name) for place, name in enumerate(names)),
        ("repository_redirect", None, {"id": 9, "from_repo": "gone-40", "to_repo": "old-39"}),
    )
    catalog = Catalog(export_tables(tmp_path, tables)[0])
    suggested = set()
    for name in (asked, "zzz", *names):
        query = parse_query(f"repo={quote(name)}&arch=x86_64".encode(), False)
        try:
            find_target(query, catalog)
        except QueryError as error:
            suggested |= set(re.findall("^# (repo=.*)$", str(error), re.MULTILINE))
    assert suggested
    for suggestion in suggested:
        assert find_target(parse_query(suggestion.encode(), False), catalog).carriers
    assert not any("old-39" in one or "gone" in one for one in suggested)


def test_the_arch_asked_for(tmp_path: Path) -> None:
    """Of a close name the arch asked for is suggested, or all of its arches if it lacks that."""
    tables = edited(_repository(100, "tree-1"), _repository(101, "tree-1", 2))
    catalog = Catalog(export_tables(tmp_path, tables)[0])
    assert catalog.closest("tree-2", "source") == [("tree-1", "source")]
    assert catalog.closest("tree-2", "mips") == [("tree-1", "source"), ("tree-1", "x86_64")]


def test_suggested_categories_are_accepted() -> None:
    """Each category that the rsync filter names is understood as it is spelt there."""
    names = ["Linux", "Fedora EPEL", "C++", "Ä & B", "100%", "a,b", "x" * 300, "q?#"]
    categories = [Category(place, name, "pub", ()) for place, name in enumerate(names)]
    with pytest.raises(BadQuery) as caught:
        parse_filter_query(b"since=0&categories=nope", categories)
    spelt = str(caught.value).partition("there are ")[2].split(", ")
    assert len(spelt) == 6
    found = [parse_filter_query(f"since=0&categories={one}".encode(), categories) for one in spelt]
    assert [one.categories for one in found] == [(0,), (1,), (2,), (3,), (4,), (7,)]
    assert parse_filter_query(
        f"since=0&categories={', '.join(spelt)}".replace(" ", "%20").encode(), categories
    ).categories == (0, 1, 2, 3, 4, 7)


def test_suggested_options_are_accepted() -> None:
    """What an error about an option gives as an example is one."""
    with pytest.raises(OptionError) as caught:
        Trust(["here"])
    networks = re.findall(r"[0-9a-f:.]+/\d+", str(caught.value))
    assert len(networks) == 2
    Trust(networks)
    with pytest.raises(OptionError) as caught:
        host_and_port("here", "--admin")
    host, _ = host_and_port(str(caught.value).rpartition(" ")[2], "--admin")
    assert parse_address(host)


@pytest.mark.parametrize(
    ("query", "countries", "protocols"),
    [
        pytest.param("country=de,%20fr&protocol=https,%20http", ("DE", "FR"), {"https", "http"},
                     id="a blank as %20"),
        pytest.param("country=de,+fr&protocol=https,+http", ("DE", "FR"), {"https", "http"},
                     id="a blank as +"),
        pytest.param("country=+de+,,fr,&protocol=,https,", ("DE", "FR"), {"https"},
                     id="empty elements"),
        pytest.param("country=%20,+&protocol=+,%20", (), set(), id="nothing but blanks"),
    ],
)  # fmt: skip
def test_lists_in_queries(query: str, countries: tuple[str, ...], protocols: set[str]) -> None:
    """Blanks around elements and empty elements do not count."""
    found = parse_query(query.encode(), False)
    assert found.wish.countries == countries
    assert found.wish.protocols == frozenset(protocols)


def test_a_list_with_blanks_is_answered() -> None:
    """Both countries of a list with a blank are asked for."""
    catalog = small_catalog(Mirror("DE"), Mirror("FR"), Mirror("US"))
    situation = small_situation(catalog, "country=de,%20fr&protocol=https,+http")
    assert situation.query.wish.countries == ("DE", "FR")
    assert set(situation.urls) == {0, 1, 2}
