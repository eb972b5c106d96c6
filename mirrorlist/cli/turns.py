"""The rests between the turns of a command that does the same again and again, and what ends them.

SIGHUP and SIGUSR1 end a rest; systemd is told that the process lives, and how the last turn went.
"""

import time

from mirrorlist.cli.console import say
from mirrorlist.process.manager import Manager, State
from mirrorlist.process.messages import stay
from mirrorlist.process.signals import Flag, do_now


class Turns:
    """The turns of a process that stays, known to the table of signals by its name."""

    def __init__(self, process: str, manager: Manager) -> None:
        """Obey signals from now on."""
        self._asked, self._manager = Flag(), manager
        self._ended, self._looks, self._text = 0, 0, ""
        stay()
        do_now(process, self._ask, say)
        manager.begin(self._state)

    def rest(self, seconds: float, text: str) -> None:
        """Tell how a turn went that has ended now, and wait for the next one."""
        self._ended += 1
        self._text = text
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._asked.is_set():
            self._look()
            self._asked.wait(min(left, self._manager.pause))
        self._look()
        self._asked.clear()

    def _look(self) -> None:
        self._looks += 1
        self._manager.look()

    def _ask(self, signal_name: str) -> None:
        if signal_name == "SIGHUP":
            self._manager.reloading()
        self._asked.set()

    def _state(self) -> State:
        return State(self._text, self._ended, self._looks)
