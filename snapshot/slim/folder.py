"""Puts a folder in its place at once, and never in the place of somebody else's.

The new folder is made beside the old one, under a hidden name and with a lock that ends with its
process. Linux exchanges two folders in one step, so the place always has a whole one; the old one
then has the hidden name, and is removed. A later run removes what a killed one has left behind.
"""

import ctypes
import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from snapshot.file.errors import OutputError

MARK, FILES, EXCLUDES, REPODATA = "slim.json", "files", "excludes", "repodata"
"""What is in a folder of `packages slim`; a folder that has anything else is not replaced."""
_OURS = {MARK, FILES, EXCLUDES, REPODATA}
WORK = ".work"
"""A folder beside these four, while the folder is made."""
# How `tempfile.mkdtemp` ends a name.
_OF_MKDTEMP = "[a-z0-9_]{8}"
_OLD = "-old"
"""Behind that, of the folder whose place is taken, on a file system that cannot exchange two."""
_AT_FDCWD, _EXCHANGE = -100, 2


@contextmanager
def made_whole(place: Path) -> Iterator[Path]:
    """Yield a folder to fill; if the block ends well, put it in its place; raises OutputError."""
    place = Path(os.path.realpath(place))
    _check(place)
    try:
        _bring_back(place)
        _remove_leftovers(place)
        made, handle = _begin(place)
    except OSError as error:
        raise _cannot(place, error) from error
    try:
        yield made
        made.chmod(0o755)
        _sync(made)
        _put(made, place)
    except OSError as error:
        raise _cannot(place, error) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(handle)


def _begin(place: Path) -> tuple[Path, int]:
    """Make a hidden folder, and lock it."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=_prefix(place), dir=place.parent))
        with suppress(FileNotFoundError):
            handle = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(handle, fcntl.LOCK_EX)
            # Before it was locked, another run may have taken it for one that was left behind.
            if os.path.exists(made):
                return made, handle
            os.close(handle)


def _check(place: Path) -> None:
    """Refuse a place with something in it that is not ours."""
    try:
        if not place.parent.is_dir():
            raise OutputError(f"{place.parent}: no such folder; make it first")
        if not place.exists():
            return
        if not place.is_dir():
            raise OutputError(f"{place}: not a folder; choose another --out")
        names = os.listdir(place)
    except OSError as error:
        raise _cannot(place, error) from error
    _check_names(place, names)


def _check_names(place: Path, names: list[str]) -> None:
    if names and MARK not in names:
        why = f"it has no {MARK}, so `packages slim` has not made it"
    elif foreign := sorted({*names} - _OURS):
        why = f"it has also {foreign[0]!r}, which `packages slim` has not made"
    else:
        return
    raise OutputError(f"{place}: not replaced: {why}; choose another --out")


def _prefix(place: Path) -> str:
    return f".{place.name}.slim-"


def _bring_back(place: Path) -> None:
    """Undo the first half of an exchange that was killed within it, if nothing is in the place."""
    half = re.compile(re.escape(_prefix(place)) + _OF_MKDTEMP + _OLD)
    for name in () if place.exists() else os.listdir(place.parent):
        if half.fullmatch(name) and MARK in os.listdir(place.parent / name):
            (place.parent / name).rename(place)
            return


def _remove_leftovers(place: Path) -> None:
    """Remove folders of runs that have ended without doing so; what is not ours stays."""
    ours = re.compile(f"{re.escape(_prefix(place))}{_OF_MKDTEMP}(?:{_OLD})?")
    for name in os.listdir(place.parent):
        if ours.fullmatch(name):
            left = place.parent / name
            with suppress(OSError):
                handle = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if {*os.listdir(handle)} <= {*_OURS, WORK}:
                        shutil.rmtree(left, ignore_errors=True)
                finally:
                    os.close(handle)


def _sync(folder: Path) -> None:
    for path, _, names in os.walk(folder):
        for name in [".", *names]:
            handle = os.open(os.path.join(path, name), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _put(made: Path, place: Path) -> None:
    """Rename a folder to its place, or exchange it for the one that is there."""
    try:
        # An empty folder is replaced; so is nothing.
        made.rename(place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _exchange(made, place)
        try:
            # Another run may have removed the old one, but only if it was ours.
            with suppress(FileNotFoundError):
                _check_names(place, os.listdir(made))
        except OutputError:
            # Somebody has put it there since the beginning.
            _exchange(made, place)
            raise
    handle = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _exchange(made: Path, place: Path) -> None:
    code = _rename2(made, place)
    if code in (errno.EINVAL, errno.ENOSYS):
        # A file system that cannot exchange: for a moment, nothing is in the place.
        old = made.with_name(made.name + _OLD)
        place.rename(old)
        made.rename(place)
        old.rename(made)
    elif code:
        raise OSError(code, os.strerror(code))


def _rename2(made: Path, place: Path) -> int:
    """Exchange two folders in one step; return the number of the error, or 0."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return errno.ENOSYS
    names = (os.fsencode(made), os.fsencode(place))
    failed = call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE)
    return ctypes.get_errno() if failed else 0


def _cannot(place: Path, error: OSError) -> OutputError:
    return OutputError(f"{place}: cannot be written: {error.strerror or error}")
