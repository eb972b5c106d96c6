"""What signals do to a command: they end it as an exception, so that what it began is undone."""

import signal
import sys
from collections.abc import Iterable

_AGAIN_SECONDS = 0.01


def end_on(signals: Iterable[signal.Signals], code: int) -> None:
    """End with an exit code on these signals, by a SystemExit in the main thread.

    Python drops an exception that is raised while an object is being cleared away. Then it is
    raised again, a moment later.
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
