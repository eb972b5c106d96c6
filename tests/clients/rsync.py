"""rsync as mirror administrators use it: a script that reads a text list, and real daemons."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.clients.mirrors import join
from tests.clients.server import find_free_port

# The script of a cron job: the first mirror of the list that works gives the files.
SCRIPT = """\
curl --disable --silent --show-error --fail --globoff --output list "$1" || exit
for url in $(grep '^rsync://' list); do
    rsync --times --recursive --contimeout=5 "$url" copy && exit
done
echo "no mirror works" >&2
exit 1
"""
_START_SECONDS = 10.0


@contextmanager
def run_daemon(
    folder: Path, host: str, modules: dict[str, Path], *further: str, user: int = 0
) -> Iterator["Daemon"]:
    """Run an rsync daemon until the block ends: module names, and the folders they give.

    `further` are lines of its settings; `user` is who it becomes if it is run by root.
    """
    port = find_free_port(host)
    log = folder / "rsync.log"
    settings = folder / "rsyncd.conf"
    settings.write_text("\n".join([*further, _settings(log, modules, user)]))
    command = ["rsync", "--daemon", "--no-detach", f"--config={settings}"]
    with subprocess.Popen([*command, f"--address={host}", f"--port={port}"]) as process:
        try:
            _wait_until_it_listens(process, host, port)
            yield Daemon(f"rsync://{join(host, port)}", log)
        finally:
            process.terminate()


class Daemon:
    """A running daemon: its URL, and what it was asked for."""

    def __init__(self, url: str, log: Path) -> None:
        """Describe a daemon that writes a log."""
        self.url = url
        self._log = log

    @property
    def asked(self) -> Sequence[str]:
        """What clients wanted, as `module/path/`, in the order of asking."""
        lines = self._log.read_text().splitlines()
        return [line.split(" rsync on ")[1].split(" ")[0] for line in lines if " rsync on " in line]


def _settings(log: Path, modules: dict[str, Path], user: int) -> str:
    """The daemon's settings; as root it would become nobody, who cannot read a test's files."""
    runs_as = f"uid = {user}\ngid = {user}\n" if os.geteuid() == 0 else ""
    parts = [f"[{name}]\npath = {folder}\n" for name, folder in modules.items()]
    return f"use chroot = no\n{runs_as}log file = {log}\n{''.join(parts)}"


def _wait_until_it_listens(process: subprocess.Popen[bytes], host: str, port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, f"rsync --daemon ended with {process.returncode}"
            assert time.monotonic() < deadline, "rsync --daemon does not listen"
            time.sleep(0.02)
