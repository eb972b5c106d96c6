"""What is measured of a tree of processes, some of which end meanwhile."""

import os
import subprocess
import sys
from collections.abc import Callable

import click
import psutil
import pytest

from loadtest.common.processes import cpu_seconds, pss_bytes, tree

FIGURES: list[Callable[[int], float]] = [cpu_seconds, pss_bytes]


def ended() -> psutil.Process:
    """Return a process that has just ended, as a list made a moment ago still names it."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    found = psutil.Process(process.pid)
    process.communicate()
    return found


@pytest.mark.parametrize("figure", FIGURES)
def test_a_child_that_ends_meanwhile_is_left_out(
    figure: Callable[[int], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers of a server come and go while it is measured."""
    gone = ended()
    monkeypatch.setattr(psutil.Process, "children", lambda process, recursive: [gone])

    assert figure(os.getpid()) > 0


@pytest.mark.parametrize("figure", [*FIGURES, tree])
def test_a_server_that_has_ended_is_an_error_of_one_line(figure: Callable[[int], object]) -> None:
    """It must not be measured as one that costs nothing."""
    with pytest.raises(click.ClickException, match="has ended, so it cannot be measured"):
        figure(ended().pid)
