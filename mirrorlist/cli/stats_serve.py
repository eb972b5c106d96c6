"""`mirrorlist stats serve`: pages of the statistics for a browser."""

import signal
import time
from contextlib import closing
from itertools import count

import click

from mirrorlist.cli.console import say
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.managed import manager_of
from mirrorlist.cli.options import options
from mirrorlist.errors import OptionError
from mirrorlist.process.manager import State
from mirrorlist.process.messages import stay
from mirrorlist.process.signals import HELD, pass_over, release
from mirrorlist.process.threads import Threads
from mirrorlist.settings.defaults import ADMIN_OF_STATS, NOWHERE

_LOOK_SECONDS = 1.0


@click.command(short_help="Show the statistics on pages for a browser.")
@options("stats serve")
def serve(database: str, admin: str | None) -> None:
    """Show the statistics on pages: plots, a world map, and the data behind them as CSV.

    The pages need no script and nothing from elsewhere. Anybody who can reach the address can read
    them, so it is one of this machine unless --admin says otherwise; TLS and passwords are for a
    proxy before it. The database is only read. While it is down, the pages say so.

    \b
    mirrorlist stats serve --database postgresql://mm@db/mirrormanager
    mirrorlist stats serve --database sqlite:///stats.sqlite \\
        --admin 127.0.0.1:8080
    """
    from mirrorlist.status.admin import Admin
    from mirrorlist.status.stats_pages import StatisticsPages
    from mirrorlist.web.listener import host_and_port, listen
    from snapshot.file.errors import DatabaseError
    from snapshot.stats.reading import Reader
    from snapshot.stats.shown import Statistics

    if admin == NOWHERE:
        raise OptionError("--admin none: without an address nobody could see the pages")
    reader = Reader(database)
    statistics = Statistics(reader)
    listener = listen(*host_and_port(admin or ADMIN_OF_STATS, "--admin"), "--admin")
    stay()
    manager, threads, turns = manager_of(), Threads(say), count(1)
    end_on([signal.SIGTERM, signal.SIGINT], 0)
    shown = Admin(listener, StatisticsPages(statistics).app())
    shown.start(threads)
    say(f"statistics on http://{shown.address}/")
    try:
        statistics.ready()
    except DatabaseError as error:
        say(f"warning: {error}; the pages say so until it can be used")
    pass_over("stats serve", HELD, say)
    release()
    manager.begin(lambda: State(f"statistics on http://{shown.address}/", 1, next(turns)))
    try:
        with closing(manager):
            while True:
                threads.again()
                manager.look()
                time.sleep(min(_LOOK_SECONDS, manager.pause))
    finally:
        shown.stop()
        reader.close()
