"""Every signal to every process that stays: it lives, obeys or says that it does not."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from signal import Signals

import pytest

from mirrorlist.process.signals import HELD, IGNORED, MEANINGS, Flag, Handler, explained
from tests.cache_file import write_cache
from tests.command import run_program
from tests.factories import export_tables, make_database, world
from tests.live import ROOT, wait_until
from tests.scanned import CATEGORY, TOML, Primary, database
from tests.stats_world import batch, row, spooled, sqlite

SECONDS = 120.0
PAGE = ROOT / "docs" / "operations.md"
RUN = ("run", "a worker", "its admin process", "keeper", "example mirrors")


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
    if process == "scan --watch":
        return scanning(folder), "0 moved"
    if process == "stats collect --watch":
        spooled(folder / "spool", [batch(n + 1, row()) for n in range(2)])
        (folder / "token").write_text("a token of a test")
        words: list[object] = ["stats", "collect", folder / "spool", "--watch"]
        words += ["--database", sqlite(folder), "--interval", 100]
        return [*words, "--listen", "127.0.0.1:0", "--token-file", folder / "token"], "receiving"
    if process == "stats serve":
        words = ["stats", "serve", "--database", sqlite(folder), "--admin", "127.0.0.1:0"]
        return words, "pages say so"
    if process == "demo":
        options = ["--directory", folder / "demo", "--port", 0, "--admin", "127.0.0.1:0"]
        return ["demo", *options], "End with Ctrl-C"
    if process in RUN:
        options = ["--state", folder / "state", "--port", 0, "--watch-admin", "none"]
        return ["run", "--example", *options, "--admin", "127.0.0.1:0"], "status, health and"
    export_tables(folder, world())
    options = ["--snapshot", snapshot, "--port", 0, "--admin", "127.0.0.1:0"]
    return ["serve", *options, "--log", folder / "log"], "status, health and metrics"


def scanning(folder: Path) -> list[object]:
    """Return the words of a scan that stays, of a tree with one repository."""
    primary, url = Primary(folder), database(folder)
    primary.repository("9/Everything/x86_64")
    (folder / "scan.toml").write_text(TOML)
    words: list[object] = ["scan", "--watch", "--database", url, "--config", folder / "scan.toml"]
    return [*words, "--category", CATEGORY, "--source", primary.root, "--admin", "127.0.0.1:0"]


@contextmanager
def started(process: str, folder: Path) -> Iterator[tuple[Running, str]]:
    """Start what has a process, in a session without a terminal."""
    words, ready = command_of(process, folder)
    with running(words, folder) as found:
        yield found, ready


@contextmanager
def running(words: list[object], folder: Path, place: Path = ROOT) -> Iterator[Running]:
    """Start the command with some words, in a session without a terminal."""
    said = folder / "said"
    with said.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "mirrorlist.cli", *map(str, words)],
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield Running(process, said)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def target(process: str, running: Running) -> int:
    """Return the process that gets the signals."""
    if process.endswith("watch") or process == "stats serve":
        return running.process.pid
    kinds = RUN if process in RUN else ("serve", "worker", "admin process")
    wait_until("all processes", lambda: len(running.children()) == len(kinds) - 1, SECONDS)
    if process in ("serve", "demo", "run"):
        return running.process.pid
    # They are forked in this order, in which the kernel lists them.
    pid = dict(zip(kinds[1:], running.children(), strict=True))[process]
    # It takes them once it can.
    wait_until("it takes signals", lambda: not held(pid) & HELD, SECONDS)
    return pid


def held(pid: int, kind: str = "SigBlk") -> set[Signals]:
    """Return the signals that a process holds back."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(kind + r":\s+(\w+)", status)
    bits = int(found[1], 16) if found else 0
    return {one for one in Signals if bits >> (one - 1) & 1}


def catches(pid: int, number: Signals) -> bool:
    """Return whether a process has a handler for a signal."""
    return number in held(pid, "SigCgt")


def _is_empty(folder: Path) -> bool:
    return not [*folder.iterdir()]


def test_signals_in_a_handler() -> None:
    """However many signals come while one is obeyed, Python's stack does not grow; none is lost."""
    obeyed: list[Signals] = []

    def obey(number: Signals) -> None:
        obeyed.append(number)
        if len(obeyed) <= 2 * sys.getrecursionlimit():
            signal.raise_signal(signal.SIGUSR1)
            signal.raise_signal(signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, Handler(obey))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(obeyed) == 2 * sys.getrecursionlimit() + 1


def test_after_an_error_in_a_handler() -> None:
    """A handler whose work raised an error obeys the next signal."""
    asked = iter([True, False])

    def obey(number: Signals) -> None:
        if next(asked):
            raise ValueError(number.name)

    handler = Handler(obey)
    with pytest.raises(ValueError, match="SIGHUP"):
        handler(signal.SIGHUP, None)
    handler(signal.SIGHUP, None)
    assert next(asked, None) is None


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
            meaning = MEANINGS[process].get(number, "")
            if meaning == "collects now":
                folder = spooled(tmp_path / "spool", [batch(9, row(), of=int(number))])
            os.kill(pid, number)
            if meaning == IGNORED:
                name = "serve" if process in ("demo", "run") else process
                running.wait_for(explained(name, number)[:40])
            elif meaning == "collects now":
                wait_until("it is collected", partial(_is_empty, folder), SECONDS)
            elif "now" in meaning:
                export = f"{number.name}: the published"
                told = {"watch": export, "keeper": export, "scan --watch": "has changed"}
                running.wait_for(told.get(process, "bytes in"))
        time.sleep(0.3)
        assert running.process.poll() is None, running.said
        assert running.children() == children
        assert "Traceback" not in running.said


