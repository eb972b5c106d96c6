"""A keeper: what it does when the file, the primary, a mirror or the time changes."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from snapshot.sites.file_changes import SiteFiles
from snapshot.sites.keeper import NO_PRIMARY, Applier, Duty, Prober, seconds_left
from snapshot.sites.keeper_state import KeeperState
from tests.mirror_farm import Farm, run_farm
from tests.small_sites import HEAD, publish_tree, site_text, write

INTERVAL = 300.0


class Kept:
    """A keeper without threads, on a clock that stands until it is moved."""

    def __init__(self, folder: Path, farm: Farm) -> None:
        """Write the file, and let nothing happen yet."""
        self.folder, self.farm, self.now = folder, farm, 1000.0
        self.said: list[str] = []
        self.write("a")
        self.duty = Duty(folder / "mirrors.toml", f"sqlite:///{folder / 'm.db'}", INTERVAL, "test")
        self.state = KeeperState()
        self.prober = Prober(self.duty, self.said.append, self.state, lambda: self.now)
        given = (self.duty, self.prober, self.said.append, self.state)
        self.applier = Applier(*given, lambda: self.now)

    def write(self, *mirrors: str) -> None:
        """Write the file with some mirrors of the farm."""
        tables = [
            f'[[mirror]]\nname = "{name}"\ncountry = "DE"\nurls = ["{self.farm.url(name)}"]\n'
            for name in mirrors
        ]
        write(self.folder, site_text(*tables))

    def pass_by(self, seconds: float = 0) -> list[str]:
        """Let seconds pass; return what is said then."""
        self.now += seconds
        self.said.clear()
        # A changed file is applied once it rests.
        for _ in range(2):
            self.applier.step()
        self.prober.step()
        return [*self.said]

    def asked(self) -> int:
        """Return how often the mirrors were asked since the last call."""
        count = sum(self.farm.asked.values())
        self.farm.asked.clear()
        return count


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """A keeper beside a primary and a farm of mirrors that have the same."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    publish_tree(tmp_path / "pub")
    with run_farm(tmp_path / "pub") as farm:
        yield Kept(tmp_path, farm)


def test_the_time(kept: Kept) -> None:
    """A first probe comes with the file, and the next ones at intervals; it says what is new."""
    first = kept.pass_by()
    assert first[0].startswith("mirrors.toml: applied: 1 mirror (a) new, 4 repositories (baseos-9")
    assert first[1].startswith("the primary: 4 repositories (")
    assert first[2:] == ["mirrors: 1 of 1 URLs up to date"]
    assert kept.asked() == 4
    assert kept.pass_by(0.9 * INTERVAL) == []
    assert kept.asked() == 0
    assert kept.pass_by(0.2 * INTERVAL) == []
    assert kept.asked() == 4
    kept.prober.wake()
    kept.pass_by()
    assert kept.asked() == 4


def test_the_file(kept: Kept) -> None:
    """A changed file is applied and its mirrors are asked; a wrong one is said once."""
    kept.pass_by()
    kept.farm.kinds["b"] = "html"
    kept.write("a", "b")
    assert kept.pass_by() == [
        "mirrors.toml: applied: 1 mirror (b) new",
        "mirrors: 1 of 2 URLs up to date, 1 URL (b) wrong",
    ]
    write(kept.folder, HEAD + "[[miror]]\n[[x]]\n")
    first, second = kept.pass_by()
    assert "miror" in first + second
    assert first.startswith("error: ")
    assert first.endswith("; what was applied before stays")
    assert kept.state.file_error
    assert kept.state.applied
    assert (kept.state.urls, kept.state.urls_troubled, kept.state.urls_hidden) == (2, 1, 0)
    assert kept.pass_by() == []
    kept.write("a", "b")
    assert kept.pass_by() == []
    kept.asked()
    kept.pass_by(2 * INTERVAL)
    assert kept.asked() == 8


def test_a_file_of_its_own(kept: Kept) -> None:
    """A mirror in mirrors.d comes and goes with its file; a file of an editor is nothing."""
    kept.pass_by()
    part = write(kept.folder, "", "mirrors.d/.b.toml.swp")
    assert kept.pass_by() == []
    url = kept.farm.url("b")
    part.write_text(f'name = "b"\ncountry = "DE"\nurls = ["{url}"]\n')
    part.rename(kept.folder / "mirrors.d" / "b.toml")
    assert "1 mirror (b) new" in kept.pass_by()[0]
    (kept.folder / "mirrors.d" / "b.toml").unlink()
    assert "1 mirror (b) gone" in kept.pass_by()[0]


def test_a_silent_primary(kept: Kept) -> None:
    """It is asked again after 15 s, 30 s and so on; the mirrors are asked at their own time."""
    kept.pass_by()
    (kept.folder / "pub").rename(kept.folder / "gone")
    kept.farm.main = kept.folder / "gone"
    kept.asked()
    (said,) = kept.pass_by(1.1 * INTERVAL)
    assert said.startswith("the primary: baseos-9 x86_64 and 3 more cannot be read: ")
    assert said.endswith("; what was known stays")
    assert [kept.state.primary_error] == [said]
    assert (kept.state.repositories, kept.state.repositories_failed) == (4, 4)
    assert kept.asked() == 4
    assert kept.pass_by(15) == []
    (kept.folder / "gone").rename(kept.folder / "pub")
    kept.farm.main = kept.folder / "pub"
    publish_tree(kept.folder / "pub", 1_790_000_100)
    assert kept.pass_by(29) == []
    again, new = kept.pass_by(2)
    assert again == "the primary: all repositories can be read again"
    assert kept.state.primary_error is None
    assert new.startswith("the primary: 4 repositories (")
    # The mirrors are asked at once for what is new.
    assert kept.asked() == 0
    kept.pass_by()
    assert kept.asked() == 4


def test_no_primary(kept: Kept) -> None:
    """A site without a primary is applied and not probed, and this is said once."""
    file = kept.duty.file
    file.write_text(file.read_text().replace('[primary]\npath = "pub"\n', ""))
    applied, warned = kept.pass_by()
    assert applied.startswith("mirrors.toml: applied: ")
    assert warned == NO_PRIMARY
    assert kept.pass_by(2 * INTERVAL) == []
    assert kept.asked() == 0


def test_a_start_after_another(kept: Kept) -> None:
    """A keeper that begins soon after a probe does not ask the mirrors again."""
    assert seconds_left(kept.duty) == 0
    kept.pass_by()
    kept.asked()
    assert 0 < seconds_left(kept.duty) <= INTERVAL
    other = Kept(kept.folder, kept.farm)
    assert other.pass_by() == []
    assert other.asked() == 0
    other.pass_by(INTERVAL)
    assert other.asked() == 4


def test_a_file_that_grows(tmp_path: Path) -> None:
    """A change is seen once, and only when the file is at rest."""
    file = write(tmp_path, "a")
    files = SiteFiles(file)
    assert [files.changed(), files.changed()] == [True, False]
    seen = []
    for text in ("ab", "abc", "abc", "abc"):
        if file.read_text() != text:
            file.write_text(text)
        seen.append(files.changed())
    assert seen == [False, False, True, False]
