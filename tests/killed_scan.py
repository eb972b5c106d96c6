"""Runs `mirrorlist` and kills it just before the n-th SQL statement of its scan.

python -m tests.killed_scan N ARGUMENTS...
"""

import os
import signal
import sys
from typing import Any

from mirrorlist.cli import main
from snapshot.scan.link import STATEMENT


class Killing:
    """An audit hook that kills this process at a statement of a scan."""

    def __init__(self, count: int) -> None:
        """Take the number of the statement."""
        self._left = count

    def __call__(self, event: str, _: tuple[Any, ...]) -> None:
        """Count a statement."""
        if event == STATEMENT:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


def run(step: int, words: list[str]) -> None:
    """Run a command in this process, which is killed at a statement of its scan."""
    sys.addaudithook(Killing(step))
    sys.argv[:] = ["mirrorlist", *words]
    main()
