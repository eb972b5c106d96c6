"""`watch --push`: a command after each publication, never two at a time, until one succeeds."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrorlist.cli.pushing import pushing
from mirrorlist.process.threads import Threads
from snapshot.watch import push
from snapshot.watch.progress import Pushes
from snapshot.watch.push import Push, Pusher
from tests.cache_file import write_cache
from tests.command import PLAIN, assert_refused, run
from tests.factories import make_database, world
from tests.forked import Process, template
from tests.left_open import left_open, open_files
from tests.live import wait_until


class Pushing:
    """A pusher with its thread, and what it said."""

    def __init__(self, folder: Path, command: str, seconds: float = 20) -> None:
        """Begin; the command runs in the folder."""
        self.folder, self.progress = folder, Pushes()
        self.said: list[str] = []
        order = Push(f"cd {folder}; {command}", seconds, folder / "mm.snap")
        self.pusher = Pusher(order, self.progress, self.said.append)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while not self.pusher.step():
            pass

    def lines(self, name: str = "runs") -> list[str]:
        """Return the lines that the command has written into a file."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def close(self) -> None:
        """End it, and wait for its thread."""
        self.pusher.close()
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses after failures are short."""
    monkeypatch.setattr(push, "FIRST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(push, "LAST_PAUSE_SECONDS", 0.05)


@pytest.fixture
def open_ones() -> Iterator[list[Pushing]]:
    """The pushers of a test, which are closed after it."""
    found: list[Pushing] = []
    yield found
    for one in found:
        one.close()


def begin(tmp_path: Path, found: list[Pushing], command: str, seconds: float = 20) -> Pushing:
    """Begin to push."""
    found.append(Pushing(tmp_path, command, seconds))
    return found[-1]


def test_a_publication_is_pushed(tmp_path: Path, open_ones: list[Pushing]) -> None:
    """The command runs once for a publication, with the file's path, and not before."""
    one = begin(tmp_path, open_ones, 'echo "$SNAPSHOT" >> runs')
    assert one.lines() == []
    one.pusher.published()
    wait_until("it is pushed", lambda: one.progress.succeeded == 1)
    assert one.lines() == [str(tmp_path / "mm.snap")]
    assert (one.progress.backlog, one.progress.waiting(time.monotonic())) == (0, 0)
    assert (one.progress.failed, one.said) == (0, [])


def test_a_failure_is_repeated(tmp_path: Path, open_ones: list[Pushing]) -> None:
    """A run that fails is repeated until one succeeds; the same failure is said once."""
    one = begin(tmp_path, open_ones, "echo x >> runs; test $(wc -l < runs) -ge 4 || exit 12")
    one.pusher.published()
    wait_until("it fails", lambda: one.progress.failed >= 1)
    assert one.progress.backlog == 1
    assert one.progress.waiting(time.monotonic()) > 0
    wait_until("it is pushed", lambda: one.progress.succeeded == 1)
    assert (one.progress.failed, one.progress.backlog) == (3, 0)
    assert one.progress.error == "it ended with 12"
    assert one.said == [
        "the push failed: it ended with 12; trying again",
        "the push works again",
    ]


def test_never_two_at_a_time(tmp_path: Path, open_ones: list[Pushing]) -> None:
    """Publications during a run are pushed together by the next run."""
    command = "echo begin >> runs; while ! test -e go; do sleep 0.02; done; echo end >> runs"
    one = begin(tmp_path, open_ones, command)
    one.pusher.published()
    wait_until("a run has begun", lambda: one.lines() == ["begin"])
    for _ in range(3):
        one.pusher.published()
    assert one.progress.backlog == 4
    (tmp_path / "go").touch()
    wait_until("all are pushed", lambda: one.progress.succeeded == 2)
    assert one.lines() == ["begin", "end"] * 2
    assert one.progress.backlog == 0


def test_a_run_that_hangs(tmp_path: Path, open_ones: list[Pushing]) -> None:
    """A run that takes too long is ended with all of its processes, and counts as failed."""
    one = begin(tmp_path, open_ones, "sleep 60 & echo $! >> runs; wait", seconds=0.2)
    one.pusher.published()
    wait_until("it fails", lambda: one.progress.failed >= 1)
    assert one.progress.error == "it took longer than 0.2 s"
    wait_until("its process is gone", lambda: not runs(int(one.lines()[0])))


def test_the_end(tmp_path: Path) -> None:
    """The end of a watch ends a run under way with all of its processes."""
    one = Pushing(tmp_path, "sleep 60 & echo $! >> runs; wait")
    one.pusher.published()
    wait_until("a run has begun", lambda: one.lines() != [])
    one.close()
    wait_until("its process is gone", lambda: not runs(int(one.lines()[0])))
    assert one.said == []


