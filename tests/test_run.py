"""`mirrorlist run`: one command for a whole site, of which any part may be killed."""

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from snapshot.stats.spool import decode
from tests.command import assert_refused, run
from tests.live import wait_until
from tests.mirror_farm import Farm, run_farm
from tests.notified import Manager
from tests.running_site import KINDS, SECONDS, Site, running_site, small_file
from tests.small_sites import REPOMD

pytestmark = pytest.mark.system
QUERY = "repo=base-9&arch=x86_64"
# Two workers, the admin process, the keeper.
_PARTS = 4


def publish(root: Path, timestamp: int = 1_790_000_000) -> None:
    """Write the repodata of the repository, as a primary or mirror has it."""
    folder = root / "9" / "x86_64" / "repodata"
    folder.mkdir(parents=True, exist_ok=True)
    file = f"primary-{timestamp}.xml.gz"
    (folder / file).write_bytes(b"x")
    (folder / "repomd.xml").write_text(REPOMD.format(file=file, timestamp=timestamp))


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """A primary in `pub`, mirrors that have the same, and one that is stale."""
    publish(tmp_path / "pub")
    publish(tmp_path / "old", 1_780_000_000)
    with run_farm(tmp_path / "pub") as farm:
        farm.roots["stale"] = tmp_path / "old"
        yield farm


def mirrors(site: Site) -> set[str]:
    """Return the names of the mirrors in the list."""
    lines = [line for line in site.ask(f"/mirrorlist?{QUERY}").splitlines() if "http" in line[:4]]
    return {line.split("/")[3] for line in lines}


def test_the_example(tmp_path: Path) -> None:
    """Of its three mirrors, clients get the one that is up to date, and SIGINT ends all of it.

    A service manager is told how it starts, that it is ready, and that it ends. What was
    asked is in the spool then.
    """
    manager = Manager(tmp_path)
    with (
        closing(manager),
        running_site(tmp_path, "--example", "--spool", "spool", **manager.environment(5)) as site,
    ):
        assert manager.until("STATUS", "asking the mirrors").process == site.process.pid
        site.start()
        assert manager.until("READY").process == site.process.pid
        metalink = site.ask("/metalink?repo=example-1&arch=x86_64")
        assert metalink.count("<url ") == 1
        assert 'location="DE"' in metalink
        explained = site.ask("/explain?repo=example-1&arch=x86_64")
        assert '"not-up-to-date"' in explained
        assert '"no-public-url"' in explained
        children = site.children()
        assert len(children) == len(KINDS) + 1
        site.process.send_signal(signal.SIGINT)
        assert site.process.wait(SECONDS) == 0, site.said
        assert _are_gone(children)
        assert "unexpectedly" not in site.said
        assert _counted(tmp_path / "spool") == 1
        assert {told.process for told in (*manager.all, manager.until("STOPPING"))} == {
            site.process.pid
        }


def test_a_life(tmp_path: Path, farm: Farm) -> None:
    """Changes of the file and of mirrors are served, and what is wrong changes nothing."""
    file = small_file(tmp_path, {"a": farm.url("a"), "stale": farm.url("stale")})
    with running_site(tmp_path, file, "--interval", "1") as site:
        site.start()
        assert mirrors(site) == {"a"}
        shape = 'shapes = [{ path = "/mirrorlist/{version}/{prefix}", arch = "x86_64" }]'
        small_file(tmp_path, {"a": farm.url("a"), "b": farm.url("b")}, shape)
        wait_until("the new mirror", partial(_offers, site, {"a", "b"}), SECONDS)
        site.wait_for("mirrors.toml: applied: 1 mirror (b) new, 1 mirror (stale) gone")
        assert "/b/9/x86_64/" in site.ask("/mirrorlist/9/base")
        small_file(tmp_path, {"a": "ftp.example"})
        farm.roots["b"] = tmp_path / "old"
        wait_until("b is out", partial(_offers, site, {"a"}), SECONDS)
        site.wait_for("mirrors.toml:5: URL without scheme: did you mean `https://ftp.example`?")
        # More than may go at once: a file that was cut short, for example.
        small_file(tmp_path, {"c": farm.url("c")})
        del farm.roots["b"]
        (tmp_path / "pub" / "9" / "x86_64" / "repodata" / "repomd.xml").rename(tmp_path / "kept")
        site.wait_for("the primary: base-9 x86_64 cannot be read: ")
        site.wait_for("--max-loss 100")
        assert mirrors(site) == {"a"}
        assert "<hash" in site.ask(f"/metalink?{QUERY}")
        page = re.search(r"http://\S+/site", site.said)
        assert page
        with urlopen(page[0], timeout=SECONDS) as answer:
            told = json.load(answer)
        assert "--max-loss 100" in told["file_error"]
        assert (told["repositories_failed"], told["urls"]) == (1, 2)
        with pytest.raises(HTTPError) as none:
            urlopen(page[0].replace("/site", "/packages?name=tea"), timeout=SECONDS)
        with none.value as refused:
            assert "no packages have been imported" in refused.read().decode()
        asked = Request(page[0], headers={"Accept": "text/html"})
        with urlopen(asked, timeout=SECONDS) as answer:
            text = answer.read().decode()
        assert "file: trouble" in text
        assert "behind: 1 of 1 repositories" in text
        words = ["--state", tmp_path / "mirrorlist-state", "--port", "0", "--admin", "none"]
        done = run("run", file, *words)
        assert_refused(done, 1, "is in use by another process of yours")


