"""What a process that stays says of itself to the program that started it; here, nothing.

`systemd` has the other implementation, for a process that systemd has asked to say it.
"""

import math
from collections.abc import Callable
from typing import NamedTuple


class State(NamedTuple):
    """What a process says of itself at a look.

    `done` is 0 until the process does its work, and another number once a reload is over. `turns`
    is another number whenever something that matters has turned since the last look.
    """

    text: str
    done: int
    turns: int


class Manager:
    """A program that manages processes, and that wants to hear nothing."""

    @property
    def pause(self) -> float:
        """The seconds until the next look, at most."""
        return math.inf

    def starting(self, text: str, seconds: float) -> None:
        """Tell what the start waits for, and for how many seconds at most."""

    def begin(self, state: Callable[[], State]) -> None:
        """Take what returns the state of this process."""

    def look(self) -> None:
        """Tell the state, if it is time for that; never waits for long and never raises."""

    def reloading(self) -> None:
        """Tell that this process was asked to look for something new. May be called by signals."""

    def stopping(self, text: str, seconds: float = 0) -> None:
        """Tell that the end has begun, and within how many seconds it will come."""

    def close(self) -> None:
        """Tell that the end has begun, for `contextlib.closing`."""
        self.stopping("ending")
