"""What systemd is told of a process: sd_notify(3), on a real datagram socket."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mirrorlist.cli.managed import manager_of
from mirrorlist.process import systemd
from mirrorlist.process.manager import Manager as NoManager
from mirrorlist.process.manager import State
from mirrorlist.process.systemd import Systemd
from tests.command import run_program
from tests.notified import Manager


class Process:
    """A process that tells its state: the state can be set, and the time."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Begin at second 100 with a state that is not ready."""
        self.environment, self.now = environment, 100.0
        self.state = State("loading", 0, 0)
        self.systemd = Systemd(environment, lambda: self.now)
        self.systemd.begin(lambda: self.state)

    def look(self, after: float = 5.0) -> None:
        """Look again after some seconds."""
        self.now += after
        self.systemd.look()


@pytest.fixture(params=[False, True], ids=["path", "abstract"])
def manager(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Manager]:
    """A manager that listens on either kind of socket."""
    with closing(Manager(tmp_path, request.param)) as made:
        yield made


@pytest.fixture
def process(manager: Manager) -> Process:
    """A process that the manager watches."""
    return Process(manager.environment(30))


def test_ready_is_told_once(manager: Manager, process: Process) -> None:
    """READY=1 is told when the work has begun, once, by this process; the state is told again."""
    process.look()
    process.look()
    process.state = State("one", 1, 1)
    process.look()
    process.state = State("two", 2, 1)
    process.look()
    assert [told.lines for told in manager.rest()] == [
        {"STATUS": "loading"},
        {"READY": "1", "WATCHDOG": "1", "STATUS": "one"},
        {"STATUS": "two"},
    ]
    assert {told.process for told in manager.all} == {os.getpid()}


def test_the_watchdog_needs_turns(manager: Manager, process: Process) -> None:
    """WATCHDOG=1 is told only if something has turned since the last look."""
    for turns in (1, 2, 2, 2, 3):
        process.state = State("one", 1, turns)
        process.look()
    told = [told.lines.get("WATCHDOG") for told in manager.rest()]
    assert told == ["1", "1", "1"]


def test_looks_are_rare(manager: Manager, process: Process) -> None:
    """Once it is ready, nothing is told more often than each five seconds."""
    process.state = State("one", 1, 1)
    process.look()
    for turns in range(2, 12):
        process.state = State("one", 1, turns)
        process.look(1)
    assert len(manager.rest()) == 1 + 2


