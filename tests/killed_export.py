"""Runs `mirrorlist` and kills it just before the n-th time that it touches a snapshot's folder.

    python -m tests.killed_export N FOLDER ARGUMENTS...

Python's audit events tell of every file that is opened, made, linked, renamed or removed.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from mirrorlist.cli import main

_EVENTS = ("open", "os.chmod", "os.link", "os.remove", "os.rename", "os.scandir", "os.truncate")


def killing(count: int, folder: str) -> Callable[[str, tuple[Any, ...]], None]:
    """Return an audit hook that kills this process at an event of files in a folder."""
    left = count

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in _EVENTS and any(str(one).startswith(folder) for one in arguments):
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


if __name__ == "__main__":
    sys.addaudithook(killing(int(sys.argv[1]), sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()
