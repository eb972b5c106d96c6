"""Taking a changed file into use: what is taken, what is refused, and what is said of it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorlist.lists.place import locate
from mirrorlist.records.counts import Slot
from mirrorlist.records.worker_state import RefusedFile, WorkerReport
from mirrorlist.request.client import Trust
from mirrorlist.request.geo import MmdbGeo
from mirrorlist.service import Service, Tuning
from mirrorlist.store import Store
from mirrorlist.workers.refresh import Refresher, look_at_files
from snapshot.file.writer import encode
from tests.examples import examples
from tests.in_process import NOW, TableGeo
from tests.mmdb import write_countries
from tests.published import put, world
from tests.small_worlds import DIRECTORY, Mirror, small_data

KEY = b"k" * 32
COUNTRIES = {"203.0.113.9": "FR"}
_PREFERENCE = re.compile(rb' preference="\d+"')
QUERY = f"path={DIRECTORY}".encode()


class Worker:
    """A service with its refresher, which looks when it is told to."""

    def __init__(self, folder: Path, key: bytes | None = None, geoip: Path | None = None) -> None:
        """Begin with the first world."""
        self.path = folder / "mm.snap"
        put(self.path, encode(world(1), key=key))
        files = look_at_files(self.path, geoip)
        geo = MmdbGeo(geoip) if geoip else TableGeo(COUNTRIES)
        self.service = Service(Store(self.path, key), geo, Trust(), lambda: NOW, Tuning(seed=1))
        self.said: list[str] = []
        self.report = WorkerReport(Slot(), self.service.store.catalog, geo, NOW)
        self.refresher = Refresher(self.service, files, self.said.append, self.report)

    @property
    def swaps(self) -> int:
        """How many snapshots were taken into use."""
        return self.report.state.swaps

    @property
    def refused(self) -> int:
        """How many files were refused."""
        return len(self.report.state.refusals)

    @property
    def refusal(self) -> RefusedFile | None:
        """The last one, if it stands."""
        return next((one for one in self.report.state.refusals if one.stands), None)

    @property
    def bandwidth(self) -> int:
        """Which world is in use."""
        return self.service.store.catalog.hosts[0].bandwidth


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    """A worker that uses the first world."""
    return Worker(tmp_path)


def test_a_file_that_is_mounted_alone(worker: Worker, tmp_path: Path) -> None:
    """If the path goes on showing a file that was replaced, one warning says so."""
    # A link to a descriptor shows a file without a name, as a mount of a single file does.
    with worker.path.open("rb") as mounted:
        worker.path.rename(tmp_path / "elsewhere")
        worker.path.symlink_to(f"/proc/{os.getpid()}/fd/{mounted.fileno()}")
        worker.refresher.look()
        assert worker.said == []
        (tmp_path / "elsewhere").unlink()
        for _ in range(3):
            worker.refresher.look()
    assert len(worker.said) == 1
    assert "mm.snap was replaced, but this server still sees the old file" in worker.said[0]
    assert worker.refused == 0


def test_a_swap_rests(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a snapshot is loaded, its thread sleeps again and again, so that answers go on."""
    slept: list[float] = []
    monkeypatch.setattr("mirrorlist.workers.refresh.time.sleep", slept.append)
    put(worker.path, encode(world(2)))
    worker.refresher.look()
    assert len(slept) >= 8
    assert {*slept} == {0.002}


def test_nothing_new(worker: Worker) -> None:
    """A file that is as it was is not read again, and nothing is said."""
    before = worker.service.store.catalog
    assert not worker.refresher.look()
    assert worker.service.store.catalog is before
    assert (worker.said, worker.swaps, worker.refused) == ([], 0, 0)


def test_a_changed_file_is_taken(worker: Worker) -> None:
    """What was published is in use after one look, and that is said once, with its id."""
    put(worker.path, encode(world(2)))
    assert not worker.refresher.look()
    assert not worker.refresher.look()
    assert worker.bandwidth == 2
    id = worker.service.store.catalog.id
    assert worker.said == [f"snapshot {id} is in use, read {int(NOW) - 1000} s ago"]
    assert (worker.swaps, worker.refused) == (1, 0)


def test_a_later_read_of_the_same(worker: Worker) -> None:
    """Equal content with a newer read time is taken, as the age is told from it."""
    id = worker.service.store.catalog.id
    put(worker.path, encode(world(1, read=2000)))
    worker.refresher.look()
    catalog = worker.service.store.catalog
    assert (catalog.id, catalog.read) == (id, 2000)
    assert worker.swaps == 1


def test_the_very_same_again(worker: Worker) -> None:
    """Equal content of the same read is no swap, though the file is another one."""
    before = worker.service.store.catalog
    put(worker.path, encode(world(1)))
    worker.refresher.look()
    assert worker.service.store.catalog is before
    assert (worker.swaps, worker.said) == (0, [])
    assert (worker.swaps, worker.refused) == (0, 0)


