"""URLs of rsync are asked as well, and tell a mirror only if it has nothing else."""

import asyncio
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from snapshot.sites.content import Reader
from snapshot.sites.getting import Limits, Question
from snapshot.sites.load import load
from snapshot.sites.probe import probe
from snapshot.sites.rsyncing import get_by_rsync
from snapshot.sites.verdict_rows import ProbedUrl
from tests.clients.rsync import run_daemon
from tests.mirror_farm import Farm, run_farm
from tests.offered import answer_of, offered
from tests.small_sites import HEAD, applied, publish_tree, write
from tests.system import need_program

pytestmark = pytest.mark.system
OLD, NEW, NOW = 1_790_000_000, 1_790_000_100, 1_800_000_000
LIMITS = Limits(pause=0)


@pytest.fixture
def rsync(tmp_path: Path) -> Iterator[str]:
    """A daemon with the modules `good`, `second` and `stale`; its URL."""
    need_program("rsync", "rsync")
    publish_tree(tmp_path / "pub", NEW)
    publish_tree(tmp_path / "stale", OLD)
    modules = dict.fromkeys(("good", "second"), tmp_path / "pub")
    (tmp_path / "daemon").mkdir()
    modules["stale"] = tmp_path / "stale"
    log = "transfer logging = yes\nlog format = %o %m %f"
    with run_daemon(tmp_path / "daemon", "127.0.0.1", modules, log) as daemon:
        yield f"{daemon.url}/"


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """The same mirrors over http."""
    with run_farm(tmp_path / "pub") as farm:
        farm.roots["stale"] = tmp_path / "stale"
        yield farm


def _site(folder: Path, **urls: list[str]) -> Path:
    mirrors = [
        f'[[mirror]]\nname = "{name}"\ncountry = "DE"\nurls = {str(of).replace(chr(39), chr(34))}\n'
        for name, of in urls.items()
    ]
    file = write(folder, HEAD + "".join(mirrors))
    applied(f"sqlite:///{folder / 'm.db'}", file)
    return file


def _probe(file: Path) -> dict[str, ProbedUrl]:
    url = f"sqlite:///{file.parent / 'm.db'}"
    about = (url, load(file).config, file.parent, "test", lambda *done: None, NOW)
    return {one.url: one for one in probe(*about, limits=LIMITS).mirrors}


def test_only_rsync(tmp_path: Path, rsync: str) -> None:
    """A mirror with nothing else is judged by it; the daemon's own words tell why it is silent."""
    urls = {name: f"{rsync}{name}" for name in ("good", "stale", "none")}
    file = _site(tmp_path, **{name: [url] for name, url in urls.items()})
    found = _probe(file)
    assert found[urls["good"]].verdicts == {"current": 4}
    assert found[urls["stale"]].verdicts == {"behind": 4}
    assert found[urls["none"]].verdicts == {"unreachable": 4}
    assert found[urls["none"]].error == "Unknown module 'none'"
    body = answer_of(file, "/mirrorlist?repo=baseos-9&arch=x86_64&protocol=rsync").decode()
    assert [line for line in body.splitlines() if line.startswith("rsync")] == [
        f"{urls['good']}/9/BaseOS/x86_64/os/"
    ]


def test_beside_http(tmp_path: Path, rsync: str, farm: Farm) -> None:
    """A bad URL leaves the lists alone, and the mirror stays with its good one."""
    file = _site(
        tmp_path,
        good=[farm.url("good"), f"{rsync}good"],
        half=[farm.url("half"), f"{rsync}stale"],
        stale=[farm.url("stale"), f"{rsync}second"],
    )
    found = _probe(file)
    assert {url for url, one in found.items() if not one.offered} == {
        f"{rsync}stale",
        farm.url("stale").rstrip("/"),
    }
    assert offered(file) == {"good", "half"}
    body = answer_of(file, "/mirrorlist?repo=baseos-9&arch=x86_64&protocol=rsync").decode()
    assert f"{rsync}stale" not in body


