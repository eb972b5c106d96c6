"""`mirrorlist scan --watch` as it is run: its hook, its pages, and what ends it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.command import assert_refused, run
from tests.hooked import SECRET, sent
from tests.live import ROOT, exchange, request, wait_until
from tests.notified import Manager
from tests.scanned import ARM, CATEGORY, NOW, TOML, X86, Primary, database, rows

STAMPS = """SELECT max(f.timestamp) FROM file_detail f JOIN directory d ON d.id = f.directory_id
    GROUP BY d.name ORDER BY d.name DESC"""
SECONDS = 30.0


class Site:
    """A tree of two repositories, its database, and the words that scan it."""

    def __init__(self, folder: Path) -> None:
        """Make the tree."""
        self.primary, self.url = Primary(folder), database(folder)
        self.folder, self.said = folder, folder / "said"
        for path in (X86, ARM):
            self.primary.repository(path)
        (folder / "scan.toml").write_text(TOML)
        (folder / "secret").write_bytes(SECRET + b"\n")

    def words(self, *more: object) -> list[str]:
        """Return the words of a scan."""
        words = ["scan", "--database", self.url, "--config", self.folder / "scan.toml"]
        return [*map(str, [*words, "--category", CATEGORY, *more])]

    def stamps(self) -> list[int]:
        """Return the newest timestamps of the metadata of x86_64 and of aarch64."""
        return [stamp for (stamp,) in rows(self.url, STAMPS)]

    def wait_for(self, what: str, holds: Callable[[], object]) -> None:
        """Wait until something holds."""
        wait_until(f"{what}: {self.said.read_text()}", lambda: bool(holds()), SECONDS)

    @contextmanager
    def watched(self, **environment: str) -> Iterator["Watch"]:
        """Run a scan that stays; it has scanned everything once."""
        more = ["--source", self.primary.root, "--watch", "--admin", "127.0.0.1:0"]
        more += ["--hook-secret", f"@{self.folder / 'secret'}"]
        with self.said.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "mirrorlist.cli", *self.words(*more)],
                cwd=ROOT, env={"PATH": "/usr/bin:/bin", **environment}, stdout=said, stderr=said,
            )  # fmt: skip
        try:
            self.wait_for("its address", lambda: "/status" in self.said.read_text())
            self.wait_for("the first scan", lambda: self.stamps() == [NOW, NOW])
            yield Watch(process, self)
            assert "Traceback" not in self.said.read_text()
        finally:
            process.kill()
            process.wait()


class Watch:
    """A scan that stays."""

    def __init__(self, process: "subprocess.Popen[bytes]", site: Site) -> None:
        """Find its port."""
        self.process, self._site = process, site
        found = re.search(r"http://127\.0\.0\.1:(\d+)/status", site.said.read_text())
        assert found
        self.port = int(found[1])

    def get(self, path: str) -> str:
        """Return a page."""
        return exchange(self.port, request(path.encode())).body.decode()

    def hook(self, path: str) -> int:
        """Call the hook; return the status of its answer."""
        body = f"category={CATEGORY}&path={path}".encode()
        return exchange(self.port, sent(body)).status


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site."""
    return Site(tmp_path)


@pytest.mark.system
def test_it_stays(site: Site) -> None:
    """A hook and a change are in the database soon; the pages have them; SIGTERM ends it."""
    with site.watched() as watch:
        assert watch.hook("../x") == 400
        site.primary.repository(X86, NOW + 5)
        assert watch.hook(X86) == 202
        site.wait_for("the hook's path", lambda: site.stamps()[0] == NOW + 5)
        site.primary.repository(ARM, NOW + 6)
        site.wait_for("a noticed change", lambda: site.stamps() == [NOW + 5, NOW + 6])
        site.wait_for("no backlog", lambda: '"backlog":0,' in watch.get("/status"))
        state = json.loads(watch.get("/status.json"))
        assert state["hook"] == {"accepted": 1, "refused": 1}
        assert state["categories"][0]["events"]["processed"] >= 2
        metrics = watch.get("/metrics")
        assert 'mirrorlist_scan_hooks_total{result="accepted"} 1.0' in metrics
        assert 'mirrorlist_scan_backlog{category="Fedora EPEL"} 0.0' in metrics
        assert json.loads(watch.get("/health/fresh"))["fresh"] is True
        assert watch.get("/health/ready") == '{"ready":true}\n'
        assert watch.hook("/pub/epel/9/x68/repodata/") == 202
        missing = "  ! 9/x68: no such directory on the primary"
        site.wait_for("a wrong path", lambda: missing in site.said.read_text())
        watch.process.terminate()
        assert watch.process.wait(SECONDS) == 0


