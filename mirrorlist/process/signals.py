"""The meaning of each signal for each long-running process: docs/operations.md has the same table.

A process that gets a signal that is meant for another one says so in a line and goes on.
"""

import signal
import time
from collections.abc import Callable, Iterable, Mapping
from signal import Signals

from mirrorlist.process.messages import Say, safely

STOP = frozenset({Signals.SIGTERM, Signals.SIGINT})
PASSED_ON = frozenset({Signals.SIGUSR2, Signals.SIGHUP})
"""The supervisor passes these on to each worker."""

UNKNOWN = frozenset({Signals.SIGUSR1})
"""A server says of these that it does not know them."""

HELD = frozenset({Signals.SIGHUP, Signals.SIGUSR1, Signals.SIGUSR2})
"""The signals that end a process by default; they are held back until the process handles them."""

_LOOK_SECONDS = 0.05

IGNORED = "ignored, with a line"

_LOOK = "looks at the snapshot and the GeoIP file at once"
_REOPEN = "opens the request log again"
_SERVE = {
    Signals.SIGTERM: "ends, after the answers under way",
    Signals.SIGINT: "ends, after the answers under way",
    Signals.SIGHUP: _LOOK,
    Signals.SIGUSR1: IGNORED,
    Signals.SIGUSR2: _REOPEN,
}
MEANINGS: Mapping[str, Mapping[Signals, str]] = {
    "serve": _SERVE,
    "worker": _SERVE,
    "admin process": {
        Signals.SIGTERM: "ignored: it ends with its supervisor",
        Signals.SIGINT: "ignored: it ends with its supervisor",
        Signals.SIGHUP: IGNORED,
        Signals.SIGUSR1: IGNORED,
        Signals.SIGUSR2: IGNORED,
    },
    "demo": {**_SERVE, Signals.SIGHUP: "ends, if it was started in a terminal; else as serve"},
    "run": {**_SERVE, Signals.SIGHUP: f"{_LOOK}, and probes; --example in a terminal ends"},
    "keeper": {
        Signals.SIGTERM: "ignored: it ends with its supervisor",
        Signals.SIGINT: "ignored: it ends with its supervisor",
        Signals.SIGHUP: "probes and exports now",
        Signals.SIGUSR1: "probes and exports now",
        Signals.SIGUSR2: IGNORED,
    },
    "example mirrors": {
        Signals.SIGTERM: "ignored: it ends with its supervisor",
        Signals.SIGINT: "ignored: it ends with its supervisor",
        Signals.SIGHUP: IGNORED,
        Signals.SIGUSR1: IGNORED,
        Signals.SIGUSR2: IGNORED,
    },
    "watch": {
        Signals.SIGTERM: "ends at once",
        Signals.SIGINT: "ends at once",
        Signals.SIGHUP: "exports now",
        Signals.SIGUSR1: "exports now",
        Signals.SIGUSR2: IGNORED,
    },
    "import-cache --watch": {
        Signals.SIGTERM: "ends at once",
        Signals.SIGINT: "ends at once, with 130",
        Signals.SIGHUP: "imports now",
        Signals.SIGUSR1: "imports now",
        Signals.SIGUSR2: IGNORED,
    },
    "scan --watch": {
        Signals.SIGTERM: "ends at once; a scan under way changes nothing",
        Signals.SIGINT: "ends at once; a scan under way changes nothing",
        Signals.SIGHUP: "scans all now",
        Signals.SIGUSR1: "scans all now",
        Signals.SIGUSR2: IGNORED,
    },
    "stats collect --watch": {
        Signals.SIGTERM: "ends at once; files that are not in the database wait",
        Signals.SIGINT: "ends at once; files that are not in the database wait",
        Signals.SIGHUP: "collects now",
        Signals.SIGUSR1: "collects now",
        Signals.SIGUSR2: IGNORED,
    },
    "stats serve": {
        Signals.SIGTERM: "ends at once",
        Signals.SIGINT: "ends at once",
        Signals.SIGHUP: IGNORED,
        Signals.SIGUSR1: IGNORED,
        Signals.SIGUSR2: IGNORED,
    },
}
"""The effect of each signal, by process."""


def hold() -> None:
    """Hold back the signals in HELD until this process can obey them, or says it ignores them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, HELD)


def release() -> None:
    """Take the signals that were held back."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)


def explained(process: str, number: int) -> str:
    """Return the line that a process says at a signal without a meaning for it."""
    known = [
        f"{one.name} {what}"
        for one, what in MEANINGS[process].items()
        if not what.startswith("ignored") and one is not Signals.SIGINT
    ]
    others = "; ".join(known) if known else "signal the server itself"
    return f"{Signals(number).name} means nothing to this process ({process}): {others}"


class Flag:
    """An event that a signal handler may set, however many signals come at once.

    `threading.Event` takes a lock. A handler runs in the main thread, so it would wait for ever if
    the signal came while that thread held the lock.
    """

    def __init__(self) -> None:
        """Begin unset."""
        self._is_set = False

    def set(self) -> None:
        """Set it; takes no lock."""
        self._is_set = True

    def clear(self) -> None:
        """Unset it."""
        self._is_set = False

    def is_set(self) -> bool:
        """Return whether it is set."""
        return self._is_set

    def wait(self, seconds: float) -> None:
        """Return once it is set, at most 50 ms later, or after this many seconds."""
        deadline = time.monotonic() + seconds
        while not self._is_set and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(_LOOK_SECONDS, left))


class Handler:
    """A handler of signals that does something at each, one after the other.

    Python begins a handler within another one, so a flood of signals would fill its stack. Signals
    that come while one is obeyed are obeyed after it: equal ones once, as the kernel does too.
    """

    def __init__(self, do: Callable[[Signals], object]) -> None:
        """Take what to do."""
        self._do = do
        self._waiting: set[int] = set()
        self._is_busy = False

    def __call__(self, number: int, frame: object) -> None:
        """Obey a signal, or leave that to the call that is under way."""
        self._waiting.add(number)
        # Once more after the end: a signal may have come between the last look and the end.
        while self._waiting and not self._is_busy:
            self._is_busy = True
            try:
                while self._waiting:
                    self._do(Signals(self._waiting.pop()))
            finally:
                self._is_busy = False


def pass_over(process: str, numbers: Iterable[Signals], say: Say) -> None:
    """Answer each of these signals with a line, and go on."""
    said = safely(say)
    handler = Handler(lambda number: said(explained(process, number)))
    for number in numbers:
        signal.signal(number, handler)


def do_now(process: str, do: Callable[[str], object], say: Say) -> None:
    """Call `do` with the signal's name at each SIGHUP and SIGUSR1, and pass over SIGUSR2."""
    handler = Handler(lambda number: do(number.name))
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, handler)
    pass_over(process, [signal.SIGUSR2], say)
    release()
