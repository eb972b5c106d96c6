"""`mirrorlist stats collect` and `expire`: from spools into the database, and away at the end."""

import gc
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mirrorlist.cli.console import counted, say
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.harmless import one_line
from mirrorlist.cli.managed import manager_of
from mirrorlist.cli.options import options
from mirrorlist.cli.turns import Turns
from mirrorlist.cli.values import FilePath, Number, Whole
from mirrorlist.errors import OptionError
from mirrorlist.process.threads import Threads

if TYPE_CHECKING:
    from snapshot.stats.collecting import Collected
    from snapshot.stats.progress import Progress

_DAY_SECONDS = 86400


@click.command(short_help="Add what servers counted to the database.")
@click.argument("spools", nargs=-1, required=True, metavar="SPOOL...", type=FilePath())
@options("stats collect")
@click.option("--watch", is_flag=True, help="Keep running, and collect again and again.")
@click.option(
    "--interval",
    type=Number(1),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="Seconds between two collections of --watch.",
)
@click.option(
    "--listen",
    metavar="ADDRESS:PORT",
    help="Also receive spool files by HTTP, into the first SPOOL; implies --watch. TLS is for a"
    " proxy before it.",
)
@click.option(
    "--token-file",
    type=FilePath(),
    metavar="FILE",
    help="The file whose first line is the token that senders have; required with --listen.",
)
@click.option("--expire", is_flag=True, help="With --watch: run `stats expire` once a day, too.")
def collect(
    spools: tuple[Path, ...],
    database: str,
    admin: str | None,
    watch: bool,
    interval: float,
    listen: str | None,
    token_file: Path | None,
    expire: bool,
) -> None:
    """Add what is in spools to a database, each batch exactly once, and remove the files.

    A SPOOL is a folder in which servers write, or to which rsync brings their files, or a single
    file. A file that is damaged is moved to the folder `damaged` beside it, and named. A file that
    cannot be read at the moment waits, and so do all while the database is down. Tables are made
    when they are missing, and MirrorManager's access_stat is filled if the database has it. With
    --watch, health, metrics and a status are on the --admin address.

    \b
    mirrorlist stats collect /srv/spool \\
        --database postgresql://mm@db/mirrormanager --watch
    mirrorlist stats collect /srv/spool --database sqlite:///stats.sqlite
    """
    from snapshot.stats.collecting import Collected
    from snapshot.stats.collecting import collect as run_collect

    gc.disable()
    if not watch and not listen:
        _refuse(expire, token_file)
        end_on([signal.SIGTERM], 128 + signal.SIGTERM)
        _collect_once(lambda done: run_collect(spools, database, done))
        return
    end_on([signal.SIGTERM, signal.SIGINT], 0)
    from mirrorlist.status.collect_pages import pages, shown_on
    from snapshot.stats.progress import Progress

    teller, threads, progress = _Teller(), Threads(say), Progress(spools)

    def step() -> list[str]:
        threads.again()
        done = Collected()
        try:
            run_collect(spools, database, done)
        finally:
            progress.take(done)
            teller.tell(done)
        if progress.success_at is None:
            say(f"collecting every {interval:g} s; at the start: {_summary(done)}")
        return done.held

    with (
        closing(manager_of()) as manager,
        _receiving(spools[0], listen, token_file, threads),
        shown_on(admin, pages(progress, interval, threads), threads, say),
    ):
        turns = Turns("stats collect --watch", manager)
        _go_on(step, turns, progress, database, interval, expire)


def _collect_once(collect: Callable[["Collected"], object]) -> None:
    """Collect, and tell of it; files that wait end the command with an error."""
    from snapshot.stats.collecting import Collected

    done = Collected()
    try:
        collect(done)
    finally:
        _Teller().tell(done)
    say(_summary(done))
    for line in done.held:
        say(one_line(line))
    if done.held:
        raise click.ClickException(f"not collected: {len(done.held):,}; see above")


def _summary(done: "Collected") -> str:
    """Return what a collection did, as a line for people."""
    files = counted(done.files, "file", "files")
    batches = counted(done.batches, "batch", "batches")
    requests = counted(done.requests, "request", "requests")
    before = counted(done.again, "batch", "batches")
    again = f"; {before} had been added before" if done.again else ""
    return f"{files}, {batches}, {requests} added{again}"


def _refuse(expire: bool, token_file: Path | None) -> None:
    """Refuse what a single collection would not do."""
    if expire:
        raise OptionError("--expire: only with --watch; alone it is `mirrorlist stats expire`")
    if token_file:
        raise OptionError("--token-file: only with --listen, which receives spool files")


