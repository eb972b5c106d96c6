"""Makes signals end a command by an exception, so that the command's clean-up code runs."""

import signal
import sys
from collections.abc import Iterable

_AGAIN_SECONDS = 0.01


def end_on(signals: Iterable[signal.Signals], code: int) -> None:
    """End with an exit code on these signals, by a SystemExit in the main thread.

    Python discards an exception that is raised inside `__del__` or a weakref's callback; in that
    case SystemExit is raised again 10 ms later.
    """

    def end(*_: object) -> None:
        sys.exit(code)

    others = sys.unraisablehook

    def dropped(what: "sys.UnraisableHookArgs") -> None:
        if isinstance(what.exc_value, SystemExit):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
        else:
            others(what)

    sys.unraisablehook = dropped
    for number in (*signals, signal.SIGALRM):
        signal.signal(number, end)
