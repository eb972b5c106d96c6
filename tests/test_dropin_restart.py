"""Two `mirrorlist-server` behind haproxy, and the hourly script of a site that restarts them.

Configuration and script do what those of Fedora's role do, in our own words: haproxy
asks for a metalink, tries nothing twice, and closes each connection.
"""

import csv
import re
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests import cache_file as cache
from tests.cache_file import entry, write_cache
from tests.clients.server import find_free_port
from tests.dropin import DropIn, Serving
from tests.live import exchange, request, wait_until
from tests.system import need_program

pytestmark = pytest.mark.system

METALINK = "/metalink?repo=linux-40&arch=x86_64"
CONFIGURATION = """
global
    stats socket {admin} mode 600 level admin

defaults
    mode http
    option httpclose
    timeout connect 5s
    timeout client 30s
    timeout server 30s

listen mirrorlist
    bind 127.0.0.1:{port}
    balance roundrobin
    option httpchk GET {metalink}
    server mirrorlist1 127.0.0.1:{one} check inter 1s rise 1 fall 3
    server mirrorlist2 127.0.0.1:{two} check inter 1s rise 1 fall 3
"""
LINE = re.compile(r"IP: \S+; DATE: \d{4}-\d\d-\d\d; COUNTRY: \S+; REPO: linux-40; ARCH: x86_64")


class Site:
    """The two servers, haproxy, and a client that never stops to ask."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Start all of it."""
        self._stack, self._folder = stack, folder
        self.files: list[DropIn] = []
        self._ports = [find_free_port(), find_free_port()]
        self._running: list[tuple[AbstractContextManager[Serving], Serving]] = []
        for number in (1, 2):
            (folder / f"data{number}").mkdir()
            self.files.append(DropIn(folder / f"data{number}"))
            self._running.append(self._start(number))
        self._begin_haproxy()
        self.statuses: list[int] = []
        self._over = threading.Event()
        self._client = threading.Thread(target=self._ask)
        stack.callback(self.stop_asking)
        self._client.start()

    def tell(self, command: str) -> str:
        """Send a line to haproxy's socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._folder / "admin"))
            connection.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()

    def restart(self, number: int) -> None:
        """Drain, restart and wait, as the script does."""
        self.tell(f"disable server mirrorlist/mirrorlist{number}")
        # A request that haproxy has given to the server is not given to the other one.
        wait_until("it is drained", lambda: self._current(number) == 0)
        context, server = self._running[number - 1]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0
        context.__exit__(None, None, None)
        self._running[number - 1] = self._start(number)
        self.tell(f"enable server mirrorlist/mirrorlist{number}")
        self.wait_up()

    def get(self, number: int, target: str) -> bytes:
        """Ask one of the servers directly."""
        return self._running[number - 1][1].get(target).body

    def wait_up(self) -> None:
        """Return once haproxy finds both servers up."""
        wait_until("both are up", lambda: self.tell("show stat").count(",UP,") == 2, 20)

    def stop_asking(self) -> None:
        """End the client."""
        self._over.set()
        self._client.join()

    def _current(self, number: int) -> int:
        """Return how many requests haproxy has under way at a server."""
        heading, *rows = csv.reader(self.tell("show stat").lstrip("# ").splitlines())
        place = heading.index("scur")
        return next(int(row[place]) for row in rows if row[1:2] == [f"mirrorlist{number}"])

    def _start(self, number: int) -> tuple[AbstractContextManager[Serving], Serving]:
        context = self.files[number - 1].serving("--port", self._ports[number - 1], often=True)
        server = self._stack.enter_context(context)
        return context, server

    def _begin_haproxy(self) -> None:
        program = need_program("haproxy", "haproxy")
        self._port = find_free_port()
        one, two = self._ports
        configuration = self._folder / "haproxy.cfg"
        configuration.write_text(
            CONFIGURATION.format(
                admin=self._folder / "admin", port=self._port, one=one, two=two, metalink=METALINK
            )
        )
        with (self._folder / "haproxy.log").open("wb") as log:
            command = [str(program), "-db", "-f", str(configuration)]
            process = self._stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
        self._stack.callback(process.terminate)
        wait_until("haproxy", (self._folder / "admin").exists)
        self.wait_up()

    def _ask(self) -> None:
        while not self._over.is_set():
            sent = request(METALINK.encode(), headers=[b"X-Forwarded-For: 198.51.100.7"])
            try:
                self.statuses.append(exchange(self._port, sent).status)
            except OSError:
                self.statuses.append(0)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with two servers."""
    with ExitStack() as stack:
        yield Site(tmp_path, stack)


def test_the_hourly_script(site: Site) -> None:
    """The first server gets the new cache, is tried, and then the second; no request fails."""
    first, second = site.files
    write_cache(first.cache, (cache.REDIRECTS, entry("a", "linux-40")))
    assert first.cache.read_bytes() != second.cache.read_bytes()
    site.restart(1)
    assert b"sha256" in site.get(1, "/metalink?repo=a&arch=x86_64")
    assert b"sha256" not in site.get(2, "/metalink?repo=a&arch=x86_64")
    shutil.copy2(first.cache, second.cache)
    site.restart(2)
    assert b"sha256" in site.get(2, "/metalink?repo=a&arch=x86_64")
    site.stop_asking()
    assert len(site.statuses) > 10
    assert set(site.statuses) == {200}


def test_rotation_and_statistics(site: Site) -> None:
    """Copied and cut (copytruncate), the log has each request in the form that statistics read."""
    files = site.files[0]
    wait_until("lines", lambda: files.log.read_text().count("198.51.100.7") > 5)
    rotated = files.log.with_suffix(".log-1")
    shutil.copyfile(files.log, rotated)
    with files.log.open("r+b") as log:
        log.truncate()
    wait_until("more lines", lambda: files.log.read_text().count("198.51.100.7") > 5)
    site.stop_asking()
    for path in (rotated, files.log):
        lines = path.read_text().splitlines()
        assert [line for line in lines if not LINE.fullmatch(line)] == []
        # What the script keeps after `grep -v 127.0.0.1`, which are haproxy's checks.
        assert any("127.0.0.1" not in line for line in lines)
