"""A signal ends a command wherever it is."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import run_program
from tests.factories import make_database, world

# Raises the signal while an object is being cleared away, then waits for ever.
DROPPED = """
import signal, threading, weakref
from mirrorlist.cli.ending import end_on
class Thing: pass
end_on([signal.SIGTERM], 7)
thing = Thing()
kept = weakref.ref(thing, lambda ref: signal.raise_signal(signal.SIGTERM))
try:
    del thing
    threading.Event().wait()
finally:
    print("undone")
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(DROPPED, id="while clearing away"),
        pytest.param(DROPPED.replace("del thing", "signal.raise_signal(15)"), id="anywhere else"),
    ],
)
def test_a_signal(program: str) -> None:
    """The exit code is the one that was asked for, what was begun is undone, nothing is said."""
    done = run_program(program)
    assert (done.returncode, done.stdout, done.stderr) == (7, "undone\n", "")


INTERRUPTED = """
import os, signal, sys
# A shell starts what it runs in the background with SIGINT ignored, which is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = [{program!r}, "inspect"]
import {early}
signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.parametrize("program", ["/usr/bin/mirrorlist", "-m"])
def test_ctrl_c_while_it_loads(program: str) -> None:
    """Before a command has begun, Ctrl-C ends it without a traceback, and with its code."""
    text = INTERRUPTED.format(program=program, early="mirrorlist.cli.begin")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_ctrl_c_of_somebody_else() -> None:
    """A program that only imports the command keeps its own Ctrl-C, and so does a command."""
    text = INTERRUPTED.format(program="pytest", early="mirrorlist.cli.begin")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, timeout=20)
    assert b"KeyboardInterrupt" in done.stderr
    begun = text.replace("'pytest'", "'mirrorlist'").replace(
        "signal.raise", "mirrorlist.cli.begin.begun(); signal.raise"
    )
    done = subprocess.run([sys.executable, "-c", begun], capture_output=True, timeout=20)
    assert b"KeyboardInterrupt" in done.stderr


def test_other_dropped_exceptions_are_still_told() -> None:
    """What else goes wrong while an object is cleared away is told as ever."""
    program = DROPPED.replace("signal.raise_signal(signal.SIGTERM)", "1 / 0").replace(
        "threading.Event().wait()", "signal.raise_signal(15)"
    )
    done = run_program(program)
    assert "ZeroDivisionError" in done.stderr
    assert done.returncode == 7


NO_DESCRIPTORS = """
import resource, sys
from mirrorlist.cli import main
sys.argv = ["mirrorlist", "watch", "--database", "sqlite:///x", "--output", "x"]
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
main()
"""


def test_no_file_can_be_opened() -> None:
    """Where nothing can be opened, not even a module, one line says so."""
    command = [sys.executable, "-c", NO_DESCRIPTORS]
    done = subprocess.run(command, capture_output=True, timeout=20, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("mirrorlist: error: ")
    assert done.stderr.endswith(": Too many open files\n")
    assert done.stderr.count("\n") == 1


TOLD_TO_REOPEN = """
import os, signal, sys
import mirrorlist.cli.begin
def told(event, arguments):
    if event == "sqlite3.connect":
        os.kill(os.getpid(), signal.SIGUSR1)
        print("told")
sys.addaudithook(told)
from mirrorlist.cli import main
main()
"""


def test_sigusr1_during_an_export(tmp_path: Path) -> None:
    """An export that gets SIGUSR1 goes on, and publishes its snapshot."""
    database, snapshot = make_database(tmp_path / "mm.sqlite", world()), tmp_path / "mm.snap"
    words = ["export", "--database", database, "--output", str(snapshot)]
    text = f"import sys; sys.argv = ['mirrorlist', *{words!r}]\n{TOLD_TO_REOPEN}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, timeout=20)
    assert (done.returncode, done.stdout[:5]) == (0, b"told\n"), done.stderr
    assert snapshot.exists()