def test_a_run_may_tidy_up(tmp_path: Path) -> None:
    """At SIGTERM the command has time to remove what it has begun, as rsync does."""
    tidy = "trap 'sleep 0.2; echo tidy >> runs; exit 1' TERM; echo begin >> runs; sleep 60 & wait"
    one = Pushing(tmp_path, tidy)
    one.pusher.published()
    wait_until("a run has begun", lambda: one.lines() == ["begin"])
    one.close()
    assert one.lines() == ["begin", "tidy"]


def test_an_ignored_sigchld(tmp_path: Path) -> None:
    """If the parent process ignores SIGCHLD, which is inherited, a failure is still a failure."""
    progress, said = Pushes(), list[str]()
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        order = Push("exit 3", 20, tmp_path / "mm.snap")
        threads = Threads(said.append)
        with pushing(order, progress, threads, said.append) as published:
            published()
            wait_until("it fails", lambda: progress.failed + progress.succeeded >= 1)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert progress.error == "it ended with 3"


WATCHES = [
    pytest.param("watch", id="watch"),
    pytest.param("import-cache", id="import-cache"),
]


@pytest.mark.system
@pytest.mark.parametrize("command", WATCHES)
def test_a_killed_watch(command: str, tmp_path: Path) -> None:
    """Of a watch that is killed, no process of its run stays, not even one that heeds no signal;
    and the run of the next watch is alone.
    """
    # A process of a run's process; then what still runs of the run before.
    command_line = "trap '' TERM; sh -c 'echo $$ >> runs; exec sleep 60' & wait"
    is_there = 'grep -qs "State:.[^XZ]" /proc/$one/status'
    beside = f'for one in $(cat runs); do {is_there} && echo "$one" >> beside; done; '
    first = start_watch(command, tmp_path, command_line)
    wait_until("a run has begun", lambda: lines_of(tmp_path / "runs") != [], 20)
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    second = start_watch(command, tmp_path, beside + command_line)
    wait_until("the next run has begun", lambda: len(lines_of(tmp_path / "runs")) == 2, 20)
    second.send_signal(signal.SIGTERM)
    second.wait(10)
    assert lines_of(tmp_path / "beside") == []
    processes = [int(line) for line in lines_of(tmp_path / "runs")]
    wait_until("its processes are gone", lambda: not any(map(runs, processes)))


@pytest.mark.system
@pytest.mark.parametrize("command", WATCHES)
def test_two_signals(command: str, tmp_path: Path) -> None:
    """A second SIGTERM ends a watch at once, and a run that heeds no signal ends with it."""
    watch = start_watch(command, tmp_path, "trap '' TERM; echo $$ >> runs; sleep 60")
    wait_until("a run has begun", lambda: lines_of(tmp_path / "runs") != [], 20)
    watch.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    watch.send_signal(signal.SIGTERM)
    watch.wait(10)
    (process,) = map(int, lines_of(tmp_path / "runs"))
    wait_until("its processes are gone", lambda: not runs(process))


def test_no_watch(tmp_path: Path) -> None:
    """An import that does not stay refuses --push."""
    words = ("import-cache", write_cache(tmp_path / "cache"), "--output", tmp_path / "mm.snap")
    assert_refused(run(*words, "--push", "true"), 2, "--push: only with --watch")
    assert not (tmp_path / "mm.snap").exists()


def start_watch(command: str, folder: Path, push: str) -> Process:
    """Start a watch that pushes."""
    cache, snapshot = folder / "cache", folder / "mm.snap"
    words = ["import-cache", str(cache), "--watch"]
    if command == "watch":
        database = folder / "mm.sqlite"
        url = f"sqlite:///{database}" if database.exists() else make_database(database, world())
        words = ["watch", "--database", url, "--admin", "none"]
    else:
        write_cache(cache)
    words = ["mirrorlist", *words, "--output", str(snapshot), "--push", push]
    with (folder / "printed").open("ab") as printed:
        return template().start(words, PLAIN, folder, (printed, printed))


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file that may not be there."""
    return path.read_text().splitlines() if path.exists() else []


def test_nothing_is_left(tmp_path: Path, open_ones: list[Pushing]) -> None:
    """After a run nothing of it is left: no process, and no pipe."""
    one = begin(tmp_path, open_ones, "exit 3")
    before = open_files()
    one.pusher.published()
    wait_until("it fails", lambda: one.progress.failed >= 3)
    assert one.progress.error == "it ended with 3"
    one.close()
    assert not left_open(before)
    assert not [name for name in os.listdir("/proc") if name.isdigit() and is_child(int(name))]


def is_child(process: int) -> bool:
    """Return whether a process is a shell that this one has started."""
    try:
        name, _, rest = Path(f"/proc/{process}/stat").read_text().rpartition(")")
    except OSError:
        return False
    return name.endswith("(sh") and int(rest.split()[1]) == os.getpid()


def runs(process: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
