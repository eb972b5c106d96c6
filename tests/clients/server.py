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

ROOT = Path(__file__).parents[2]
_COMMAND = (sys.executable, "-m", "mirrorlist.cli")
_START_SECONDS = 30.0
_STOP_SECONDS = 15.0


def export(database: Path, snapshot: Path) -> None:
    """Make a snapshot of an SQLite database; the command must end with 0."""
    options = ("--database", f"sqlite:///{database}", "--output", str(snapshot))
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


@contextmanager
def run_server(snapshot: Path, log: Path, seed: int) -> Iterator[int]:
    """Serve a snapshot on a free port until the block ends; yields the port, once it is ready.

    Everything that the server prints goes to the file `log`.
    """
    port = find_free_port()
    options = ("--snapshot", str(snapshot), "--port", str(port), "--seed", str(seed))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_COMMAND, "serve", *options],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    with process:
        try:
            _wait_until_ready(process, port, log)
            yield port
        finally:
            _stop(process)


def find_free_port() -> int:
    """A loopback port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """The machine's environment without settings of a server that may run beside the tests."""
    return {key: value for key, value in os.environ.items() if not key.startswith("MIRRORLIST_")}


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _is_ready(port):
        code = process.poll()
        assert code is None, f"serve ended with {code}: {log.read_text()}"
        assert time.monotonic() < deadline, f"serve is not ready: {log.read_text()}"
        time.sleep(0.02)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server as an operator would; kill all of it only if it does not go."""
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
