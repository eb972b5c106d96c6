"""Statistics under faults, with real servers, collectors and a database: no request is lost."""

import re
import subprocess
import sys

import pytest

from tests.live import ROOT
from tests.system import need_program

pytestmark = pytest.mark.system


def test_totals_are_what_clients_counted() -> None:
    """Restarts, crashes, kills, files that come twice and a clock set back change no total."""
    need_program("initdb", "postgresql")
    words = ["--seconds", "3", "--outage", "1", "--clients", "3", "--pause", "0.01"]
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.exact", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (counts,) = re.findall(r"^\| all \|.* ([\d,]+) \| ([\d,]+) \|$", done.stdout, re.MULTILINE)
    assert counts[0] == counts[1]
    assert int(counts[0].replace(",", "")) > 100
