"""`mirrorlist demo`: everything on one machine, from an embedded database."""

import os
import select
import shlex
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from mirrorlist.cli.beforehand import in_child, make_directory
from mirrorlist.cli.console import output, progress_bar, say
from mirrorlist.cli.options import options
from mirrorlist.errors import StartError
from mirrorlist.process.messages import stay
from mirrorlist.process.signals import STOP, hold
from mirrorlist.web.listener import listen_all
from mirrorlist.workers.serve_settings import ServeSettings

# A port that no other example uses.
_OTHER_PORT = 3333


@click.command(short_help="Everything on one machine, with a database like Fedora's.")
@options("demo")
def demo(directory: Path, **given: Any) -> None:
    """Build a small MirrorManager database that looks like Fedora's, export it, serve it.

    It needs no setup: SQLite, GeoIP from the registries, everything in one directory. A
    database and an asn.txt from an earlier start are kept: change them and start again.

    \b
    mirrorlist demo
    mirrorlist demo --directory fedora --port 3333
    """
    stay()
    hold()
    # Opened first, because the terminal may be closed while the database is built.
    terminal = terminal_of()
    settings = ServeSettings(directory / "demo.snap", **given)
    # Bound first: if the port is in use, say so before building a database.
    listeners = _listen(settings.host, settings.port)
    make_directory(directory, "--directory")
    code = in_child(lambda: _prepare(directory))
    if code:
        raise SystemExit(code)
    # Imported here so that `--help` does not wait for uvicorn.
    from mirrorlist.workers.load import load_service
    from mirrorlist.workers.run import Hooks, run_server

    hooks = Hooks(
        listening=partial(_teach, directory=directory),
        ends=STOP if terminal is None else STOP | {signal.SIGHUP},
        over=partial(is_gone, terminal),
        tells_status=True,
    )
    run_server(settings, load_service(settings, say), listeners, say, hooks)


def terminal_of() -> int | None:
    """Open the terminal whose closing ends a demo; None without one, or under nohup."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return None
    try:
        return os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


def is_gone(terminal: int | None) -> bool:
    """Return whether the terminal is closed; make does not pass its SIGHUP on to the demo."""
    poll = select.poll()
    if terminal is not None:
        poll.register(terminal, 0)
    return bool(poll.poll(0))


def _listen(hosts: Sequence[str], port: int) -> list[socket.socket]:
    try:
        return listen_all(hosts, port)
    except StartError as error:
        other = f'another port: make demo ARGS="--port {_OTHER_PORT}", or --port {_OTHER_PORT}'
        raise StartError(f"{error}; is a demo of yours running there already? {other}") from error


def _prepare(directory: Path) -> None:
    from mirrorlist.cli.export import run_export
    from snapshot.demo import build_demo, demo_asn_lines
    from snapshot.export.job import Job
    from snapshot.file.writer import replace_file

    database, asn = directory / "demo.sqlite", directory / "asn.txt"
    # os.path, because pathlib raises if a folder on the way may not be searched.
    if os.path.exists(database):
        say(f"using the database that is there: {database}")
    else:
        with progress_bar() as steps:
            build_demo(database, lambda phase: steps(f"building {phase}", 0, 0))
        say(f"built a MirrorManager database: {database}")
    if not os.path.exists(asn):
        replace_file(asn, "".join(f"{line}\n" for line in demo_asn_lines()).encode())
    run_export(f"sqlite:///{database}", Job(directory / "demo.snap", asn, max_loss=None))


def _teach(address: str, directory: Path) -> None:
    # Each command is one line: a terminal folds long lines, and copies them unfolded.
    output().print(Text("\n".join(_lesson(f"http://{address}", directory))), soft_wrap=True)


def _lesson(url: str, directory: Path) -> list[str]:
    query = "repo=rawhide&arch=x86_64"
    snapshot, asn = (shlex.quote(str(directory / name)) for name in ("demo.snap", "asn.txt"))
    database = shlex.quote(f"sqlite:///{(directory / 'demo.sqlite').absolute()}")
    this = program()
    return [
        "",
        "# Try, in another terminal; a client in Germany:",
        f"curl '{url}/metalink?{query}&ip=85.214.132.117'",
        "# one in Brazil:",
        f"curl '{url}/metalink?{query}&ip=200.160.0.8'",
        "# one in Japan, by IPv6:",
        f"curl '{url}/metalink?{query}&ip=2001:200::1'",
        f"curl '{url}/mirrorlist?repo=epel-10&arch=aarch64&country=br&protocol=https'",
        f"curl '{url}/mirrorlist?path=pub/fedora/linux/releases/44&time'",
        "# What changed, for rsync:",
        f"curl '{url}/rsyncFilter?categories=Fedora+EPEL&since=1793487000'",
        "# All that can be asked for:",
        f"curl '{url}/repositories'",
        "# Why these mirrors?",
        f"curl -H 'Accept: text/plain' '{url}/explain?{query}&ip=200.160.0.8'",
        f"{this} ask --snapshot {snapshot} '{query}' --ip 200.160.0.8",
        "# What changes in the database is served seconds later, while this runs:",
        f"{this} watch --database {database} --output {snapshot} --asn {asn}",
        "# End with Ctrl-C.",
        "",
    ]


def program() -> str:
    """Return how to run this program again from a shell."""
    if sys.argv[0].endswith(".py"):
        return f"{shlex.quote(sys.executable)} -m mirrorlist.cli"
    return shlex.quote(sys.argv[0])
