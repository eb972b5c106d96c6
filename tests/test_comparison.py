"""Our answers beside mirrorlist-server's, recorded; the comparer beside planted differences."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
from msgspec.structs import replace

from mirrorlist.replay.compare import Verdict, differences, judge
from mirrorlist.replay.meaning import Link, Meaning, SeenAnswer, Version, parse
from mirrorlist.replay.request import Request
from mirrorlist.request.client import Trust
from mirrorlist.request.geo import MmdbGeo
from mirrorlist.service import Service
from mirrorlist.web.app import App
from snapshot.cache.importer import import_cache
from snapshot.export.job import Job
from snapshot.file.reader import Snapshot
from tests.comparison import data, golden, network
from tests.comparison.piles import Pile
from tests.comparison.requests import requests
from tests.comparison.rules import NOT_COMPARED, RULES
from tests.comparison.sources import Asked, InProcess, MemoryLog
from tests.comparison.table import table, unexplained
from tests.examples import some
from tests.in_process import NOW, LoadedStore

ROOT = Path(__file__).parent.parent
APPS = 61
FILES = sorted(golden.FOLDER.glob("*.jsonl"))
LISTS = [path for path in FILES if path.stem != golden.REWRITTEN]

Value = TypeVar("Value")


@pytest.fixture(scope="module")
def theirs() -> golden.Recorded:
    """mirrorlist-server as it was recorded."""
    return golden.Recorded([record for path in FILES for record in golden.read(path)])


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """Apps on the data of the comparison, each with a seed of its own."""
    folder = tmp_path_factory.mktemp("comparison")
    return _asked(folder, *data.export_data(folder))


@pytest.fixture(scope="module")
def of_cache(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """The same on the cache that mirrorlist-server made of these data."""
    folder = tmp_path_factory.mktemp("cache")
    geoip, asns, continents = network.write_files(folder)
    import_cache(golden.CACHE, Job(folder / "mm.snap", asn=asns, country_continent=continents))
    return _asked(folder, Snapshot(folder / "mm.snap"), geoip)


def _asked(folder: Path, snapshot: Snapshot, geoip: Path) -> Asked:
    store, geo, log = LoadedStore(snapshot), MmdbGeo(geoip), MemoryLog(folder / "log")
    apps = [App(_Drawn(seed, store, geo, Trust(), lambda: NOW, log=log)) for seed in range(APPS)]
    return Asked(InProcess(apps, log))


class _Drawn(Service):
    """A service that goes on drawing from one known sequence."""

    def __init__(self, sequence: int, *parts: object, **more: object) -> None:
        super().__init__(*parts, **more)  # type: ignore[arg-type]
        self._rng = Random(sequence)


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_as_mirrorlist_server(path: Path, theirs: golden.Recorded, ours: Asked) -> None:
    """Each recorded request is answered as mirrorlist-server did, or differs in a known way."""
    verdicts = [judge(one.request, theirs, ours, RULES) for one in golden.read(path)]
    assert verdicts
    assert unexplained(verdicts) == ""


# The cache carries one category a directory, which mirrorlist-server chose, and no peer ASNs: there
# the answers are its own.
NOT_IN_CACHE = {"directory in several categories", "peer ASNs"}


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_the_cache_as_mirrorlist_server(
    path: Path, theirs: golden.Recorded, of_cache: Asked
) -> None:
    """From mirrorlist-server's own cache, each recorded request is answered as it did."""
    rules = [rule for rule in RULES if rule.what not in NOT_IN_CACHE]
    asked = some(golden.read(path), golden.SEED)
    verdicts = [judge(one.request, theirs, of_cache, rules) for one in asked]
    assert unexplained(verdicts) == ""


def test_the_cache_as_the_database(ours: Asked, of_cache: Asked) -> None:
    """From the cache come the answers that come from the database, but for what it lacks."""
    asked = some(golden.selected(), golden.SEED)
    different = [
        verdict.request
        for verdict in (judge(request, of_cache, ours, ()) for request in asked)
        if verdict.differences
    ]
    peers = network.STAND_INS["peer ASN"]
    assert all(
        "pub/linux/nested/a" in request.query or request.client in peers for request in different
    )
    assert len(different) < 9


def test_the_golden_files_are_small_and_whole() -> None:
    """A few hundred requests of every kind are recorded, in less than a megabyte."""
    kinds = {request.kind.replace(" ", "-") for request in requests(golden.SEED, 2000)}
    assert {path.stem for path in LISTS} == kinds
    assert sum(len(golden.read(path)) for path in LISTS) == len(golden.selected()) > 300
    assert sum(path.stat().st_size for path in FILES) < 1_000_000


@pytest.mark.parametrize("rule", sorted({rule.what for rule in RULES} | NOT_COMPARED.keys()))
def test_each_known_difference_is_described(rule: str) -> None:
    """docs/protocol.md has a row for each known difference."""
    assert rule in _rows()


