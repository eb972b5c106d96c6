"""Runs a command after each publication of a watch, such as an rsync to other servers.

One run at a time, in a thread of its own: a publication during a run is pushed by the next run,
together with all others since. A run that fails or takes too long is repeated, with pauses that
grow, until a run succeeds. A run ends with its watch, even if the watch is killed: the run of the
next watch must not find it still writing.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, cast

from msgspec import Struct

from snapshot.watch.progress import Pushes

FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 1.0, 60.0
# From SIGTERM to SIGKILL.
_END_SECONDS = 2.0
# A run's first shell runs the command in a second one, and beside it waits for the end of its own
# input: a pipe that the watch alone holds open. At the watch's end it kills all of the run. (With
# prctl(2), PR_SET_PDEATHSIG, only the shell would be ended, and not the rsync that it has started.)
# At SIGTERM the first shell waits for the command, which may have to tidy up. The part beside it
# heeds no SIGTERM, because a second signal may end the watch at once.
_RUN = """\
trap : TERM
exec 3<&0 </dev/null
{ trap '' TERM; read -r _; kill -KILL 0; } <&3 >/dev/null 2>&1 &
exec 3<&-
/bin/sh -c "$1"
code=$?
kill -KILL $!
wait
exit $code
"""


class Push(Struct, frozen=True):
    """A command for the shell, the seconds that a run of it may take, and the file to push."""

    command: str
    seconds: float
    file: Path


class Pusher:
    """Pushes what a watch publishes; `step` is for a thread that does it again and again."""

    def __init__(self, push: Push, progress: Pushes, say: Callable[[str], object]) -> None:
        """Take the counts to keep; `say` receives a line when pushes begin to fail or to work."""
        self._push, self._progress, self._say = push, progress, say
        self._changed = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None
        self._pause = FIRST_PAUSE_SECONDS
        self._told: str | None = None
        self._is_over = False

    def published(self) -> None:
        """Push the file soon, because it was published."""
        with self._changed:
            self._progress.see(time.monotonic())
            self._changed.notify_all()

    def step(self) -> bool:
        """Wait for a publication and run the command once; returns True at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._progress.backlog)
            if self._is_over:
                return True
            taken, began = self._progress.wanted, time.monotonic()
        error = self._run()
        if error is None:
            self._succeed(taken, began)
        elif not self._is_over:
            self._fail(error)
        return False

    def close(self) -> None:
        """End a run that is under way, and begin no other."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
            process = self._process
        if process is not None:
            _end(process)

    def _run(self) -> str | None:
        """Run the command; returns None, or how it failed."""
        try:
            with self._changed:
                if self._is_over:
                    return "the watch ends"
                self._process = process = self._start()
            with cast(IO[bytes], process.stdin):
                try:
                    code = process.wait(self._push.seconds)
                except subprocess.TimeoutExpired:
                    _end(process)
                    return f"it took longer than {self._push.seconds:g} s"
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        finally:
            self._process = None
        return _ending(code) if code else None

    def _start(self) -> subprocess.Popen[bytes]:
        # Its output goes where the watch's messages go. A session of its own, so that all of its
        # processes can be ended together.
        return subprocess.Popen(
            ["/bin/sh", "-c", _RUN, "push", self._push.command],
            env={**os.environ, "SNAPSHOT": str(self._push.file)},
            stdin=subprocess.PIPE,
            stdout=2,
            start_new_session=True,
        )

    def _succeed(self, taken: int, began: float) -> None:
        self._progress.succeed(taken, began, time.monotonic(), time.time())
        self._pause = FIRST_PAUSE_SECONDS
        if self._told is not None:
            self._say("the push works again")
        self._told = None

    def _fail(self, error: str) -> None:
        self._progress.failed += 1
        self._progress.error, self._progress.error_at = error, time.time()
        if error != self._told:
            self._told = error
            self._say(f"the push failed: {error}; trying again")
        with self._changed:
            self._changed.wait_for(lambda: self._is_over, self._pause)
        self._pause = min(2 * self._pause, LAST_PAUSE_SECONDS)


def _ending(code: int) -> str:
    return f"it ended with {code}" if code > 0 else f"it was ended by signal {-code}"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End all processes of a run."""
    for number, seconds in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, _END_SECONDS)):
        # The group may have more processes than the shell.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
