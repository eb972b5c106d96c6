"""`mirrorlist demo` in a terminal: what it prints can be copied, and it ends with the terminal."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mirrorlist.cli.demo import _lesson
from tests.clients.server import find_free_port
from tests.command import COMMAND, PLAIN, SECONDS, assert_refused, run
from tests.live import exchange, request, wait_until

pytestmark = pytest.mark.system


def _as_from_a_shell() -> None:
    """Take the terminal; a run of the tests under nohup ignores SIGHUP, and so would the demo."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Terminal:
    """A demo in a terminal of some columns; `text` is what it printed, line feeds as printed."""

    def __init__(self, folder: Path, columns: int, within: tuple[str, ...] = ()) -> None:
        """Start it in a folder that is not made yet, on free ports; perhaps by another program."""
        self.folder = folder
        self.port, self.admin, self.watch = (find_free_port() for _ in range(3))
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.process = subprocess.Popen(
            [
                *(*within, *COMMAND, "demo", "--directory", str(folder), "--port", str(self.port)),
                *("--admin", str(self.admin), "--watch-admin", str(self.watch)),
            ],
            env={**PLAIN, "TERM": "xterm"},
            stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
            preexec_fn=_as_from_a_shell,
        )  # fmt: skip
        os.close(theirs)
        self.text = ""
        self._closing = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        wait_until("it listens", lambda: "/status" in self.text, SECONDS)

    def _read(self) -> None:
        # Closed while somebody reads it, it would stay open for as long.
        with suppress(OSError):
            while not self._closing.is_set():
                if select.select([self._ours], [], [], 0.05)[0]:
                    part = os.read(self._ours, 1 << 16).decode()
                    self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", part)
        os.close(self._ours)

    def close(self) -> None:
        """Close the terminal, as its window's cross does."""
        self._closing.set()


@pytest.fixture(scope="module", params=[60, 80])
def demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    """A demo in a narrow terminal, in a folder with a blank and a quote in its name."""
    terminal = Terminal(tmp_path_factory.mktemp("demo") / "a 'demo'", request.param)
    yield terminal
    terminal.process.kill()
    terminal.process.wait()


def test_every_line_can_be_pasted(demo: Terminal) -> None:
    """Each line after the first remark is whole, and a shell runs it without complaint."""
    lines = demo.text[demo.text.index("# Try") :].splitlines()
    lines = [line for line in lines if line and not line.startswith("mirrorlist: ")]
    known = _lesson(f"http://127.0.0.1:{demo.port}", demo.folder)
    assert lines == [line.replace(_first_word(known), _first_word(lines)) for line in known if line]
    for line in lines:
        if " watch " in line:
            continue
        done = subprocess.run(
            ["/bin/sh", "-c", line.replace("curl ", "curl --silent --show-error --fail ")],
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stderr)
        assert line.startswith("#") or done.stdout, line


def _first_word(lines: list[str]) -> str:
    return next(line for line in lines if " ask " in line).partition(" ask ")[0]


def test_the_watch_that_it_tells_is_seen(demo: Terminal) -> None:
    """The watch command as printed runs, and the demo's status shows it."""
    line = next(line for line in demo.text.splitlines() if " watch " in line)
    command = f"exec {line} --admin {demo.watch}"
    with subprocess.Popen(["/bin/sh", "-c", command], stderr=subprocess.PIPE) as watch:
        try:
            wait_until("the status shows it", lambda: _watch_of(demo) is not None, SECONDS)
        finally:
            watch.terminate()


def _watch_of(demo: Terminal) -> object:
    return json.loads(exchange(demo.admin, request(b"/status.json")).body)["watch"]


def test_a_second_demo(demo: Terminal, tmp_path: Path) -> None:
    """A port in use ends it before anything is built, and the line says how to go on."""
    done = run("demo", "--directory", tmp_path / "other", "--port", demo.port)
    words = ("demo of yours", 'make demo ARGS="--port 3333"', f"127.0.0.1:{demo.port}")
    assert_refused(done, 1, *words)
    assert list(tmp_path.iterdir()) == []


# As make does, which is told of the end of the terminal alone, and waits for its child.
WAITING = """
import signal, subprocess, sys
signal.signal(signal.SIGHUP, lambda *_: None)
sys.exit(subprocess.call(sys.argv[1:]))
"""


@pytest.mark.parametrize("within", [(), (sys.executable, "-c", WAITING)])
def test_it_ends_with_its_terminal(tmp_path: Path, within: tuple[str, ...]) -> None:
    """When the terminal is closed, the demo ends, however it was started, and its port is free."""
    terminal = Terminal(tmp_path / "demo", 80, within)
    try:
        terminal.close()
        assert terminal.process.wait(SECONDS) in (0, -signal.SIGHUP)
        with pytest.raises(ConnectionRefusedError):
            exchange(terminal.port, request(b"/health/live"))
    finally:
        terminal.process.kill()
