"""When events become a scan: after rest, soon in any case, and again after a failure."""

import pytest

from snapshot.scan.agenda import (
    FIRST_RETRY_SECONDS,
    GATHER_SECONDS,
    LAST_RETRY_SECONDS,
    MOST_PATHS,
    QUIET_SECONDS,
    WHOLE,
    Agenda,
)

EVERY = 300.0


@pytest.fixture
def agenda() -> Agenda:
    """An agenda whose first scan, of everything, took no time."""
    agenda = Agenda(EVERY, 0.0)
    assert agenda.due_at() == 0.0
    assert agenda.begin(0.0) == ()
    agenda.done(0.0)
    return agenda


def test_its_time_comes(agenda: Agenda) -> None:
    """Without events a whole scan is due after the longest time."""
    assert agenda.due_at() == EVERY
    assert agenda.late(EVERY + 5) == 5.0
    assert agenda.begin(EVERY) == ()


def test_a_run_of_events_is_one_scan(agenda: Agenda) -> None:
    """Events are scanned once none has come for a while, all in one scan."""
    for tenth in range(3):
        agenda.add(f"path{tenth % 2}", 10.0 + tenth / 10)
    assert agenda.due_at() == 10.2 + QUIET_SECONDS
    assert agenda.begin(11.0) == ("path0", "path1")
    agenda.done(12.0)
    assert agenda.due_at() == EVERY
    assert (agenda.progress.received, agenda.progress.processed) == (3, 3)


def test_events_all_the_time(agenda: Agenda) -> None:
    """Events without any rest are scanned nevertheless, counted from the first one."""
    for tenth in range(100):
        agenda.add("path", 10.0 + tenth / 10)
    assert agenda.due_at() == 10.0 + GATHER_SECONDS


def test_an_event_during_a_scan(agenda: Agenda) -> None:
    """An event that comes while a scan runs waits for the next one."""
    agenda.add("one", 10.0)
    agenda.begin(11.0)
    agenda.add("two", 11.5)
    agenda.done(12.0)
    assert agenda.progress.backlog == 1
    assert agenda.progress.waiting(13.5) == 2.0
    assert agenda.begin(13.0) == ("two",)


def test_a_failed_scan_keeps_its_events(agenda: Agenda) -> None:
    """They wait with those that came meanwhile, and the pause doubles up to its limit."""
    agenda.add("one", 10.0)
    agenda.begin(11.0)
    agenda.add("two", 11.5)
    agenda.add("two", 11.6)
    agenda.failed(12.0)
    assert agenda.due_at() == 12.0 + FIRST_RETRY_SECONDS
    assert agenda.progress.backlog == 3
    assert agenda.progress.waiting(20.0) == 10.0
    for _ in range(2000):
        assert agenda.begin(20.0) == ("one", "two")
        agenda.failed(20.0)
    assert agenda.due_at() == 20.0 + LAST_RETRY_SECONDS
    agenda.begin(100.0)
    agenda.done(101.0)
    assert agenda.progress.backlog == 0
    assert agenda.late(101.0) == 0.0


@pytest.mark.parametrize("is_many", [False, True])
def test_everything_takes_all(agenda: Agenda, is_many: bool) -> None:
    """An event of the whole category, or too many paths, make it a whole scan."""
    for number in range(MOST_PATHS + 1 if is_many else 1):
        agenda.add(f"path{number}", 10.0)
    if not is_many:
        agenda.add(WHOLE, 10.0)
    agenda.add("another", 10.0)
    assert agenda.begin(11.0) == ()
    agenda.done(12.0)
    assert agenda.due_at() == 12.0 + EVERY


def test_a_scan_of_paths_puts_nothing_off(agenda: Agenda) -> None:
    """The regular scan comes at its time, whatever was scanned before."""
    agenda.add("path", 200.0)
    agenda.begin(201.0)
    agenda.done(202.0)
    assert agenda.due_at() == EVERY
    agenda.ask_whole(203.0)
    assert agenda.due_at() == 203.0
