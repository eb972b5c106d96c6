"""`mirrorlist sites host`: which mirrors are offered, and taking one out for a while."""

import time
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from mirrorlist.cli.console import as_time, output, plain_table, print_json
from mirrorlist.cli.options import options
from mirrorlist.cli.values import Duration
from mirrorlist.errors import OptionError
from snapshot.file.text import refuse_control

if TYPE_CHECKING:
    from snapshot.sites.host_states import HostState

_NAME = click.argument("name", metavar="NAME")
_MOST_REASON = 500


@click.group(short_help="Which mirrors are offered; take one out for a while.")
def host() -> None:
    """Show which mirrors of the file clients are offered, and take one out for a while.

    \b
    mirrorlist sites host list --database sqlite:///mirrors.db
    mirrorlist sites host show mirror-de.example --database sqlite:///mirrors.db
    mirrorlist sites host drain mirror-de.example --for 2h --reason 'new disks' \\
        --database ...
    """


@host.command("list", short_help="Print all mirrors, and why one is not offered.")
@options("sites host list")
def list_all(database: str, json: bool) -> None:
    """Print all mirrors: for how many repositories each is offered, since when not, and why."""
    found = _read(database)
    if json:
        print_json(found)
        return
    table = plain_table("mirror", "country", "offered", "since", "why not")
    for one in found:
        since = as_time(one.since) if one.since is not None else ""
        table.add_row(Text(one.name), one.country, _offered(one), since, Text("; ".join(one.why)))
    output().print(table)


@host.command(short_help="Print all that is known of a mirror.")
@_NAME
@options("sites host show")
def show(name: str, database: str, json: bool) -> None:
    """Print which repositories a mirror is offered for, and its last answers.

    NAME is its name in the file.
    """
    from snapshot.sites.hosts import find_host

    _print(find_host(_read(database), name), json)


@host.command(short_help="Take a mirror out of the lists for a while.")
@_NAME
@options("sites host drain")
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    metavar="TIME",
    required=True,
    help="For how long, such as 30m, 2h or 1d12h.",
)
@click.option("--reason", metavar="TEXT", required=True, help="Why, for those who look later.")
def drain(name: str, database: str, json: bool, seconds: int, reason: str) -> None:
    """Take a mirror out of the lists, for example while its admin repairs it.

    A running watch publishes this within seconds. When the time is over, `mirrorlist run`, or the
    next probe or apply, brings the mirror back. A mirror that is drained already gets the new time
    and reason. The last mirror that clients get for a repository is refused.

    \b
    mirrorlist sites host drain mirror-de.example --for 2h --reason 'new disks' \\
        --database ...
    """
    from snapshot.sites.drains import drain as begin

    _print(begin(database, name, _reason(reason), seconds, int(time.time())), json)


@host.command(short_help="Bring a drained mirror back before its time.")
@_NAME
@options("sites host undrain")
def undrain(name: str, database: str, json: bool) -> None:
    """Bring a mirror back before the time of its drain is over."""
    from snapshot.sites.drains import undrain as end

    _print(end(database, name), json)


def _read(database: str) -> list["HostState"]:
    from snapshot.export.database import parse_url
    from snapshot.sites.database import writing
    from snapshot.sites.hosts import read_hosts

    # Not a read-only one, because an older database may lack a table of `mirrorlist sites`.
    with writing(parse_url(database), create=False, commit=False) as connection:
        return read_hosts(connection)


def _reason(text: str) -> str:
    text = " ".join(text.split())
    try:
        refuse_control(text, "--reason")
    except ValueError as error:
        raise OptionError(str(error)) from error
    if not 1 <= len(text) <= _MOST_REASON:
        raise OptionError(f"--reason: needs 1 to {_MOST_REASON} characters")
    return text


def _offered(one: "HostState") -> str:
    many, of = len(one.offered), len(one.offered) + len(one.not_offered)
    shown = "no" if not many else "all" if many == of else f"{many:,} of {of:,}"
    return f"{shown}, private" if one.private else shown


def _print(one: "HostState", json: bool) -> None:
    if json:
        print_json(one)
        return
    console = output()
    since = f" since {as_time(one.since)}" if one.since is not None else ""
    console.print(Text(f"{one.name}, {one.country}, of {one.site}"), soft_wrap=True)
    console.print(Text(f"offered for repositories: {_offered(one)}{since}"), soft_wrap=True)
    for why in one.why:
        console.print(Text(f"because {why}"), soft_wrap=True)
    if one.drained is not None:
        console.print(Text(f"it comes back at {as_time(one.drained.until)}"), soft_wrap=True)
    _print_urls(console, one)
    _print_files(console, one)


def _print_urls(console: Console, one: "HostState") -> None:
    table = plain_table("URL", "in lists", "since", "last good", "certificate ends", "trouble")
    for url in one.urls:
        times = (url.since, url.good, url.tls_expires)
        shown = ["" if time is None else as_time(time) for time in times]
        trouble = url.error or ("" if url.checked else "not asked yet")
        table.add_row(Text(url.url), "yes" if url.offered else "no", *shown, Text(trouble))
    console.print()
    console.print(table)


def _print_files(console: Console, one: "HostState") -> None:
    if not one.files:
        return
    table = plain_table("repository", "offered", "its file is", "since", "of", "URL")
    for file in one.files:
        offered = "yes" if file.repository in one.offered else "no"
        dates = (file.since, file.timestamp)
        since, of = ["" if time is None else as_time(time) for time in dates]
        table.add_row(
            Text(file.repository), offered, file.verdict, since, of, Text(_scheme(file.url))
        )
    console.print()
    console.print(table)


def _scheme(url: str) -> str:
    """Return as much of a URL as tells two URLs of a mirror apart in most cases."""
    return url.partition("://")[0]
