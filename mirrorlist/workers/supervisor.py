"""Forks the workers and what runs beside them, replaces those that die, and ends them in order.

It forks after everything is imported and loaded, so the workers share that memory. Then it only
waits for signals, and checks at intervals whether its workers still answer. If the system refuses a
fork or a line on standard error, it does not end, but pauses and tries again.
"""

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn

from mirrorlist.errors import StartError
from mirrorlist.process.manager import Manager
from mirrorlist.process.messages import Say, print_trouble, safely
from mirrorlist.process.parent import at_parents_end
from mirrorlist.process.sharing import share_all
from mirrorlist.process.signals import PASSED_ON, STOP, UNKNOWN, explained, pass_over
from mirrorlist.workers.server import GRACEFUL_SECONDS

_HANDLED = {*STOP, *PASSED_ON, *UNKNOWN, signal.SIGCHLD}
# Without a pause a worker that dies at once would be forked thousands of times a second.
_SHORT_LIFE_SECONDS = 1.0
_PAUSE_SECONDS = 0.5
_KILL_AFTER_SECONDS = GRACEFUL_SECONDS + 5
# After a second signal: enough to write the request log, not to wait for a client.
_HURRY_SECONDS = 0.5
# A process that even SIGKILL does not end hangs in the kernel, for example on a disk that is gone.
_MOST_KILLS = 2
_LAST_SECONDS = 2.0
_MOST_END_SECONDS = (1 + _MOST_KILLS) * _KILL_AFTER_SECONDS + _LAST_SECONDS
_GLANCE_SECONDS = 0.01
LOOK_SECONDS = 5.0
"""The seconds between two checks whether the workers still answer."""

Work = Callable[[int], None]
Hung = Callable[[], Iterable[int]]


class Beside(NamedTuple):
    """A process beside the workers: its name, its work, and the signals that are passed on to it.

    It has nothing to finish, so it is killed once all workers have ended.
    """

    name: str
    work: Work
    hears: frozenset[signal.Signals] = frozenset()


def hold_signals() -> None:
    """Hold back all signals that a supervisor waits for, until it does.

    To be called before anybody can know that the server is there: otherwise a signal at once would
    end this process as if it had not begun.
    """
    # The parent process may ignore SIGCHLD, and a child inherits that: then this process would
    # not learn of a worker's end.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)


class Drain(NamedTuple):
    """For how many seconds a server still answers after SIGTERM, and what tells that it does."""

    seconds: float = 0
    begin: Callable[[], object] = lambda: None


NO_DRAIN = Drain()
"""A server that ends at the first signal."""

NO_MANAGER = Manager()
"""A server that nobody asks for its state."""


