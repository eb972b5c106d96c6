"""When a watch exports: after rest, soon in any case, every so often, and again after a failure."""

import pytest

from snapshot.watch.agenda import GATHER_SECONDS, QUIET_SECONDS, UNSURE_SECONDS, Agenda

EVERY = 300.0


@pytest.fixture
def agenda() -> Agenda:
    """An agenda whose first export, at the time 0, took no time."""
    agenda = Agenda(EVERY, 0.0)
    assert agenda.due_at() == 0.0
    agenda.done(0.0, 0.0)
    return agenda


def test_its_time_comes(agenda: Agenda) -> None:
    """Without changes the next export is due after the longest time, without a reason."""
    assert agenda.due_at() == EVERY
    assert agenda.reasons == []


def test_a_change_rests(agenda: Agenda) -> None:
    """A change is exported once nothing has changed for a while."""
    agenda.add(10.0, ["host"])
    assert agenda.due_at() == 10.0 + QUIET_SECONDS
    agenda.add(10.3, ["site", "host"])
    assert agenda.due_at() == 10.3 + QUIET_SECONDS
    assert agenda.reasons == ["host", "site"]


def test_changes_all_the_time(agenda: Agenda) -> None:
    """Changes without any rest are exported nevertheless, counted from the first one."""
    for tenth in range(100):
        agenda.add(10.0 + tenth / 10, ["host"])
    assert agenda.due_at() == 10.0 + GATHER_SECONDS


def test_unsure_ones_are_rare(agenda: Agenda) -> None:
    """Changes that nobody is sure of are exported like others, but once in ten seconds."""
    agenda.add(10.0, ["?"], sure=False)
    assert agenda.due_at() == 10.0 + QUIET_SECONDS
    agenda.done(10.5, 12.0)
    agenda.add(12.0, ["?"], sure=False)
    assert agenda.due_at() == 10.5 + UNSURE_SECONDS


def test_a_sure_one_does_not_wait_for_others(agenda: Agenda) -> None:
    """A change that is sure takes those that are not along, and says what they were."""
    agenda.add(10.0, ["?"], sure=False)
    agenda.done(10.5, 12.0)
    agenda.add(12.0, ["?"], sure=False)
    agenda.add(13.0, ["host"])
    assert agenda.due_at() == 12.0 + GATHER_SECONDS
    assert agenda.reasons == ["host"]
    agenda.done(13.0, 14.0)
    agenda.add(14.0, ["?"], sure=False)
    assert agenda.due_at() == 10.5 + UNSURE_SECONDS


def test_a_failure_is_tried_again(agenda: Agenda) -> None:
    """After a failure the pause doubles up to half a minute, and what waited still waits."""
    agenda.add(10.0, ["host"])
    pauses = []
    for _ in range(7):
        agenda.failed(20.0)
        pauses.append(agenda.due_at() - 20.0)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert agenda.reasons == ["host"]
    agenda.retry()
    assert agenda.due_at() == 10.0 + QUIET_SECONDS
    agenda.done(21.0, 22.0)
    assert agenda.due_at() == 22.0 + EVERY
