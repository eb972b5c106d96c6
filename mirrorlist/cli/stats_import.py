"""`mirrorlist stats import`: from old logs into the database."""

import gc
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from mirrorlist.cli.console import counted, messages, say
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.harmless import one_line
from mirrorlist.cli.options import options
from mirrorlist.cli.values import FilePath

if TYPE_CHECKING:
    from snapshot.stats.importing import Imported
    from snapshot.stats.logforms import Reading


@click.command("import", short_help="Add old logs to the database.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=FilePath())
@options("stats import")
def import_(files: tuple[Path, ...], database: str, geoip: Path | None) -> None:
    """Add the requests in logs to a database, each line once.

    Reads our request log in both forms, mirrorlist-server's, and httpd's combined log of a proxy;
    plain, or packed by gzip, xz or zstd. A log that was taken before is known by its content,
    also under another name or packed; of a log that has grown, only the new lines are taken. A line
    that cannot be read is counted and shown. A proxy's log has no countries: they are looked up, in
    --geoip or in the built-in registry data.

    \b
    mirrorlist stats import /var/log/mirrorlist/requests.log* \\
        --database sqlite:///stats.sqlite
    """
    from snapshot.stats.importing import import_logs

    gc.disable()
    end_on([signal.SIGTERM], 128 + signal.SIGTERM)
    problems = 0
    for done in import_logs(files, database, _reading(geoip)):
        problems += bool(done.problem)
        say(one_line(done.problem)) if done.problem else _tell_import(done)
    if problems:
        raise click.ClickException(
            f"not taken: {problems} of {counted(len(files), 'file', 'files')}; see above"
        )


def _reading(geoip: Path | None) -> "Reading":
    from mirrorlist.request.software import family_of
    from snapshot.stats.logforms import Reading
    from snapshot.stats.spool import CLIENTS

    return Reading(country=_country(geoip), client=lambda agent: CLIENTS[family_of(agent)])


def _country(geoip: Path | None) -> Callable[[str], str | None]:
    """Return the function that looks up an address; the source is opened at its first use."""
    found: list[Callable[[str], str | None]] = []

    def country(address: str) -> str | None:
        if not found:
            found.append(_opened(geoip))
        return found[0](address)

    if geoip is not None:
        # So that a file that cannot be used is refused at the start.
        found.append(_opened(geoip))
    return country


def _opened(geoip: Path | None) -> Callable[[str], str | None]:
    from mirrorlist.request.address import parse_address
    from mirrorlist.request.geo import open_geo

    geo = open_geo(geoip)

    def country(text: str) -> str | None:
        if "." not in text and ":" not in text:
            # A name: of a proxy that looks its clients up.
            return None
        address = parse_address(text)
        return geo.country(address) if address else None

    return country


def _tell_import(done: "Imported") -> None:
    for line in done.shown:
        messages().print(Text(f"  ! {one_line(line)}"), soft_wrap=True)
    parts = [counted(done.requests, "request", "requests")]
    if done.escaped:
        parts.append(f"{done.escaped:,} of them with names in \\u escapes")
    if done.before:
        parts.append(f"{counted(done.before, 'byte', 'bytes')} taken by an earlier import")
    if done.passed:
        parts.append(f"{counted(done.passed, 'line', 'lines')} not about lists")
    if done.unread:
        parts.append(f"{counted(done.unread, 'line', 'lines')} not readable")
    say(f"{one_line(done.path)}: {', '.join(parts)} ({done.seconds:.2f} s)")
