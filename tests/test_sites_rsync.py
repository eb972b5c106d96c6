"""URLs of rsync are asked as well, and tell a mirror only if it has nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.sites.getting import Limits
from snapshot.sites.load import load
from snapshot.sites.probe import probe
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
    with run_daemon(
        tmp_path / "daemon", "127.0.0.1", {**modules, "stale": tmp_path / "stale"}
    ) as daemon:
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