class Supervisor:
    """Keeps a number of worker processes running until it is told to stop."""

    def __init__(
        self,
        work: Work,
        workers: int,
        say: Say,
        stopping: Callable[[], None] = lambda: None,
        beside: Sequence[Beside] = (),
        *,
        refused: Callable[[], object] = lambda: None,
        hung: Hung = tuple,
        ends: frozenset[signal.Signals] = STOP,
        over: Callable[[], bool] = lambda: False,
        drain: Drain = NO_DRAIN,
        manager: Manager = NO_MANAGER,
    ) -> None:
        """Take the work of a worker, which is called with the lifeline's reading end.

        `stopping` is called first when the end begins, and closes the sockets on which clients
        would wait. `beside` are other processes that are replaced like workers. `refused` counts
        forks that the system refused. `ends` are the signals that end the server. Two functions are
        asked every few seconds: `hung` for workers that have not answered for too long, and `over`
        whether to end without a signal. `drain` comes between SIGTERM and the end. `manager` is
        told by this process alone, never by a worker.
        """
        self._work = work
        self._beside = beside
        self._workers = workers
        self._stopping = stopping
        self._say = safely(say)
        self._refused, self._hung, self._ends, self._over = refused, hung, ends, over
        self._drain, self._manager = drain, manager
        self._is_refused = False
        self._born: dict[int, float] = {}
        self._born_beside: dict[int, tuple[Beside, float]] = {}
        try:
            self._lifeline = os.pipe()
        except OSError as error:
            raise StartError(f"no pipe to the workers can be made: {error.strerror}") from error

    def run(self) -> None:
        """Fork, then wait until SIGTERM or SIGINT; returns when every worker has ended.

        After SIGTERM it first drains; SIGINT is the Ctrl-C of a person, who waits for the end.
        SIGUSR2 and SIGHUP go to each worker, where they are blocked at first.
        """
        share_all()
        # Before the first fork: a signal in between would be lost, or end this process.
        hold_signals()
        self._fill()
        is_cut_short = self._go_on() == signal.SIGTERM and self._drains()
        self._stop(_HURRY_SECONDS if is_cut_short else _KILL_AFTER_SECONDS)

    def _go_on(self, until: float = math.inf) -> int:
        """Return the signal that ends this, or 0 if it ends without one, such as by its time."""
        while time.monotonic() < until:
            number = self._wait(until)
            if number in self._ends or self._over():
                return number
            if number in UNKNOWN:
                self._say(explained("serve", number))
            elif number in PASSED_ON:
                if number == signal.SIGHUP:
                    self._manager.reloading()
                self._signal(signal.Signals(number))
            self._replace()
            self._end_hung()
            self._manager.look()
        return 0

    def _drains(self) -> bool:
        """Go on for the seconds of the drain; returns whether another signal has ended them."""
        if not self._drain.seconds:
            return False
        self._drain.begin()
        text = f"draining for {self._drain.seconds:g} s: /health/ready answers 503 from now on"
        self._manager.stopping(text, self._drain.seconds + _MOST_END_SECONDS)
        self._say(text)
        return bool(self._go_on(time.monotonic() + self._drain.seconds))

    def _wait(self, until: float) -> int:
        # A missing worker is forked after the pause, if no signal comes before.
        complete = len(self._born) == self._workers and not self._missing()
        pause = min(LOOK_SECONDS if complete else _PAUSE_SECONDS, self._manager.pause)
        seconds = min(pause, until - time.monotonic())
        arrived = signal.sigtimedwait(_HANDLED, max(0.0, seconds))
        return arrived.si_signo if arrived else 0

    def _missing(self) -> list[Beside]:
        there = [one for one, _ in self._born_beside.values()]
        return [one for one in self._beside if one not in there]

    def _fill(self) -> None:
        missing = [None] * (self._workers - len(self._born)) + self._missing()
        for one in missing:
            if not self._begin(one):
                return
        if missing and self._is_refused:
            self._is_refused = False
            self._say("all processes run now")

    def _begin(self, one: Beside | None) -> bool:
        """Fork a process beside the workers, or a worker; return whether the system allowed it."""
        process = self._fork(one.work if one else self._work)
        if process and one:
            self._born_beside[process] = one, time.monotonic()
        elif process:
            self._born[process] = time.monotonic()
        return process > 0

    def _fork(self, work: Work) -> int:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        try:
            process = os.fork()
        except OSError as error:
            self._refuse(error)
            return 0
        if not process:
            self._become(work)
        return process

    def _refuse(self, error: OSError) -> None:
        self._refused()
        if not self._is_refused:
            self._is_refused = True
            self._say(
                f"warning: a process cannot be started: {error.strerror}; trying again every"
                f" {_PAUSE_SECONDS:g} s; {len(self._born)} of {self._workers} workers run"
            )

    def _become(self, work: Work) -> NoReturn:
        status = 1
        try:
            # A stopped one reads no lifeline.
            at_parents_end(signal.SIGCONT)
            os.close(self._lifeline[1])
            for stop in STOP:
                signal.signal(stop, signal.SIG_DFL)
            pass_over("worker", UNKNOWN, self._say)
            # The signals that are passed on stay blocked until the worker has handlers for them.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED - PASSED_ON)
            work(self._lifeline[0])
            status = 0
        except BaseException:
            print_trouble()
        finally:
            # Never return: above here is a copy of the parent's code.
            os._exit(status)

    def _replace(self) -> None:
        ended = self._reap()
        for name, _ in ended:
            self._say(f"{name} ended unexpectedly; starting another")
        if not any(lived < _SHORT_LIFE_SECONDS for _, lived in ended):
            self._fill()

    def _end_hung(self) -> None:
        for process in self._born.keys() & set(self._hung()):
            self._say(f"worker {process} does not answer any more; it is killed")
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)

    def _reap(self) -> list[tuple[str, float]]:
        ended = []
        while self._born or self._born_beside:
            process = self._one_that_ended()
            if not process:
                break
            now = time.monotonic()
            if process in self._born:
                ended.append((f"worker {process}", now - self._born.pop(process)))
            elif process in self._born_beside:
                one, born = self._born_beside.pop(process)
                ended.append((f"{one.name} {process}", now - born))
        return ended

    def _one_that_ended(self) -> int:
        """Return a child that has ended, or 0."""
        try:
            return os.waitpid(-1, os.WNOHANG)[0]
        except ChildProcessError:
            # There is no child at all: other code has waited for them.
            return next(iter([*self._born, *self._born_beside]))

    def _stop(self, seconds: float) -> None:
        self._manager.stopping("ending, after the answers under way", _MOST_END_SECONDS)
        self._stopping()
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        self._reap()
        kills = 0
        while self._born and kills <= _MOST_KILLS:
            left = deadline - time.monotonic()
            # A second signal, or the time is over: workers that wait for a slow client are killed.
            arrived = signal.sigtimedwait(_HANDLED, max(0.0, left))
            if arrived is None or arrived.si_signo in self._ends:
                kills += arrived is None
                self._signal(signal.SIGKILL)
                deadline = time.monotonic() + _KILL_AFTER_SECONDS
            self._reap()
        if self._born:
            names = ", ".join(map(str, self._born))
            self._say(f"warning: these workers did not end even after SIGKILL: {names}")
        self._stop_beside()

    def _stop_beside(self) -> None:
        deadline = time.monotonic() + _LAST_SECONDS
        # They have nothing to finish. They have not been waited for yet, so the kernel has not
        # given their ids to other processes.
        for process in self._born_beside:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        while self._born_beside and time.monotonic() < deadline:
            self._reap()
            time.sleep(_GLANCE_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        hearing = [
            process for process, (one, _) in self._born_beside.items() if number in one.hears
        ]
        for process in (*self._born, *hearing):
            with suppress(OSError):
                os.kill(process, number)
