"""PostgreSQL gets the same rows from a file as SQLite does."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.reader import Snapshot
from snapshot.sites.last_probe import LastProbe
from snapshot.sites.load import load
from snapshot.sites.probe import probe
from tests.command import assert_refused, run
from tests.postgresql import Server, engine, run_server
from tests.small_sites import applied, mirror, publish_tree, site_text, write

pytestmark = pytest.mark.system

FIRST = site_text(
    mirror("a", "DE", 'netblocks = ["192.0.2.0/24"]', 'countries_allowed = ["AT"]', "asn = 64500"),
    mirror("b", "FR", 'countries_allowed = ["AT", "FR"]', 'sponsor = "Z"'),
    mirror("c", "US", 'versions = ["9"]', "private = true"),
    mirror("d"),
)
SECOND = site_text(
    mirror("a", "BE", "weight = 7").replace("https://a.", "http://a2."),
    mirror("c", "US"),
    mirror("d", "DE", 'repositories = ["baseos"]'),
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server that runs for all tests."""
    with run_server() as server:
        yield server


def test_the_same_as_sqlite(tmp_path: Path, server: Server) -> None:
    """After each step an export has the same id from either kind of database."""
    publish_tree(tmp_path / "pub")
    urls = {"sqlite": f"sqlite:///{tmp_path / 'm.db'}", "postgresql": server.create("same")}
    for text in (FIRST, SECOND, FIRST):
        file = write(tmp_path, text)
        ids = set()
        for name, url in urls.items():
            applied(url, file, prune=True, max_loss=100)
            assert not applied(url, file, prune=True).changes_anything
            about = (url, load(file).config, tmp_path, "test", lambda *done: None, 1_800_000_000)
            probe(*about, mirrors=False)
            export(url, Job(tmp_path / name, resolve_dns=False))
            ids.add(Snapshot(tmp_path / name).id)
        assert len(ids) == 1


def test_two_at_once(tmp_path: Path, server: Server) -> None:
    """Two applies to an empty database wait for each other, and the second one changes nothing."""
    url, file = server.create("twice"), write(tmp_path, FIRST)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(applied(url, file).changes_anything))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [False, True]


def test_a_user_who_may_not_read_our_table(tmp_path: Path, server: Server) -> None:
    """An export goes on without it, and a note says what to grant."""
    url, file = server.create("granted"), write(tmp_path, FIRST)
    applied(url, file)
    server.execute(
        "CREATE USER reader PASSWORD 'r3ad'",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
        "REVOKE ALL ON mirrorlist_site FROM reader",
        database="granted",
    )
    job = Job(tmp_path / "m.snap", resolve_dns=False)
    found = export(server.url("granted", "reader", "r3ad"), job)
    assert "the database's user may not read mirrorlist_site: grant SELECT on it" in found.notes


def test_a_watch_waits_for_no_lock(tmp_path: Path, server: Server) -> None:
    """A watch that asks for the last probe passes over a table that somebody holds for long."""
    url = server.create("held")
    applied(url, write(tmp_path, FIRST))
    last = LastProbe(url)
    with engine(url) as other, other.connect() as connection:
        connection.exec_driver_sql("BEGIN; LOCK TABLE mirrorlist_url IN ACCESS EXCLUSIVE MODE")
        looking = threading.Thread(target=last.look)
        looking.start()
        looking.join(30)
        waits = looking.is_alive()
        connection.exec_driver_sql("ROLLBACK")
    looking.join()
    assert not waits


def test_a_server_that_is_away(tmp_path: Path) -> None:
    """It is told in one line, without the password."""
    file = write(tmp_path, FIRST)
    done = run("sites", "apply", file, "--database", "postgresql://mm:s3cretive@127.0.0.1:1/x")
    assert_refused(done, 3, "cannot be written", "nothing was written")
    assert "s3cretive" not in done.stderr
