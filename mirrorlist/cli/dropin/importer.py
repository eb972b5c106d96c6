"""The process beside the server that makes its snapshot of the cache file, again and again.

The supervisor must not have threads, because it forks; and a worker must not load what makes
snapshots. So this is a process of its own. It is forked before the server begins, and replaced if
it dies. It ends with its parent.
"""

import ctypes
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from msgspec.structs import replace

from mirrorlist import __version__
from mirrorlist.cli.console import say
from mirrorlist.cli.failure import guarded
from mirrorlist.cli.import_cache import load_importer
from mirrorlist.cli.job_options import JobOptions
from mirrorlist.errors import StartError
from mirrorlist.process.messages import print_trouble
from mirrorlist.process.signals import HELD, STOP
from snapshot.file.changes import changes
from snapshot.file.errors import BackendError
from snapshot.file.wholefile import open_regular

if TYPE_CHECKING:
    from snapshot.export.job import Job

_PAUSE_SECONDS = 5.0
# Linux only: prctl(2) with this option asks for a signal at the parent's end.
_PR_SET_PDEATHSIG = 1
_READY = b"\n"


class Importer:
    """Keeps a snapshot equal to a cache file and the data files beside it."""

    def __init__(self, cache: Path, options: JobOptions) -> None:
        """Take the cache file, and the options with the snapshot and the other files."""
        self._cache, self._options = cache, options
        self._process = 0
        self._born = 0.0
        self.listeners: Sequence[socket.socket] = ()

    def begin(self) -> int:
        """Fork the process; returns the reading end of a pipe for `wait`."""
        # The parent process may ignore SIGCHLD: then the end of this one could not be learnt.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._born = time.monotonic()
        reading, writing = os.pipe()
        try:
            self._process = os.fork()
        except OSError as error:
            os.close(reading)
            os.close(writing)
            raise StartError(
                f"the process that imports the cache cannot be started: {error.strerror}"
            ) from error
        if not self._process:
            os.close(reading)
            _become(self, writing)
        os.close(writing)
        return reading

    def wait(self, reading: int) -> bool:
        """Return whether the snapshot is there, as soon as that is known."""
        with os.fdopen(reading, "rb", 0) as told:
            if told.read(1) == _READY:
                return True
        code = os.waitstatus_to_exitcode(os.waitpid(self._process, 0)[1])
        self._process = 0
        if code < 0:
            # It could not say anything itself: the system had no memory left, for example.
            say(f"error: the import of {self._cache} was ended by {signal.Signals(-code).name}")
        return False

    def look_after(self) -> bool:
        """Start another process if it has died; to be called at intervals. Returns False."""
        if self._has_ended() and time.monotonic() - self._born >= _PAUSE_SECONDS:
            say("the process that imports the cache ended unexpectedly; starting another")
            with suppress(OSError, StartError):
                os.close(self.begin())
        return False

    def end(self) -> None:
        """End the process."""
        if self._has_ended():
            return
        with suppress(OSError):
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)

    def run(self, writing: int) -> None:
        """Import now and after each change, for ever; raises the error of the first import."""
        job = self._options.job()
        keeper = _Keeper(self._cache, job)
        seen = changes([self._cache, *job.data_files])
        next(seen)
        keeper.take_first()
        with suppress(OSError):
            os.write(writing, _READY)
        os.close(writing)
        _give_back()
        for _ in seen:
            keeper.take()
            _give_back()

    def _has_ended(self) -> bool:
        # Its number is forgotten at its end, because another process may get it.
        if self._process:
            try:
                ended = os.waitpid(self._process, os.WNOHANG)[0] != 0
            except ChildProcessError:
                # The supervisor has waited for it.
                ended = True
            if ended:
                self._process = 0
        return not self._process


class _Keeper:
    """Makes the snapshot, unless it is already made of files with the same content."""

    def __init__(self, cache: Path, job: "Job") -> None:
        self._cache, self._job = cache, job
        self._record = job.output.with_suffix(".made")

    def take_first(self) -> None:
        # Imported here: a worker must never load the modules that make snapshots.
        from snapshot.export.asn_ahead import AsnFileAhead

        asn = AsnFileAhead(self._job.data_files[0])
        self._job = replace(self._job, asn=asn)
        # As after a restart of mirrorlist-server, each cache that can be read is taken.
        self._make(replace(self._job, max_loss=None, foreign=True), asn.begin)

    def take(self) -> None:
        try:
            self._make(self._job)
        except BackendError as error:
            say(f"error: {error}; what is served stays; waiting for another change")
        except Exception as error:
            print_trouble()
            say(f"error: {error!r}; what is served stays; waiting for another change")

    def _make(self, job: "Job", begin: Callable[[], None] = lambda: None) -> None:
        sources = self._digest([self._cache, *job.data_files])
        if sources and self._recorded() == [sources, self._digest([job.output])]:
            return
        # What cleans /tmp may have removed it.
        with suppress(OSError):
            job.output.parent.mkdir(mode=0o700)
        begin()
        result = load_importer()(self._cache, job, lambda phase, done, total: None)
        if result.left_out:
            say(
                f"left out of {self._cache} and the files beside it: {len(result.left_out)} entries"
                " that cannot be used; mirrorlist import-cache names them"
            )
        # A record that cannot be written costs an import at the next start.
        with suppress(OSError):
            self._record.write_text(f"{sources}\n{self._digest([job.output])}\n")

    def _recorded(self) -> list[str]:
        try:
            return self._record.read_text().splitlines()
        except (OSError, ValueError):
            return []

    @staticmethod
    def _digest(files: Sequence[Path]) -> str:
        """Return a digest of the content of files; empty if one cannot be read."""
        whole = blake2b(__version__.encode())
        try:
            for path in files:
                # A pipe or a device has no end; the import names it.
                with open_regular(path) as file:
                    whole.update(file_digest(file, "blake2b").digest())
        except OSError:
            return ""
        return whole.hexdigest()


def _give_back() -> None:
    """Give unused memory back to the system: a third of what an import has taken."""
    gc.collect()
    # Of the GNU C library alone.
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _become(importer: Importer, writing: int) -> NoReturn:
    code = 1
    try:
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Clients could connect to a socket that stays open here after the server's end.
        for listener in importer.listeners:
            listener.close()
        # It ends with its parent: a unit's SIGTERM goes to all of its processes.
        for number in STOP | HELD:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        # Nearly all objects live until the end of an import: collections would be lost time.
        gc.disable()
        code = guarded(lambda: importer.run(writing))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        # Never return: above here is a copy of the parent's code.
        os._exit(code)
