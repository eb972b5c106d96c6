"""docs/switching.md as it stands, with a real haproxy: a share of the requests, all, and back."""

import os
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.server import find_free_port
from tests.factories import edited, export_tables
from tests.live import Server, exchange, request, serve
from tests.system import ROOT, need_program

pytestmark = pytest.mark.system

PAGE = (ROOT / "docs" / "switching.md").read_text()
TARGET = b"/mirrorlist?repo=linux-40&arch=x86_64"
STRANGER = b"X-Forwarded-For: 192.0.2.7"
SECONDS = 20.0


def commands() -> list[str]:
    """Return what the page sends to haproxy's socket, in the page's order."""
    return re.findall(r"echo '([^']*)' \| socat", PAGE)


class Haproxy:
    """A haproxy with the page's configuration, before an old server and a new one."""

    def __init__(self, folder: Path, old: Server, new: Server) -> None:
        """Write its configuration; only ports and the socket differ."""
        self.new = new
        self.port = find_free_port()
        self.admin = folder / "admin.sock"
        text = re.findall(r"```haproxy\n(.*?)```", PAGE, re.DOTALL)[0]
        for ours, theirs in (
            ("/run/haproxy/admin.sock", str(self.admin)),
            ("bind :80", f"bind 127.0.0.1:{self.port}"),
            ("127.0.0.1:8080", f"127.0.0.1:{old.port}"),
            ("127.0.0.1:8081", f"127.0.0.1:{new.port}"),
        ):
            assert text.count(ours) == 1, ours
            text = text.replace(ours, theirs)
        self.configuration = folder / "haproxy.cfg"
        self.configuration.write_text(text)

    def tell(self, command: str) -> str:
        """Send a line to its socket, and return what it says."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.admin))
            connection.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()

    def ask(self, *headers: bytes) -> str:
        """Ask for a list through it, on a connection of its own."""
        response = exchange(self.port, request(TARGET, headers=headers))
        assert response.status == 200
        return response.body.decode()

    def shares(self, count: int) -> Counter[str]:
        """Ask so often, and return how many answers came from the old and the new server."""
        return Counter("new" if "new.example" in self.ask() else "old" for _ in range(count))


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Haproxy]:
    """A haproxy before two servers of ours, the new one with another name in its URLs."""
    program = need_program("haproxy", "haproxy")
    with ExitStack() as stack:
        servers = []
        for name in ("old", "new"):
            edits = [("host_category_url", 110, {"url": f"https://{name}.example/linux"})]
            export_tables(tmp_path / name, edited(*edits))
            servers.append(stack.enter_context(serve(tmp_path / name / "mm.snap", tmp_path / name)))
        found = Haproxy(tmp_path, *servers)
        with (tmp_path / "haproxy.log").open("wb") as log:
            process = stack.enter_context(
                subprocess.Popen(
                    [program, "-db", "-f", found.configuration], stdout=log, stderr=log
                )
            )
        stack.callback(process.terminate)
        _wait(found, process, tmp_path / "haproxy.log")
        yield found


def _wait(haproxy: Haproxy, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when both servers behind it are up."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            if haproxy.tell("show stat").count(",UP,") >= 2:
                return
        except OSError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def test_the_way_there_and_back(haproxy: Haproxy) -> None:
    """One request in a hundred goes to the new server, then to the old one, then as before."""
    show, there, back = commands()
    assert haproxy.shares(200) == {"old": 198, "new": 2}
    assert haproxy.tell(there).strip() == ""
    assert haproxy.shares(200) == {"old": 2, "new": 198}
    assert haproxy.tell(back).strip() == ""
    assert haproxy.shares(200) == {"old": 198, "new": 2}
    assert "mirrorlists,new" in haproxy.tell(show)


def test_a_client_cannot_say_who_he_is(haproxy: Haproxy) -> None:
    """What a client writes into X-Forwarded-For himself opens him no private host."""
    direct = exchange(haproxy.new.port, request(TARGET, headers=[STRANGER])).body
    assert b"Using preferred netblock" in direct
    assert "Using preferred netblock" not in haproxy.ask(STRANGER)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_new_one_goes_away(haproxy: Haproxy, end: signal.Signals) -> None:
    """When the new server ends with nearly all requests on it, nobody is refused."""
    _, there, _ = commands()
    haproxy.tell(there)
    assert haproxy.shares(50)["new"] >= 49
    os.killpg(haproxy.new.process.pid, end)
    # Each of these answers is a 200, from either server, while the new one ends.
    assert haproxy.shares(150)["old"] > 0
    haproxy.new.process.wait(SECONDS)
    assert haproxy.shares(50) == {"old": 50}
