"""Runs `mirrorlist` and kills it just before its n-th SQL statement, or other step.

python -m tests.killed_scan N ARGUMENTS...
"""

import os
import signal
import sys
from typing import Any

from mirrorlist.cli import main
from snapshot.link import STATEMENT


class Killing:
    """An audit hook that kills this process at an event."""

    def __init__(self, count: int, events: tuple[str, ...]) -> None:
        """Take the number of the event among those of some names."""
        self._left, self._events = count, events

    def __call__(self, event: str, _: tuple[Any, ...]) -> None:
        """Count an event."""
        if event in self._events:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


def run(step: int, words: list[str], *events: str) -> None:
    """Run a command in this process, which is killed at a statement, or at another event."""
    sys.addaudithook(Killing(step, (STATEMENT, *events)))
    sys.argv[:] = ["mirrorlist", *words]
    main()
