"""What a forked process is told at its parent's end."""

import ctypes
import signal
from contextlib import suppress

# Linux only: prctl(2) with this option asks for a signal at the parent's end.
_PR_SET_PDEATHSIG = 1


def at_parents_end(number: signal.Signals) -> None:
    """Let the kernel send this process a signal at its parent's end, where it can do so."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
