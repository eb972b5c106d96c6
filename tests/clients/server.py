"""The server under test: our own command line, run as a person would run it."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import randrange

ROOT = Path(__file__).parents[2]
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_COMMAND = (sys.executable, "-m", "mirrorlist.cli")
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0


def export(database: Path, snapshot: Path) -> None:
    """Make a snapshot of an SQLite database; the command must end with 0."""
    # By force, because the mirrors of one scenario have rsync URLs alone.
    options = ("--database", f"sqlite:///{database}", "--output", str(snapshot), "--force")
    run = subprocess.run(
        [*_COMMAND, "export", *options],
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, f"export ended with {run.returncode}: {run.stdout}{run.stderr}"


class Server:
    """One `mirrorlist serve`: it can stop, and start again on the port that it had."""

    def __init__(self, snapshot: Path, log: Path, seed: int, host: str = "127.0.0.1") -> None:
        """Choose a free port; everything that the server prints goes to the file `log`."""
        self.host = host
        self.port = find_free_port(host)
        self._log = log
        options = {
            "snapshot": snapshot,
            "host": host,
            "port": self.port,
            "seed": seed,
            "admin": "none",
        }
        self._options = [f"--{name}={value}" for name, value in options.items()]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return once it is ready."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_COMMAND, "serve", *self._options],
                cwd=ROOT,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        _wait_until_ready(self._process, self.host, self.port, self._log)

    def ask_to_stop(self) -> None:
        """Let it begin to end while other servers end too; `stop` must follow."""
        if self._process is not None:
            self._process.terminate()

    def stop(self) -> None:
        """End it as an operator would; one that does not go is killed, and that is an error."""
        if self._process is not None:
            with self._process:
                _stop(self._process)
            self._process = None


@contextmanager
def run_server(snapshot: Path, log: Path, seed: int, host: str = "127.0.0.1") -> Iterator[Server]:
    """Serve a snapshot on a free port until the block ends; yields once it is ready."""
    server = Server(snapshot, log, seed, host)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def find_free_port(host: str = "127.0.0.1") -> int:
    """A loopback port that nobody listened on a moment ago.

    Below those that the kernel gives to connections: one of these would soon be taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    lowest = int(_EPHEMERAL.read_text().split()[0])
    while True:
        port = randrange(lowest // 2, lowest)
        with socket.socket(family) as probe, suppress(OSError):
            probe.bind((host, port))
            return port


def _environment() -> dict[str, str]:
    """The machine's environment without settings of a server that may run beside the tests."""
    return {key: value for key, value in os.environ.items() if not key.startswith("MIRRORLIST_")}


def _wait_until_ready(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _is_ready(host, port):
        code = process.poll()
        assert code is None, f"serve ended with {code}: {log.read_text()}"
        assert time.monotonic() < deadline, f"serve is not ready: {log.read_text()}"
        time.sleep(0.02)


def _is_ready(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise AssertionError(
            f"the server did not stop within {_STOP_SECONDS} s of SIGTERM"
        ) from None