@pytest.mark.system
def test_a_failure(site: Site) -> None:
    """A configuration that breaks is said once; its events wait until it is mended."""
    with site.watched() as watch:
        (site.folder / "scan.toml").write_text("excludes = 1")
        site.primary.repository(X86, NOW + 5)
        assert watch.hook(X86) == 202
        site.wait_for("failures", lambda: '"failed":2' in watch.get("/status"))
        assert site.stamps() == [NOW, NOW]
        assert site.said.read_text().count("Expected `array`") == 1
        (site.folder / "scan.toml").write_text(TOML)
        site.wait_for("the waiting event", lambda: site.stamps()[0] == NOW + 5)
        site.wait_for("no backlog", lambda: '"backlog":0,' in watch.get("/status"))


@pytest.mark.system
def test_what_systemd_is_told(site: Site) -> None:
    """It is ready when it takes events; a reload is a scan of everything, and its end is told."""
    with closing(Manager(site.folder)) as manager, site.watched(**manager.environment()) as watch:
        told = manager.until("READY").lines["STATUS"]
        assert told.startswith("scanning Fedora EPEL; events that wait: ")
        manager.until("WATCHDOG")
        manager.until("WATCHDOG")
        watch.process.send_signal(signal.SIGHUP)
        manager.until("RELOADING")
        manager.until("READY")
        watch.process.terminate()
        manager.until("STOPPING")
        assert watch.process.wait(SECONDS) == 0


@pytest.mark.system
def test_the_option_path(site: Site) -> None:
    """`--path` may be given several times; a wrong one is refused."""
    words = site.words("--source", site.primary.root)
    assert run(*words).returncode == 0
    for path in (X86, ARM):
        site.primary.repository(path, NOW + 9)
    done = run(*words, "--path", X86)
    assert done.returncode == 0, done.stderr
    assert site.stamps() == [NOW + 9, NOW]
    assert_refused(run(*words, "--path", "../x"), 2, "path ../x: has an empty part, . or ..")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--watch", "--path", "x"], "--path: not with --watch"),
        (["--watch", "--dry-run"], "--dry-run: not with --watch"),
        (["--watch", "--category", "Other", "--source", "/"], "--source: only with one category"),
        (["--watch", "--category", "Other", "--list", "/x"], "--list: only with one category"),
        (["--category", "Other", "--source", "/"], "--category: several only with --watch"),
        (["--watch", "--hook-secret", "x" * 16, "--admin", "none"], "nobody can call the hook"),
        (["--watch", "--hook-secret", "short"], "--hook-secret: shorter than 16 bytes"),
        (["--watch", "--hook-secret", "@/nowhere"], "--hook-secret @/nowhere: cannot be read"),
    ],
)
def test_what_does_not_go_together(site: Site, more: list[str], words: str) -> None:
    """Options that mean nothing together are refused in one line, and so is a bad secret."""
    assert_refused(run(*site.words(*more)), 2, words)


@pytest.mark.system
def test_problems_that_stay(site: Site) -> None:
    """The line of a scan that finds nothing new says how many problems are still there."""
    os.mkfifo(site.primary.root / "9/pipe")
    assert run(*site.words("--source", site.primary.root)).returncode == 0
    with site.watched() as watch:
        told = "nothing has changed, .* s; still there: 1 problem; --full names them"
        site.wait_for("the problem", lambda: re.search(told, site.said.read_text()))
        page = exchange(watch.port, request(b"/status.html")).body.decode()
        assert "scan --full names them" in page


def test_a_category_without_rules(site: Site) -> None:
    """A name that the configuration does not have ends the start, and is not tried for ever."""
    text = TOML.replace('name = "Fedora EPEL"', 'name = "EPEL"')
    (site.folder / "scan.toml").write_text(text)
    done = run(*site.words("--watch", "--admin", "none"))
    assert_refused(done, 2, "category Fedora EPEL: not in the configuration, which has EPEL")
