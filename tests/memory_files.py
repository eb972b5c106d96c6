"""Where plain tests keep their files: in memory, because they wait for a disk longer than they run.

Each snapshot is written with two calls of fsync. System tests stay on the disk, because other users
than root must reach their files, and some files are large; `make test` has plain tests there too.
"""

import os
import tempfile
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
_NEEDED_BYTES = 1 << 30


def use_memory(config: pytest.Config, folder: Path = MEMORY) -> None:
    """Put the files of a plain run into memory, unless a place for them is given."""
    given = config.option.basetemp or {"TMPDIR", "PYTEST_DEBUG_TEMPROOT"} & os.environ.keys()
    if config.option.markexpr == "not system" and not given and is_fit(folder):
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


def is_fit(folder: Path) -> bool:
    """Return whether tests can write a gigabyte into a folder, and start programs there."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize >= _NEEDED_BYTES and not found.f_flag & os.ST_NOEXEC
