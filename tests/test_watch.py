"""A watch on a SQLite database: what makes it export, and that no change is lost."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.export.database import parse_url
from snapshot.watch.look import Look, Probe
from snapshot.watch.loop import Done, Failed, Missed, Recovered
from snapshot.watch.sqlite import SqliteProbe
from tests.factories import edited, make_database, world
from tests.watched import EVERY, Watched

# Seconds from a commit to the published file, less the export: a look and a rest.
SOON = 2.5
MOVE = "UPDATE host SET country = 'US' WHERE id = 3"
MOVE_BACK = "UPDATE host SET country = 'FR' WHERE id = 3"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A watch that has made its first export."""
    watched = Watched(tmp_path, world())
    watched.until_told(Done)
    yield watched
    watched.probe.close()


def country(watched: Watched) -> str | None:
    """Where host 3 is, as published."""
    return watched.snapshot.hosts[2].country


def test_the_start(watched: Watched) -> None:
    """The first export is made at once and needs no reason; then all is quiet."""
    assert watched.done.reasons == []
    assert watched.done.result.changed
    assert watched.rest(EVERY - 10) == []
    assert watched.progress.connected
    assert watched.progress.backlog == 0


def test_a_change(watched: Watched) -> None:
    """A commit is published within seconds, once, and counted."""
    watched.write(MOVE)
    assert watched.until_told(Done) < SOON
    assert country(watched) == "US"
    assert watched.done.result.changed
    assert watched.rest(100) == []
    assert (watched.progress.seen, watched.progress.processed) == (1, 1)


def test_what_nobody_would_notice(watched: Watched) -> None:
    """A commit that changes no answer leaves the published file alone."""
    before = watched.output.stat()
    watched.write("UPDATE host SET comment = 'x'")
    watched.until_told(Done)
    assert not watched.done.result.written
    assert os.path.samestat(before, watched.output.stat())
    assert before.st_mtime_ns == watched.output.stat().st_mtime_ns
    progress = watched.progress
    assert (progress.exports, progress.published, progress.unchanged) == (2, 1, 1)
    assert not watched.output.with_name("mm.snap.1").exists()


def test_a_commit_in_the_middle_of_an_export(watched: Watched) -> None:
    """What is committed after an export began to read is seen as a new change."""
    phases = iter([*range(5), *[None] * 1000])

    def write(phase: str) -> None:
        # After the hosts were read.
        if next(phases) == 4:
            watched.write(MOVE)

    watched.write("PRAGMA journal_mode = WAL")
    watched.write("UPDATE site SET name = 'another' WHERE id = 1")
    watched.during = write
    watched.until_told(Done)
    assert country(watched) == "FR"
    assert watched.until_told(Done) < SOON
    assert country(watched) == "US"
    assert watched.rest(100) == []


def test_changes_all_the_time(watched: Watched) -> None:
    """A database that never rests is exported nevertheless."""
    for turn in range(10):
        watched.write(MOVE if turn % 2 else MOVE_BACK)
        watched.rest(0.3)
    assert watched.progress.exports >= 3


