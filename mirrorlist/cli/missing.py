"""A library that is not installed, or that this machine cannot load: said in one line.

This module imports nothing but what Python has: the library that is missing may be any other.
"""

import sys
from types import TracebackType

_OURS = ("mirrorlist", "snapshot")
EXIT_CODE = 1


def missing_line(error: ImportError) -> str:
    """Return what is missing and what to do; raises the error if our own code made it."""
    name = (error.name or "").partition(".")[0]
    if name in _OURS:
        raise error
    said = " ".join(str(error).split())
    return (
        f"{name or 'a library'} cannot be loaded: {said}; install mirrorlist again, with all that"
        " requirements.lock names"
    )


def say_missing(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print the line for an error that ends the program: a `sys.excepthook`."""
    try:
        if isinstance(error, ImportError):
            sys.stderr.write(f"mirrorlist: error: {missing_line(error)}\n")
            return
    except ImportError:
        pass
    sys.__excepthook__(kind, error, trace)
