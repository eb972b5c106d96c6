"""Handles signals during the first moment of a command, before it has loaded its modules.

For a command that keeps running, importing this module blocks SIGHUP, SIGUSR1 and SIGUSR2; the
command unblocks them once it can handle them. SIGUSR1 ends no command: many programs take it for
"open the log again", so scripts send it around. Ctrl-C ends any command at once, without a message,
until `begun()` is called.
"""

import os
import signal
import sys

_INTERRUPTED = 130


def _end_at_once(*_: object) -> None:
    os._exit(_INTERRUPTED)


# os._exit is safe here, because nothing has begun that needs undoing; an exception would be printed
# as a traceback. A program that only imports this module keeps its handler, and an ignored SIGINT
# stays ignored (as under nohup).
_program = os.path.basename(sys.argv[0])
_is_program = _program in ("mirrorlist", "mirrorlist-server", "generate-mirrorlist-cache", "-m")
if _is_program and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end_at_once)

if _is_program:
    # Unlike an ignored signal, a handler is not inherited by programs that a command starts.
    signal.signal(signal.SIGUSR1, lambda number, frame: None)

from mirrorlist.process.signals import hold  # noqa: E402

_STAYING = ("serve", "demo", "watch", "import-cache")


def begun() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, because from now on there is work to undo."""
    if signal.getsignal(signal.SIGINT) is _end_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if _program == "mirrorlist-server" or (sys.argv[1:] and sys.argv[1] in _STAYING):
    hold()
