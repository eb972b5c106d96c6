"""A library that is not installed, or cannot be loaded: one line, and a slower way or an exit."""

import importlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrorlist.cli.missing import missing_line
from mirrorlist.request import geo
from mirrorlist.workers import wheels
from tests.cache_file import write_cache
from tests.command import COMMAND
from tests.dropin import DropIn
from tests.factories import export_tables, make_database, world
from tests.live import COMMAND as SERVE
from tests.live import ROOT, exchange, request, serve, wait_until

LIST = "/mirrorlist?repo=linux-40&arch=x86_64"
COUNTRIES = ROOT / "tests" / "maxmind" / "GeoLite2-Country-Test.mmdb"

Hide = Callable[[str], str]


@pytest.fixture
def hide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hide:
    """Hide a library from processes that start later: `NAME`, or `NAME.so` for a broken one."""
    folder = tmp_path / "hidden"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))

    def hiding(library: str) -> str:
        name, _, is_broken = library.partition(".")
        if is_broken:
            (folder / library).write_bytes(b"\x7fELF of another machine")
        else:
            error = f"raise ModuleNotFoundError('No module named {name}', name='{name}')\n"
            (folder / f"{name}.py").write_text(error)
        return name

    return hiding


def ended(folder: Path, *words: object) -> tuple[int, str]:
    """Run the command to its end; return its code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "mirrorlist.cli", *map(str, words)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": os.environ["PYTHONPATH"]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.system
@pytest.mark.parametrize(
    ("library", "door"),
    [
        ("uvloop", "fast"),
        ("uvloop.so", "asgi"),
        ("watchfiles", "fast"),
        ("watchfiles.so", "fast"),
        ("iptocc", "fast"),
        ("iptocc.so", "fast"),
        ("maxminddb_rust.so", "fast"),
    ],
)
def test_a_server_goes_on(library: str, door: str, hide: Hide, tmp_path: Path) -> None:
    """Without a library that it can go without, a server says so once, answers, and takes a new
    snapshot; its worker lives.
    """
    name = hide(library)
    export_tables(tmp_path, world())
    snapshot = tmp_path / "mm.snap"
    with serve(snapshot, tmp_path, "--door", door, command=SERVE) as server:
        assert server.get(LIST).status == 200
        before = server.workers()
        export_tables(tmp_path, {**world(), "host_category_url": []})
        wait_until("the new snapshot", lambda: "is in use" in server.output.read_text(), 30)
        assert server.get("/health/ready").status == 200
        assert server.workers() == before
        assert server.end() == 0
        lines = server.output.read_text().splitlines()
    told = [line for line in lines if "warning" in line]
    # Without --geoip no file is read.
    assert len(told) == (name != "maxminddb_rust")
    assert all(f"warning: {name} cannot be loaded" in line for line in told)


@pytest.mark.parametrize("kind", [ImportError, OSError, RuntimeError])
def test_a_library_that_fails(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """A library may fail with any error while it is loaded, and say it in several lines."""

    def fail(name: str) -> None:
        raise kind(f"{name} is\nunfit")

    monkeypatch.setattr(importlib, "import_module", fail)
    said: list[str] = []
    assert wheels.event_loop(said.append) == "asyncio"
    assert ["\n" in line for line in said] == [False, False]
    assert said[0].startswith("warning: uvloop cannot be loaded (uvloop is unfit): ")


_LOADS_LATE = """
import asyncio, sys, uvicorn
import mirrorlist.workers.run
from mirrorlist.web.config import make_config
from mirrorlist.workers.wheels import load_late

async def answer(scope, receive, send):
    pass