@contextmanager
def _receiving(
    spool: Path, listen: str | None, token_file: Path | None, threads: Threads
) -> Iterator[None]:
    """Receive spool files while the block runs, if there is an address to listen on."""
    if listen is None:
        yield
        return
    from mirrorlist.status.spool_receiver import PATH, receiver
    from mirrorlist.web.listener import host_and_port
    from mirrorlist.web.listener import listen as listen_on

    token = _token(token_file)
    spool.mkdir(parents=True, exist_ok=True)
    host, port = host_and_port(listen, "--listen")
    listener = listen_on(host, port, "--listen")
    receiving = receiver(listener, spool, token)
    say(f"receiving spool files on http://{receiving.address}{PATH}")
    receiving.start(threads, "spool receiver")
    try:
        yield
    finally:
        receiving.stop()


def _token(path: Path | None) -> str:
    from mirrorlist.status.spool_receiver import LEAST_TOKEN
    from snapshot.file.wholefile import read_text

    if path is None:
        raise OptionError("--listen needs --token-file: without a token anybody could add counts")
    try:
        token = read_text(path).split("\n")[0].strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise OptionError(f"{path}: the token cannot be read: {why}") from error
    if len(token) < LEAST_TOKEN or not token.isascii():
        raise OptionError(
            f"{path}: a token has at least {LEAST_TOKEN} ASCII characters; make one with"
            " openssl rand -hex 32"
        )
    return token


def _go_on(
    step: Callable[[], list[str]],
    turns: Turns,
    progress: "Progress",
    database: str,
    interval: float,
    expire: bool,
) -> None:
    """Collect until the end; while the database cannot be used, the files wait."""
    from snapshot.file.errors import DatabaseError, SpoolError

    expired = 0.0
    while True:
        began = time.monotonic()
        try:
            held = step()
            if expire and time.time() - expired > _DAY_SECONDS:
                _run_expire(database)
                expired = time.time()
            _tell_of_files(progress, held)
            progress.succeed(time.monotonic() - began, held)
        except (DatabaseError, SpoolError) as error:
            if not progress.error or progress.is_held:
                say(f"{error}; the files wait")
            progress.fail(error)
            progress.count()
        gc.collect()
        trouble = progress.error
        how = f"{trouble}; the files wait" if trouble else "all files are in the database"
        turns.rest(interval - (time.monotonic() - began), how)


def _tell_of_files(progress: "Progress", held: list[str]) -> None:
    """Say once that a file or a spool waits, and once that none does any more."""
    from snapshot.stats.progress import shown_of

    if held and not progress.is_held:
        say(one_line(f"{shown_of(held)}; it waits, and is tried again"))
    elif progress.error and not held:
        say("collecting again: all files that waited are in the database")


class _Teller:
    """Tells what collections did; of rows of (other) once a day, because each may have some."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def tell(self, done: "Collected") -> None:
        for line in done.set_aside:
            say(one_line(line))
        self._daily(
            "are in rows of (other): a server had no room for their labels",
            done.other,
            done.requests,
        )
        self._daily(
            "have names in \\u escapes: the database's encoding lacks characters of them",
            done.escaped,
            done.requests,
        )

    def _daily(self, what: str, some: int, whole: int) -> None:
        now = time.monotonic()
        if some and (what not in self._told or now - self._told[what] > _DAY_SECONDS):
            self._told[what] = now
            say(f"{some:,} of {counted(whole, 'request', 'requests')} {what}")


def _run_expire(database: str) -> None:
    from snapshot.stats.expiring import Keep
    from snapshot.stats.expiring import expire as run

    run(database, Keep(), datetime.now(UTC))


def _keep(name: str, default: int | None, help: str) -> Callable[..., Callable[..., object]]:
    shown = f"{help}  [default: {'for ever' if default is None else default}]"
    return click.option(name, type=Whole(1), default=default, metavar="N", help=shown)


@click.command(short_help="Drop statistics that are too old.")
@options("stats expire")
@_keep("--keep-details", 48, "Hours for which each combination of labels is kept.")
@_keep("--keep-hours", 2400, "Hours for which sums by hour are kept.")
@_keep("--keep-days", 1100, "Days for which sums by day, and of unknown repositories, are kept.")
@_keep("--keep-months", None, "Months for which sums by month are kept.")
@_keep("--keep-sketches", 400, "Days for which sketches of distinct addresses are kept.")
@_keep("--keep-batches", 400, "Days for which it is known that a spool file was added.")
def expire(
    database: str,
    keep_details: int,
    keep_hours: int,
    keep_days: int,
    keep_months: int | None,
    keep_sketches: int,
    keep_batches: int,
) -> None:
    """Drop what has been kept for long enough.

    In PostgreSQL partitions are dropped: days, months or halves of a year whose end is too old.
    A spool file that is older than --keep-batches is set aside by `collect`.
    """
    from snapshot.stats.expiring import Keep
    from snapshot.stats.expiring import expire as run

    keep = Keep(
        detail_hours=keep_details,
        hours=keep_hours,
        days=keep_days,
        months=keep_months,
        sketch_days=keep_sketches,
        batch_days=keep_batches,
    )
    done = run(database, keep, datetime.now(UTC))
    batches = counted(done.batches, "batch", "batches")
    say(f"dropped: {', '.join(done.dropped) or 'nothing'}; {batches} forgotten")
