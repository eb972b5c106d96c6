"""A systemd that runs units for tests, in namespaces of its own; nothing of it stays."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.live import ROOT, wait_until
from tests.system import need_power, need_program

SYSTEMD = Path("/lib/systemd/systemd")
SECONDS = 20.0
_NAMESPACES = ("--cgroup", "--pid", "--mount", "--uts", "--ipc", "--net", "--mount-proc")


class Booted:
    """A systemd with the units of contrib/systemd, and its own /etc, /var, /usr/bin and network."""

    def __init__(self, process: int) -> None:
        """Take the number of its process."""
        self._process = process

    def run(self, *command: object, may_fail: bool = False) -> str:
        """Run a command beside it; return what the command printed."""
        enter = ["nsenter", "-t", str(self._process), "-m", "-p", "-n", "-i", "-u", "-C"]
        done = subprocess.run(
            [*enter, *map(str, command)], capture_output=True, text=True, timeout=60, check=False
        )
        assert may_fail or done.returncode == 0, (command, done.stdout, done.stderr, self.said)
        return done.stdout

    @property
    def said(self) -> str:
        """All that the services have printed."""
        return self.run("sh", "-c", "cat /run/said 2>/dev/null || true", may_fail=True)

    def write(self, path: str, text: str, group: str = "root") -> None:
        """Write a file that root owns, and others of its group may read."""
        self.run("sh", "-c", f'printf %s "$1" >{path}; chgrp {group} {path}', "sh", text)
        self.run("chmod", "640", path)

    def start(self, *units: str) -> None:
        """Start units, which is done when they are ready."""
        self.run("systemctl", "start", *units)

    def show(self, unit: str, name: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).strip()

    def get(self, port: int, target: str) -> str:
        """Ask a server for a target."""
        return self.run("curl", "-sS", "--max-time", 10, f"http://127.0.0.1:{port}{target}")


@contextmanager
def booted(work: Path) -> Iterator[Booted]:
    """Boot in the block; what `work` has is in /run/work. Skips the test where that cannot be."""
    for program, package in (("unshare", "util-linux"), ("curl", "curl"), ("ip", "iproute2")):
        need_program(program, package)
    if not SYSTEMD.exists():
        pytest.skip("no systemd (Debian package systemd)")
    need_power(os.getuid() == 0, "only root can boot a systemd")
    need_power(sys.base_prefix == "/usr", f"{sys.base_prefix} is not for other users, as /usr is")
    group = _control_group()
    try:
        with _starting(group, work) as (started, log):
            yield _up(started, log)
    finally:
        _remove(group)


@contextmanager
def _starting(group: Path, work: Path) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    # The shell moves into the group first, whose namespace unshare makes then.
    script = 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"'
    inner = ["sh", str(ROOT / "tests" / "booted.sh"), str(ROOT), sys.prefix, str(work)]
    enter = ["unshare", "--fork", "--kill-child", *_NAMESPACES, *inner]
    log = work / "boot.log"
    with log.open("wb") as file:
        started = subprocess.Popen(
            ["sh", "-c", script, "sh", str(group), *enter],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield started, log
    finally:
        # With its first process, all processes of a namespace end.
        for process in (*_children(started.pid), started.pid):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        started.wait()


def _up(started: "subprocess.Popen[bytes]", log: Path) -> Booted:
    def state() -> str:
        found = _children(started.pid)
        one = Booted(found[0]) if found else None
        return one.run("systemctl", "is-system-running", may_fail=True).strip() if one else ""

    with suppress(AssertionError):
        wait_until(
            "it runs", lambda: started.poll() is not None or state() == "running", SECONDS, 0.05
        )
    need_power(
        state() == "running", f"no systemd can be booted here: {log.read_text()[-200:].strip()}"
    )
    return Booted(_children(started.pid)[0])


def _control_group() -> Path:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    found = [mount[1] for mount in mounts if mount[2] == "cgroup2"]
    need_power(bool(found), "no control groups of version 2")
    group = Path(found[0]) / f"mirrorlist-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        need_power(False, f"no control group can be made: {error.strerror}")
    return group


def _remove(group: Path) -> None:
    """Remove a control group with those in it, which are empty soon after their processes' end."""

    def gone() -> bool:
        for folder, _, _ in os.walk(group, topdown=False):
            with suppress(OSError):
                os.rmdir(folder)
        return not group.exists()

    wait_until("the control group is removed", gone, SECONDS)


def _children(process: int) -> list[int]:
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in children.split()]
