"""From a push to the primary to a dnf that installs it: scan, watch and serve beside each other."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.clients.conftest import MakeDnf
from tests.clients.packages import PACKAGE, RepositoryFiles, add_package, build_package
from tests.factories import Row, Tables, host, make_database, site
from tests.hooked import SECRET, sent
from tests.live import ROOT, exchange, request, wait_until
from tests.system import need_program

pytestmark = pytest.mark.system

CATEGORY, PLACE, SECOND = "Test", "40/x86_64", "mlsecond"
LIST = b"/metalink?repo=test-40&arch=x86_64"
SECONDS = 60.0
CONFIGURATION = r"""
[[category]]
name = "Test"
type = "directory"
url = "{primary}"

[[repository_mapping]]
regex = '^pub/test/\d+/'
prefix = "test"
"""


def tables(mirror: str) -> Tables:
    """Return a database that knows a category, and a mirror that always has all of it."""
    carried: Row = {"id": 1, "host_id": 1, "category_id": 1, "always_up2date": True}
    return {
        "site": [site(1)],
        "host": [host(1, country="DE")],
        "product": [{"id": 1, "name": "Test"}],
        "directory": [{"id": 1, "name": "pub/test"}],
        "category": [{"id": 1, "name": CATEGORY, "topdir_id": 1, "product_id": 1}],
        "category_directory": [{"category_id": 1, "directory_id": 1}],
        "arch": [{"id": 1, "name": "source"}, {"id": 2, "name": "x86_64"}],
        "host_category": [carried],
        "host_category_url": [{"id": 1, "host_category_id": 1, "url": mirror}],
    }


class Quiet(SimpleHTTPRequestHandler):
    """A mirror that logs nothing."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def mirror(primary: Path) -> Iterator[str]:
    """Serve the primary itself, and give the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(primary)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def staying(folder: Path, ready: str, *words: object) -> Iterator[int]:
    """Run a command that stays, and give the port that it says."""
    said = folder / f"{words[0]}.said"
    with said.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "mirrorlist.cli", *map(str, words)],
            cwd=ROOT, env={"PATH": os.environ["PATH"]}, stdout=file, stderr=file,
        )  # fmt: skip
    try:
        found = None
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(ready, said.read_text())):
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.02)
        yield int(found[1])
        assert "Traceback" not in said.read_text(), said.read_text()
    finally:
        process.terminate()
        process.wait(SECONDS)


class Site:
    """A primary with a repository, and the programs that bring it to clients."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Build the repository, and start all."""
        need_program("rpmbuild", "rpm")
        need_program("createrepo_c", "createrepo-c")
        self._folder, self._primary = folder, folder / "primary"
        self.repository = self._primary / PLACE
        self.push(PACKAGE)
        url = stack.enter_context(mirror(self._primary))
        database = make_database(folder / "mm.sqlite", tables(url))
        (folder / "scan.toml").write_text(CONFIGURATION.format(primary=self._primary))
        (folder / "secret").write_bytes(SECRET)
        start = partial(self._start, stack)
        status = r"http://127\.0\.0\.1:(\d+)/status"
        scan = ["scan", "--watch", "--database", database, "--config", folder / "scan.toml"]
        scan += ["--category", CATEGORY, "--hook-secret", f"@{folder / 'secret'}"]
        self.hook = start(status, *scan, "--admin", "127.0.0.1:0")
        snapshot = folder / "mm.snap"
        start(
            status, "watch", "--database", database, "--output", snapshot, "--admin", "127.0.0.1:0"
        )
        wait_until("the first snapshot", snapshot.exists, SECONDS)
        self.port = start(
            r"listening on http://127\.0\.0\.1:(\d+)",
            *("serve", "--snapshot", snapshot, "--port", 0, "--admin", "none"),
        )

    def _start(self, stack: ExitStack, ready: str, *words: object) -> int:
        return stack.enter_context(staying(self._folder, ready, *words))

    def push(self, name: str) -> RepositoryFiles:
        """Put a package into the primary's repository."""
        package = build_package(self._folder / f"build-{name}", name)
        return add_package(self.repository, package)

    def wait_for(self, files: RepositoryFiles) -> None:
        """Wait until the metalink has the sums of the repository's metadata."""
        wanted = files.hashes["sha256"].encode()
        wait_until(
            "a new metalink", lambda: wanted in exchange(self.port, request(LIST)).body, SECONDS
        )


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose programs end with the test."""
    with ExitStack() as stack:
        yield Site(tmp_path_factory.mktemp("push"), stack)


def test_a_push(place: Site, make_dnf: MakeDnf) -> None:
    """A scanned repository is installed from; a package that is pushed is there after the hook,
    and the time from the call to the metalink is printed.
    """
    place.wait_for(RepositoryFiles(place.repository))
    dnf = make_dnf("metalink", f"http://127.0.0.1:{place.port}{LIST.decode()}")
    installed = dnf.run("install", PACKAGE)
    assert installed.code == 0, installed.output
    assert dnf.has(PACKAGE)
    files = place.push(SECOND)
    began = time.monotonic()
    answer = exchange(place.hook, sent(f"category={CATEGORY}&path=pub/test/{PLACE}".encode()))
    assert answer.status == 202
    place.wait_for(files)
    sys.stderr.write(f"from the hook to the metalink: {time.monotonic() - began:.2f} s\n")
    installed = dnf.run("--refresh", "install", SECOND)
    assert installed.code == 0, installed.output
    assert dnf.has(SECOND)
    assert dnf.repomd == files.repomd