@pytest.mark.system
@pytest.mark.parametrize(
    "process", ["serve", "demo", "run", "watch", "import-cache --watch", "scan --watch"]
)
def test_signals_while_it_starts(process: str, tmp_path: Path) -> None:
    """Signals that come before anybody can obey are held back from the first moment."""
    with started(process, tmp_path) as (running, ready):
        pid = running.process.pid
        wait_until(
            "its own code runs",
            # A look may come after all of the start.
            lambda: (
                held(pid) >= HELD or running.process.poll() is not None or ready in running.said
            ),
            SECONDS,
            look=0.001,
        )
        for number in HELD:
            os.kill(pid, number)
        running.wait_for(ready)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_once(number: Signals, tmp_path: Path) -> None:
    """A signal that comes with the line `listening` ends the server in order; SIGTERM drains."""
    export_tables(tmp_path, world())
    options = ["--snapshot", str(tmp_path / "mm.snap"), "--port", "0", "--admin", "none"]
    options += ["--drain", "0.1"]
    program = f"""
import os, sys
from mirrorlist.cli import main
from mirrorlist.workers import run
tell = run._tell_begin
def and_signal(*given):
    tell(*given)
    os.kill(os.getpid(), {int(number)})
run._tell_begin = and_signal
sys.argv = ["mirrorlist", "serve", *{options}]
main()
"""
    done = run_program(program)
    assert done.returncode == 0, done.stderr
    assert "listening on" in done.stderr
    assert ("draining for 0.1 s" in done.stderr) == (number is signal.SIGTERM)
    assert done.stderr.endswith("stopped\n")


@pytest.mark.system
def test_the_end_of_a_start(tmp_path: Path) -> None:
    """SIGTERM ends a server that waits for its snapshot with 0, and it says nothing more."""
    snapshot = tmp_path / "not there"
    words: list[object] = ["serve", "--snapshot", snapshot, "--wait", 60]
    with running(words, tmp_path) as one:
        one.wait_for("is not there yet")
        assert catches(one.process.pid, signal.SIGTERM)
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(SECONDS) == 0
        assert len(one.said.splitlines()) == 1


@pytest.mark.system
@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(["--version"], 0, id="version"),
        pytest.param(["inspect", "mm.snap"], 0, id="inspect"),
        pytest.param(["diff", "mm.snap", "gone.snap"], 3, id="a failure"),
        pytest.param(["ask", "--snapshot", "mm.snap", "repo=linux-40&arch=x86_64"], 0, id="ask"),
        pytest.param(
            ["export", "--database", "sqlite:///mm.sqlite", "--output", "new.snap"], 0, id="export"
        ),
        pytest.param(["import-cache", "cache.proto", "--output", "new.snap"], 0, id="import-cache"),
    ],
)
def test_usr1_without_a_break(words: list[object], code: int, tmp_path: Path) -> None:
    """A command gets SIGUSR1 thousands of times, from its first moment to its last: it does what
    it would have done.
    """
    export_tables(tmp_path, world())
    make_database(tmp_path / "mm.sqlite", world())
    write_cache(tmp_path / "cache.proto")
    with running(words, tmp_path, tmp_path) as one:
        pid = one.process.pid
        wait_until("it has a handler", lambda: catches(pid, signal.SIGUSR1), SECONDS, look=0)
        while one.process.poll() is None:
            os.kill(pid, signal.SIGUSR1)
        assert one.process.returncode == code, one.said


@pytest.mark.system
@pytest.mark.parametrize("process", ["serve", "watch", "import-cache --watch", "scan --watch"])
def test_usr1_at_the_end(process: str, tmp_path: Path) -> None:
    """Neither a process that stays nor its children are killed by SIGUSR1 while they end."""
    with started(process, tmp_path) as (one, ready):
        one.wait_for(ready)
        if process == "serve":
            wait_until("worker and admin process", lambda: len(one.children()) == 2, SECONDS)
        all_of_it = [one.process.pid, *one.children()]
        one.process.send_signal(signal.SIGTERM)
        while one.process.poll() is None:
            for pid in all_of_it:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGUSR1)
        assert one.process.returncode == 0, one.said
        assert "unexpectedly" not in one.said


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
@pytest.mark.parametrize(
    "words", [["demo", "--directory"], ["run", "--example", "--watch-admin", "none", "--state"]]
)
def test_a_demo_ends_with_its_terminal(tmp_path: Path, words: list[str]) -> None:
    """When its terminal is closed, a demo ends in order, and nothing of it stays."""
    options = [*words, str(tmp_path / "d"), "--port", "0", "--admin", "127.0.0.1:0"]
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