def test_from_time_to_time(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any change it is exported every so often, which makes the published file young."""
    read = watched.snapshot.read
    monkeypatch.setattr("time.time", lambda: float(read + EVERY))
    assert watched.until_told(Done) <= EVERY
    assert watched.done.reasons == []
    assert watched.done.result.written
    assert not watched.done.result.changed
    assert watched.snapshot.read == read + EVERY
    assert watched.progress.missed == 0


class Blind:
    """A probe of a database that tells nothing of its changes."""

    def look(self, since: Look | None) -> Look:
        """Return what is always the same."""
        return Look("", {})

    def close(self) -> None:
        """Do nothing."""

    def shown(self) -> str:
        """Say so."""
        return "nothing"


def test_what_no_probe_saw(tmp_path: Path) -> None:
    """A change that is found only because its time had come is counted and told."""
    watched = Watched(tmp_path, world(), probe=Blind())
    watched.until_told(Done)
    watched.write(MOVE)
    assert watched.until_told(Missed) > EVERY - 10
    assert country(watched) == "US"
    assert watched.progress.missed == 1
    assert all(isinstance(event, Done) for event in watched.rest(2 * EVERY))


def test_a_change_just_before_its_time(watched: Watched) -> None:
    """What the export that was due anyway takes along, and the next look sees, was not missed."""
    watched.before = lambda: watched.write(MOVE)
    watched.until_told(Done)
    watched.before = lambda: None
    assert country(watched) == "US"
    assert watched.done.reasons == []
    watched.rest(100)
    assert watched.progress.missed == 0


@pytest.mark.parametrize("why", ["SIGUSR1", "hook"])
def test_a_trigger(watched: Watched, why: str) -> None:
    """A signal or a hook exports at once, whatever the database says."""
    watched.time.put(why)
    assert watched.until_told(Done) < SOON
    assert watched.done.reasons == [why]


def test_a_data_file(tmp_path: Path) -> None:
    """A changed ASN file is read once it is at rest; a spoilt one is told, and changes nothing."""
    asn = tmp_path / "asn.txt"
    asn.write_text("192.0.2.0/24 64500\n")
    watched = Watched(tmp_path, world(), asn)
    watched.until_told(Done)
    before = watched.snapshot.id
    asn.write_text("192.0.3.0/24 64500\n")
    watched.until_told(Done)
    assert watched.done.reasons == ["asn.txt changed"]
    assert watched.snapshot.id != before
    asn.unlink()
    watched.until_told(Failed)
    assert "asn.txt" in watched.failed
    assert watched.rest(100) == []
    asn.write_text("192.0.2.0/24 64500\n")
    watched.until_told(Done)
    assert watched.snapshot.id == before
    watched.probe.close()


def test_a_loss_is_refused(watched: Watched) -> None:
    """What `export` would refuse is told once, kept back, and tried again after a change."""
    before = watched.output.read_bytes()
    watched.write("UPDATE host SET admin_active = 0 WHERE id < 6")
    watched.until_told(Failed)
    assert "lost 5 of 8 hosts" in watched.failed
    assert watched.rest(EVERY - 10) == []
    assert watched.output.read_bytes() == before
    assert watched.progress.backlog == 1
    assert watched.progress.waiting(watched.time.now) > EVERY - 20
    assert watched.progress.error == watched.failed
    # Its time comes, and it is refused for the same reason.
    assert watched.rest(20) == []
    assert watched.progress.failed == 2
    watched.write("UPDATE host SET admin_active = 1", MOVE)
    watched.until_told(Done)
    assert country(watched) == "US"
    assert watched.progress.backlog == 0


def test_the_database_goes_away(watched: Watched) -> None:
    """A database that is gone is told once; back again, what changed meanwhile is published."""
    aside = watched.path.rename(watched.path.with_name("aside"))
    watched.until_told(Failed)
    assert "no such database file" in watched.failed
    assert not watched.progress.connected
    assert watched.rest(100) == []
    make_database(aside, edited(("host", 3, {"country": "US"})))
    aside.rename(watched.path)
    assert watched.until_told(Recovered) <= 5.0
    assert watched.until_told(Done) < SOON
    assert country(watched) == "US"
    assert watched.progress.connections == 2


def test_a_start_without_a_database(tmp_path: Path) -> None:
    """A database that is not there yet is waited for."""
    watched = Watched(tmp_path, world())
    content = watched.path.read_bytes()
    watched.path.unlink()
    watched.until_told(Failed)
    watched.rest(100)
    watched.path.write_bytes(content)
    watched.until_told(Done)
    assert country(watched) == "FR"
    watched.probe.close()


class Late:
    """A probe whose first look comes to nothing, because a writer has the database locked."""

    def __init__(self, probe: Probe) -> None:
        """Take the probe that looks later."""
        self._probe = probe
        self.shown, self.close = probe.shown, probe.close
        self._looks = 0

    def look(self, since: Look | None) -> Look | None:
        """Return nothing at first."""
        self._looks += 1
        return self._probe.look(since) if self._looks > 1 else None


def test_a_start_beside_a_writer(tmp_path: Path) -> None:
    """An export before the first look does not hide what is committed after that export."""
    watched = Watched(
        tmp_path, world(), probe=Late(SqliteProbe(parse_url(f"sqlite:///{tmp_path}/mm.sqlite")))
    )
    watched.write("PRAGMA journal_mode = WAL")
    phases = iter(range(1000))
    # After the hosts were read.
    watched.during = lambda phase: watched.write(MOVE) if next(phases) == 4 else None
    watched.until_told(Done)
    assert country(watched) == "FR"
    assert watched.until_told(Done) <= SOON
    assert country(watched) == "US"
    watched.write(MOVE_BACK)
    assert watched.until_told(Done) <= SOON
    assert watched.rest(100) == []
    watched.probe.close()


def test_a_file_that_cannot_be_written(watched: Watched) -> None:
    """A file that cannot be written is told once and tried again, less and less often."""
    watched.output.unlink()
    watched.output.mkdir()
    watched.time.put("SIGUSR1")
    watched.until_told(Failed)
    assert "Is a directory" in watched.failed
    watched.rest(20)
    assert 4 <= watched.progress.failed <= 7
    watched.output.rmdir()
    watched.until_told(Done)
    assert watched.done.reasons[0] == "SIGUSR1"


def test_the_clock_is_set_back(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch that published in what is now the future goes on; anybody else is refused."""
    read = watched.snapshot.read
    monkeypatch.setattr("time.time", lambda: float(read - 3600))
    watched.write(MOVE)
    watched.until_told(Done)
    assert country(watched) == "US"
    assert watched.snapshot.read == read - 3600
    monkeypatch.setattr("time.time", lambda: float(read - 7200))
    other = Watched(watched.path.parent, world())
    other.until_told(Failed)
    assert "is older" in other.failed
    other.probe.close()
