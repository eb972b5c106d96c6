"""Statistics in a real PostgreSQL: the same sums as in SQLite, and each batch in them once."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from loadtest.stats import pair
from loadtest.stats.__main__ import StatsRun
from snapshot.file.errors import BackendError, DatabaseError
from snapshot.link import linked, temporary
from snapshot.stats.collecting import collect
from snapshot.stats.expiring import Keep, expire
from snapshot.stats.importing import import_logs
from snapshot.stats.logforms import Reading
from snapshot.stats.queries import courses, table
from snapshot.stats.questions import Question, Step
from snapshot.stats.spool import Batch, HostRow, UnknownRow
from tests.command import COMMAND, PLAIN, run_program
from tests.live import ROOT
from tests.postgresql import Server, run_server
from tests.stats_world import (
    ACCESS,
    TODAY,
    batch,
    batches,
    everything,
    hold_all_sums,
    query,
    row,
    sketch,
    source,
    spooled,
    sqlite,
)

pytestmark = pytest.mark.system

DAY = 86400
ACCESS_ROWS = """SELECT c.name, s.date, s.name, s.requests FROM access_stat s
    JOIN access_stat_category c ON c.id = s.category_id"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server with a database to copy, which has MirrorManager's tables."""
    with run_server() as server:
        server.create("filled")
        server.execute(*ACCESS.format(serial="SERIAL").split(";"), database="filled")
        yield server


@pytest.fixture
def url(server: Server, request: pytest.FixtureRequest) -> str:
    """A database of one test."""
    name = f"stats_{abs(hash(request.node.nodeid))}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE filled")
    return server.url(name)


def answers(url: str) -> list[object]:
    """Return the answers to questions about days that have no row of most keys, and others."""
    last = datetime.fromtimestamp(TODAY, UTC).date()
    found: list[object] = []
    with linked(url) as link:
        for by, where in ((("repo",), {}), (("country",), {"repo": "epel-9"}), (("host",), {})):
            for since, until in ((None, None), (last - timedelta(30), last - timedelta(3))):
                question = Question(by, since, until, where)
                lines = table(link, question)
                begin = datetime(last.year, last.month, last.day) - timedelta(40)
                steps = [Step(begin + n * timedelta(4), begin + n * timedelta(5)) for n in range(8)]
                found += [lines, courses(link, question, steps, lines[:3])]
    return found


def test_the_same_tables(tmp_path: Path, url: str) -> None:
    """Both databases have the same rows, also after late data and an expiry."""
    other = sqlite(tmp_path)
    given = batches(1, 12, 30, days=50)
    now = datetime.fromtimestamp(TODAY, UTC)
    for n in (8, 0, 4):
        for one in (url, other):
            collect([spooled(tmp_path / "spool", given[n : n + 4])], one)
        assert everything(url) == everything(other)
        assert answers(url) == answers(other)
        assert sorted(query(url, ACCESS_ROWS)) == sorted(query(other, ACCESS_ROWS))
    hold_all_sums(url, given)
    keep = Keep(detail_hours=24, batch_days=1)
    dropped = expire(url, keep, now).dropped
    assert dropped
    assert all(one.startswith("stat_detail_") for one in dropped)
    expire(other, keep, now)
    assert everything(url) == everything(other)


@pytest.mark.parametrize("odd", ["", "a\tb", "a\nb", "a\rb", "\\N", "\\.", "é%s", None, b"\0\xff"])
def test_values_are_loaded_as_they_are(url: str, odd: object) -> None:
    """A row with a value that COPY writes otherwise does not change, nor do the rows around it."""
    rows = [(f"plain {n}", n, odd if n in (3, 2500) else "x") for n in range(3000)]
    kind = "BYTEA" if isinstance(odd, bytes) else "TEXT"
    rows = [one if kind == "TEXT" else (*one[:2], odd) for one in rows]
    with linked(url) as link:
        temporary(link, "loaded", {"a": "TEXT", "n": "BIGINT", "odd": kind}, rows)
        assert link.query("SELECT a, n, odd FROM loaded ORDER BY n") == rows
        temporary(link, "alone", {"odd": kind}, [(odd,), (odd,)])
        assert link.query("SELECT odd FROM alone") == [(odd,), (odd,)]


