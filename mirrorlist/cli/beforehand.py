"""What a command does before it serves: makes its directory, and works in a child process."""

import fcntl
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from mirrorlist.cli.failure import guarded
from mirrorlist.errors import StartError
from mirrorlist.process.parent import at_parents_end


def make_directory(directory: Path, option: str) -> None:
    """Make a directory unless it is there; raises StartError that names the option."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"{directory}: cannot be made: {error.strerror}; choose another {option}"
        ) from error


def own_directory(directory: Path, option: str) -> None:
    """Keep other processes out of a directory until this one ends; raises StartError.

    Forked processes do not have the lock, so none of them can hold it after this one was killed.
    """
    file = directory / ".lock"
    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        if not os.access(directory, os.W_OK):
            why = f"cannot be written; choose another {option}"
            raise StartError(f"{directory}: {why}") from error
        why = f"is in use by another process of yours; end it, or choose another {option}"
        raise StartError(f"{directory}: {why}") from error
    except OSError as error:
        raise StartError(f"{file}: cannot be written: {error.strerror}") from error


def in_child(work: Callable[[], None]) -> int:
    """Run `work` in a child process, so that the server's process never loads a database driver.

    Returns its exit code.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if not process:
        at_parents_end(signal.SIGTERM)
        # Ended halfway, it must not end with 0.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        code = guarded(work)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
