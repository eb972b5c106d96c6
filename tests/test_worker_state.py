"""What a worker says of itself in its slot, and what others read there."""

import os
from pathlib import Path

import pytest

from mirrorlist.records.blackboard import MOST_NOTICE_BYTES
from mirrorlist.records.counts import Count, Counts, Slot
from mirrorlist.records.worker_state import (
    MOST_REFUSALS,
    MOST_TEXT_BYTES,
    RefusedFile,
    ServedFile,
    WorkerReport,
    worker_states,
)
from tests.factories import export_tables, world
from tests.in_process import LoadedStore, TableGeo


@pytest.fixture
def store(tmp_path: Path) -> LoadedStore:
    """A store with a small catalog."""
    return LoadedStore(export_tables(tmp_path, world())[0])


def named_geo(name: str, built: int | None = None) -> TableGeo:
    """Return a GeoIP source of a name and a time."""
    geo = TableGeo({})
    geo.name, geo.built = name, built
    return geo


def test_the_start(store: LoadedStore) -> None:
    """A worker tells its process, its snapshot with counts, and its GeoIP data."""
    counts = Counts(2)
    assert worker_states(counts) == []
    WorkerReport(counts.claim(), store.catalog, named_geo("file", 7), 100.0)
    (state,) = worker_states(counts)
    snapshot = store.catalog.snapshot
    assert (state.process, state.started, state.taken) == (os.getpid(), 100.0, 100.0)
    assert (state.snapshot.id, state.snapshot.read) == (snapshot.id, snapshot.read)
    assert (state.snapshot.hosts, state.snapshot.repositories) == (9, 3)
    assert state.snapshot.directories == snapshot.directory_count
    assert (state.geoip, state.geoip_built, state.swaps, state.refusals) == ("file", 7, 0, ())


def test_swaps_and_refusals(store: LoadedStore) -> None:
    """A refusal stands until a file of its kind is taken, and then stays to be read."""
    counts = Counts(1)
    report = WorkerReport(counts.claim(), store.catalog, named_geo("old"), 100.0)
    report.refused(ServedFile.SNAPSHOT, "damaged", 110.0)
    report.refused(ServedFile.GEOIP, "no countries", 120.0)
    geoip = RefusedFile(120.0, ServedFile.GEOIP, "no countries")
    assert worker_states(counts)[0].refusals == (
        geoip,
        RefusedFile(110.0, ServedFile.SNAPSHOT, "damaged"),
    )
    report.swapped(store.catalog, 130.0)
    (state,) = worker_states(counts)
    assert state.refusals == (
        geoip,
        RefusedFile(110.0, ServedFile.SNAPSHOT, "damaged", stands=False),
    )
    assert (state.swaps, state.taken, state.geoip) == (1, 130.0, "old")
    report.swapped_geoip(named_geo("new", 9))
    (state,) = worker_states(counts)
    assert [one.stands for one in state.refusals] == [False, False]
    assert (state.swaps, state.geoip, state.geoip_built) == (1, "new", 9)
    totals = counts.totals().counts
    assert (totals[Count.SWAPS], totals[Count.SWAPS_REFUSED]) == (1, 2)


def test_room(store: LoadedStore) -> None:
    """However many refusals with however long reasons there are, the newest fit, cut."""
    counts = Counts(1)
    report = WorkerReport(counts.claim(), store.catalog, named_geo("\U0001f600" * 1000), 1.0)
    for number in range(MOST_REFUSALS + 3):
        report.refused(ServedFile.SNAPSHOT, "\udcff" + "ü" * 1000, float(number))
    (state,) = worker_states(counts)
    assert [one.at for one in state.refusals] == [7.0, 6.0, 5.0, 4.0, 3.0]
    texts = [state.geoip, *(one.reason for one in state.refusals)]
    assert {len(text.encode()) for text in texts} <= {MOST_TEXT_BYTES, MOST_TEXT_BYTES - 1}
    assert len(counts.notices()[0]) < MOST_NOTICE_BYTES


def test_the_dead(store: LoadedStore) -> None:
    """What a process said that is gone is nobody's state; its successor begins with nothing."""
    counts = Counts(1)
    if not (process := os.fork()):
        WorkerReport(counts.claim(), store.catalog, named_geo("x"), 1.0)
        os._exit(0)
    os.waitpid(process, 0)
    assert len(counts.notices()) == 1
    assert worker_states(counts) == []
    counts.claim()
    assert counts.notices() == []


def test_draining() -> None:
    """That the server ends is seen in every slot, and not in one that is apart."""
    counts = Counts(1)
    slot, apart = counts.claim(), Slot()
    assert [one.is_draining for one in (counts, slot, apart)] == [False, False, False]
    counts.drain()
    assert [one.is_draining for one in (counts, slot, apart)] == [True, True, False]
    assert counts.totals() == Counts(1).totals()
