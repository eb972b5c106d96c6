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
Work = Callable[[int], None]


class Supervisor:
    """Keeps a number of worker processes running until it is told to stop."""

    def __init__(
        self,
        work: Work,
        workers: int,
        say: Say,
        stopping: Callable[[], None] = lambda: None,
        beside: Work | None = None,
    ) -> None:
        """Take what a worker does, given the lifeline's reading end; `stopping` is called first
        when the end begins, so that this process holds no socket on which clients would wait.

        `beside`: what one more process does, which is no worker, and is killed when all of these
        have ended.
        """
        self._work = work
        self._beside = beside
        self._workers = workers
        self._stopping = stopping
        self._say = say
        self._born: dict[int, float] = {}
        self._born_beside: dict[int, float] = {}
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
        self._fill()
        while (number := self._wait()) not in _STOP:
            if number in _PASSED_ON:
                self._signal(signal.Signals(number))
            self._replace()
        self._stop()

    def _wait(self) -> int:
        # A missing worker is forked after the pause, if no signal comes before.
        if len(self._born) == self._workers and len(self._born_beside) == bool(self._beside):
            return signal.sigwait(_HANDLED)
        arrived = signal.sigtimedwait(_HANDLED, _PAUSE_SECONDS)
        return arrived.si_signo if arrived else 0

    def _fill(self) -> None:
        while len(self._born) < self._workers:
            self._fork(self._work, self._born)
        if self._beside and not self._born_beside:
            self._fork(self._beside, self._born_beside)

    def _fork(self, work: Work, born: dict[int, float]) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        process = os.fork()
        if process:
            born[process] = time.monotonic()
            return
        status = 1
        try:
            os.close(self._lifeline[1])
            for stop in _STOP:
                signal.signal(stop, signal.SIG_DFL)
            # What is passed on stays blocked until the worker can handle it.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED - _PASSED_ON)
            work(self._lifeline[0])
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            # Never back into the parent's code: this is a copy of it.
            os._exit(status)

    def _replace(self) -> None:
        ended = self._reap()
        for name, _ in ended:
            self._say(f"{name} ended unexpectedly; starting another")
        if not any(lived < _SHORT_LIFE_SECONDS for _, lived in ended):
            self._fill()

    def _reap(self) -> list[tuple[str, float]]:
        ended = []
        while self._born or self._born_beside:
            process, _ = os.waitpid(-1, os.WNOHANG)
            if not process:
                break
            for kind, born in (("worker", self._born), ("admin process", self._born_beside)):
                if process in born:
                    ended.append((f"{kind} {process}", time.monotonic() - born.pop(process)))
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
        for process in self._born_beside:
            # It has nothing to finish, and has not been waited for yet, so the number is its own.
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._born:
            with suppress(ProcessLookupError):
                os.kill(process, number)