def test_a_half_written_file_is_waited_for(worker: Worker) -> None:
    """A file that is written in place is not refused while it grows, and taken when it is whole."""
    content = bytes(encode(world(2)))
    for length in (200, len(content) // 2, len(content) - 8):
        worker.path.write_bytes(content[:length])
        assert worker.refresher.look(), "looks again soon"
    worker.path.write_bytes(content)
    assert not worker.refresher.look()
    assert worker.bandwidth == 2
    assert worker.refused == 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"no snapshot", "not a snapshot", id="something else"),
        pytest.param(bytes(encode(world(2)))[:-8], "cut short", id="cut short"),
        pytest.param(bytes(encode(world(2)))[:-1] + b"\1", "damaged", id="damaged"),
    ],
)
def test_a_file_that_stays_bad_is_refused(worker: Worker, content: bytes, why: str) -> None:
    """A bad file is refused at the second look, said once, and the old one keeps serving."""
    put(worker.path, content)
    looks = [worker.refresher.look() for _ in range(4)]
    assert looks == [True, False, False, False]
    (said,) = worker.said
    assert said.startswith("refused, the one before it stays in use: ")
    assert why in said
    assert worker.bandwidth == 1
    refusal = worker.refusal
    assert refusal is not None
    assert (refusal.at, why in refusal.reason) == (NOW, True)
    assert (worker.swaps, worker.refused) == (0, 1)


def test_after_a_refusal(worker: Worker) -> None:
    """A good file after a bad one is taken, and the refusal is over; another bad one is said."""
    for content in (b"bad", b"worse"):
        put(worker.path, content)
        worker.refresher.look()
        worker.refresher.look()
    assert worker.refused == 2
    put(worker.path, encode(world(3)))
    worker.refresher.look()
    assert worker.bandwidth == 3
    assert worker.refusal is None
    assert [text.partition(" ")[0] for text in worker.said] == ["refused,", "refused,", "snapshot"]


def test_a_vanished_file(worker: Worker) -> None:
    """While there is no file the last one is used in silence; what comes then is taken."""
    worker.path.unlink()
    assert not worker.refresher.look()
    assert (worker.bandwidth, worker.said, worker.refusal) == (1, [], None)
    put(worker.path, encode(world(2)))
    worker.refresher.look()
    assert worker.bandwidth == 2


def test_a_file_that_becomes_readable(worker: Worker) -> None:
    """A file that may not be read is refused, and taken once chmod lets it be read."""
    if os.geteuid() == 0:
        # Nothing is unreadable to root: a folder is what nobody can read as a file.
        worker.path.unlink()
        worker.path.mkdir()
    else:
        put(worker.path, encode(world(2)))
        worker.path.chmod(0)
    worker.refresher.look()
    worker.refresher.look()
    assert "cannot be read" in worker.said[0]
    if worker.path.is_dir():
        worker.path.rmdir()
        put(worker.path, encode(world(2)))
    worker.path.chmod(0o644)
    worker.refresher.look()
    assert worker.bandwidth == 2


def test_chmod_alone_is_a_change(worker: Worker) -> None:
    """A file of the same bytes and times, but of another mode, is looked at."""
    before = look_at_files(worker.path, None)
    worker.path.chmod(0o600)
    assert look_at_files(worker.path, None) != before


def test_another_key(tmp_path: Path) -> None:
    """A snapshot that is sealed with another key, or with none, is refused."""
    worker = Worker(tmp_path, KEY)
    for key in (b"other" * 8, None):
        put(worker.path, encode(world(2), key=key))
        worker.refresher.look()
        worker.refresher.look()
    assert ["sealed" in said for said in worker.said] == [True, True]
    assert worker.bandwidth == 1
    put(worker.path, encode(world(2), key=KEY))
    worker.refresher.look()
    assert worker.bandwidth == 2


