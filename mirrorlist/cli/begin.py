"""The first moment of a command that stays, before what it needs is loaded.

Importing this holds back the signals that would end it; it takes them once it can obey. Ctrl-C
ends any command at once until then, without a word.
"""

import os
import signal
import sys

_INTERRUPTED = 130


def _end_at_once(*_: object) -> None:
    os._exit(_INTERRUPTED)


# Nothing is begun yet, so nothing is undone: an exception would end as a traceback here. Who
# imports us is not ended so, and who started us may have it ignored.
_is_program = os.path.basename(sys.argv[0]) in ("mirrorlist", "-m")
if _is_program and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end_at_once)

from mirrorlist.process.signals import hold  # noqa: E402

_STAYING = ("serve", "demo", "watch", "import-cache")


def begun() -> None:
    """Let Ctrl-C be an exception again, now that what it ends can be undone."""
    if signal.getsignal(signal.SIGINT) is _end_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if sys.argv[1:] and sys.argv[1] in _STAYING:
    hold()