def test_partitions(tmp_path: Path, url: str) -> None:
    """They are made for the days that come, and dropped when their end is too old."""
    given = [batch(n + 1, row(hour=TODAY - n * 100 * DAY)) for n in range(5)]
    collect([spooled(tmp_path / "spool", given)], url)
    tables = "SELECT relname FROM pg_class WHERE relname LIKE 'stat_day_2%' AND relkind = 'r'"
    before = query(url, tables)
    done = expire(url, Keep(days=150), datetime.fromtimestamp(TODAY, UTC))
    after = query(url, tables)
    assert {*after} < {*before}
    assert {one for one in done.dropped if one.startswith("stat_day_")} == {
        name for (name,) in before
    } - {name for (name,) in after}
    kept = query(
        url,
        "SELECT count(*) FROM stat_key k WHERE NOT EXISTS"
        " (SELECT 1 FROM stat_month t WHERE t.key_id = k.id) AND NOT EXISTS"
        " (SELECT 1 FROM stat_day t WHERE t.key_id = k.id)",
    )
    assert kept == [(0,)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_collector_killed_at_every_step(tmp_path: Path, url: str, kind: str) -> None:
    """Killed before any statement or any file's removal, nothing is lost or added twice."""
    target = url if kind == "postgresql" else sqlite(tmp_path)
    given: list[Batch] = []
    folder = tmp_path / "spool"
    new = batches(3, 300, 2)
    step = 0
    while True:
        # Each time a new batch, beside what was left.
        given.append(new[len(given)])
        spooled(folder, given[-1:])
        # Not all of them: the two databases are asked the same.
        step += 5 if kind == "sqlite" else 7
        words = ["stats", "collect", str(folder), "--database", target]
        done = run_program(
            f"from tests.killed_scan import run; run({step}, {words!r}, 'os.remove')"
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        with_all = sum(one.requests for one in given)
        assert _total(target) in (with_all, with_all - given[-1].requests, *_sums(given))
    assert step > 40
    assert [*folder.iterdir()] == []
    hold_all_sums(target, given)


def _total(url: str) -> int:
    try:
        rows = query(url, "SELECT coalesce(sum(requests), 0) FROM stat_batch")
    except DatabaseError:
        # Killed before the tables were made.
        return 0
    return int(rows[0][0])


def _sums(given: list[Batch]) -> list[int]:
    """Return the requests of the first batches, for each number of them."""
    return [sum(one.requests for one in given[:n]) for n in range(len(given) + 1)]


def test_a_database_killed_while_it_adds(tmp_path: Path, server: Server, url: str) -> None:
    """Nothing is lost or counted twice, whichever statement it dies at."""
    given = batches(4, 8, 20)
    folder = spooled(tmp_path / "spool", given)
    words = ["stats", "collect", str(folder), "--database", url]
    for step in (20, 45):
        program = (
            "import sys, subprocess\n"
            f"left = [{step}]\n"
            "def hook(event, _):\n"
            "    if event == 'mirrorlist.statement':\n"
            "        left[0] -= 1\n"
            "        if not left[0]:\n"
            f"            import os; os.kill({server.pid}, 9)\n"
            "            import time; time.sleep(0.3)\n"
            f"sys.addaudithook(hook); sys.argv[:] = ['mirrorlist', *{words!r}]\n"
            "from mirrorlist.cli import main; main()\n"
        )
        done = run_program(program)
        assert done.returncode == 3, done.stderr
        assert len(done.stderr.splitlines()) == 1
        server.kill()
        server.start()
        spooled(folder, given[:2])
    collect([folder], url)
    hold_all_sums(url, given)
    assert [*folder.iterdir()] == []


def test_a_database_killed_after_it_has_added(tmp_path: Path, server: Server, url: str) -> None:
    """What is removed from a spool survives a crash, also of a server that commits lazily."""
    assert query(url, "SHOW synchronous_commit") == [("off",)]
    given = batches(8, 1, 5)
    collect([spooled(tmp_path / "spool", given)], url)
    server.kill()
    server.start()
    hold_all_sums(url, given)


def test_a_database_that_is_away(tmp_path: Path, server: Server, url: str) -> None:
    """A collector that stays says so once, goes on when it is back, and has lost nothing."""
    given = [batch(n + 1, row(requests=n + 1)) for n in range(9)]
    folder = spooled(tmp_path / "spool", given[:3])
    words = ["stats", "collect", str(folder), "--database", url, "--watch", "--interval", "1"]
    words += ["--admin", "none"]
    with subprocess.Popen(
        [*COMMAND, *words], stderr=subprocess.PIPE, text=True, env=PLAIN
    ) as process:
        assert process.stderr is not None
        try:
            _wait_until_empty(folder)
            assert "at the start: 3 files" in process.stderr.readline()
            server.stop()
            spooled(folder, given[3:])
            assert process.stderr.readline().endswith("; the files wait\n")
            assert len([*folder.iterdir()]) == 6
            server.start()
            _wait_until_empty(folder)
            said = process.stderr.readline()
        finally:
            process.send_signal(signal.SIGTERM)
        assert said == "mirrorlist: collecting again: all files that waited are in the database\n"
        assert process.wait(30) == 0
    hold_all_sums(url, given)


def _wait_until_empty(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while [*folder.iterdir()]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_collectors(tmp_path: Path, url: str) -> None:
    """Two at the same time, at copies of the same files and at one spool, add each batch once."""
    given = batches(5, 60, 10)
    errors: list[BackendError] = []
    shared = spooled(tmp_path / "shared", given[30:])

    def take(name: str) -> None:
        try:
            for n in range(4):
                collect([spooled(tmp_path / name, given[: 10 * n]), shared], url)
        except BackendError as error:
            errors.append(error)

    threads = [threading.Thread(target=take, args=(name,)) for name in ("one", "other")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert errors == []
    assert [*shared.iterdir()] == []
    hold_all_sums(url, given)


def test_a_database_that_is_migrated(tmp_path: Path, url: str) -> None:
    """While a migration has the tables locked, a collector waits, and files pile up unharmed."""
    given = batches(6, 4, 5)
    collect([spooled(tmp_path / "spool", given[:1])], url)
    waiting = threading.Thread(
        target=collect, args=([spooled(tmp_path / "spool", given[1:3])], url)
    )
    with linked(url) as migration:
        migration.begin()
        migration.execute("LOCK TABLE stat_key, stat_day, stat_batch IN ACCESS EXCLUSIVE MODE")
        waiting.start()
        while not query(
            url,
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND"
            " datname = current_database()",
        ):
            time.sleep(0.01)
        spooled(tmp_path / "spool", given[3:])
        assert len([*(tmp_path / "spool").iterdir()]) == 3
        migration.end(commit=True)
    waiting.join()
    collect([tmp_path / "spool"], url)
    hold_all_sums(url, given)


def test_late_data_of_a_dropped_half_year(tmp_path: Path, url: str) -> None:
    """It comes into a new partition, and questions about other days do not notice."""
    given = [batch(n + 1, row(hour=TODAY - n * 60 * DAY)) for n in range(11)]
    collect([spooled(tmp_path / "spool", given)], url)
    expire(url, Keep(days=150, batch_days=None), datetime.fromtimestamp(TODAY, UTC))
    late = batch(99, row(hour=TODAY - 590 * DAY, requests=7))
    collect([spooled(tmp_path / "spool", [late])], url)
    begin = datetime.fromtimestamp(TODAY, UTC).date() - timedelta(590)
    rows = query(
        url,
        "SELECT t.day, t.requests FROM stat_day t JOIN stat_key k ON k.id = t.key_id"
        " WHERE k.cube = 'all' ORDER BY 1",
    )
    assert rows[0] == (str(begin), 7)
    assert rows[-1] == (str(datetime.fromtimestamp(TODAY, UTC).date()), 1)


def test_the_load_test(tmp_path: Path, url: str) -> None:
    """It fills days, asks all questions about them, and keeps the figures."""
    words = ["--database", url, "--requests", "20000", "--runs", "1", "--record", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.stats", "--days", "1", "--days", "3", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob("*-stats.json")
    found = msgspec.json.decode(path.read_bytes(), type=StatsRun)
    assert {(one.days, one.about) for one in found.figures} == {(1, 1), (3, 3), (3, 1)}
    assert all(one.lines for one in found.figures)
    days = query(
        url,
        "SELECT day, sum(requests) FROM stat_day t JOIN stat_key k"
        " ON k.id = t.key_id WHERE k.cube = 'all' GROUP BY 1 ORDER BY 1",
    )
    assert len(days) == 3
    assert all(15_000 < requests < 30_000 for _, requests in days)
    for more in ([], ["--pages"]):
        told = CliRunner().invoke(pair.main, ["--database", url, "--rounds", "1", *more])
        assert "3 days: CPU" in told.output, told.output


def test_how_a_database_writes_dates(tmp_path: Path, server: Server, url: str) -> None:
    """Only what is too old is dropped, whatever the database's way of writing dates is."""
    name = url.rpartition("/")[2]
    server.execute(f"ALTER DATABASE {name} SET DateStyle = 'SQL, MDY'")
    server.execute(f"ALTER DATABASE {name} SET TimeZone = 'Asia/Tokyo'")
    given = [batch(1, row(hour=TODAY - 800 * DAY)), batch(2, row(requests=5))]
    collect([spooled(tmp_path / "spool", given)], url)
    dropped = expire(url, Keep(days=100), datetime.fromtimestamp(TODAY, UTC)).dropped
    with linked(url) as link:
        found = [(one.values, one.requests) for one in table(link, Question(("day",)))]
    day = f"{datetime.fromtimestamp(TODAY, UTC):%Y-%m-%d}"
    assert (found, bool(dropped)) == ([((day,), 5)], True)


def test_old_days_have_no_details(tmp_path: Path, url: str) -> None:
    """A file with many old days makes no partition a day, for which locks would not suffice."""
    rows = [row(hour=TODAY - (100 + back) * DAY) for back in range(40)]
    collect([spooled(tmp_path / "spool", [batch(1, *rows, row(requests=5))])], url)
    with linked(url) as link:
        ((partitions,),) = link.query(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'stat_detail'::regclass"
        )
        total = sum(one.requests for one in table(link, Question(("day",))))
    assert (partitions, total) == (1, 45)


@pytest.mark.parametrize(
    ("encoding", "kept", "lost"),
    [
        pytest.param("LATIN1", "\xe4", "\u0436", id="one byte"),
        # An encoding whose table may differ from Python's.
        pytest.param("EUC_JP", "", "\xe4", id="others"),
        pytest.param("SQL_ASCII", "\xe4\u0436", "", id="none"),
    ],
)
def test_names_outside_of_the_encoding(
    tmp_path: Path, server: Server, encoding: str, kept: str, lost: str
) -> None:
    """They are written as escapes and counted, added to rows that have such a name already."""
    url = server.create(
        f"stats_{encoding.lower()}", f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    server.execute(*ACCESS.format(serial="SERIAL").split(";"), database=f"stats_{encoding.lower()}")
    name, written = f"epel-{kept}{lost}", f"epel-{kept}{ascii(lost)[1:-1]}"
    rows = [row(requests=2, repository=name), row(requests=3, repository=written), row()]
    given = Batch(
        *(source(1), 1, f"server{lost}", TODAY, TODAY, tuple(rows)),
        hosts=(HostRow(TODAY, f"{lost}.example", "country", 2),),
        unknown=(UnknownRow(TODAY, name, lost, 4), UnknownRow(TODAY, written, lost, 5)),
        sketches=tuple(sketch(range(9), repo=one) for one in (name, written)),
        key="k",
    )
    done = collect([spooled(tmp_path / "spool", [given])], url)
    assert (done.requests, done.escaped) == (6, 2 if lost else 0)
    with linked(url) as link:
        found = {one.values: one.requests for one in table(link, Question(("repo",)))}
        assert found == {(written,): 5, ("fedora-43",): 1}
        asked = Question((), where={"repo": written})
        assert [one.requests for one in table(link, asked)] == [5]
        typed = Question(("arch",), where={"repo": name})
        assert [one.requests for one in table(link, typed)] == [5]
    assert query(url, "SELECT requests FROM stat_unknown") == [(9,)]
    assert query(url, "SELECT requests FROM access_stat WHERE requests = 5") == [(5,)]
    log = tmp_path / f"{lost or name}.log"
    line = f"IP: 192.0.2.1; DATE: 2026-11-21; COUNTRY: DE; REPO: {name}; ARCH: x86_64\n"
    log.write_text(line * 3)
    reading = Reading(country=lambda address: None, client=lambda agent: "other")
    (imported,) = import_logs([log], url, reading)
    assert (imported.requests, imported.escaped) == (3, 3 if lost else 0)
    with linked(url) as link:
        assert [one.requests for one in table(link, asked)] == [8]


def test_a_file_that_a_database_refuses(tmp_path: Path, url: str) -> None:
    """What is too long for an index is set aside, and keeps no other file out for ever."""
    chance = random.Random(1)
    long = ["".join(chr(chance.randrange(0x20000, 0x2A000)) for _ in range(256)) for _ in range(3)]
    poison = batch(3, row(), key=long[0], sketches=(sketch(range(9), repo=long[1], arch=long[2]),))
    given = batches(7, 2, 4)
    folder = spooled(tmp_path / "spool", [*given, poison])
    done = collect([folder], url)
    assert (done.files, done.batches, len(done.set_aside)) == (2, 2, 1)
    assert "its counts are refused: " in done.set_aside[0]
    assert "index row size" in done.set_aside[0]
    assert [one.name for one in folder.iterdir()] == ["damaged"]
    hold_all_sums(url, given)
