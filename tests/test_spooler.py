"""The writer of the spool: every request is in one file, whatever happens to disk and process."""

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec
import pytest

from mirrorlist.records import spooler as module
from mirrorlist.records import tables
from mirrorlist.records.backlog import Backlog, backlog_of, look_at_spool
from mirrorlist.records.sitekey import SiteKey
from mirrorlist.records.spooler import Spooler, prepare, publish_left
from mirrorlist.records.tally import Tally
from mirrorlist.service import Service
from snapshot.file.reader import Snapshot
from snapshot.stats import spool
from tests.factories import export_tables, world
from tests.in_process import NOW, make_service

REPO = b"repo=linux-40&arch=x86_64"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """A small world."""
    return export_tables(tmp_path_factory.mktemp("spooler"), world())[0]


class Site:
    """A worker's service and its spool, with a clock that stands still."""

    def __init__(self, snapshot: Snapshot, folder: Path) -> None:
        """Begin with an empty spool, if there is none yet."""
        self.now, self.said = NOW, list[str]()
        self.folder, self._snapshot = folder, snapshot
        self.begin()

    def begin(self) -> None:
        """Begin another worker on the same folder."""
        prepare(self.folder)
        self.service: Service = make_service(self._snapshot)
        self.service.clock = lambda: self.now
        self.service.tally = Tally(SiteKey(b"secret"))
        self.spooler = Spooler(self.folder, self.service.tally, self.said.append, lambda: self.now)

    def ask(self, times: int) -> None:
        """Send requests."""
        for _ in range(times):
            self.service.respond(True, REPO, "198.51.100.1", [])

    def files(self) -> list[str]:
        """The names of the spool files."""
        return [path.name for path in spool.files(self.folder)]

    def collected(self) -> int:
        """Return how many requests are in all files, each batch once; as a collector does."""
        batches = [one for path in spool.files(self.folder) for one in spool.read(path)]
        found = {(one.source, one.sequence): one for one in batches}
        assert len(found) == len(batches)
        return sum(batch.requests for batch in found.values())


@pytest.fixture
def site(snapshot: Snapshot, tmp_path: Path) -> Site:
    """A worker with a spool; other workers may follow."""
    return Site(snapshot, tmp_path / "spool")


def test_a_file_a_minute(site: Site) -> None:
    """Each write is a file of what came since the last one; nothing makes no file."""
    for times in (3, 0, 4):
        site.ask(times)
        site.spooler.write()
        site.now += 60
    assert len(site.files()) == 2
    assert site.collected() == site.spooler.written == 7
    assert site.spooler.waiting == 0
    (first, second) = [spool.read(path)[0] for path in spool.files(site.folder)]
    assert (first.source, first.sequence, second.sequence) == (second.source, 1, 2)
    assert first.server == second.server == (site.folder / ".server").read_text().strip()
    assert (first.begun, first.ended, second.begun) == (NOW, NOW, NOW + 60)
    assert look_at_spool(site.folder).oldest == int(NOW)


def test_restarts_and_clocks(site: Site) -> None:
    """No two batches have one name: not after a restart, and not with a clock that was set back."""
    sent = 0
    for times in range(1, 6):
        site.ask(times)
        sent += times
        site.spooler.close()
        site.now -= 3600
        site.begin()
    assert site.collected() == sent
    assert len(site.files()) == 5


def test_many_files_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """While many files wait, the counts of an hour become a single file, and none are lost."""
    monkeypatch.setattr(module, "MANY", Backlog(files=2, size=1 << 20))
    for _ in range(3):
        site.ask(1)
        site.spooler.write()
    for _ in range(59):
        site.now += 60
        site.ask(2)
        site.spooler.write()
    assert len(site.files()) == 3
    assert site.spooler.waiting == 118
    site.now += 120
    site.spooler.write()
    assert len(site.files()) == 4
    assert site.collected() == 3 + 118
    assert site.spooler.waiting == 0


