"""`mirrorlist run --example`: three mirrors on this machine, of which one is stale and one dead."""

import os
import shlex
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from rich.text import Text

from mirrorlist.cli.console import output, say
from mirrorlist.cli.demo import program
from mirrorlist.process.signals import HELD, STOP, pass_over, release
from mirrorlist.process.threads import Threads
from mirrorlist.web.listener import LOOPBACK, listen, shown_of
from mirrorlist.workers.supervisor import Beside

EXAMPLE_DIRECTORY, EXAMPLE_FILE = Path("mirrorlist-example"), "mirrors.toml"
"""Where the example keeps all, and the name of its file there."""


class Example:
    """The sockets of three mirrors: two that answer, and one that refuses each connection."""

    def __init__(self) -> None:
        """Bind three free ports."""
        self._listeners = {name: listen(LOOPBACK, 0, "--example") for name in ("fresh", "stale")}
        # Bound, so that no other program takes its port; it does not listen, so nobody can connect.
        self._dead = socket.socket()
        self._dead.bind((LOOPBACK, 0))

    def write(self, file: Path) -> None:
        """Write the file, and the primary's tree beside it."""
        from snapshot.sites.example import write_example

        sockets = {**self._listeners, "dead": self._dead}
        write_example(file, {name: shown_of(one) for name, one in sockets.items()})

    def beside(self) -> Beside:
        """Return the process of the mirrors that answer."""
        return Beside("example mirrors", self._work)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Let the mirrors answer in threads of this process while the block runs."""
        from mirrorlist.status.admin import Admin, Reply
        from snapshot.sites.example import tree_of

        threads, started = Threads(say), []
        for name, listener in self._listeners.items():
            # Another object for the same socket, because an end closes it.
            routes = {
                ("GET", f"/{path}"): partial(Reply, 200, content, "application/octet-stream")
                for path, content in tree_of(name).items()
            }
            started.append(Admin(listener.dup(), routes))
            started[-1].start(threads)
        try:
            yield
        finally:
            for one in started:
                one.stop()

    @property
    def sockets(self) -> list[socket.socket]:
        """The sockets of all three."""
        return [*self._listeners.values(), self._dead]

    def _work(self, lifeline: int) -> None:
        for number in STOP:
            signal.signal(number, signal.SIG_IGN)
        pass_over("example mirrors", HELD, say)
        release()
        with self.answering(), suppress(OSError):
            os.read(lifeline, 1)
        os._exit(0)


def teach(address: str, directory: Path, snapshot: Path) -> None:
    """Print what to try."""
    output().print(
        Text("\n".join(_lesson(f"http://{address}", directory, snapshot))), soft_wrap=True
    )


def _lesson(url: str, directory: Path, snapshot: Path) -> list[str]:
    from snapshot.sites.example import QUERY

    return [
        "",
        "# Of three mirrors, one is up to date, one is stale, one is dead. In another terminal:",
        f"curl '{url}/metalink?{QUERY}'",
        f"curl '{url}/mirrorlist?{QUERY}'",
        "# Why not the others?",
        f"curl -H 'Accept: text/plain' '{url}/explain?{QUERY}'",
        f"{program()} ask --snapshot {shlex.quote(str(snapshot))} '{QUERY}'",
        "# The file of all this; a change is served within seconds:",
        f"cat {shlex.quote(str(directory / EXAMPLE_FILE))}",
        "# Your own: mirrorlist sites init, then mirrorlist run mirrors.toml",
        "# End with Ctrl-C.",
        "",
    ]
