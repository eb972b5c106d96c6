"""`mirrorlist health`: which process it asks, for which pages, and what it says of them."""

import os
import signal
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mirrorlist.cli import cli, health
from mirrorlist.cli.health import pages_of
from mirrorlist.cli.running import running
from mirrorlist.cli.subcommands import Subcommands
from mirrorlist.errors import OperatorError
from snapshot.file.writer import encode
from tests.clients.server import find_free_port
from tests.command import assert_refused, run, run_here
from tests.live import COMMAND, Server, serve, wait_until
from tests.small_worlds import Mirror, small_data

READY = "/health/ready"
SNAPSHOT = ("--snapshot", "x")
SCAN = ("--database", "x", "--config", "y", "--category", "z")


def put(proc: Path, pid: int, parent: int, *words: str) -> None:
    """Write what Linux shows of a process."""
    folder = proc / str(pid)
    folder.mkdir()
    (folder / "cmdline").write_bytes("".join(f"{word}\0" for word in words).encode())
    (folder / "stat").write_text(f"{pid} (a (b) c) S {parent} 1 1")


def pages(proc: Path, pid: int | None = None) -> list[str]:
    """The pages that are asked for, without their scheme."""
    assert isinstance(cli, Subcommands)
    return [url.removeprefix("http://") for url in pages_of(running(pid, cli, proc))]


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["serve", *SNAPSHOT], ["127.0.0.1:3000/health/ready"]),
        (["serve", *SNAPSHOT, "--port=81"], ["127.0.0.1:81/health/ready"]),
        (["serve", *SNAPSHOT, "--host", "192.0.2.1"], ["192.0.2.1:3000/health/ready"]),
        (["serve", *SNAPSHOT, "--host", "0.0.0.0"], ["127.0.0.1:3000/health/ready"]),
        (["serve", *SNAPSHOT, "--host", "*"], ["localhost:3000/health/ready"]),
        (["serve", *SNAPSHOT, "--host", "[::1]"], ["[::1]:3000/health/ready"]),
        (["serve", *SNAPSHOT, "--admin", "none"], ["127.0.0.1:3000/health/ready"]),
        (
            ["serve", *SNAPSHOT, "--admin", "3005"],
            ["127.0.0.1:3000/health/ready", "127.0.0.1:3005/health/ready"],
        ),
        (["serve", *SNAPSHOT, "--port", "0"], ["127.0.0.1:3001/health/ready"]),
        (["serve", *SNAPSHOT, "--proxy-protocol"], ["127.0.0.1:3001/health/ready"]),
        (["import-cache", "a", "--watch", "--output", "y"], []),
        (["demo", "--port", "82"], ["127.0.0.1:82/health/ready"]),
        (["run", "a.toml", "--port", "82"], ["127.0.0.1:82/health/ready"]),
        (["watch", "--database", "x", "--output", "y"], ["127.0.0.1:3002/health/fresh"]),
        (["scan", "--watch", *SCAN], ["127.0.0.1:3004/health/fresh"]),
        (["scan", *SCAN, "--watch", "--admin", "84"], ["127.0.0.1:84/health/fresh"]),
        (["stats", "collect", "s", "--database", "x", "--watch"], ["127.0.0.1:3006/health/fresh"]),
        (
            ["watch", "--database", "x", "--output", "y", "--admin", "0.0.0.0:83"],
            ["127.0.0.1:83/health/fresh"],
        ),
    ],
    ids=" ".join,
)
def test_the_pages_of_a_process(tmp_path: Path, words: list[str], asked: list[str]) -> None:
    """The address, the port and the page follow the command and its options."""
    put(tmp_path, 1, 0, "/opt/mirrorlist/bin/python", "/opt/mirrorlist/bin/mirrorlist", *words)
    assert pages(tmp_path) == asked


def test_the_pages_of_a_drop_in(tmp_path: Path) -> None:
    """A mirrorlist-server is asked on the address and port of its own flags."""
    put(
        tmp_path,
        1,
        0,
        "python3",
        "/usr/bin/mirrorlist-server",
        "--listen",
        "0.0.0.0",
        "--port",
        "84",
    )
    assert pages(tmp_path) == ["127.0.0.1:84/health/ready"]


def test_a_wrong_number_is_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A check prints one line, also of a mirrorlist-server that was given a wrong number."""
    put(tmp_path, 7, 1, "python3", "/bin/mirrorlist-server", "-m", "x")
    assert pages(tmp_path) == ["127.0.0.1:3000/health/ready"]
    assert capsys.readouterr().out == ""


def test_the_environment_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the process was told by the environment is known, because the two share it."""
    monkeypatch.setenv("MIRRORLIST_PORT", "85")
    monkeypatch.setenv("MIRRORLIST_SNAPSHOT", "x")
    put(tmp_path, 7, 1, "python3", "-m", "mirrorlist.cli", "serve")
    assert pages(tmp_path) == ["127.0.0.1:85/health/ready"]


def test_workers_are_not_servers(tmp_path: Path) -> None:
    """A worker, which has its supervisor's command line, is not another server."""
    serving = ("python3", "/bin/mirrorlist", "serve", *SNAPSHOT)
    put(tmp_path, 1, 0, "/sbin/init")
    put(tmp_path, 30, 1, *serving)
    put(tmp_path, 4, 30, *serving)
    put(tmp_path, 5, 1, "python3", "/bin/mirrorlist", "health")
    put(tmp_path, 12, 1, "python3", "/bin/mirrorlist", "scan", *SCAN)
    put(tmp_path, 13, 1, "python3", "/bin/mirrorlist", "stats", "collect", "s", "--database=x")
    put(tmp_path, 6, 1, "vi", "serve")
    put(tmp_path, 9, 1, "journalctl", "-fu", "mirrorlist-server")
    put(tmp_path, 10, 1, "tail", "-f", "/var/log/mirrorlist-server")
    put(tmp_path, 11, 1, "pgrep", "mirrorlist", "serve")
    (tmp_path / "8").mkdir()
    assert pages(tmp_path) == ["127.0.0.1:3000/health/ready"]


