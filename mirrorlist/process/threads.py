"""Threads that run until the process ends: an error in them is printed, counted and survived.

The system may refuse a thread for a while (a limit of processes, no memory): then it is begun
later, and everything else goes on meanwhile.
"""

import threading
import time
from collections.abc import Callable

from mirrorlist.process.messages import Say, print_trouble, safely

PAUSE_SECONDS = 1.0
# An error that comes again each second is printed once in this time.
_SILENT_SECONDS = 60.0

Body = Callable[[], object]


class Steady:
    """Does a step again and again, even if it raises."""

    def __init__(self, step: Body, pause: float = PAUSE_SECONDS) -> None:
        """Take the step, and the seconds to pause after an error; `survived` counts errors."""
        self.survived = 0
        self._step, self._pause = step, pause
        self._last = ""
        self._silent_until = 0.0

    def run(self) -> None:
        """Go on for ever, or until the step returns True."""
        while self.once() is not True:
            pass

    def once(self) -> object:
        """Do the step once; returns None after an error."""
        try:
            return self._step()
        # A panic in a Rust library is a BaseException but not an Exception. SystemExit is caught
        # as well, because only the main thread may end the process.
        except BaseException as error:
            self.survived += 1
            self._tell(repr(error))
            time.sleep(self._pause)
            return None

    def _tell(self, what: str) -> None:
        now = time.monotonic()
        if what != self._last or now >= self._silent_until:
            self._last, self._silent_until = what, now + _SILENT_SECONDS
            print_trouble()


class Threads:
    """The threads of a process; threads that the system refuses are begun later."""

    def __init__(self, say: Say, refused: Callable[[], object] = lambda: None) -> None:
        """Take `say`, for one message when refusals begin, and `refused`, which counts each one."""
        self._say, self._refused = safely(say), refused
        self._waiting: list[tuple[str, Body]] = []
        self._steady: list[Steady] = []
        self._told = False

    @property
    def survived(self) -> int:
        """How many errors the threads of `go_on` have survived."""
        return sum(one.survived for one in self._steady)

    def go_on(self, name: str, step: Body) -> None:
        """Begin a thread that does a step for ever, even if it raises."""
        steady = Steady(step)
        self._steady.append(steady)
        self.start(name, steady.run)

    def start(self, name: str, body: Body) -> None:
        """Begin a thread that ends with the process: now, or in a later call of `again`."""
        self._waiting.append((name, body))
        self.again()

    def again(self) -> bool:
        """Begin the threads that wait, and return whether all run; to be called at intervals."""
        while self._waiting:
            name, body = self._waiting[0]
            try:
                threading.Thread(target=body, name=name, daemon=True).start()
            except (RuntimeError, MemoryError, OSError) as error:
                self._refuse(name, error)
                return False
            self._waiting.pop(0)
        if self._told:
            self._told = False
            self._say("all threads run now")
        return True

    def _refuse(self, name: str, error: Exception) -> None:
        self._refused()
        if not self._told:
            self._told = True
            self._say(f"warning: the thread '{name}' cannot be started: {error}; trying again")
