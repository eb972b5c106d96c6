"""`mirrorlist watch` as a process: its options, its pages, its one lock."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrorlist.errors import OptionError
from mirrorlist.status.watch_hook import parse_hook
from mirrorlist.status.watch_state import ask_watch
from tests.clients.server import find_free_port
from tests.command import PLAIN, SECONDS, assert_refused, run
from tests.factories import make_database, world
from tests.forked import template
from tests.live import exchange, request, wait_until

HOOK = "/changed"


class Running:
    """A running watch on the small world, with a hook on its admin listener."""

    def __init__(self, folder: Path) -> None:
        """Start it, and wait for the first file."""
        self.output, self._printed = folder / "mm.snap", folder / "printed"
        self.port = find_free_port()
        address = f"127.0.0.1:{self.port}"
        self.options = ["--database", make_database(folder / "mm.sqlite", world())]
        self.options += ["--output", str(self.output)]
        self.options += ["--push", f"cat $SNAPSHOT > {folder / 'pushed'}"]
        with self._printed.open("wb") as printed:
            command = ["mirrorlist", "watch", *self.options, "--admin", address]
            environment = {"PATH": "/usr/bin:/bin", "MIRRORLIST_HOOK": f"http://{address}{HOOK}"}
            self.process = template().start(command, environment, folder, (printed, printed))
        self.wait_for("start: published")

    def wait_for(self, text: str) -> None:
        """Wait until a text was printed."""
        wait_until(text, lambda: text in self.printed or self.process.poll() is not None, SECONDS)
        assert self.process.poll() is None, self.printed

    @property
    def printed(self) -> str:
        """All that was printed so far."""
        return self._printed.read_text()

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Ask for a page."""
        response = exchange(self.port, request(path.encode(), method))
        return response.status, response.body.decode()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A running watch."""
    running = Running(tmp_path)
    yield running
    running.process.send_signal(signal.SIGKILL)
    running.process.wait()


def test_from_the_start_to_the_end(running: Running) -> None:
    """Its pages say what was done; a hook and a signal export; a second watch is refused."""
    status, ready = running.get("/health/ready")
    assert status == 200
    assert json.loads(ready)["snapshot"]["id"] in running.printed
    assert running.get("/health/live") == (200, "OK\n")
    assert running.get("/health/fresh")[0] == 200
    assert running.get(HOOK, "POST")[0] == 202
    second = run("watch", *running.options, "--admin", "127.0.0.1:0")
    assert_refused(second, 1, "mm.snap: another watch writes it already")
    running.wait_for("hook: the published content is unchanged")
    running.process.send_signal(signal.SIGUSR1)
    running.wait_for("SIGUSR1: the published content is unchanged")
    changes = json.loads(running.get("/status")[1])["changes"]
    assert changes == {"seen": 2, "processed": 2, "backlog": 0, "waiting_seconds": 0, "missed": 0}
    assert 'mirrorlist_watch_exports_total{result="unchanged"} 2.0' in running.get("/metrics")[1]
    page = exchange(running.port, request(b"/status", headers=[b"Accept: text/html"]))
    assert page.headers["content-type"].startswith("text/html")
    assert json.loads(ready)["snapshot"]["id"] in page.body.decode()
    state = ask_watch("127.0.0.1", running.port)
    assert state is not None
    assert state.changes.seen == 2
    assert "mirrorlist_watch_pushes_total 1.0" in running.get("/metrics")[1]
    assert json.loads(running.get("/status")[1])["push"]["succeeded"] == 1
    pushed = running.output.with_name("pushed")
    assert pushed.read_bytes() == running.output.read_bytes()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(SECONDS) == 0
    assert not list(running.output.parent.glob(".mm.snap*"))
    assert "Traceback" not in running.printed


@pytest.mark.parametrize(
    ("url", "address", "path"),
    [
        pytest.param("http://127.0.0.1:3003/a/b", ("127.0.0.1", 3003), "/a/b", id="full"),
        pytest.param("http://:3003", ("127.0.0.1", 3003), "/", id="loopback, no path"),
        pytest.param("http://[::1]:1/x", ("::1", 1), "/x", id="IPv6"),
    ],
)
def test_a_hook(url: str, address: tuple[str, int], path: str) -> None:
    """A hook is an http address with a port, and a path."""
    assert parse_hook(url) == (address, path)


@pytest.mark.parametrize(
    "url",
    [
        *("https://127.0.0.1:3003/x", "ftp://127.0.0.1:3003/x", "127.0.0.1:3003", "http://a/x"),
        *("http://u:p@127.0.0.1:1/x", "http://127.0.0.1:1/?x", "http://127.0.0.1:1/#x", "http://["),
        *("http://127.0.0.1:1/{x}", "http://127.0.0.1:1/}"),
    ],
)
def test_no_hook(url: str) -> None:
    """What cannot be listened on is refused, and named."""
    with pytest.raises(OptionError, match="--hook"):
        parse_hook(url)


def test_a_wrong_address_of_the_admin_listener(tmp_path: Path) -> None:
    """A wrong option ends it at once with one line, and leaves no file."""
    usual = ["--database", f"sqlite:///{tmp_path}/mm.sqlite", "--output", tmp_path / "mm.snap"]
    assert_refused(run("watch", *usual, "--admin", "a:3002x"), 2, "--admin a:3002x")
    assert not list(tmp_path.iterdir())


def test_a_mistyped_database(tmp_path: Path) -> None:
    """It is told once, and that nothing is published, as nothing was."""
    command = ["mirrorlist", "watch", "--database", f"sqlite:///{tmp_path}/nofile"]
    command += ["--output", str(tmp_path / "mm.snap"), "--admin", "none"]
    told = tmp_path / "told"
    with told.open("wb") as file:
        watch = template().start(command, PLAIN, tmp_path, (file, file))
    try:
        wait_until("it is told", lambda: told.read_text().count("\n") > 1, SECONDS)
    finally:
        watch.send_signal(signal.SIGTERM)
        watch.wait(SECONDS)
    first, second = told.read_text().splitlines()
    assert "watching sqlite:///" in first
    assert "nofile: no such database file; nothing is published yet" in second


def test_waiting_for_a_snapshot(tmp_path: Path) -> None:
    """A server that waits for its file says for which, and how long."""
    missing = tmp_path / "mm.snap"
    done = run("serve", "--snapshot", missing, "--wait", "0.3", "--port", "0", "--admin", "none")
    assert done.returncode == 3
    first, last = done.stderr.splitlines()
    assert f"{missing} is not there yet; waiting 0 s" in first
    assert "cannot be read" in last