def test_a_killed_part(tmp_path: Path, farm: Farm) -> None:
    """The server answers after kill -9 of any process but the first, and another comes."""
    file = small_file(tmp_path, {"a": farm.url("a"), "stale": farm.url("stale")})
    with running_site(tmp_path, file, "--workers", "2", "--interval", "1") as site:
        site.start()
        wait_until("all processes", lambda: len(site.children()) == _PARTS, SECONDS)
        for pid in (*site.children(), None):
            # The newest is killed once more: the keeper as a rule, at another moment of its work.
            killed = pid or site.children()[-1]
            os.kill(killed, signal.SIGKILL)
            assert mirrors(site) == {"a"}
            wait_until("another", partial(_is_replaced, site, killed), SECONDS)
        assert site.said.count("ended unexpectedly; starting another") == _PARTS + 1
        killed_ones = re.findall(r"([a-z ]+) \d+ ended unexpectedly", site.said)
        assert {one.strip() for one in killed_ones} == {"worker", "admin process", "keeper"}
        small_file(tmp_path, {"a": farm.url("a"), "b": farm.url("b")})
        wait_until("it is kept again", partial(_offers, site, {"a", "b"}), SECONDS)


def test_a_killed_run(tmp_path: Path, farm: Farm) -> None:
    """A start after kill -9 of the first process needs no repair, whatever it did."""
    farm.kinds["silent"] = "silent"
    file = small_file(tmp_path, {"a": farm.url("a"), "silent": farm.url("silent")})
    with running_site(tmp_path, file) as site:
        wait_until("the first probe", lambda: farm.asked["silent"] > 0, SECONDS)
        os.kill(site.process.pid, signal.SIGKILL)
        wait_until("its end", lambda: site.process.poll() is not None, SECONDS)
    farm.kinds.clear()
    for seconds in (0.0, 0.7):
        with running_site(tmp_path, file, "--interval", "1") as site:
            site.start()
            wait_until("the probe", partial(_offers, site, {"a", "silent"}), SECONDS)
            time.sleep(seconds)
            children = site.children()
            os.kill(site.process.pid, signal.SIGKILL)
            wait_until("no process is left", partial(_are_gone, children), SECONDS)
            assert "error" not in site.said


def _counted(spool: Path) -> int:
    """Return how many requests for lists the files of a spool have."""
    files = spool.glob("*.spool")
    return sum(one.requests for file in files for one in decode(file.read_bytes()))


def _offers(site: Site, names: set[str]) -> bool:
    return mirrors(site) == names


def _is_replaced(site: Site, process: int) -> bool:
    return len(site.children()) == _PARTS and process not in site.children()


def _are_gone(processes: list[int]) -> bool:
    return not [one for one in processes if Path(f"/proc/{one}").exists()]


def test_mistakes(tmp_path: Path) -> None:
    """Each is a line with its exit code, and nothing is left behind but an empty directory."""
    words = ["--state", tmp_path / "state", "--port", "0", "--admin", "none"]
    assert_refused(run("run", *words), 2, "give either a FILE, such as mirrors.toml, or --example")
    done = run("run", tmp_path / "none.toml", *words)
    assert_refused(done, 2, "none.toml:1: no such file; `mirrorlist sites init` writes a first one")
    assert_refused(run("run", "a.toml", "--interval", "0"), 2, "--interval 0: not a number of at")
    assert {one.name for one in (tmp_path / "state").iterdir()} <= {".lock"}
