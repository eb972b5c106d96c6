"""A site of containers: a watch, two servers of its snapshot, and haproxy before them."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from snapshot.file.reader import Snapshot
from tests.clients.server import find_free_port
from tests.container.load import Seen
from tests.container.podman import IMAGE, Podman
from tests.live import ROOT, Response, exchange, request, wait_until
from tests.system import need_program

HARDENED = ("--read-only", "--cap-drop=all", "--security-opt=no-new-privileges")
OWN_USER = "--userns=keep-id:uid=441,gid=441"
# Longer than a proxy needs to see that a server drains: that of `listen plain` needs 3 s.
DRAIN_SECONDS, LONG_DRAIN_SECONDS = 2, 5
# In `listen mirrorlist` a request whose server ends before it answers is sent to the other one.
CONFIGURATION = """
global
    stats socket {folder}/admin.sock mode 600 level admin
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 10s
    option http-keep-alive
    option redispatch 1
    retries 3
    default-server check inter 250ms rise 1 fall 2
listen mirrorlist
    bind 127.0.0.1:{port}
    retry-on conn-failure empty-response response-timeout 503
    http-reuse always
    http-request del-header X-Forwarded-For
    option forwardfor
    option httpchk GET /health/ready
    server one 127.0.0.1:{one}
    server two 127.0.0.1:{two}
# As proxies of Fedora do it: nothing is tried twice, but a connection that is refused.
listen plain
    bind 127.0.0.1:{plain}
    option httpclose
    option httpchk GET /health/ready
    server one 127.0.0.1:{one} check inter 1s rise 1 fall 3
    server two 127.0.0.1:{two} check inter 1s rise 1 fall 3
"""


@dataclass(frozen=True)
class Container:
    """A container of the image that serves, or watches, on a port of loopback."""

    podman: Podman
    name: str
    port: int
    admin: int

    def get(self, page: str) -> Response:
        """Ask its own port."""
        return exchange(self.port, request(page.encode()))

    def state(self, page: str = "/health/fresh") -> Response:
        """Ask its admin port."""
        return exchange(self.admin, request(page.encode()))

    def is_ready(self) -> bool:
        """Whether it answers and is ready."""
        try:
            return self.get("/health/ready").status == 200
        except OSError:
            return False

    def serves(self, wanted: str) -> bool:
        """Whether it answers from the snapshot of an id."""
        return f'"id":"{wanted}"'.encode() in self.get("/health/ready").body

    def signal(self, name: str) -> None:
        """Send a signal to its first process."""
        self.podman.run("kill", "--signal", name, self.name)

    def end(self, name: str = "TERM") -> int:
        """Send a signal, wait for its end and return the exit code."""
        self.signal(name)
        return int(self.podman.run("wait", self.name).stdout)

    def start(self) -> None:
        """Start it again, and wait until it is ready."""
        self.podman.run("start", self.name)
        wait_until(f"{self.name} is ready", self.is_ready, 20)


@dataclass(frozen=True)
class Site:
    """The containers, their folders and the proxy's ports, the second without retries."""

    podman: Podman
    port: int
    plain_port: int
    servers: tuple[Container, Container]
    watch: Container
    database: Path
    snapshot: Path
    log: Path

    def publish(self) -> float:
        """Commit a change, and return the seconds until both servers answer from it."""
        old = Snapshot(self.snapshot).id if self.snapshot.exists() else ""
        with closing(sqlite3.connect(self.database)) as connection:
            connection.execute("UPDATE host SET bandwidth_int = coalesce(bandwidth_int, 0) + 1")
            connection.commit()
        begun = time.monotonic()
        wait_until("a new snapshot", lambda: _id(self.snapshot) not in (old, ""), 20)
        new = _id(self.snapshot)
        wait_until("both serve it", lambda: all(one.serves(new) for one in self.servers), 20)
        return time.monotonic() - begun


def _id(path: Path) -> str:
    return Snapshot(path).id if path.exists() else ""


@contextmanager
def asked(port: int) -> Iterator[Seen]:
    """Let clients ask while the block runs; what they saw is there after it."""
    seen = Seen()
    command = [sys.executable, "-m", "tests.container.load", str(port)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        try:
            yield seen
        finally:
            output, _ = process.communicate()
    found = msgspec.json.decode(output, type=Seen)
    for name in Seen.__struct_fields__:
        setattr(seen, name, getattr(found, name))


@contextmanager
def run_site(podman: Podman, database: Path, drain: int) -> Iterator[Site]:
    """Run a watch of a database, two servers and haproxy until the block ends."""
    program = need_program("haproxy", "haproxy")
    published, log = podman.folder("published"), podman.folder("log")
    one, two = (Container(podman, f"server-{at}", *_ports()) for at in (1, 2))
    watch = Container(podman, "watch", *_ports())
    site = Site(podman, *_ports(), (one, two), watch, database, published / "mm.snap", log)
    with ExitStack() as stack:
        _run_watch(site)
        wait_until("the first snapshot", site.snapshot.exists, 30)
        for server in site.servers:
            _run_server(site, server, drain)
        stack.enter_context(_haproxy(program, site))
        for server in site.servers:
            wait_until(f"{server.name} is ready", server.is_ready, 30)
        yield site


def _ports() -> tuple[int, int]:
    return find_free_port(), find_free_port()


def _run_watch(site: Site) -> None:
    site.podman.run(
        *("run", "--detach", "--name", site.watch.name, *HARDENED, OWN_USER),
        *("--volume", f"{site.database.parent}:/srv/database:ro"),
        *("--volume", f"{site.snapshot.parent}:/var/lib/mirrorlist"),
        *(IMAGE, "watch", "--database", f"sqlite:////srv/database/{site.database.name}"),
        *("--output", "mm.snap", "--admin", f"127.0.0.1:{site.watch.admin}"),
    )


def _run_server(site: Site, server: Container, drain: int) -> None:
    site.podman.run(
        *("run", "--detach", "--name", server.name, *HARDENED, OWN_USER),
        *("--volume", f"{site.snapshot.parent}:/var/lib/mirrorlist:ro"),
        *("--volume", f"{site.log}:/var/log/mirrorlist", "--stop-timeout", 30),
        *(IMAGE, "serve", "--snapshot", "mm.snap", "--port", server.port),
        *("--host", "127.0.0.1", "--trusted-proxy", "127.0.0.1", "--drain", drain),
        *("--admin", f"127.0.0.1:{server.admin}"),
        *("--log", f"/var/log/mirrorlist/{server.name}.log"),
    )


@contextmanager
def _haproxy(program: Path, site: Site) -> Iterator[None]:
    folder = site.podman.home
    one, two = site.servers
    ports = {"port": site.port, "plain": site.plain_port, "one": one.port, "two": two.port}
    text = CONFIGURATION.format(folder=folder, **ports)
    (folder / "haproxy.cfg").write_text(text)
    with (folder / "haproxy.log").open("wb") as log:
        command = [str(program), "-db", "-f", str(folder / "haproxy.cfg")]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def put(path: Path, content: bytes) -> None:
    """Put a file in the place of another, as a program does that renames it into place."""
    beside = path.with_suffix(".new")
    beside.write_bytes(content)
    beside.chmod(0o644)
    os.replace(beside, path)
