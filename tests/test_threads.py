"""Threads that nothing ends, and those that the system refuses for a while."""

import resource
import subprocess
import sys
import threading

import pytest

from mirrorlist.process.threads import Steady, Threads
from tests.live import ROOT


class PanicOfALibrary(BaseException):
    """As a library in Rust raises it: no Exception."""


@pytest.mark.parametrize("error", [OSError, MemoryError, PanicOfALibrary], ids=lambda e: e.__name__)
def test_goes_on(error: type[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a step raises is printed once and counted, and the next step comes."""
    left = [1, 2, 3]

    def step() -> bool:
        if left:
            left.pop()
            raise error("why")
        return True

    steady = Steady(step, pause=0)
    steady.run()
    assert steady.survived == 3
    assert capsys.readouterr().err.count(f"{error.__name__}: why") == 1


def test_threads_count() -> None:
    """What its threads survive, a process can tell."""
    threads, end = Threads(print), threading.Event()

    def step() -> bool:
        if not threads.survived:
            raise ValueError
        end.set()
        return True

    threads.go_on("one", step)
    assert end.wait(10)
    assert threads.survived == 1


REFUSED = """
import os, resource, threading
from mirrorlist.process.threads import Threads
if os.getuid() == 0:
    os.setresuid(64977, 64977, 64977)
hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
resource.setrlimit(resource.RLIMIT_NPROC, (1, hard))
refused, done, said = [], threading.Event(), []
threads = Threads(said.append, lambda: refused.append(1))
threads.start("one", done.set)
assert not threads.again()
resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
assert threads.again() and done.wait(10)
assert len(refused) == 2, refused
assert len(said) == 2 and "'one' cannot be started" in said[0], said
"""


@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NPROC)[1] in (0, 1), reason="no limit to be lowered"
)
def test_a_refused_thread() -> None:
    """A thread that the system refuses is begun when it can, and both are said once."""
    done = subprocess.run([sys.executable, "-c", REFUSED], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
