"""The soak, shortly: what it prints and how it ends; and that it sees what is wrong."""

import subprocess
import sys

import pytest

from loadtest.clients import Clients
from tests.live import ROOT
from tests.system import need_program

pytestmark = pytest.mark.system

SECONDS = 120


def test_a_short_soak() -> None:
    """Faults at random for some seconds cost no answer, and leave what a full export gives."""
    need_program("initdb", "postgresql")
    done = subprocess.run(
        [sys.executable, "-m", "loadtest.soak", "--seconds", "10", "--scale", "0.02"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [[cell.strip() for cell in line.split("|")] for line in done.stdout.splitlines()]
    rows = {row[1]: row[2] for row in cells if len(row) > 3}
    assert rows["failed answers"] == "0"
    assert int(rows["lists asked for"].replace(",", "")) > 100
    assert int(rows["change"]) > 1
    assert "in the end" in rows


def test_a_failed_answer_is_seen() -> None:
    """Clients note each request that nobody answers, after a second try."""
    with Clients("http://127.0.0.1:1", ["/metalink?repo=a&arch=b 192.0.2.1"], 1, 1) as clients:
        while not clients.failures:
            pass
    assert clients.retried
    first = clients.failures[0]
    assert (first.target, first.address) == ("/metalink?repo=a&arch=b", "192.0.2.1")
    assert "second try" in first.why
