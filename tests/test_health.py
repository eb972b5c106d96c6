"""Ready for load balancers, fresh for alerts: which of them is wrong when."""

import pytest
from msgspec.structs import replace

from mirrorlist.records.worker_state import (
    SILENT_SECONDS,
    RefusedFile,
    Served,
    ServedFile,
    WorkerState,
)
from mirrorlist.web.health import all_ready, fresh

NOW = 10_000.0
SERVED = Served("new", "1.0", built=9_990, read=9_900, hosts=1, directories=2, repositories=3)
OLD = replace(SERVED, id="old", read=9_000)
WORKER = WorkerState(1, 9_000.0, SERVED, 9_000.0, "table", None)
BEHIND = replace(WORKER, snapshot=OLD)
STANDS = RefusedFile(9_950.0, ServedFile.SNAPSHOT, "mm.snap: damaged")
OVER = replace(STANDS, stands=False)


@pytest.mark.parametrize(
    ("workers", "is_draining", "found"),
    [
        pytest.param([], False, (False, False, None), id="no worker yet"),
        pytest.param([WORKER], False, (True, False, "new"), id="one"),
        pytest.param([WORKER], True, (False, False, "new"), id="draining"),
        pytest.param([WORKER, BEHIND], False, (True, True, "old"), id="one is behind"),
        pytest.param(
            [replace(WORKER, refusals=(STANDS,))], False, (True, False, "new"), id="refused"
        ),
    ],
)
def test_ready(
    workers: list[WorkerState], is_draining: bool, found: tuple[bool, bool, str | None]
) -> None:
    """Only a server without a worker, or one that ends, is not ready; old data are said only."""
    state = all_ready(workers, is_draining, 900.0, NOW)
    assert (state.ready, state.stale, state.snapshot and state.snapshot.id) == found


def test_silent_workers() -> None:
    """A server none of whose workers answers is not ready; how many do not is said."""
    silent = replace(WORKER, silent=SILENT_SECONDS + 1)
    slow = replace(WORKER, silent=SILENT_SECONDS)
    for workers, is_ready, count in (
        ([silent, slow], True, 1),
        ([silent, silent], False, 2),
        ([slow], True, 0),
    ):
        state = all_ready(workers, False, 900.0, NOW)
        assert (state.ready, state.silent) == (is_ready, count)


@pytest.mark.parametrize(
    ("workers", "stale", "reason"),
    [
        pytest.param([], 900, "no worker serves a snapshot", id="no worker"),
        pytest.param([WORKER], 900, None, id="fresh"),
        pytest.param([WORKER], 100, None, id="at the limit"),
        pytest.param(
            [WORKER],
            99,
            "snapshot new: its database was read 100 s ago, more than 99 s",
            id="one past it",
        ),
        pytest.param(
            [WORKER, BEHIND],
            900,
            "snapshot old: its database was read 1000 s ago, more than 900 s",
            id="one worker is behind",
        ),
        pytest.param(
            [replace(WORKER, refusals=(STANDS,)), replace(WORKER, refusals=(STANDS,))],
            900,
            "a snapshot file is refused: mm.snap: damaged",
            id="refused by both",
        ),
        pytest.param([replace(WORKER, refusals=(OVER,))], 900, None, id="refused before"),
        pytest.param(
            [replace(BEHIND, refusals=(STANDS,))],
            900,
            "snapshot old: its database was read 1000 s ago, more than 900 s;"
            " a snapshot file is refused: mm.snap: damaged",
            id="old and refused",
        ),
    ],
)
def test_fresh(workers: list[WorkerState], stale: float, reason: str | None) -> None:
    """Old data, a refused file and missing workers are told, with the reason."""
    found = fresh(workers, stale, NOW)
    assert (found.fresh, found.reason) == (reason is None, reason)
    assert found.age == (
        None if not workers else 1000 if BEHIND.snapshot.id in str(reason) else 100
    )