load_late(sys.argv[1])
before = set(sys.modules)
config = make_config(answer, asyncio.Protocol, loop=sys.argv[1])
config.load()
config.get_loop_factory()
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_nothing_is_loaded_after_the_fork(loop: str) -> None:
    """All modules that uvicorn imports when it runs are loaded before, so processes share them."""
    command = [sys.executable, "-c", _LOADS_LATE, loop]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_countries_that_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library of countries says in several lines is one line here."""

    def fail() -> None:
        raise ImportError("iptocc is\nunfit")

    monkeypatch.setattr(geo, "RegistryGeo", fail)
    found = geo.open_geo(None)
    assert "iptocc cannot be loaded (iptocc is unfit): " in str(vars(found))


@pytest.mark.system
def test_a_geoip_file_needs_its_reader(hide: Hide, tmp_path: Path) -> None:
    """With --geoip the reader of the file is needed: one line and exit code 3."""
    hide("maxminddb_rust.so")
    export_tables(tmp_path, world())
    words = ["serve", "--snapshot", tmp_path / "mm.snap", "--port", 0, "--geoip", COUNTRIES]
    code, said = ended(tmp_path, *words)
    assert code == 3
    assert said.count("\n") == 1
    assert "maxminddb-rust cannot be loaded" in said


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


NEEDED = ("httptools", "httptools.so", "uvicorn", "starlette", "orjson.so", "msgspec.so", "click")


@pytest.mark.system
@pytest.mark.parametrize("library", NEEDED)
def test_a_server_ends(library: str, hide: Hide, tmp_path: Path) -> None:
    """Without a library that it needs, a server ends before it listens: one line, exit code 1."""
    name = hide(library)
    export_tables(tmp_path, world())
    code, said = ended(tmp_path, "serve", "--snapshot", tmp_path / "mm.snap", "--port", 0)
    assert code == 1
    assert said.count("\n") == 1
    assert said.startswith(f"mirrorlist: error: {name} cannot be loaded: ")


@pytest.mark.system
@pytest.mark.parametrize(
    ("library", "command"),
    [("msgspec.so", "export"), ("psycopg.so", "watch"), ("google", "import-cache")],
)
def test_commands_that_write_end(library: str, command: str, hide: Hide, tmp_path: Path) -> None:
    """Without a library that it needs, a command that writes snapshots ends with one line."""
    hide(library)
    words: dict[str, list[object]] = {
        "export": ["--database", make_database(tmp_path / "mm.sqlite", world())],
        "watch": ["--database", "postgresql://nobody@127.0.0.1:1/none", "--admin", "none"],
        "import-cache": [write_cache(tmp_path / "cache.proto")],
    }
    code, said = ended(tmp_path, command, *words[command], "--output", tmp_path / "mm.snap")
    assert code in (1, 2)
    assert said.count("\n") == 1
    assert said.startswith("mirrorlist: error: ")


@pytest.mark.system
@pytest.mark.parametrize(
    ("library", "page"), [("prometheus_client", "metrics"), ("jinja2", "status")]
)
def test_a_page_fails_alone(library: str, page: str, hide: Hide, tmp_path: Path) -> None:
    """Without a library of one page, that page is an error; the admin process lives."""
    hide(library)
    export_tables(tmp_path, world())
    port = _free_port()
    options = ("--admin", f"127.0.0.1:{port}")
    with serve(tmp_path / "mm.snap", tmp_path, *options, command=SERVE) as server:
        wait_until("the admin process", lambda: len(server.workers()) == 2)
        before = server.workers()
        assert exchange(port, request(f"/{page}".encode())).status == 500
        assert exchange(port, request(b"/health/ready")).status == 200
        time.sleep(0.6)
        assert server.workers() == before
        assert server.get(LIST).status == 200


@pytest.mark.system
def test_mirrorlist_server_ends(hide: Hide, tmp_path: Path) -> None:
    """The drop-in without protobuf ends with one line, and does not try for ever."""
    hide("google")
    dropin = DropIn(tmp_path)
    done = subprocess.run(
        [str(Path(COMMAND[0]).parent / "mirrorlist-server"), *dropin.words()[1:]],
        env={**dropin.environment, "PYTHONPATH": os.environ["PYTHONPATH"]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("mirrorlist: error: ")


def test_a_mistake_of_ours_is_not_a_missing_library() -> None:
    """An import of our own that fails is an internal error, with its traceback."""
    error = ImportError("cannot import name 'x'", name="mirrorlist.web.app")
    with pytest.raises(ImportError):
        missing_line(error)
    assert missing_line(ImportError("no pq\n wrapper")).startswith(
        "a library cannot be loaded: no pq wrapper; "
    )
