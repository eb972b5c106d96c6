"""Exports that are killed, run out of disk, lose their database or meet each other.

Whatever happens, the published file is the complete old snapshot or the complete new one, and
the next export works.
"""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from snapshot.export.exporter import export
from snapshot.export.job import Job
from snapshot.file.errors import SnapshotError
from snapshot.file.reader import Snapshot
from tests.command import COMMAND, SECONDS, assert_refused, run
from tests.factories import edited, make_database, world
from tests.postgresql import Server, engine, run_server
from tests.system import ROOT

pytestmark = pytest.mark.system

OLD, NEW = world(), edited(("host", 3, {"country": "US"}), ("directory", 7, {"ctime": 701}))
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
NAMES = ["mm.snap", "mm.snap.1", "mm.snap.2"]
RANDOM_KILLS = 30
# Far above the size of a small world's snapshot, and far below that of a large one.
SMALL_DISK = 64 * 1024


class Site:
    """A folder with a published snapshot of the old rows, and two databases: old and new rows."""

    def __init__(self, folder: Path) -> None:
        """Fill an empty folder; two more snapshots were published before the old one."""
        self.databases = {
            name: make_database(folder / f"{name}.sqlite", tables)
            for name, tables in (("old", OLD), ("new", NEW), ("older", {**OLD, "redirect": []}))
        }
        self.output = folder / "published" / "mm.snap"
        self.output.parent.mkdir()
        self.ids = {name: self._id(folder / "reference", name) for name in self.databases}
        for name in ("older", "old"):
            self.export(name)

    def _id(self, path: Path, name: str) -> str:
        export(self.databases[name], Job(path, max_loss=None))
        return Snapshot(path).id

    def export(self, name: str) -> None:
        """Export the database of that name, as the next cron job would."""
        done = run(*self.arguments(name))
        assert done.returncode == 0, done.stderr

    def arguments(self, name: str) -> list[str]:
        """Return the command that exports the database of that name."""
        return ["export", "--database", self.databases[name], "--output", str(self.output)]

    @property
    def published(self) -> str:
        """Which database the published snapshot is of; it must be whole."""
        found = Snapshot(self.output)
        assert self.output.stat().st_mode & 0o777 == 0o644
        return next(name for name, id in self.ids.items() if id == found.id)

    @property
    def files(self) -> dict[str, bytes]:
        """The files in the output's folder."""
        return {file.name: file.read_bytes() for file in self.output.parent.iterdir()}

    def assert_whole(self) -> None:
        """Hold that the old snapshot or the new one is published, and the old one is not lost."""
        assert self.published in ("old", "new")
        kept = [Snapshot(self.output.with_name(name)).id for name in NAMES if name in self.files]
        assert self.ids["old"] in kept

    def assert_recovers(self) -> None:
        """Hold that the next export publishes, and leaves nothing of the one that failed."""
        self.export("new")
        assert self.published == "new"
        assert self.ids["old"] == Snapshot(self.output.with_name("mm.snap.1")).id
        assert set(self.files) <= set(NAMES)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """The site of one test."""
    return Site(tmp_path)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Open the published snapshot again and again meanwhile; it must always be whole."""
    errors: list[SnapshotError] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            try:
                Snapshot(path)
            except SnapshotError as error:
                errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()
    assert errors == []


def test_killed_at_every_step(tmp_path: Path) -> None:
    """Killed before any of its steps on the disk, an export has done all of its work or none."""
    outcomes: list[str] = []
    for step in range(1, 50):
        (tmp_path / str(step)).mkdir()
        site = Site(tmp_path / str(step))
        command = [sys.executable, "-m", "tests.killed_export", str(step), str(site.output.parent)]
        with reading(site.output):
            done = subprocess.run(
                [*command, *site.arguments("new")],
                cwd=ROOT,
                env=ENVIRONMENT,
                capture_output=True,
                timeout=SECONDS,
            )
        site.assert_whole()
        outcomes.append(site.published)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        site.assert_recovers()
        shutil.rmtree(tmp_path / str(step))
    # Many steps before the rename, some after it, and at last nobody was killed.
    assert outcomes == sorted(outcomes, reverse=True)
    assert outcomes.count("old") >= 8
    assert outcomes.count("new") >= 2
    assert len(outcomes) < 49


def test_killed_at_any_moment(site: Site) -> None:
    """Killed at random moments from start to end, an export harms nothing that was there."""
    begin = time.monotonic()
    run(*site.arguments("old"))
    seconds = time.monotonic() - begin
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    sys.stdout.write(f"seed {seed}, {seconds:.2f} s an export\n")
    killed = 0
    with reading(site.output):
        for turn in range(RANDOM_KILLS):
            process = subprocess.Popen(
                [*COMMAND, *site.arguments("new" if turn % 2 else "old")],
                env=ENVIRONMENT,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(chance.uniform(0, seconds * 1.1))
            process.kill()
            killed += process.wait() == -signal.SIGKILL
            assert site.published in ("old", "new")
    assert killed > RANDOM_KILLS / 4
    site.export("old")
    site.assert_recovers()


def test_ended_by_the_operator(site: Site) -> None:
    """SIGTERM in the middle leaves no half-written file and no lock."""
    holder = sqlite3.connect(site.databases["new"].removeprefix("sqlite:///"))
    holder.execute("BEGIN EXCLUSIVE")
    before = site.files
    process = subprocess.Popen([*COMMAND, *site.arguments("new")], env=ENVIRONMENT)
    while ".mm.snap.lock" not in site.files:
        assert process.poll() is None
        time.sleep(0.01)
    process.terminate()
    assert process.wait(SECONDS) == 128 + signal.SIGTERM
    holder.close()
    assert site.files == before
    site.assert_recovers()


def large_database(folder: Path) -> str:
    """Return the URL of a database whose snapshot does not fit on a small disk."""
    chance = random.Random(5)
    names = (f"pub/linux/{chance.getrandbits(128):032x}" for _ in range(5000))
    rows = [{"id": 1000 + number, "name": name} for number, name in enumerate(names)]
    tables = world()
    tables["directory"] += rows
    tables["category_directory"] += [{"category_id": 1, "directory_id": row["id"]} for row in rows]
    return make_database(folder / "large.sqlite", tables)


def test_a_limit_on_the_size_of_files(site: Site, tmp_path: Path) -> None:
    """A snapshot that cannot be written to its end is one line, and the old one stays."""
    site.databases["new"] = large_database(tmp_path)
    before = site.files
    limit = f'ulimit -f {SMALL_DISK // 512} && exec "$@"'
    done = subprocess.run(
        ["sh", "-c", limit, "sh", *COMMAND, *site.arguments("new")],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert_refused(done, 1, "mm.snap: cannot be written: File too large")
    assert site.files == before


# Exports the small database, then the large one, which must fail; prints what is there after each.
FULL_DISK = """
mount -t tmpfs -o size=$1 mirrorlist "$2" || exit 99
cd "$2" && shift 2
small=$1 large=$2; shift 2
"$@" --database "$small" --output mm.snap || exit 98
ls -A | cat; md5sum mm.snap
"$@" --database "$large" --output mm.snap; echo "exit $?"
ls -A | cat; md5sum mm.snap
"$@" --database "$small" --output mm.snap || exit 98
"""


def test_a_full_disk(site: Site, tmp_path: Path) -> None:
    """On a disk that is full the old snapshot stays, without a rest of the new one beside it."""
    # As root, or as root of an own user namespace; where neither may mount, the limit above is
    # the nearest thing that shows the same.
    namespaces = (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"])
    for namespace in namespaces:
        done = subprocess.run(
            [*namespace, "sh", "-c", FULL_DISK, "sh", str(SMALL_DISK), str(site.output.parent),
             site.databases["old"], large_database(tmp_path), *COMMAND, "export"],
            env={**ENVIRONMENT, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )  # fmt: skip
        if done.returncode == 0:
            break
        assert done.returncode in (1, 99), done.stderr
    else:
        test_a_limit_on_the_size_of_files(site, tmp_path)
        return
    name, digest, code, *after = done.stdout.splitlines()
    assert name == "mm.snap"
    assert code == "exit 1"
    assert after == [name, digest]
    assert "mm.snap: cannot be written: No space left on device\n" in done.stderr


def test_two_at_once(site: Site) -> None:
    """Exports that run at the same time wait for each other; all of them are done."""
    with reading(site.output):
        processes = [
            subprocess.Popen([*COMMAND, *site.arguments(name)], env=ENVIRONMENT)
            for name in ("new", "old", "new", "old")
        ]
        assert [process.wait(SECONDS) for process in processes] == [0] * 4
    site.assert_whole()
    assert set(site.files) <= set(NAMES)


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "folder"])
def test_a_damaged_old_file(site: Site, damage: str) -> None:
    """A published file that was damaged is replaced; a folder in its place is refused."""
    content = site.output.read_bytes()
    spoilt = {"cut": content[:-9], "empty": b"", "flipped": content[:-1] + b"\xff"}
    if damage == "folder":
        site.output.unlink()
        site.output.mkdir()
        done = run(*site.arguments("new"))
        assert_refused(done, 1, "mm.snap: cannot be written: Is a directory")
        return
    site.output.write_bytes(spoilt[damage])
    site.export("new")
    assert site.published == "new"


def test_rows_that_change_in_sqlite(site: Site, tmp_path: Path) -> None:
    """What another process writes to a SQLite database meanwhile is seen whole, or not at all."""
    path = Path(site.databases["old"].removeprefix("sqlite:///"))
    with sqlite3.connect(path, isolation_level=None) as writer:
        writer.execute("PRAGMA journal_mode = WAL")

        def write(phase: str, done: int, total: int) -> None:
            if done == 3:
                writer.execute("BEGIN")
                writer.execute("DELETE FROM repository")
                writer.execute("UPDATE host SET country = 'XX'")
                writer.execute("COMMIT")

        export(site.databases["old"], Job(tmp_path / "during", max_loss=None), progress=write)
        export(site.databases["old"], Job(tmp_path / "after", max_loss=None))
    writer.close()
    assert Snapshot(tmp_path / "during").id == site.ids["old"]
    assert Snapshot(tmp_path / "after").repositories == []


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server that the tests of this module stop and start."""
    with run_server() as server:
        yield server


