"""What exports load: no SQLAlchemy, whose import would take longer than most of their work."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories import edited, make_database, world
from tests.live import wait_until
from tests.postgresql import Server, run_server

PROGRAM = (
    "import sys\nfrom mirrorlist.cli import main\n"
    "try:\n    main()\nfinally:\n    print(*sys.modules, sep='\\n')"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server for the tests of this module."""
    with run_server() as running:
        yield running


def _ended(*words: object) -> tuple[set[str], str]:
    """Return the modules that are loaded when a command ends, and what it said."""
    command = [sys.executable, "-c", PROGRAM, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {*done.stdout.splitlines()}, done.stderr


def test_an_export_of_sqlite(tmp_path: Path) -> None:
    """An export of a SQLite file loads neither SQLAlchemy nor a driver of PostgreSQL.

    Nor does it load rich, although it says which rows were left out.
    """
    url = make_database(tmp_path / "mm.sqlite", edited(("repository", 1, {"prefix": None})))
    loaded, said = _ended("export", "--database", url, "--output", tmp_path / "mm.snap")
    assert "no prefix: no client can ask for it" in said
    assert "sqlite3" in loaded
    assert not {"sqlalchemy", "psycopg", "asyncio", "rich", "http", "ssl"} & loaded


@pytest.mark.system
def test_an_export_of_postgresql(tmp_path: Path, server: Server) -> None:
    """Neither does one of PostgreSQL load SQLAlchemy, nor with a URL that stands in a file."""
    (tmp_path / "url").write_text(server.create_filled("loaded", world()))
    output = ("--output", tmp_path / "mm.snap", "--files", "--newest")
    loaded, _ = _ended("export", "--database", f"@{tmp_path / 'url'}", *output)
    assert "psycopg" in loaded
    assert "sqlalchemy" not in loaded


def test_a_watch(tmp_path: Path) -> None:
    """Nor does a watch, which looks at the database and exports it."""
    url, output = make_database(tmp_path / "mm.sqlite", world()), tmp_path / "mm.snap"
    words = ["watch", "--database", url, "--output", str(output), "--admin", "none"]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], stdout=subprocess.PIPE, text=True
    ) as process:
        wait_until("the first export", output.exists)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=30)
    loaded = {*said.splitlines()}
    assert "snapshot.export.kept" in loaded
    assert "sqlalchemy" not in loaded