def test_too_many_files_wait(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """While too many files wait, no file is added before the worker's end."""
    monkeypatch.setattr(module, "TOO_MANY", Backlog(files=1, size=1 << 20))
    for _ in range(30):
        site.ask(1)
        site.spooler.write()
        site.now += 3600
    assert len(site.files()) == 2
    site.spooler.close()
    assert site.collected() == 30
    assert site.said == []


def test_a_crash(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed worker had not published, the next one does; a living one's is left."""
    monkeypatch.setattr(module, "MANY", Backlog(files=0, size=1 << 20))
    site.ask(1)
    site.spooler.write()
    site.ask(5)
    site.spooler.write()
    assert site.collected() == 1
    publish_left(site.folder)
    assert site.collected() == 1
    # The kernel closes all that a killed process has open.
    os.close(site.spooler.lock)
    site.begin()
    site.spooler.write()
    assert site.collected() == 6
    assert not [name for name in os.listdir(site.folder) if name.endswith((".open", ".part"))]


@contextmanager
def _full(site: Site) -> Iterator[None]:
    """As on a full disk: no file can have a byte."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@contextmanager
def _gone(site: Site) -> Iterator[None]:
    """The folder is not there, as on a network disk that is gone."""
    elsewhere = site.folder.with_name("elsewhere")
    site.folder.rename(elsewhere)
    yield
    elsewhere.rename(site.folder)


@contextmanager
def _stuck(site: Site) -> Iterator[None]:
    """A file can be written, but not renamed: something else has its name."""
    first = spool.read(site.folder / site.files()[0])[0]
    in_the_way = site.folder / msgspec.structs.replace(first, sequence=2).file_name
    in_the_way.mkdir()
    yield
    in_the_way.rmdir()


@pytest.mark.parametrize("fault", [_full, _gone, _stuck])
def test_faults_of_the_disk(
    site: Site, fault: Callable[[Site], AbstractContextManager[None]]
) -> None:
    """While nothing can be written, counts are kept; later they are written, each once."""
    site.ask(1)
    site.spooler.write()
    with fault(site):
        for _ in range(3):
            site.ask(2)
            site.spooler.write()
        assert (site.spooler.is_out, site.spooler.failures) == (True, 3)
    site.ask(1)
    site.spooler.write()
    assert site.collected() == 8
    assert (site.spooler.is_out, len(site.said)) == (False, 2)
    assert "statistics cannot be written: " in site.said[0]
    assert "statistics are written again" in site.said[1]


def test_more_keys_than_a_file_can_have(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a long outage the labels of the oldest hours are gone, and no request is."""
    monkeypatch.setattr(tables, "MOST_ROWS", 3)
    for _ in range(6):
        site.service.respond(True, REPO, "198.51.100.1", [])
        site.spooler._take()
        site.now += 3600
        assert site.service.tally
        site.service.tally.turn(site.now)
    held = site.spooler._held
    assert (held.keys, held.others, held.requests) == (3, 3, 6)
    site.spooler.write()
    assert site.collected() == 6


def test_what_is_lost_at_the_stop_is_told(site: Site) -> None:
    """If the disk is full at the stop, the operator is told how many requests are lost."""
    with _full(site):
        site.ask(4)
        site.spooler.close()
    assert site.said[-1].endswith("at the stop, statistics of 4 requests are lost")


def test_backlog(site: Site) -> None:
    """A backlog is what waits; a folder that cannot be read has no known backlog."""
    site.ask(1)
    site.spooler.write()
    found = look_at_spool(site.folder)
    assert found.files == 1
    assert found.size == os.stat(site.folder / site.files()[0]).st_size
    assert found.is_over(Backlog(0, 1 << 20))
    assert found.is_over(Backlog(1, 1))
    assert not found.is_over(Backlog(1, 1 << 20))
    assert backlog_of(site.folder / "nothing") is None
