"""Handles signals during the first moment of a command, before it has loaded its modules.

For a command that keeps running, importing this module blocks SIGHUP, SIGUSR1 and SIGUSR2; the
command unblocks them once it can handle them. SIGUSR1 ends no command, also not in its last moment:
many programs take it for "open the log again", so scripts send it around. Ctrl-C ends any command
at once, without a message, until `begun()` is called. SIGTERM ends a server or a watch that has not
begun at once, with 0, and any other command that is the first process of a container with 143.
"""

import atexit
import os
import signal
import sys

_INTERRUPTED = 130
# What a shell says of a process that SIGTERM ended.
_TERMINATED = 128 + signal.SIGTERM


def _terminate(*_: object) -> None:
    os._exit(_TERMINATED)


def _end_at_once(*_: object) -> None:
    os._exit(_INTERRUPTED)


def _not_begun(*_: object) -> None:
    os._exit(0)


def _ignore_held() -> None:
    # When Python ends, signals that have a handler end the process again; ignored ones do not.
    for number in HELD:
        signal.signal(number, signal.SIG_IGN)


# os._exit is safe here, because nothing has begun that needs undoing; an exception would be printed
# as a traceback. A program that only imports this module keeps its handler, and an ignored SIGINT
# stays ignored (as under nohup).
_program = os.path.basename(sys.argv[0])
_is_program = _program in ("mirrorlist", "mirrorlist-server", "generate-mirrorlist-cache", "-m")
if _is_program and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end_at_once)

if _is_program and os.getpid() == 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
    # The kernel does not end the first process of a container by a signal that it does not handle:
    # `podman stop` would wait in vain while a command loads.
    signal.signal(signal.SIGTERM, _terminate)

if _is_program:
    # Unlike an ignored signal, a handler is not inherited by programs that a command starts.
    signal.signal(signal.SIGUSR1, lambda number, frame: None)
    atexit.register(_ignore_held)

from mirrorlist.cli.missing import say_missing  # noqa: E402
from mirrorlist.process.signals import HELD, hold  # noqa: E402

if _is_program:
    # For what is imported before `guarded` takes care of errors.
    sys.excepthook = say_missing

_STAYING = ("serve", "demo", "run", "watch", "import-cache", "stats collect", "stats serve")
# An import of a cache that is cut short has failed, unless it is a watch, which says so itself.
_SERVING = ("serve", "demo", "run", "watch")


def begun() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again, because from now on there is work to undo."""
    sys.excepthook = sys.__excepthook__
    if signal.getsignal(signal.SIGINT) is _end_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_command = _program if _program == "mirrorlist-server" else "".join(sys.argv[1:2])
_stays = {_command, " ".join(sys.argv[1:3])} & {"mirrorlist-server", *_STAYING}
if _stays or (_command == "scan" and "--watch" in sys.argv):
    hold()
if _is_program and _command in ("mirrorlist-server", *_SERVING):
    # systemd counts 143 as a failure, but nothing failed.
    signal.signal(signal.SIGTERM, _not_begun)
