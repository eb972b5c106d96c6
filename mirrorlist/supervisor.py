"""Forks the workers, replaces those that die, and ends them in order.

Forked after everything is imported and loaded, so the workers share those pages; the parent
only waits for signals.
"""

import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from mirrorlist.server import GRACEFUL_SECONDS

_STOP = {signal.SIGTERM, signal.SIGINT}
# Each worker opens its log anew, or looks at its files.
_PASSED_ON = {signal.SIGUSR2, signal.SIGHUP}
_HANDLED = {*_STOP, *_PASSED_ON, signal.SIGCHLD}
# A worker that dies at once would be forked thousands of times a second.
_SHORT_LIFE_SECONDS = 1.0
_PAUSE_SECONDS = 0.5
_KILL_AFTER_SECONDS = GRACEFUL_SECONDS + 5

Say = Callable[[str], None]


class Supervisor:
    """Keeps a number of worker processes running until it is told to stop."""

    def __init__(
        self,
        work: Callable[[int, int], None],
        workers: int,
        say: Say,
        stopping: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what a worker does, given the lifeline's reading end and its number from 0.

        `stopping` is called first when the end begins, so that this process holds no socket on
        which clients would wait.
        """
        self._work = work
        self._workers = workers
        self._stopping = stopping
        self._say = say
        self._born: dict[int, float] = {}
        self._numbers: dict[int, int] = {}
        self._lifeline = os.pipe()

    def run(self) -> None:
        """Fork, then wait until SIGTERM or SIGINT; returns when every worker has ended.

        SIGUSR2 and SIGHUP go to each worker, where they are blocked at first.
        """
        gc.collect()
        # What is loaded now lives for ever: the collector must not touch (so copy) its pages.
        gc.freeze()
        # Whoever started us may ignore it, and then no end of a worker would be told.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # Blocked before the first fork, or a signal in between would be lost or end us at once.
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        for _ in range(self._workers):
            self._fork()
        while (number := self._wait()) not in _STOP:
            if number in _PASSED_ON:
                self._signal(signal.Signals(number))
            self._replace()
        self._stop()

    def _wait(self) -> int:
        # A missing worker is forked after the pause, if no signal comes before.
        if len(self._born) == self._workers:
            return signal.sigwait(_HANDLED)
        arrived = signal.sigtimedwait(_HANDLED, _PAUSE_SECONDS)
        return arrived.si_signo if arrived else 0

    def _fork(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        number = next(free for free in count() if free not in self._numbers.values())
        process = os.fork()
        if process:
            self._born[process], self._numbers[process] = time.monotonic(), number
            return
        status = 1
        try:
            os.close(self._lifeline[1])
            for stop in _STOP:
                signal.signal(stop, signal.SIG_DFL)
            # What is passed on stays blocked until the worker can handle it.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED - _PASSED_ON)
            self._work(self._lifeline[0], number)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            # Never back into the parent's code: this is a copy of it.
            os._exit(status)

    def _replace(self) -> None:
        ended = self._reap()
        for process, _ in ended:
            self._say(f"worker {process} ended unexpectedly; starting another")
        if any(lived < _SHORT_LIFE_SECONDS for _, lived in ended):
            return
        while len(self._born) < self._workers:
            self._fork()

    def _reap(self) -> list[tuple[int, float]]:
        ended = []
        while self._born:
            process, _ = os.waitpid(-1, os.WNOHANG)
            if not process:
                break
            self._numbers.pop(process, None)
            if process in self._born:
                ended.append((process, time.monotonic() - self._born.pop(process)))
        return ended

    def _stop(self) -> None:
        self._stopping()
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + _KILL_AFTER_SECONDS
        self._reap()
        while self._born:
            left = deadline - time.monotonic()
            # A second signal, or time over: those who still wait for a slow client go now.
            arrived = signal.sigtimedwait(_HANDLED, max(0.0, left))
            if arrived is None or arrived.si_signo in _STOP:
                self._signal(signal.SIGKILL)
                deadline = time.monotonic() + _KILL_AFTER_SECONDS
            self._reap()

    def _signal(self, number: signal.Signals) -> None:
        for process in self._born:
            with suppress(ProcessLookupError):
                os.kill(process, number)