def test_an_error_of_ours(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever loading raises, the thread lives, the old one serves, and the error is told."""
    load = worker.service.store.load
    monkeypatch.setattr(worker.service.store, "load", lambda rest: 1 / 0)
    put(worker.path, encode(world(2)))
    assert not worker.refresher.look()
    assert "internal error: ZeroDivisionError" in worker.said[0]
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setattr(worker.service.store, "load", load)
    put(worker.path, encode(world(3)))
    worker.refresher.look()
    assert worker.bandwidth == 3


@pytest.fixture
def located(tmp_path: Path) -> Worker:
    """A worker with a GeoIP file, by which 192.0.2.0/24 is in Germany."""
    geoip = tmp_path / "geo.mmdb"
    write_countries(geoip, {"192.0.2.0/24": "DE"})
    return Worker(tmp_path, geoip=geoip)


def _country(worker: Worker) -> str:
    service = worker.service
    client = service.trust.believe("192.0.2.1", [], "")
    return locate(client, service.store.catalog, service.geo).country


def test_a_changed_geoip_file_is_taken(located: Worker, tmp_path: Path) -> None:
    """Another GeoIP file is in use after one look, whatever the snapshot does."""
    assert _country(located) == "DE"
    write_countries(tmp_path / "part", {"192.0.2.0/24": "FR"})
    (tmp_path / "part").rename(tmp_path / "geo.mmdb")
    located.refresher.look()
    assert _country(located) == "FR"
    assert located.said[0].startswith("GeoIP geo.mmdb (")
    assert located.said[0].endswith(" is in use")


def test_a_bad_geoip_file_is_refused(located: Worker, tmp_path: Path) -> None:
    """A bad GeoIP file is refused while a good snapshot beside it is taken."""
    put(tmp_path / "geo.mmdb", b"bad")
    put(located.path, encode(world(2)))
    assert located.refresher.look()
    assert not located.refresher.look()
    assert _country(located) == "DE"
    assert located.bandwidth == 2
    assert [text.partition(" ")[0] for text in located.said] == ["snapshot", "refused,"]
    assert (located.swaps, located.refused) == (1, 1)


def test_plans_are_let_go(worker: Worker) -> None:
    """The plans of the catalog before are kept until `forget` frees them."""
    for _ in range(2):
        worker.service.respond(False, QUERY, "192.0.2.1", [])
    put(worker.path, encode(world(2)))
    worker.refresher.look()
    worker.service.respond(False, QUERY, "192.0.2.1", [])
    assert worker.service.plans.retired == 1
    worker.service.forget()
    assert not worker.service.plans.retired


mirrors = st.lists(
    st.builds(
        Mirror,
        country=st.sampled_from(["DE", "FR", "US"]),
        bandwidth=st.integers(1, 3),
        private=st.booleans(),
        carries=st.booleans(),
        protocols=st.sampled_from([("https",), ("https", "http"), ()]),
        asns=st.sampled_from([(), (64500,)]),
    ),
    min_size=1,
    max_size=5,
)


@examples(15)
@given(worlds=st.lists(mirrors, min_size=2, max_size=5))
def test_answers_are_those_of_the_new_one(
    tmp_path_factory: pytest.TempPathFactory, worlds: list[list[Mirror]]
) -> None:
    """After each swap every answer is that of a fresh service with the same seed, never a mix."""
    worker = Worker(tmp_path_factory.mktemp("swaps"))
    for read, hosts in enumerate(worlds, 2000):
        data = small_data(tuple(hosts), {"192.0.2.0/24": 64500})
        put(worker.path, encode(msgspec.structs.replace(data, read=read)))
        worker.refresher.look()
        fresh = Service(
            Store(worker.path), TableGeo(COUNTRIES), Trust(), lambda: NOW, Tuning(seed=1)
        )
        for one in _asked():
            assert worker.service.respond(*one) == fresh.respond(*one)
    assert worker.swaps == len(worlds)


@examples(15)
@given(worlds=st.lists(mirrors, min_size=2, max_size=5))
def test_kept_orders_are_of_the_new_one(
    tmp_path_factory: pytest.TempPathFactory, worlds: list[list[Mirror]]
) -> None:
    """With orders that are kept, too, each answer has the very hosts of the new snapshot."""
    path = tmp_path_factory.mktemp("swaps") / "mm.snap"
    put(path, encode(world(1)))
    kept = Service(Store(path), TableGeo(COUNTRIES), Trust(), lambda: NOW, Tuning(reuse=1000))
    for hosts in worlds:
        data = small_data(tuple(hosts), {"192.0.2.0/24": 64500})
        put(path, encode(data))
        kept.store.catalog = kept.store.load()
        fresh = Service(Store(path), TableGeo(COUNTRIES), Trust(), lambda: NOW, Tuning(seed=1))
        for one in _asked():
            wanted = fresh.respond(*one)
            for _ in range(3):
                answer = kept.respond(*one)
                assert answer.status == wanted.status
                assert _lines(answer.body) == _lines(wanted.body), one


def _asked() -> Iterator[tuple[bool, bytes, str, list[bytes]]]:
    for metalink in (False, True):
        for more in (b"", b"&country=fr", b"&protocol=http", b"&netblock=0"):
            query = QUERY + (b"/boot.iso" if metalink else b"") + more
            for peer in ("192.0.2.1", "203.0.113.9"):
                yield metalink, query, peer, []


def _lines(body: bytes) -> list[bytes]:
    """The lines of an answer in no order, without the places."""
    return sorted(_PREFERENCE.sub(b"", line) for line in body.splitlines())
