"""What a test opens and does not close, whatever else its process holds.

The tests before it may have left files in cycles of objects. Python closes them whenever it next
collects garbage, so a mere count of open files can fall in the middle of a test.
"""

import os
from contextlib import suppress


def open_files() -> set[tuple[str, str]]:
    """Return the descriptors of this process, each with what it refers to."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        # The listing's own descriptor is closed by now.
        with suppress(FileNotFoundError):
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
    return found


def left_open(before: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return what is open now and was not `before`."""
    return open_files() - before
