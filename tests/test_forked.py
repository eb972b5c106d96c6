"""A forked process of the command is as one that was started: its code, its world, its limit."""

import signal
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from snapshot.file.writer import encode
from tests.command import COMMAND, PLAIN, run
from tests.forked import template
from tests.live import wait_until
from tests.small_worlds import Mirror, small_data


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A snapshot with one mirror."""
    path = tmp_path / "mm.snap"
    path.write_bytes(encode(small_data((Mirror(),), {})))
    return path


def test_a_run_has_its_own_world(snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, environment and folder are those of a run, and nothing stays for the next."""
    monkeypatch.chdir(snapshot.parent)
    assert run("inspect", snapshot.name).returncode == 0
    assert run("inspect", snapshot.name, MIRRORLIST_SNAPSHOT_KEY="missing").returncode == 2
    assert run("inspect", snapshot.name).returncode == 0
    monkeypatch.chdir("/")
    assert run("inspect", snapshot.name).returncode == 3


def test_a_run_that_does_not_end(snapshot: Path) -> None:
    """A run that takes too long is killed, and the next one is not harmed."""
    serve = [*COMMAND, "serve", "--snapshot", str(snapshot), "--port", "0"]
    with TemporaryFile() as output, TemporaryFile() as errors:
        with pytest.raises(TimeoutError):
            template().run(serve, PLAIN, (output, errors), 0.1)
        assert template().run([*COMMAND, "inspect", str(snapshot)], PLAIN, (output, errors), 9) == 0


def test_two_at_once(snapshot: Path, tmp_path: Path) -> None:
    """Each of two processes has its own end: a signal's number, or the code of its command."""
    serve = [*COMMAND, "serve", "--snapshot", str(snapshot), "--port", "0", "--admin", "none"]
    with (tmp_path / "told").open("wb") as told:
        first, second = (template().start(serve, PLAIN, "/", (told, told)) for _ in range(2))
        assert (first.poll(), second.poll()) == (None, None)
        first.send_signal(signal.SIGKILL)
        assert first.wait(9) == -signal.SIGKILL
        assert second.poll() is None
        listed = [*COMMAND, "inspect", str(snapshot)]
        assert template().start(listed, PLAIN, "/", (told, told)).wait(9) == 0
        wait_until("it serves", lambda: "listening" in (tmp_path / "told").read_text())
        second.send_signal(signal.SIGTERM)
        assert (second.wait(9), second.poll()) == (0, 0)