Break = Callable[[Server], None]


def kill_connection(server: Server) -> None:
    """End the export's connection, as an administrator would."""
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'mirrorlist export'"
    )


def restart(server: Server) -> None:
    """Restart the database server."""
    server.stop()
    server.start()


@pytest.mark.parametrize("break_it", [restart, kill_connection, Server.stop])
def test_the_database_goes_away(site: Site, server: Server, break_it: Break) -> None:
    """A database that restarts or goes away in the middle: exit code 3, the old file stays."""
    name = break_it.__name__
    url = server.create_filled(f"mm_{name}", NEW)
    before = site.files
    site.databases["new"] = url
    with engine(url) as other, other.connect() as connection:
        # The export comes as far as this table, and waits there.
        connection.exec_driver_sql("BEGIN; LOCK TABLE host_category_dir IN ACCESS EXCLUSIVE MODE")
        with subprocess.Popen(
            [*COMMAND, *site.arguments("new")],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            _wait_until_it_waits(server)
            break_it(server)
            stdout, stderr = process.communicate(timeout=SECONDS)
        connection.invalidate()
    done = subprocess.CompletedProcess([], process.returncode, stdout, stderr)
    assert_refused(done, 3, "cannot be read")
    assert site.files == before
    if break_it is Server.stop:
        assert_refused(run(*site.arguments("new")), 3, "cannot be read")
        server.start()
    site.assert_recovers()


def _wait_until_it_waits(server: Server) -> None:
    """Return when the export waits for a lock in the database."""
    deadline = time.monotonic() + SECONDS
    question = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'mirrorlist export' AND wait_event_type = 'Lock'"
    )
    with engine(server.url()) as other, other.connect() as connection:
        while not connection.exec_driver_sql(question).scalar_one():
            assert time.monotonic() < deadline, "the export does not wait for the table"
            time.sleep(0.02)
