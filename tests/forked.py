"""Processes of the command `mirrorlist` without the second that its imports take.

A template imports all of the code once and forks a process for each run, with that run's arguments,
environment, folder and output; from there on the process is as any other, to its exit code.
"""

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import IO, NoReturn

ROOT = Path(__file__).parent.parent
_REQUEST_BYTES = 1 << 16


class Template:
    """A process that has imported the command, and what it is told; one run at a time."""

    def __init__(self) -> None:
        """Start it; it ends with us."""
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(other.fileno())],
                cwd=ROOT,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                pass_fds=[other.fileno()],
                start_new_session=True,
            )

    def run(
        self,
        command: list[str],
        environment: dict[str, str],
        output: tuple[IO[bytes], IO[bytes]],
        limit: float,
    ) -> int:
        """Run a command with files for its output and its errors; return its exit code.

        If it takes longer than `limit` seconds it is killed; raises TimeoutError.
        """
        request = json.dumps([command, environment, os.getcwd()]).encode()
        socket.send_fds(self._socket, [request], [file.fileno() for file in output])
        process = self._answer()
        try:
            return self._answer(limit)
        except BaseException:
            os.kill(process, signal.SIGKILL)
            self._answer()
            raise

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._process.wait()

    def _answer(self, limit: float | None = None) -> int:
        self._socket.settimeout(limit)
        answer = self._socket.recv(_REQUEST_BYTES)
        assert answer, "the template of the command has ended"
        return int(answer)


@cache
def template() -> Template:
    """The one of this process, started when first asked for."""
    made = Template()
    atexit.register(made.close)
    return made


def _fork_each(requests: socket.socket) -> None:
    """Fork a process for each request; return in that process, or leave it at the last one."""
    while True:
        request, files, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 2)
        if not request:
            os._exit(0)
        process = os.fork()
        if not process:
            requests.close()
            return _become(files, *json.loads(request))
        for file in files:
            os.close(file)
        requests.send(b"%d" % process)
        requests.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


def _become(files: list[int], command: list[str], environment: dict[str, str], folder: str) -> None:
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = command


def _end(code: int) -> NoReturn:
    """End as the interpreter does, but do not take its objects apart: that copies the template."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    # As a script has it, from whose name click then takes the program's.
    sys.modules["__main__"].__package__ = None
    import mirrorlist
    import snapshot
    from mirrorlist.cli import main

    # What a command imports when it runs, such as a database's driver, takes a second.
    for package in (mirrorlist, snapshot):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)

    # Otherwise each process copies all of it when it collects its garbage, which takes longer
    # than the imports.
    gc.freeze()
    _fork_each(socket.socket(fileno=int(sys.argv[1])))
    try:
        main()
    except SystemExit as ended:
        if isinstance(ended.code, int):
            _end(ended.code)
        raise
