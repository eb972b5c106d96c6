"""`mirrorlist demo`: everything on one machine, from an embedded database."""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
from rich.text import Text

from mirrorlist.accesslog import AccessLog
from mirrorlist.cli.console import output, progress_bar, say
from mirrorlist.cli.failure import guarded
from mirrorlist.cli.options import options
from mirrorlist.cli.serve import load_service, run_server
from mirrorlist.client import Trust
from mirrorlist.errors import StartError
from mirrorlist.refresh import look_at_files
from mirrorlist.saying import stay
from mirrorlist.signals import STOP, hold


@click.command(short_help="Everything on one machine, with a database like Fedora's.")
@options("demo")
def demo(
    admin: str | None,
    host: tuple[str, ...],
    port: int,
    workers: int,
    geoip: Path | None,
    minimum: int,
    log: Path | None,
    directory: Path,
) -> None:
    """Build a small MirrorManager database that looks like Fedora's, export it, serve it.

    Nothing to set up: SQLite, GeoIP from the registries, everything in one directory. A
    database and an asn.txt that are there already are kept, so change them and start again.
    """
    stay()
    hold()
    _make_directory(directory)
    code = _in_child(lambda: _prepare(directory))
    if code:
        raise SystemExit(code)
    access_log = AccessLog(str(log)) if log else None
    files = look_at_files(directory / "demo.snap", geoip)
    service = load_service(files.snapshot, geoip, Trust(), minimum, access_log)
    teach = partial(_teach, directory=directory)
    run_server(service, files, host, port, workers, admin, listening=teach, ends=_ends())


def _ends() -> frozenset[signal.Signals]:
    """Return the signals that mean the end: SIGHUP, too, for a demo that has a terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return STOP
    # nohup lets it be ignored.
    is_ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return STOP if is_ignored else STOP | {signal.SIGHUP}


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(
            f"{directory}: cannot be made: {error.strerror}; choose another --directory"
        ) from error


def _prepare(directory: Path) -> None:
    from mirrorlist.cli.export import run_export
    from snapshot.demo import build_demo, demo_asn_lines
    from snapshot.writer import replace_file

    database, asn = directory / "demo.sqlite", directory / "asn.txt"
    if database.exists():
        say(f"using the database that is there: {database}")
    else:
        with progress_bar() as steps:
            build_demo(database, lambda phase: steps(f"building {phase}", 0, 0))
        say(f"built a MirrorManager database: {database}")
    if not asn.exists():
        replace_file(asn, "".join(f"{line}\n" for line in demo_asn_lines()).encode())
    run_export(f"sqlite:///{database}", directory / "demo.snap", asn)


def _in_child(work: Callable[[], None]) -> int:
    """Run in a process of its own, so that the server's never loads a database driver."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if not process:
        code = guarded(work)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _teach(address: str, directory: Path) -> None:
    url = f"http://{address}"
    query = "repo=rawhide&arch=x86_64"
    lines = [
        "",
        "Try, in another terminal:",
        f"  curl '{url}/metalink?{query}&ip=85.214.132.117'      a client in Germany",
        f"  curl '{url}/metalink?{query}&ip=200.160.0.8'         one in Brazil",
        f"  curl '{url}/metalink?{query}&ip=2001:200::1'         one in Japan, by IPv6",
        f"  curl '{url}/mirrorlist?repo=epel-10&arch=aarch64&country=br&protocol=https'",
        f"  curl '{url}/mirrorlist?path=pub/fedora/linux/releases/44&time'",
        f"  curl '{url}/rsyncFilter?categories=Fedora+EPEL&since=1793487000'   for rsync",
        f"  curl '{url}/repositories'                                 all that can be asked for",
        "",
        "Why these mirrors?",
        f"  curl -H 'Accept: text/plain' '{url}/explain?{query}&ip=200.160.0.8'",
        f"  {sys.argv[0]} ask --snapshot {directory / 'demo.snap'} '{query}' --ip 200.160.0.8",
        "",
        "End with Ctrl-C.",
    ]
    output().print(Text("\n".join(lines)))
