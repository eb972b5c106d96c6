"""A running watch whose database loses what --require names: it waits, says so, and goes on."""

import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.file.reader import Snapshot
from tests.clients.server import find_free_port
from tests.command import PLAIN, SECONDS
from tests.factories import make_database, world
from tests.forked import template
from tests.live import exchange, request, wait_until

QUERY = "repo=epel-9&arch=x86_64"
REASON = f"has no host for {QUERY}"


class Required:
    """A watch that must have a host for EPEL, which host 1 alone carries."""

    def __init__(self, folder: Path) -> None:
        """Start it."""
        self.output, self.printed = folder / "mm.snap", folder / "printed"
        self._database, self._port = folder / "mm.sqlite", find_free_port()
        words = ["mirrorlist", "watch", "--database", make_database(self._database, world())]
        words += ["--output", str(self.output), "--admin", f"127.0.0.1:{self._port}"]
        words += ["--require", QUERY, "--max-loss", "100", "--stale", "2"]
        words += ["--push", "echo pushed >> pushes"]
        with self.printed.open("wb") as printed:
            self.process = template().start(words, PLAIN, folder, (printed, printed))

    def write(self, statement: str) -> None:
        """Commit a statement."""
        with sqlite3.connect(self._database) as connection:
            connection.execute(statement)
        connection.close()

    def wait_for(self, text: str) -> None:
        """Wait until it has printed a text."""
        wait_until(text, lambda: text in self.printed.read_text(), SECONDS)

    def get(self, path: str) -> tuple[int, str]:
        """Ask for a page."""
        found = exchange(self._port, request(path.encode()))
        return found.status, found.body.decode()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Required]:
    """A running watch."""
    watch = Required(tmp_path)
    watch.wait_for("start: published")
    yield watch
    watch.process.send_signal(signal.SIGTERM)
    assert watch.process.wait(SECONDS) == 0


@pytest.mark.system
def test_a_loss(watch: Required) -> None:
    """The old snapshot stays and is not pushed again; the line, the metrics and the status say
    why; and when the host is back, the new snapshot is published.
    """
    before = watch.output.read_bytes()
    wait_until("it is pushed", watch.output.with_name("pushes").exists)
    watch.write("UPDATE host SET private = 1 WHERE id = 1")
    watch.wait_for(REASON)
    assert watch.output.read_bytes() == before
    wait_until("it is not fresh", lambda: watch.get("/health/fresh")[0] == 503)
    assert REASON in watch.get("/health/fresh")[1]
    assert watch.get("/health/ready")[0] == 200
    status = json.loads(watch.get("/status.json")[1])
    assert (status["exports"]["published"], status["exports"]["failed"]) == (1, 1)
    assert REASON in status["error"]["text"]
    metrics = watch.get("/metrics")[1]
    assert 'mirrorlist_watch_exports_total{result="failed"} 1.0' in metrics
    assert "mirrorlist_watch_backlog 1.0" in metrics

    watch.write("UPDATE host SET private = 0, country = 'FR' WHERE id = 1")
    wait_until("it is published", lambda: watch.output.read_bytes() != before, SECONDS)
    wait_until("it is fresh", lambda: watch.get("/health/fresh")[0] == 200)
    assert "mirrorlist_watch_backlog 0.0" in watch.get("/metrics")[1]
    assert [host.country for host in Snapshot(watch.output).hosts if host.id == 1] == ["FR"]
    assert watch.printed.read_text().count(REASON) == 1
    pushes = watch.output.with_name("pushes")
    wait_until("it is pushed", lambda: pushes.read_text().count("pushed") == 2)
