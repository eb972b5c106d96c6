"""A primary as it is run: a tree, MirrorManager's database of it, the real export and server."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path
from time import time

from snapshot.file.reader import Snapshot
from tests.command import run
from tests.factories import Tables, host, make_database, site
from tests.live import Server, serve, wait_until
from tests.mirror_sync.stage import PREFIX
from tests.mirror_sync.tree import make_primary

CATEGORIES = {"Test Linux": PREFIX, "Test EPEL": f"{PREFIX}/epel"}


class Origin:
    """A tree, its database, its snapshot and a server that answers from that."""

    def __init__(self, folder: Path) -> None:
        """Make the tree and the database; nothing is scanned yet."""
        self.tree = folder / "primary"
        self.snapshot = folder / "mm.snap"
        make_primary(self.tree)
        (self.tree / "epel/9").mkdir(parents=True)
        self._database = folder / "mm.sqlite"
        self.url = make_database(self._database, _tables())
        # Times are earlier than every cursor: what changed is listed because an export dates it.
        self._seconds = count(int(time()) - 24 * 3600)
        self._times: dict[str, tuple[int, int]] = {}
        self.server: Server | None = None

    def scan(self) -> None:
        """Look at the tree, as MirrorManager's scan does: rows come, change and go."""
        seen = {}
        with closing(sqlite3.connect(self._database)) as database, database:
            for folder, _, files in os.walk(self.tree):
                name = "/".join(Path(PREFIX, os.path.relpath(folder, self.tree)).parts)
                if name.isprintable():
                    seen[name] = self._look(Path(folder), name)
                    self._store(database, name, seen[name], Path(folder), files)
            for (name,) in database.execute("SELECT name FROM directory").fetchall():
                if name not in seen:
                    _remove(database, name)

    def _look(self, folder: Path, name: str) -> tuple[int, bool]:
        """The change time in whole seconds, which never pass too fast, and who may read it."""
        status = folder.stat()
        before, seconds = self._times.get(name, (0, 0))
        if before != status.st_ctime_ns:
            seconds = next(self._seconds)
        self._times[name] = status.st_ctime_ns, seconds
        return seconds, status.st_mode & 0o5 == 0o5

    def _store(
        self,
        database: sqlite3.Connection,
        name: str,
        found: tuple[int, bool],
        folder: Path,
        files: list[str],
    ) -> None:
        database.execute(
            "INSERT INTO directory (name, ctime, readable) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE"
            " SET ctime = excluded.ctime, readable = excluded.readable",
            (name, *found),
        )
        id = _id(database, name)
        for number, topdir in enumerate(CATEGORIES.values(), 1):
            if f"{name}/".startswith(f"{topdir}/"):
                database.execute(
                    "INSERT OR IGNORE INTO category_directory VALUES (?, ?)", (number, id)
                )
        if "repomd.xml" in files:
            content = (folder / "repomd.xml").read_bytes()
            database.execute("DELETE FROM file_detail WHERE directory_id = ?", (id,))
            database.execute(
                "INSERT INTO file_detail (directory_id, filename, timestamp, size, sha256)"
                " VALUES (?, 'repomd.xml', 1, ?, ?)",
                (id, len(content), sha256(content).hexdigest()),
            )

    def publish(self, *, scan: bool = True) -> int:
        """Scan, export, wait until the server answers from that; the cursor that it gives."""
        if scan:
            self.scan()
        else:
            # What is equal and of the same second is not taken into use.
            self.wait_for_a_second()
        # In so small a tree a removed directory is a large share of all.
        options = ("--database", self.url, "--output", self.snapshot, "--max-loss", 100)
        done = run("export", *options)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
        cursor = Snapshot(self.snapshot).history.cursor
        if self.server is not None:
            wait_until("the server has it", lambda: self.cursor == cursor)
        return cursor

    def wait_for_a_second(self) -> None:
        """Wait until the clock has passed the cursor, which is ahead of it if exports are many."""
        cursor = self.cursor
        wait_until("a second has passed", lambda: int(time()) > cursor)

    @property
    def cursor(self) -> int:
        """The cursor that the server gives."""
        return int(self.ask(1 << 62)[1]["x-mirrorlist-cursor"])

    def ask(self, since: int, form: str = "files") -> tuple[str, dict[str, str]]:
        """What the server answers to the question what changed: its body and its headers."""
        assert self.server is not None
        answer = self.server.get(
            f"/rsyncFilter?categories=Test+Linux,Test+EPEL&since={since}"
            f"&stripprefix={PREFIX}&form={form}"
        )
        assert answer.status == 200, answer.body
        return answer.body.decode(), answer.headers


@contextmanager
def run_origin(folder: Path) -> Iterator[Origin]:
    """Make a primary, export it for the first time, and serve it until the block ends."""
    origin = Origin(folder)
    origin.publish()
    with serve(origin.snapshot, folder, "--workers", 1) as server:
        origin.server = server
        yield origin


def _tables() -> Tables:
    """One host that has everything, and the categories with their topdirs."""
    topdirs = enumerate(CATEGORIES.items(), 1)
    urls = {id: f"https://host1.example/{id}" for id in (1, 2)}
    return {
        "site": [site(1)],
        "host": [host(1)],
        "directory": [
            {"id": id, "name": topdir, "ctime": 1}
            for id, (_, topdir) in enumerate(CATEGORIES.items(), 1)
        ],
        "category": [{"id": id, "name": name, "topdir_id": id} for id, (name, _) in topdirs],
        "host_category": [
            {"id": id, "host_id": 1, "category_id": id, "always_up2date": True} for id in urls
        ],
        "host_category_url": [
            {"id": id, "host_category_id": id, "url": url} for id, url in urls.items()
        ],
    }


def _id(database: sqlite3.Connection, name: str) -> int:
    (id,) = database.execute("SELECT id FROM directory WHERE name = ?", (name,)).fetchone()
    return int(id)


def _remove(database: sqlite3.Connection, name: str) -> None:
    id = _id(database, name)
    for table in ("category_directory", "file_detail"):
        database.execute(f"DELETE FROM {table} WHERE directory_id = ?", (id,))
    database.execute("DELETE FROM directory WHERE id = ?", (id,))