def test_one_of_several(tmp_path: Path) -> None:
    """Of several processes one is chosen by its number; without it they are listed."""
    put(tmp_path, 30, 1, "python3", "/bin/mirrorlist", "serve", *SNAPSHOT)
    put(tmp_path, 40, 1, "python3", "/bin/mirrorlist", "watch", "--database=x", "--output=y")
    with pytest.raises(OperatorError, match=r"30 \(serve\), 40 \(watch\); choose one with --pid"):
        pages(tmp_path)
    assert pages(tmp_path, 40) == ["127.0.0.1:3002/health/fresh"]
    with pytest.raises(OperatorError, match="process 41 is not a mirrorlist that stays"):
        pages(tmp_path, 41)


def test_none_runs(tmp_path: Path) -> None:
    """Where nothing runs, the error says what to give."""
    with pytest.raises(
        OperatorError, match=r"no serve, .*, scan --watch or stats collect --watch runs here"
    ):
        pages(tmp_path)


def test_a_watch_without_an_address(tmp_path: Path) -> None:
    """A watch that answers nowhere cannot be asked, and the error says what to change."""
    put(
        tmp_path,
        1,
        0,
        "python",
        "mirrorlist",
        "watch",
        "--database=x",
        "--output=y",
        "--admin=none",
    )
    with pytest.raises(OperatorError, match="--admin none leaves no address to ask"):
        pages(tmp_path)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot with one mirror, of which the database was read long ago."""
    path = tmp_path_factory.mktemp("health") / "mm.snap"
    path.write_bytes(encode(small_data((Mirror(),), {})))
    return path


def test_what_is_said(
    snapshot: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Healthy is 0 and one line; unhealthy is 1 and one line with the status and the reason."""
    admin = find_free_port()
    with serve(snapshot, tmp_path, "--admin", admin) as server:
        ready = f"http://127.0.0.1:{server.port}{READY}"
        assert run_here(monkeypatch, "health", ready) == 0
        assert capsys.readouterr() == (f"healthy: {ready}\n", "")
        fresh = f"http://127.0.0.1:{admin}/health/fresh"
        assert run_here(monkeypatch, "health", ready, fresh) == 1
        out, error = capsys.readouterr()
        assert out == ""
        assert error.startswith(f"mirrorlist: error: {fresh}: unhealthy: 503: snapshot ")
        assert error.count("\n") == 1
        assert run_here(monkeypatch, "health", ready.replace("ready", "none")) == 1
        assert capsys.readouterr().err.endswith("unhealthy: 404\n")
    assert run_here(monkeypatch, "health", ready) == 1
    assert "no answer: Connection refused" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    [
        *("127.0.0.1:3000", "https://a/", "http://", "http://a:b/", "http://["),
        *("http://a..b/", f"http://{'a' * 64}/", "http://127.0.0.1:1/ä", "http://ä/"),
    ],
)
def test_a_wrong_url(url: str) -> None:
    """What cannot be asked is named, with an example."""
    assert_refused(run("health", url), 2, f"{url}: not a URL such as http://127.0.0.1:3001/")


def test_orders_for_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a server sends is shown without control characters."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sending = threading.Thread(target=_send, args=(listener, b"\x1b[2Jno HTTP\r\n\r\n"))
        sending.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert run_here(monkeypatch, "health", url) == 1
    assert capsys.readouterr().err == f"mirrorlist: error: {url}: no answer: ?[2Jno HTTP\n"
    sending.join()


def _send(listener: socket.socket, answer: bytes) -> None:
    with listener.accept()[0] as client:
        client.recv(1000)
        client.sendall(answer)


def test_a_slow_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that sends an octet now and then does not hold a check up."""
    monkeypatch.setattr(health, "_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sending = threading.Thread(target=_drip, args=(listener,), daemon=True)
        sending.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        assert run_here(monkeypatch, "health", url) == 1
    assert capsys.readouterr().err == f"mirrorlist: error: {url}: no answer: timed out\n"
    sending.join()


def _drip(listener: socket.socket) -> None:
    with listener.accept()[0] as client, suppress(OSError):
        for octet in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
            client.send(bytes([octet]))
            time.sleep(0.1)


def test_a_number_and_a_url() -> None:
    """A process and a URL together are refused."""
    assert_refused(run("health", "--pid", 1, "http://a/"), 2, "give one of the two")


def _health(server: Server) -> tuple[int, str]:
    done = run("health", "--pid", server.process.pid)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.system
def test_a_real_process(snapshot: Path, tmp_path: Path) -> None:
    """A server that runs is found by its number; while it drains it is not healthy."""
    port = find_free_port()
    options = ("--port", port, "--workers", 2, "--drain", 60)
    with serve(snapshot, tmp_path, *options, command=COMMAND) as server:
        assert _health(server) == (0, f"healthy: http://127.0.0.1:{port}{READY}\n")
        server.process.send_signal(signal.SIGTERM)
        wait_until("it drains", lambda: server.get(READY).status == 503)
        assert _health(server)[0] == 1
        os.kill(server.process.pid, signal.SIGKILL)
