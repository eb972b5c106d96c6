"""Pages of the statistics: their numbers, what strangers typed, and what answers instead."""

import base64
import hashlib
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from mirrorlist.status.stats_pages import MOST_PAGES, StatisticsPages
from mirrorlist.status.worldmap import CLASSES, drawn, shade_of, world
from snapshot.file.errors import DatabaseError
from snapshot.link import STATEMENT
from snapshot.stats.collecting import collect
from snapshot.stats.importing import import_logs
from snapshot.stats.logforms import Reading
from snapshot.stats.periods import DAY
from snapshot.stats.reading import Reader
from snapshot.stats.shown import Statistics
from tests.stats_pages_checks import (
    BYS,
    hold_first_page,
    hold_host,
    hold_links,
    hold_other_pages,
    hold_repository,
    hold_requests,
)
from tests.stats_pages_world import HOSTILE, PAGES, TODAY_DATE, client_of, given, rows_of, shown
from tests.stats_world import spooled, sqlite


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with counts of 60 days and hostile names."""
    folder = tmp_path_factory.mktemp("pages")
    url = sqlite(folder)
    collect([spooled(folder / "spool", given())], url)
    return url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[TestClient]:
    """A client of the pages."""
    with client_of(url) as client:
        yield client


@pytest.mark.parametrize("by", BYS)
def test_requests(client: TestClient, url: str, by: str) -> None:
    """Each number of requests by a label is what direct SQL gives, and so is each file."""
    hold_requests(client, url, by)


def test_the_first_page(client: TestClient, url: str) -> None:
    """Each number on the first page is what direct SQL gives."""
    hold_first_page(client, url)


def test_other_pages(client: TestClient, url: str) -> None:
    """Each number on the other pages is what direct SQL gives."""
    hold_other_pages(client, url)


@pytest.mark.parametrize("name", ["a.example", "<i>.example"])
def test_hosts(client: TestClient, url: str, name: str) -> None:
    """Each number on the page of a host is what direct SQL gives."""
    hold_host(client, url, name)


@pytest.mark.parametrize("name", ["epel-9", "other/<b>&'\"", "r1"])
def test_repositories(client: TestClient, url: str, name: str) -> None:
    """Each number on the page of a repository is what direct SQL gives."""
    hold_repository(client, url, name)


@pytest.mark.parametrize(
    "path", ["/", "/requests?by=client&country=SG", "/repository/other%2F%3Cb%3E&'%22", "/hosts"]
)
def test_links(client: TestClient, path: str) -> None:
    """Each link of a page leads to a page or a file of the same listener."""
    hold_links(client, shown(client, path))


@pytest.mark.parametrize("path", PAGES)
def test_nothing_from_elsewhere(client: TestClient, path: str) -> None:
    """No page has a script, an image or a style of a tag, and its policy knows its style."""
    page = client.get(path)
    tags = shown(client, path).tags
    assert {"script", "img", "link", "iframe", "object", "use", "image"}.isdisjoint(tags)
    assert " style=" not in page.text
    assert "http" not in page.text.replace("http-equiv", "")
    style = page.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "form-action 'self'" in policy


def test_what_strangers_typed(client: TestClient) -> None:
    """Names of unknown repositories are text without control characters, in HTML and SVG."""
    text = client.get("/unknown").text
    for control in ("\u202e", "\u2066", "\x07", "\x1b", "\u2028", "\r"):
        assert control not in text
    names = [row[0] for row in shown(client, "/unknown").tables[1][1:]]
    assert "a\\u202egnp.exe" in names
    assert {name for name in HOSTILE if name.isprintable()} <= {*names}
    hostile = shown(client, "/requests?by=repo&days=7")
    assert "other/<b>&'\"" in [row[0] for row in hostile.tables[1]]
    assert "b" not in shown(client, "/repository/other%2F%3Cb%3E&'\"").tags[:40]


def test_no_formula_in_a_file(client: TestClient) -> None:
    """No cell of a file is a formula to a spreadsheet."""
    names = {row[0] for row in rows_of(client, "/data/unknown.csv")}
    assert {"'=cmd|' /C calc'!A0", "'+1", "'-1", "'@SUM(1)", "'\tx"} <= names
    assert not [name for name in names if name[0] in "=+-@\t\r"]
    answer = client.get("/data/unknown.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="unknown.csv"'
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/?since=yesterday", "since: not a day such as 2026-11-27"),
        ("/?until=1999-12-31", "until: not a day"),
        ("/?until=9999-12-31", "until: not a day"),
        ("/?since=2026-11-02&until=2026-11-01", "is after until"),
        ("/?days=0", "days: not a number from 1 to 10000"),
        ("/?days=" + "9" * 200, "days: not a number"),
        ("/?days=\u0663", "days: not a number"),
        ("/?since=2026-11-01&days=3", "give one of them"),
        ("/?colour=red", "'colour': not a parameter; there are since, until, days"),
        ("/?%0a%3Cb%3E=1", "not a parameter"),
        ("/?country=DE", "not a parameter"),
        ("/?days=3&days=4", "days: given twice"),
        ("/requests?by=nothing", "nothing: not a label"),
        ("/requests?by=client&repo=epel-9&country=DE", "not counted together for long"),
        ("/requests?by=repo&host=a.example", "counted with tier alone"),
        ("/requests?country=" + "x" * 256, "country: longer than 255 characters"),
        ("/requests?country=%00", "country: not a text"),
        ("/repository/a%00b", "repo: not a text"),
        ("/data/addresses.csv?by=client", "addresses: counted by release"),
    ],
)
def test_what_cannot_be_asked(client: TestClient, path: str, words: str) -> None:
    """An odd question gets a sentence that says why."""
    answer = client.get(path)
    assert answer.status_code == 400
    assert words in (answer.text if ".csv" in path else shown(client, path, 400).text)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/repository/nope", "Nobody has asked for it"),
        ("/repository/x" + "x" * 127, "Clients ask for it, but no snapshot had it"),
        ("/repository/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "<script>alert(1)</script> has not"),
        ("/repository/%E2%80%AEx", "\\u202ex has not been counted"),
        ("/repository/%FF", "has not been counted"),
        ("/repository/", "has not been counted"),
        ("/host/nope.example", "has never been named first"),
        ("/favicon.ico", "There is nothing here"),
    ],
)
def test_what_is_not_there(client: TestClient, path: str, words: str) -> None:
    """A name that was never counted gets a page that says so."""
    page = shown(client, path, 404)
    assert words in page.text
    assert "script" not in page.tags


def test_methods(client: TestClient) -> None:
    """HEAD answers as GET does, and other methods are refused."""
    assert client.head("/").status_code == 200
    refused = client.post("/", content=b"x")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_fixed_statements(client: TestClient) -> None:
    """The statements of a page are as many for a thousand days as for one, and change nothing."""
    heard: list[str] = []
    listening = [True]

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event == STATEMENT and listening:
            heard.append(str(arguments[0]))

    sys.addaudithook(hear)
    try:
        for path in PAGES:
            counts = set()
            for days in (1, 30, 1000):
                heard.clear()
                client.get(f"{path}{'&' if '?' in path else '?'}days={days}")
                counts.add(len(heard))
                known = ("SELECT", "WITH", "PRAGMA", "BEGIN", "ROLLBACK")
                assert all(one.startswith(known) for one in heard)
            assert len(counts) == 1, path
            assert counts.pop() <= 60
    finally:
        listening.clear()


def test_nothing_is_written(url: str) -> None:
    """A connection of the pages cannot change the file."""
    with pytest.raises(DatabaseError, match="readonly"):
        Reader(url).read(lambda link: link.execute("DELETE FROM stat_key"))


def test_days_of_a_page(client: TestClient) -> None:
    """Links lead to other days, and the days that were chosen stay in links to other pages."""
    page = shown(client, "/requests?by=arch&country=SG&days=7")
    assert "/requests?country=SG&by=arch&days=90" in page.links
    assert "/hosts?days=7" in page.links
    since = TODAY_DATE - timedelta(6)
    csv = f"/data/trend.csv?by=arch&country=SG&since={since}&until={TODAY_DATE}"
    assert csv in page.links
    assert "/requests?by=client&country=SG&days=7" in page.links
    # These three are not kept together.
    assert not [link for link in page.links if "by=tier" in link]


def test_an_empty_database(tmp_path: Path) -> None:
    """Without tables, or without a count, pages say so."""
    url = sqlite(tmp_path)
    with client_of(url) as client:
        page = shown(client, "/", 503)
        assert "The database has no statistics yet: mirrorlist stats collect" in page.text
        assert client.get("/health/ready").status_code == 503
        assert client.get("/data/trend.csv").text.startswith("the database has no statistics yet")
        assert client.get("/health/live").status_code == 200
        collect([spooled(tmp_path / "spool", given())], url)
        with sqlite3.connect(tmp_path / "stats.sqlite") as connection:
            for table in ("stat_key", "stat_day", "stat_hour", "stat_sketch", "stat_unknown"):
                connection.execute(f"DELETE FROM {table}")
        for path in PAGES[:8]:
            assert client.get(path).status_code == 200, path
        assert "Nothing has been counted in these days" in shown(client, "/").text
        assert client.get("/health/ready").json() == {"ready": True}


def test_a_database_that_is_gone(tmp_path: Path) -> None:
    """While the database is away a page says so, and it works again when the database does."""
    url = sqlite(tmp_path)
    collect([spooled(tmp_path / "spool", given()[-1:])], url)
    file = tmp_path / "stats.sqlite"
    with client_of(url) as client:
        assert client.get("/").status_code == 200
        file.rename(tmp_path / "away")
        answer = client.get("/")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert "no such database file" in answer.text
        assert "Traceback" not in answer.text
        (tmp_path / "away").rename(file)
        assert client.get("/").status_code == 200
        file.write_bytes(b"not a database" * 100)
        assert client.get("/").status_code == 503


def test_the_map() -> None:
    """Each country with requests is on the map once, by its magnitude; others are counted."""
    shapes = world()
    assert len(shapes.paths) + len(shapes.middles) > 230
    assert {*shapes.paths} & {*shapes.middles} == set()
    assert shapes.names["SG"] == "Singapore"
    found = drawn({"DE": 1000, "SG": 1, "N/A": 5, "XX": 2})
    drawn_countries = {one.code: one for one in found.countries}
    assert (drawn_countries["DE"].shade, drawn_countries["SG"].shade) == (CLASSES, 1)
    assert drawn_countries["FR"].shade == 0
    assert drawn_countries["SG"].middle
    assert "MT" not in drawn_countries
    assert found.elsewhere == 7
    assert [(one.least, one.most) for one in found.shades] == [(1, 1), (1000, 1000)]
    assert drawn({}).shades == []


def test_shades() -> None:
    """A shade never falls while counts rise, and only 0 has none."""
    shades = [shade_of(count, 10_000) for count in range(10_001)]
    assert shades == sorted(shades)
    assert (shades[0], shades[1], shades[-1]) == (0, 1, CLASSES)
    assert {*shades} == {*range(CLASSES + 1)}


def test_a_log_without_status(tmp_path: Path) -> None:
    """Lines that do not say their status are not requests that got no list."""
    url = sqlite(tmp_path)
    line = f"IP: 192.0.2.9; DATE: {TODAY_DATE - DAY}; COUNTRY: DE; REPO: epel-9; ARCH: x86_64\n"
    (tmp_path / "requests.log").write_text(line)
    [*import_logs([tmp_path / "requests.log"], url, Reading(lambda address: None, bytes.decode))]
    with client_of(url) as client:
        facts = shown(client, "/").facts
    assert (facts["Yesterday"], facts["Got a list"]) == ("1", "\u2013")


def test_many_pages_that_wait(url: str) -> None:
    """While the database hangs, some pages wait, others are refused, and health answers."""
    app = StatisticsPages(Statistics(Reader(url, 60))).app()
    path = url.removeprefix("sqlite:///")
    with TestClient(app) as client, ThreadPoolExecutor(MOST_PAGES + 9) as threads:
        with closing(sqlite3.connect(path, isolation_level=None)) as lock:
            lock.execute("BEGIN EXCLUSIVE")
            asked = [threads.submit(client.get, "/unknown") for _ in range(MOST_PAGES + 9)]
            while sum(one.done() for one in asked) < 9:
                time.sleep(0.01)
            assert client.get("/health/live").text == "OK\n"
            assert {one.result().status_code for one in asked if one.done()} == {503}
        answers = Counter(one.result().status_code for one in asked)
    assert answers == {200: MOST_PAGES, 503: 9}
