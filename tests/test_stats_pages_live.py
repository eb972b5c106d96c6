"""The pages of the statistics in a real Chromium, over PostgreSQL, and from the real command."""

import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from mirrorlist.process.threads import Threads
from mirrorlist.status.admin import Admin
from mirrorlist.status.stats_pages import StatisticsPages
from mirrorlist.web.listener import listen
from snapshot.file.errors import DatabaseError
from snapshot.link import Link, linked
from snapshot.stats.collecting import collect
from snapshot.stats.reading import MOST_CONNECTIONS, Reader
from snapshot.stats.shown import Statistics
from tests.chromium import CONTRAST, DESKTOP, PHONE, Browser, browser
from tests.command import COMMAND, assert_refused, run
from tests.postgresql import Server, run_server
from tests.stats_pages_checks import (
    hold_first_page,
    hold_host,
    hold_other_pages,
    hold_repository,
    hold_requests,
)
from tests.stats_pages_world import NOW, PAGES, client_of, given
from tests.stats_world import spooled, sqlite

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL server whose database has the statistics."""
    with run_server() as server:
        server.execute("CREATE DATABASE stats")
        folder = tmp_path_factory.mktemp("spool")
        collect([spooled(folder, given())], server.url("stats"))
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[TestClient]:
    """A client of the pages of that database."""
    with client_of(server.url("stats")) as client:
        yield client


def test_each_number(client: TestClient, server: Server) -> None:
    """Each number on each page is what direct SQL gives, in PostgreSQL too."""
    url = server.url("stats")
    for by in ("release", "country"):
        hold_requests(client, url, by)
    hold_first_page(client, url)
    hold_other_pages(client, url)
    hold_host(client, url, "a.example")
    hold_repository(client, url, "other/<b>&'\"")


def test_few_connections_that_only_read(server: Server) -> None:
    """The connections of the pages can change nothing, are few, and are used again."""
    with closing(Reader(server.url("stats"))) as reader:
        with pytest.raises(DatabaseError, match="read-only transaction"):
            reader.read(lambda link: link.execute("DELETE FROM stat_key"))
        begun, go_on = threading.Barrier(MOST_CONNECTIONS + 1), threading.Event()
        pids: list[int] = []

        def wait() -> None:
            pids.append(reader.read(lambda link: (_pid(link), begun.wait(60), go_on.wait(60))[0]))

        threads = [threading.Thread(target=wait) for _ in range(MOST_CONNECTIONS)]
        for one in threads:
            one.start()
        begun.wait(60)
        reader._seconds = 0
        with pytest.raises(DatabaseError, match="busy with 4 other pages"):
            reader.read(_pid)
        go_on.set()
        for one in threads:
            one.join(60)
        reader._seconds = 60
        assert {reader.read(_pid) for _ in range(9)} <= {*pids}


def _pid(link: Link) -> int:
    return int(link.query("SELECT pg_backend_pid()")[0][0])


def test_a_restart_of_the_database(client: TestClient, server: Server) -> None:
    """While the database is down a page says so; after a restart the first page works again."""
    assert client.get("/").status_code == 200
    server.stop()
    for path in ("/", "/requests", "/repository/epel-9", "/data/trend.csv", "/health/ready"):
        answer = client.get(path)
        assert answer.status_code == 503, path
        assert "s3cret" not in answer.text
        assert "Traceback" not in answer.text
    server.start()
    assert client.get("/").status_code == 200
    # A connection that the server ended meanwhile is replaced unnoticed.
    server.stop()
    server.start()
    assert client.get("/").status_code == 200


def test_a_table_that_is_locked(server: Server) -> None:
    """A database that is locked by a migration is a page after seconds, not a page that hangs."""
    url = server.url("stats")
    with client_of(url, 0.5) as client, linked(url) as link:
        link.begin()
        link.execute("LOCK TABLE stat_key")
        answer = client.get("/requests")
        assert answer.status_code == 503
        assert "timeout" in answer.text
        link.end(commit=False)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser."""
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the pages are."""
    folder = tmp_path_factory.mktemp("pages")
    url = sqlite(folder)
    collect([spooled(folder / "spool", given())], url)
    pages = StatisticsPages(Statistics(Reader(url)), lambda: NOW)
    admin = Admin(listen("127.0.0.1", 0), pages.app())
    admin.start(Threads(print))
    yield f"http://{admin.address}"
    admin.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=lambda size: str(size[0]))
def test_in_a_browser(chromium: Browser, address: str, size: tuple[int, int], scheme: str) -> None:
    """Each page fits the width, can be read in light and dark, and is wholly accepted."""
    chromium.complaints.clear()
    for path in PAGES:
        chromium.open(address + path, size, scheme)
        assert chromium.evaluate("document.title").startswith("mirrorlist statistics")
        assert chromium.evaluate("document.documentElement.scrollWidth") <= size[0], path
        chromium.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert chromium.evaluate("document.documentElement.scrollWidth") <= size[0], path
        # Neighbours on the map are told apart by more than their colours, by names and a table.
        low = [one for one in chromium.evaluate(CONTRAST) if not re.fullmatch(r"c\d", one[0] or "")]
        assert low == [], path
        assert chromium.evaluate("document.querySelectorAll('script').length") == 0
        bars = "[...document.querySelectorAll('.plot svg')].every(one => one.clientHeight > 80)"
        assert chromium.evaluate(bars), path
    assert chromium.complaints == []


def test_the_command(tmp_path: Path) -> None:
    """The command answers until a signal, also while there is no database yet."""
    file = tmp_path / "later.sqlite"
    process = subprocess.Popen(
        [*COMMAND, "stats", "serve", "--database", f"sqlite:///{file}", "--admin", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    try:
        first, second = process.stderr.readline(), process.stderr.readline()
        assert "makes it; the pages say so until it can be used" in second
        found = re.search(r"http://([\d.]+):(\d+)/", first)
        assert found
        assert _status(int(found[2])) == 503
        collect([spooled(tmp_path / "spool", given()[-1:])], f"sqlite:///{file}")
        assert _status(int(found[2])) == 200
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stderr.close()


def _status(port: int) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/")
    status = connection.getresponse().status
    connection.close()
    return status


def test_refused_starts(tmp_path: Path) -> None:
    """A wrong URL or address ends the start with one line."""
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    for given_options, words in (
        (["--database", "mysql://x/y"], "not a kind of database we read"),
        (["--database", url, "--admin", "none"], "without an address nobody could see the pages"),
    ):
        assert_refused(run("stats", "serve", *given_options), 2, words)