def test_each_described_difference_is_known() -> None:
    """Each row of docs/protocol.md is a rule, or it is said why it cannot be compared."""
    assert set(_rows()) == {rule.what for rule in RULES} | NOT_COMPARED.keys()


def _rows() -> list[str]:
    page = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    table = page.partition("## Known differences")[2].partition("\n| what |")[2].partition("\n\n")
    lines = table[0].splitlines()[2:]
    return [line.split("|")[1].strip() for line in lines]


@pytest.mark.parametrize("seed", [1, 2])
def test_requests_are_many_and_the_same_again(seed: int) -> None:
    """A seed always gives the same requests, two thousand at least, none twice."""
    found = requests(seed, 2000)
    assert found == requests(seed, 2000)
    assert len(set(found)) == len(found) >= 2000
    assert len(requests(seed, 3000)) == 3000


LIST = Request("test", "/mirrorlist", "repo=a&arch=b")
METALINK = Request("test", "/metalink", "repo=a&arch=b")


class _Said:
    """A source that always means the same."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning

    def see(self, request: Request, asks: int) -> Meaning:
        return self._meaning


def _text(*hosts: str, heading: str = "country = DE ") -> SeenAnswer:
    lines = [f"# repo = a arch = b {heading}", *(f"http://{host}.example/x/" for host in hosts)]
    return SeenAnswer(200, "text/plain", body="\n".join([*lines, ""]))


def _pile(*answers: SeenAnswer) -> Meaning:
    pile = Pile()
    for answer in answers:
        pile.add(answer)
    return pile.meaning()


def _first(links: dict[str, tuple[Link, ...]], **changes: object) -> dict[str, tuple[Link, ...]]:
    host, (link, *more) = next(iter(links.items()))
    return {**links, host: (replace(link, **changes), *more)}


METALINK_BODY = """<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic"\
 pubdate="Sat, 21 Nov 2026 03:00:00 GMT" generator="mirrormanager"\
 xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files><file name="repomd.xml"><mm0:timestamp>5</mm0:timestamp><size>7</size><verification>\
<hash type="md5">aa</hash><hash type="sha256">bb</hash></verification><mm0:alternates>\
<mm0:alternate><size>6</size><verification/></mm0:alternate></mm0:alternates>\
<resources maxconnections="1">
<url protocol="http" type="http" location="DE" preference="100">http://a.example/r</url>
<url protocol="rsync" type="rsync" location="DE" preference="100">rsync://a.example/r</url>
<url protocol="http" type="http" location="FR" preference="99" mm0:private="True">\
http://b.example/r</url>
</resources></file></files></metalink>
"""
PLAIN = _pile(_text("a", "b", "c"), _text("b", "a", "c"))
DOCUMENT = _pile(SeenAnswer(200, "application/metalink+xml", body=METALINK_BODY))

PLANTED: list[tuple[str, Meaning, Callable[[Meaning], Meaning]]] = [
    ("status", PLAIN, lambda m: replace(m, status=404)),
    ("type", PLAIN, lambda m: replace(m, type="text/html")),
    ("error", PLAIN, lambda m: replace(m, error="other")),
    ("log", replace(PLAIN, log="one\n"), lambda m: replace(m, log="other\n")),
    ("redirects", PLAIN, lambda m: replace(m, redirects=frozenset(("http://a.example/",)))),
    ("unsteady", PLAIN, lambda m: replace(m, unsteady=("status",))),
    ("hosts", PLAIN, lambda m: replace(m, links=dict(list(m.links.items())[:2]))),
    ("tiers", PLAIN, lambda m: replace(m, tiers=m.tiers[::-1])),
    ("tiers", PLAIN, lambda m: replace(m, tiers=(m.hosts,))),
    ("links", PLAIN, lambda m: replace(m, links=_first(m.links, url="http://a.example/y/"))),
    ("links", DOCUMENT, lambda m: replace(m, links=_first(m.links, location="AT"))),
    ("links", DOCUMENT, lambda m: replace(m, links=_first(m.links, protocol="https"))),
    ("links", DOCUMENT, lambda m: replace(m, links=_first(m.links, private=True))),
    ("preferences", DOCUMENT, lambda m: replace(m, preferences=(100, 98))),
    ("versions", DOCUMENT, lambda m: replace(m, versions=m.versions[:1])),
    ("versions", DOCUMENT, lambda m: replace(m, versions=m.versions[::-1])),
    ("document", DOCUMENT, lambda m: replace(m, document={**m.document, "version": "4.0"})),
    ("heading", PLAIN, lambda m: replace(m, heading=None)),
    *(
        (
            f"heading: {name}",
            PLAIN,
            lambda m, name=name, value=value: replace(
                m, heading=replace(m.heading, **{name: value})
            ),
        )
        for name, value in (
            ("target", "# repo = c arch = b "),
            ("netblock", True),
            ("asn", "1"),
            ("countries", ("DE", "FR")),
            ("protocol", "http"),
            ("time", True),
        )
    ),
]


@pytest.mark.parametrize(
    ("name", "theirs", "change"),
    [pytest.param(*one, id=f"{one[0]} {place}") for place, one in enumerate(PLANTED)],
)
def test_a_planted_difference_is_noticed(
    name: str, theirs: Meaning, change: Callable[[Meaning], Meaning]
) -> None:
    """A difference in any part of an answer is found under its name, and no rule explains it."""
    ours = change(theirs)
    assert differences(theirs, theirs) == ()
    assert differences(theirs, ours) == (name,)
    request = LIST if theirs is not DOCUMENT else METALINK
    found = judge(request, _Said(theirs), _Said(ours), RULES)
    assert found.outcome == "unexplained"
    assert name in unexplained([found])


@pytest.mark.parametrize(
    ("orders", "tiers"),
    [
        pytest.param(["abc"], [{"a"}, {"b"}, {"c"}], id="one answer"),
        pytest.param(["abc", "bac"], [{"a", "b"}, {"c"}], id="two swap"),
        pytest.param(["abcd", "badc"], [{"a", "b"}, {"c", "d"}], id="two and two"),
        pytest.param(["abc", "cba"], [{"a", "b", "c"}], id="all"),
        pytest.param(["", ""], [], id="nobody"),
    ],
)
def test_tiers_are_the_sets_that_chance_leaves(orders: list[str], tiers: list[set[str]]) -> None:
    """Hosts are in one tier as soon as one answer has them the other way round."""
    found = _pile(*(_text(*order) for order in orders))
    assert [{host[0] for host in tier} for tier in found.tiers] == tiers
    assert found.unsteady == ()


def test_what_changes_between_answers_is_unsteady() -> None:
    """A host that comes and goes, or a heading that changes, is not taken for chance."""
    assert _pile(_text("a", "b"), _text("a")).unsteady == ("links",)
    assert _pile(_text("a"), _text("a", heading="")).unsteady == ("heading",)
    assert _pile(_text("a", "b", "a")).unsteady == ("links of a host stand apart",)


def test_redirects_are_gathered() -> None:
    """The Locations of all answers to one request are one set."""
    urls = ["http://a.example/", "http://b.example/"]
    found = _pile(*(SeenAnswer(302, "text/plain", url) for url in urls))
    assert found.redirects == set(urls)
    assert found.unsteady == ()


def test_a_text_list_is_read_whole() -> None:
    """Every part of the heading, the time and the URLs by host are read."""
    heading = "Using preferred netblock Using ASN 5 country = FR country = DE protocol = http,ftp"
    body = f"# path = a/b {heading}\n# database creation time: 1700000000\nftp://a.example/x\n"
    found = parse(SeenAnswer(200, "text/plain", body=body)).meaning
    assert found.heading is not None
    assert found.heading.target == "# path = a/b "
    assert (found.heading.netblock, found.heading.asn) == (True, "5")
    assert found.heading.countries == ("DE", "FR")
    assert (found.heading.protocol, found.heading.time) == ("http,ftp", True)
    assert found.links == {"a.example": (Link("ftp://a.example/x"),)}


def test_a_metalink_is_read_whole() -> None:
    """Versions, hashes in order, attributes and preferences are read, even if unescaped."""
    assert DOCUMENT.versions == (
        Version("5", "7", (("md5", "aa"), ("sha256", "bb"))),
        Version(None, "6", ()),
    )
    assert DOCUMENT.preferences == (100, 99)
    assert DOCUMENT.links["b.example"] == (Link("http://b.example/r", "http", "FR", True),)
    assert DOCUMENT.document["pubdate"] == "a date as in a header"
    broken = METALINK_BODY.replace("a.example/r", "a.example/?x&y")
    found = parse(SeenAnswer(200, "application/metalink+xml", body=broken)).meaning
    assert not found.well_formed
    assert found.links["a.example"][0].url == "http://a.example/?x&y"


def test_a_known_difference_is_checked_against_the_other_question() -> None:
    """A lower-case country is known only if the answer for upper case is ours."""
    request = LIST.having("repo", "a")
    asked = replace(request, query=f"{request.query}&country=de")
    capitals = _pile(_text("a"))
    small = _pile(_text("a", heading="country = de "))

    class Theirs:
        def see(self, request: Request, asks: int) -> Meaning:
            return capitals if request.value("country") == "DE" else small

    assert judge(asked, Theirs(), _Said(capitals), RULES).known == ("country names in the heading",)
    other = _pile(_text("b"))
    assert judge(asked, Theirs(), _Said(other), RULES).outcome == "unexplained"


def test_the_table_counts_by_kind_and_difference() -> None:
    """The table has a row for each kind of request, one for all, and one for each difference."""
    verdicts = [
        Verdict(LIST, (), (), PLAIN, PLAIN),
        Verdict(LIST, ("one",), (), PLAIN, PLAIN),
        Verdict(replace(LIST, kind="other"), (), ("status",), PLAIN, PLAIN),
    ]
    text = table(verdicts)
    assert "| test | 2 | 1 | 1 | 0 |" in text
    assert "| all | 3 | 1 | 1 | 1 |" in text
    assert "| one | 1 |" in text