@pytest.mark.parametrize(
    ("microseconds", "pause"),
    [
        pytest.param("3000000", 1.0, id="a third of the watchdog's time"),
        pytest.param("90000000", 5.0, id="five seconds at most"),
        pytest.param("", 5.0, id="no watchdog"),
        pytest.param("soon", 5.0, id="not a number"),
        pytest.param("9" * 5000, 5.0, id="longer than any number"),
    ],
)
def test_pause(manager: Manager, microseconds: str, pause: float) -> None:
    """The pause between two looks suits the time of the watchdog, and is short until READY=1."""
    process = Process({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": microseconds})
    assert process.systemd.pause < 0.1
    process.state = State("one", 1, 1)
    process.look()
    assert process.systemd.pause == pause


def test_another_process_is_watched(manager: Manager) -> None:
    """The time of a watchdog that is meant for another process does not count (WATCHDOG_PID)."""
    environment = manager.environment(0.3)
    process = Process({**environment, "WATCHDOG_PID": str(os.getppid())})
    process.state = State("one", 1, 1)
    process.look()
    assert process.systemd.pause == 5.0


def test_the_environment_is_taken(manager: Manager) -> None:
    """A program that is started later, such as that of --push, has none of the variables."""
    environment = {**manager.environment(), "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    Process(environment)
    assert environment == {"HOME": "/"}


def test_a_reload(manager: Manager, process: Process) -> None:
    """A reload is told with the kernel's time, and READY=1 once something was done for it."""
    process.state = State("one", 1, 1)
    process.look()
    manager.rest()
    before = time.monotonic_ns() // 1000
    process.systemd.reloading()
    process.look(0.1)
    process.state = State("two", 2, 2)
    process.look(0.1)
    reloading, ready = manager.rest()
    assert reloading.lines["RELOADING"] == "1"
    assert before <= int(reloading.lines["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    assert ready.lines == {"READY": "1", "WATCHDOG": "1", "STATUS": "two"}


def test_a_reload_without_effect(manager: Manager, process: Process) -> None:
    """A reload that changes nothing for 30 s is over: systemd would wait for ever."""
    process.state = State("one", 1, 1)
    process.look()
    process.systemd.reloading()
    process.look(29)
    assert "READY" not in manager.rest()[-1].lines
    process.look(2)
    assert "READY" in manager.rest()[-1].lines


def test_a_reload_while_it_starts(manager: Manager, process: Process) -> None:
    """A reload before READY=1 is part of the start."""
    process.systemd.reloading()
    assert manager.rest() == []


def test_starting(manager: Manager, process: Process) -> None:
    """A start that waits says for what, and asks for the time that it needs."""
    process.systemd.starting("waiting for mm.snap", 600)
    (told,) = manager.rest()
    assert told.lines == {"STATUS": "waiting for mm.snap", "EXTEND_TIMEOUT_USEC": "600000000"}


def test_stopping(manager: Manager, process: Process) -> None:
    """The end is told with the time that it needs; nothing is told after it."""
    process.state = State("one", 1, 1)
    process.systemd.stopping("draining for 20 s", 40)
    process.systemd.reloading()
    process.look()
    (told,) = manager.rest()
    assert told.lines == {
        "STOPPING": "1",
        "STATUS": "draining for 20 s",
        "EXTEND_TIMEOUT_USEC": "40000000",
    }
    process.systemd.close()
    assert manager.rest()[0].lines == {"STOPPING": "1", "STATUS": "ending"}


def test_a_time_without_an_end(manager: Manager, process: Process) -> None:
    """A drain or a wait of any length is told as a number that fits into 64 bits."""
    process.systemd.starting("waiting", 1e308)
    process.systemd.stopping("draining", 1e308)
    told = [int(told.lines["EXTEND_TIMEOUT_USEC"]) for told in manager.rest()]
    assert len(told) == 2
    assert all(1e15 < one < 1 << 63 for one in told)


def test_a_text_with_any_name(manager: Manager, process: Process) -> None:
    """The name of a file may have any octets; none of them is an error, or a message of its own."""
    process.systemd.starting("waiting for \udcff\nREADY=1", 1)
    process.state = State("error: \udcff\nSTOPPING=1", 0, 0)
    process.look()
    assert [told.lines["STATUS"] for told in manager.rest()] == [
        "waiting for ? READY=1",
        "error: ? STOPPING=1",
    ]


def test_ready_is_told_until_it_is_heard(tmp_path: Path) -> None:
    """Nobody listening is no error, and READY=1 is told again until somebody hears it."""
    process = Process({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    process.state = State("one", 1, 1)
    process.look()
    with closing(Manager(tmp_path)) as manager:
        process.look()
        assert manager.rest()[0].lines["READY"] == "1"


def test_a_full_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager that reads nothing costs a limited time, and no error."""
    monkeypatch.setattr(systemd, "_TELL_SECONDS", 0.001)
    with closing(Manager(tmp_path)) as manager:
        process = Process(manager.environment())
        # The kernel keeps a limited number of messages (net.unix.max_dgram_qlen).
        limit = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
        for number in range(limit + 5):
            process.state = State(str(number), 1, number)
            process.look()
        assert len(manager.rest()) <= limit + 1


@pytest.mark.parametrize("address", ["", "/" + "x" * 200, "vsock:2:1234"])
def test_an_address_that_cannot_be_used(address: str) -> None:
    """An address that is not one of a socket here is no error."""
    process = Process({"NOTIFY_SOCKET": address})
    process.state = State("one", 1, 1)
    process.look()
    process.systemd.stopping("ending")


def test_nobody_asks() -> None:
    """Without NOTIFY_SOCKET nothing is told, and the module that would tell is not imported."""
    done = run_program(
        "import sys; from mirrorlist.cli.managed import manager_of;"
        "sys.modules.pop('mirrorlist.process.systemd', None);"
        "one = manager_of(); one.look(); one.close();"
        "print('mirrorlist.process.systemd' in sys.modules)"
    )
    assert done.stdout == "False\n", done.stderr
    none = NoManager()
    none.starting("", 1)
    none.begin(lambda: State("", 0, 0))
    none.reloading()
    assert none.pause == float("inf")


def test_somebody_asks(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NOTIFY_SOCKET the process tells its state there."""
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    manager_of().close()
    assert manager.rest()[0].lines["STOPPING"] == "1"
    assert "NOTIFY_SOCKET" not in os.environ
