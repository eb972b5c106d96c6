"""Pages of statistics over HTTP, what they show, and what direct SQL says about the same."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

from starlette.testclient import TestClient

from mirrorlist.status.stats_pages import StatisticsPages
from snapshot.stats.reading import Reader
from snapshot.stats.shown import Statistics
from snapshot.stats.spool import Batch, HostRow, UnknownRow
from tests.stats_world import TODAY, batch, batches, query, row, sketch

DAY = timedelta(1)
NOW = datetime.fromtimestamp(TODAY, UTC).replace(tzinfo=None) + timedelta(hours=20, minutes=30)
"""The clock of the pages."""
TODAY_DATE = NOW.date()
FIRST = TODAY_DATE - 29 * DAY
"""The first day of the pages without a choice."""
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=cmd|' /C calc'!A0",
    "+1", "-1", "@SUM(1)", "\tx", "\rx",
    "a\u202egnp.exe", "a\u2066b\u2069", "bell\x07\x1b[31m", "a\u2028b",
    "x" * 128,
    "{{ 7 * 7 }}",
    "'; DROP TABLE stat_key; --",
)  # fmt: skip
"""Names of unknown repositories that strangers typed."""
PAGES = (
    "/",
    "/requests",
    "/requests?by=country&repo=epel-9",
    "/systems",
    "/addresses",
    "/countries",
    "/hosts",
    "/unknown",
    "/repository/epel-9",
    "/host/a.example",
)
"""All kinds of pages."""


def given() -> list[Batch]:
    """Return counts of 60 days, of today's hours too, with hostile names."""
    repos = ("fedora-43", "epel-9", "other/<b>&'\"", "(unknown)", *(f"r{n}" for n in range(9)))
    late = [
        row(TODAY - 3600 * back, 40 + back, repository=repo, countme=back % 5, country="SG")
        for back in (-19, -5, 0, 3, 30)
        for repo in repos
    ]
    # Without a repository, and so without an arch.
    late.append(row(TODAY - 7200, 5, repository="(none)", arch="", status=400, tier="none"))
    more = batch(
        1,
        *late,
        of=3,
        hosts=(
            HostRow(TODAY + 3600, "a.example", "continent", 7),
            HostRow(TODAY, "<i>.example", "country", 3),
        ),
        unknown=tuple(UnknownRow(TODAY, name, "x86_64", 50 + n) for n, name in enumerate(HOSTILE)),
        sketches=(
            sketch(range(700), TODAY),
            sketch(range(90), TODAY - 86400),
            sketch(range(60), TODAY - 86400, "epel-9", "aarch64"),
            sketch(range(80), TODAY - 2 * 86400),
        ),
        key="k",
    )
    return [*batches(5, 10, 60, days=60), more]


@contextmanager
def client_of(url: str, seconds: float = 60) -> Iterator[TestClient]:
    """Answer with the pages of a database while the block runs."""
    with closing(Reader(url, seconds)) as reader:
        pages = StatisticsPages(Statistics(reader), lambda: NOW)
        with TestClient(pages.app(), follow_redirects=False) as client:
            yield client


class Shown(HTMLParser):
    """What a page shows: facts, tables as rows of texts, titles of shapes, links."""

    def __init__(self, page: str) -> None:
        """Read a page."""
        super().__init__()
        self.facts: dict[str, str] = {}
        self.tables: list[list[list[str]]] = []
        self.titles: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self._fact = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its link."""
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
        elif tag == "title" and "svg" in self._open:
            self.titles.append("")
        elif tag == "dt":
            self._fact = ""

    def handle_endtag(self, tag: str) -> None:
        """Close a tag with all that is open in it."""
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Add a text to where it is."""
        if "style" in self._open:
            return
        self.text += data
        if "th" in self._open or "td" in self._open:
            self.tables[-1][-1][-1] += data
        if "title" in self._open and "svg" in self._open:
            self.titles[-1] += data
        if "dt" in self._open:
            self._fact += data
        if "dd" in self._open and "small" not in self._open:
            self.facts[self._fact] = self.facts.get(self._fact, "") + data.strip()


def shown(client: TestClient, path: str, status: int = 200) -> Shown:
    """Return what a page shows."""
    answer = client.get(path)
    assert answer.status_code == status, answer.text[-2000:]
    return Shown(answer.text)


def rows_of(client: TestClient, path: str) -> list[list[str]]:
    """Return the rows of a CSV without its head."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(answer.text)))[1:]


def number(text: str) -> int:
    """Return a number as pages write it."""
    return int(text.replace(",", ""))


def requests(url: str, by: str, since: date, until: date, where: str = "1=1") -> Counter[str]:
    """Return the requests by a label, of every single count that the database keeps."""
    time = "CAST(hour AS VARCHAR(30))"
    column = f"substr({time}, 1, 10)" if by == "day" else by
    found = query(
        url,
        f"SELECT {column}, sum(requests) FROM stat_detail k LEFT JOIN stat_release r"
        f" ON r.repo = k.repo WHERE {time} >= '{since}' AND {time} < '{until + DAY}' AND {where}"
        " GROUP BY 1".replace("GROUP BY 1", f"GROUP BY {column}"),
    )
    return Counter({each[0]: int(each[1]) for each in found})


def one(url: str, sql: str) -> int:
    """Return the number that a statement gives; no number is 0."""
    ((found,),) = query(url, sql)
    return 0 if found == "None" else int(found)


def days(since: date, until: date) -> list[str]:
    """Return the days of a period, the last one first, as in the tables of pages."""
    count = (until - since).days + 1
    return [str(until - n * DAY) for n in range(count)]