def test_missing_files(tmp_path: Path, rsync: str) -> None:
    """What a daemon does not have is missing, and the rest of the same connection is not."""
    file = _site(tmp_path, good=[f"{rsync}good"], part=[f"{rsync}stale"])
    (tmp_path / "stale/9/BaseOS/aarch64/os/repodata/repomd.xml").unlink()
    assert _probe(file)[f"{rsync}stale"].verdicts == {"behind": 3, "missing": 1}


def _sent(folder: Path) -> list[str]:
    """Return what the daemon has sent since the last call, without the names of files."""
    log = folder / "daemon" / "rsync.log"
    found = re.findall(r"\] send (\w+) .*/(\w+)/os/repodata/repomd.xml", log.read_text())
    log.write_text("")
    return [" ".join(one) for one in sorted(found)]


def test_nothing_new(tmp_path: Path, rsync: str) -> None:
    """A file of the same size and time is not sent again; one that changed, or may have, is."""
    file = _site(tmp_path, good=[f"{rsync}good"], stale=[f"{rsync}stale"])
    for one in tmp_path.rglob("repomd.xml"):
        os.utime(one, (OLD, OLD))
    both = {"good": {"current": 4}, "stale": {"behind": 4}}

    def verdicts() -> dict[str, dict[str, int]]:
        return {one.mirror: one.verdicts for one in _probe(file).values()}

    assert verdicts() == both
    assert len(_sent(tmp_path)) == 8
    for _ in range(2):
        assert verdicts() == both
        assert _sent(tmp_path) == []
    publish_tree(tmp_path / "stale", NEW, versions=("9",), arches=("x86_64",))
    (tmp_path / "stale/9/BaseOS/aarch64/os/repodata/repomd.xml").unlink()
    # It is as young as the question, so it may change again within the second.
    for _ in range(2):
        assert verdicts() == {**both, "stale": {"current": 1, "behind": 2, "missing": 1}}
        assert _sent(tmp_path) == ["stale x86_64"]
    with closing(sqlite3.connect(tmp_path / "m.db")) as connection:
        connection.execute("UPDATE mirrorlist_answer SET etag = 'rsync:9999999:99999999999'")
        connection.commit()
    assert verdicts() == {**both, "stale": {"current": 1, "behind": 2, "missing": 1}}
    assert len(_sent(tmp_path)) == 7


_DISK = 'rsync: [sender] send_files failed to open "/TIME" (in m): Input/output error (5)'
_NOTHING = 'rsync: [sender] link_stat "/TIME" (in m) failed: No such file or directory (2)'
_BAD = {
    "it says too much": ("yes 'rsync: an error' >&2", "it says or sends too much"),
    "it sends too much": ("yes >$to/f & wait $!; exit 12", "a broken answer"),
    "it ends by that": ("exec yes >$to/f", "it says or sends too much"),
    "it never ends": ("sleep 600 & sleep 600", "no answer in time"),
    "it ends at once": ("exit 5", "rsync ended with 5"),
    "its disk is broken": (f"echo '{_DISK}' >&2; exit 23", "Input/output error"),
    "the file is not there": (f"echo '{_NOTHING}' >&2; exit 23", None),
}


@pytest.mark.parametrize("what", _BAD)
def test_bad_daemons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Each is an error in words, and none fills the disk, the memory or the time."""
    lines, error = _BAD[what]
    program = tmp_path / "rsync"
    program.write_text(f"#!/bin/sh\nfor to; do :; done\n{lines}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    question = Question("rsync://127.0.0.1/m", "TIME")
    limits = Limits(url_seconds=2 if what == "it never ends" else 60)
    reply = asyncio.run(get_by_rsync(question.url, [question], limits, Reader()))[question]
    assert reply.error == error
    assert reply.status == (None if error else 404)
