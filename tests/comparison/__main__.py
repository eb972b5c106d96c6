"""Compares a running mirrorlist-server with us: `python -m tests.comparison --help`."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtest.dataset.data_files import LOG_FILE
from mirrorlist.replay.compare import judge
from mirrorlist.replay.request import Request
from tests.comparison import golden
from tests.comparison.log_requests import requests_of_log
from tests.comparison.prepare import GEOIP, LOG, SNAPSHOT, next_steps, prepare_large
from tests.comparison.prepare import prepare as prepare_data
from tests.comparison.requests import requests as make_requests
from tests.comparison.rules import RULES
from tests.comparison.sources import Asked, OverHttp, RequestLog, TakenLog
from tests.comparison.table import table, unexplained
from tests.live import serve

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

_FOLDER = click.Path(path_type=Path, file_okay=False)
_data = click.option("--data", required=True, type=_FOLDER, help="The folder that prepare wrote.")
_theirs = click.option(
    "--theirs", required=True, metavar="URL", help="A running mirrorlist-server."
)
_log = click.option(
    "--theirs-log",
    type=click.Path(path_type=Path),
    help="Its request log, which is compared too; theirs.log in the folder by default.",
)


@click.group()
def cli() -> None:
    """Compare a running mirrorlist-server with us on the same data: prepare, then run.

    \b
    createdb comparison
    python -m tests.comparison prepare --database postgresql:///comparison --data comparison-data
    python -m tests.comparison run --theirs http://127.0.0.1:3001 --data comparison-data
    """


@cli.command()
@click.option("--database", required=True, metavar="URL", help="An empty PostgreSQL database.")
@click.option("--data", required=True, type=_FOLDER, help="The folder to write files to.")
@click.option("--scale", type=float, help="Production-size data instead; 1 is Fedora's size.")
def prepare(database: str, data: Path, scale: float | None) -> None:
    """Fill a database, export our snapshot, write the other files, say what comes next."""
    if scale is None:
        prepare_data(database, data.absolute())
    else:
        prepare_large(database, data.absolute(), scale)
    click.echo(next_steps(data.absolute()), nl=False)


@cli.command()
@_theirs
@_log
@_data
@click.option("--ours", metavar="URL", help="Our server; without it, one is started.")
@click.option("--requests", "count", default=2000, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=1, show_default=True)
def run(
    url: str, theirs_log: Path | None, data: Path, ours: str | None, count: int, seed: int
) -> None:
    """Compare, print a table; exit code 1 if a difference is unexplained.

    The systematic requests are always asked, so there can be more than --requests says. On
    production-size data the requests are those of its log.
    """
    theirs = Asked(OverHttp(url, RequestLog(_seen(theirs_log, data))))
    verdicts = []
    with _ours(ours, data) as mine, _progress(_requests(data, seed, count)) as requests:
        for request in requests:
            verdicts.append(judge(request, theirs, mine, RULES))
            # Nothing asks for it again, and two thousand piles are large.
            mine.forget()
            theirs.forget()
    click.echo(table(verdicts))
    if unexplained_text := unexplained(verdicts):
        click.echo(f"\n{unexplained_text}")
        sys.exit(1)


@cli.command()
@_theirs
@_log
@_data
def record(url: str, theirs_log: Path | None, data: Path) -> None:
    """Record mirrorlist-server's answers again for tests/test_comparison.py."""
    theirs = Asked(OverHttp(url, RequestLog(_seen(theirs_log, data))))
    with _ours(None, data) as mine:
        verdicts = golden.record(theirs, mine)
    click.echo(table(verdicts))
    click.echo(unexplained(verdicts))


@contextmanager
def _ours(url: str | None, data: Path) -> Iterator[Asked]:
    if url is not None:
        yield Asked(OverHttp(url))
        return
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "ours.log")
        options = ("--geoip", data.absolute() / GEOIP, "--log", log)
        with serve(data.absolute() / SNAPSHOT, Path(folder), *options) as server:
            yield Asked(OverHttp(f"http://127.0.0.1:{server.port}", TakenLog(server, log)))


def _requests(data: Path, seed: int, count: int) -> list[Request]:
    log = data / LOG_FILE
    return requests_of_log(log, count) if log.exists() else make_requests(seed, count)


def _progress(requests: list[Request]) -> "ProgressBar[Request]":
    return click.progressbar(requests, label="asking", file=sys.stderr)


def _seen(log: Path | None, data: Path) -> Path | None:
    log = log or data / LOG
    return log if log.exists() else None


if __name__ == "__main__":
    cli()
