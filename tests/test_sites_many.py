"""Many mirrors of all kinds, probed twice: the small version of `python -m loadtest.probes`."""

from pathlib import Path

import pytest

from loadtest.probes.__main__ import ProbeFigures, measure, mistakes, tables
from loadtest.probes.kinds import SHARES, VERDICTS, mirrors
from snapshot.sites.getting import Limits
from snapshot.sites.load import load
from snapshot.sites.probe import probe

# Long enough for the mirrors that are slow, on a busy machine.
SHORT = Limits(pause=0, silent=1, seconds=1.5)


def _probe(file: Path, database: str) -> tuple[float, float, int]:
    about = (database, load(file).config, file.parent, "test", lambda *done: None, 1_800_000_000)
    probe(*about, limits=SHORT)
    return 0, 0, 0


@pytest.mark.system
def test_many_mirrors() -> None:
    """Each kind is judged as it is, a second probe gets 304s, and no host has more than four."""
    figures = measure(12, 10, _probe)
    assert [*mistakes(figures)] == []
    assert figures[0].hidden.keys() == {*SHARES} - {*VERDICTS}
    assert figures[0].asked["slow"].most_in_flight > 1
    assert tables(figures)[1].rows[0][:4] == ["primary", "80", "10", "10"]


def test_mistakes() -> None:
    """Whatever is not as it has to be is told."""
    kinds = {one.kind for one in mirrors(100)}
    assert kinds == {*SHARES}
    wrong = ProbeFigures("x", 0, 0, 0, {}, {"stale": {"current": 3}}, {"fast": 1})
    told = [*mistakes([wrong, wrong])]
    assert told[:2] == [
        "x: mirrors that are stale were judged current",
        "x: a mirror that answers has left the lists",
    ]
