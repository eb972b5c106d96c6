"""Every signal to every process that stays: it lives, obeys or says that it does not."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import Signals

import pytest

from mirrorlist.process.signals import HELD, IGNORED, MEANINGS, Flag, explained
from tests.cache_file import write_cache
from tests.factories import export_tables, make_database, world
from tests.live import ROOT, wait_until

SECONDS = 30.0
PAGE = ROOT / "docs" / "operations.md"


class Running:
    """A command that stays, and what it has said."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path) -> None:
        """Take its process, and the file of all that it prints."""
        self.process, self._said = process, said

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until it has said a text so often."""
        wait_until(
            f"{text}, said by {self.process.args!r}: {self.said}",
            lambda: self.said.count(text) >= times or self.process.poll() is not None,
            SECONDS,
        )
        assert self.process.poll() is None, self.said

    @property
    def said(self) -> str:
        """All that it has printed."""
        return self._said.read_text()

    def children(self) -> list[int]:
        """The processes that it has forked."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(one) for one in children.read_text().split()]


def command_of(process: str, folder: Path) -> tuple[list[object], str]:
    """Return how a process is started, and what it says when it is there."""
    snapshot, cache = folder / "mm.snap", folder / "cache.proto"
    if process == "watch":
        database = make_database(folder / "mm.sqlite", world())
        options: list[object] = ["--database", database, "--output", snapshot]
        return ["watch", *options, "--admin", "127.0.0.1:0"], " published "
    if process == "import-cache --watch":
        write_cache(cache)
        return ["import-cache", cache, "--output", snapshot, "--watch"], "bytes in"
    if process == "demo":
        options = ["--directory", folder / "demo", "--port", 0, "--admin", "127.0.0.1:0"]
        return ["demo", *options], "End with Ctrl-C"
    export_tables(folder, world())
    options = ["--snapshot", snapshot, "--port", 0, "--admin", "127.0.0.1:0"]
    return ["serve", *options, "--log", folder / "log"], "status, health and metrics"


@contextmanager
def started(process: str, folder: Path) -> Iterator[tuple[Running, str]]:
    """Start what has a process, in a session without a terminal."""
    arguments, ready = command_of(process, folder)
    said = folder / "said"
    with said.open("wb") as file:
        running = subprocess.Popen(
            [sys.executable, "-m", "mirrorlist.cli", *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield Running(running, said), ready
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def target(process: str, running: Running) -> int:
    """Return the process that gets the signals."""
    if process.endswith("watch"):
        return running.process.pid
    wait_until("worker and admin process", lambda: len(running.children()) == 2, SECONDS)
    if process in ("serve", "demo"):
        return running.process.pid
    # They are forked in this order.
    worker, admin = sorted(running.children())
    pid = worker if process == "worker" else admin
    # It takes them once it can.
    wait_until("it takes signals", lambda: not held(pid) & HELD, SECONDS)
    return pid


def held(pid: int) -> set[Signals]:
    """Return the signals that a process holds back."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"SigBlk:\s+(\w+)", status)
    bits = int(found[1], 16) if found else 0
    return {one for one in Signals if bits >> (one - 1) & 1}


@pytest.mark.system
@pytest.mark.parametrize("process", MEANINGS)
def test_each_signal(process: str, tmp_path: Path) -> None:
    """A process lives after each signal that does not mean its end, and says what it passes over;
    SIGPIPE ends none.
    """
    with started(process, tmp_path) as (running, ready):
        running.wait_for(ready)
        pid = target(process, running)
        children = running.children()
        for number in (*HELD, signal.SIGPIPE):
            os.kill(pid, number)
            meaning = MEANINGS[process].get(number, "")
            if meaning == IGNORED:
                name = "serve" if process == "demo" else process
                running.wait_for(explained(name, number)[:40])
            elif "now" in meaning:
                told = f"{number.name}: the published" if process == "watch" else "bytes in"
                running.wait_for(told)
        time.sleep(0.3)
        assert running.process.poll() is None, running.said
        assert running.children() == children
        assert "Traceback" not in running.said


@pytest.mark.system
@pytest.mark.parametrize("process", ["serve", "demo", "watch", "import-cache --watch"])
def test_signals_while_it_starts(process: str, tmp_path: Path) -> None:
    """Signals that come before anybody can obey are held back from the first moment."""
    with started(process, tmp_path) as (running, ready):
        pid = running.process.pid
        wait_until(
            "its own code runs",
            lambda: bool(held(pid) >= HELD) or running.process.poll() is not None,
            SECONDS,
            look=0.001,
        )
        for number in HELD:
            os.kill(pid, number)
        running.wait_for(ready)


IN_A_TERMINAL = """
import os, pty, signal, sys
process, terminal = pty.fork()
if not process:
    # A run of the tests under nohup ignores SIGHUP, and so would the demo.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execv(sys.executable, [sys.executable, "-m", "mirrorlist.cli", *sys.argv[1:]])
said = b""
while b"Ctrl-C" not in said:
    said += os.read(terminal, 4096)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
"""


@pytest.mark.system
def test_a_demo_ends_with_its_terminal(tmp_path: Path) -> None:
    """When its terminal is closed, the demo ends in order, and nothing of it stays."""
    options = ["demo", "--directory", str(tmp_path / "d"), "--port", "0", "--admin", "127.0.0.1:0"]
    done = subprocess.run(
        [sys.executable, "-c", IN_A_TERMINAL, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.stdout == "0\n", done.stderr


def test_the_table_is_the_code() -> None:
    """docs/operations.md says what each signal means to each process."""
    page = PAGE.read_text(encoding="utf-8")
    for process, meanings in MEANINGS.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{process}`"))
        assert [cell.strip() for cell in row.split("|")[2:-1]] == list(meanings.values())


def test_no_handler_takes_a_lock() -> None:
    """A signal that comes while its handler runs, thousands of times, holds nobody up."""
    flag = Flag()
    before = signal.signal(signal.SIGUSR1, lambda number, frame: flag.set())
    try:
        for _ in range(2000):
            os.kill(os.getpid(), signal.SIGUSR1)
            flag.clear()
        os.kill(os.getpid(), signal.SIGUSR1)
        flag.wait(5)
        assert flag.is_set()
    finally:
        signal.signal(signal.SIGUSR1, before)
    modules = [ROOT / "mirrorlist/workers/refresh.py", ROOT / "mirrorlist/cli/import_cache.py"]
    assert not [one for one in modules if "threading.Event" in one.read_text()]
