"""`mirrorlist stats`: statistics of requests, from spool files or logs into a database, and out."""

import click

from mirrorlist.cli.stats_collect import collect, expire
from mirrorlist.cli.stats_import import import_
from mirrorlist.cli.stats_look import addresses, table, top, trend
from mirrorlist.cli.stats_serve import serve


@click.group(short_help="Statistics of requests: bring them into a database, and look at them.")
def stats() -> None:
    """Statistics of requests: they last, and have no client's address.

    Servers count what they answer and write spool files; `collect` adds these to a database, and
    `import` adds old logs. `top`, `trend`, `table` and `addresses` show what is there.

    \b
    mirrorlist stats collect /var/spool/mirrorlist/1 \\
        --database postgresql://mm@db/mm --watch
    mirrorlist stats import requests.log-*.gz --database postgresql://mm@db/mm
    mirrorlist stats top --database postgresql://mm@db/mm --by repo,arch \\
        --since 2026-11-01
    mirrorlist stats serve --database postgresql://mm@db/mm
    """


for _command in (collect, import_, expire, top, trend, table, addresses, serve):
    stats.add_command(_command)
