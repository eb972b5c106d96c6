"""The measurement of swaps: its figures in words, and a short run of all of it."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from loadtest.figures import percentile
from loadtest.machine import Machine
from loadtest.swaps import Run, Spell, sheets
from loadtest.wrk import Load
from tests.live import ROOT
from tests.system import need_program

SECONDS = 180


def _spell(name: str, cpu: float, swaps: list[float]) -> Spell:
    load = Load(1000, 9000, 2.0, 0.9, 8.0, 0, 0, 21.5)
    return Spell(name, load, cpu, swaps, [1.0, 2.0, 24.5], 120_000_000)


def test_sheets() -> None:
    """CPU is compared with the cheaper of two steady loads, and the slowest is anybody's."""
    spells = [
        _spell("at rest", 60.0, []),
        _spell("each second", 65.0, [0.2]),
        _spell("at rest again", 50.0, []),
        _spell("in a row", 70.0, [0.1, 0.3]),
        _spell("afterwards", 55.0, []),
    ]
    loads, swaps, goals = sheets(Run(Machine("", "", "", "", 2, "", ""), {}, 100_000_000, spells))
    assert loads.rows[3][:3] == ["in a row", "1,000", "0"]
    assert swaps.rows[3][1:4] == ["2", "0.100", "0.300"]
    measured = [row[1] for row in goals.rows]
    assert measured[:4] == ["0", "24.50 ms", "24.5 ms", "1.30"]


@pytest.mark.parametrize(
    ("percent", "value"), [(1, 1.0), (50, 5.0), (90, 9.0), (91, 10.0), (100, 10.0)]
)
def test_percentile(percent: int, value: float) -> None:
    """A percentile is one of the values: the least that so many percent do not exceed."""
    assert percentile([float(number) for number in range(10, 0, -1)], percent) == value


@pytest.mark.system
def test_a_short_run(tmp_path: Path) -> None:
    """A run makes its snapshots, swaps between them under load, and no request fails."""
    need_program("wrk", "wrk")
    options = {"scale": 0.02, "swaps": 4, "seconds": 3, "warm": 1, "directory": tmp_path}
    words = [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.swaps", *words, "--record", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("*-swaps.json")
    run = msgspec.json.decode(path.read_bytes(), type=Run)
    assert [len(spell.swaps) for spell in run.spells] == [0, 1, 0, 4, 0]
    assert all(spell.load.failed == 0 and spell.load.slowest > 0 for spell in run.spells)
    assert "## " not in path.with_suffix(".md").read_text()
