"""`mirrorlist repo`: repositories of a MirrorManager database listed, moved, and expired."""

import signal
from typing import TYPE_CHECKING

import click
from rich.text import Text

from mirrorlist.cli.console import (
    as_time,
    counted,
    output,
    print_json,
    say,
)
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.harmless import one_line
from mirrorlist.cli.options import options
from mirrorlist.cli.repo_choice import (
    MOST_SHOWN,
    choosing,
    counted_repositories,
    make_choice,
    say_more,
    show,
)
from mirrorlist.cli.repo_move import move
from mirrorlist.errors import OptionError

if TYPE_CHECKING:
    from snapshot.repo.expiring import Expired, ExpireResult
    from snapshot.repo.listing import Listed


@click.group(short_help="List, move and expire repositories of a database.")
def repo() -> None:
    """List repositories of a MirrorManager database, move them, or expire their alternates.

    What mm2_move-to-archive, mm2_move-devel-to-release and mm2_emergency-expire-repo do for
    MirrorManager, each in one transaction and with --dry-run.

    \b
    mirrorlist repo list --database postgresql://mm@db/mirrormanager --version 44
    mirrorlist repo move --database postgresql://mm@db/mirrormanager \\
        --product Fedora --version 41 --to-archive --dry-run
    mirrorlist repo expire --database postgresql://mm@db/mirrormanager \\
        --prefix updates-released-f44
    """


@repo.command("list", short_help="Show repositories, with their directories and file details.")
@options("repo list")
@choosing
def list_(database: str, json: bool, **given: str | None) -> None:
    """Show repositories: prefix, arch, version, category, file details, and directory.

    DETAILS is the number of file details that repomd.xml has, the newest and its alternates.
    Clients of a repository with 0 cannot check what mirrors send them.

    \b
    mirrorlist repo list --database sqlite:///mm.sqlite \\
        --category 'Fedora Linux' --arch x86_64
    mirrorlist repo list --database sqlite:///mm.sqlite --prefix 'updates-*' \\
        --json
    """
    from snapshot.repo.listing import list_repositories

    found = list_repositories(database, make_choice(given))
    if json:
        print_json(found)
        return
    if found:
        _print_list(found)
    say(counted_repositories(len(found)))


def _print_list(found: "list[Listed]") -> None:
    rows = [("prefix", "arch", "version", "category", "details", "newest (UTC)", "directory")]
    for one in found:
        newest = "" if one.newest is None else as_time(one.newest).removesuffix(" UTC")
        prefix = f"{one.prefix or '-'}{' (disabled)' if one.disabled else ''}"
        names = (one.arch or "-", one.version or "-", one.category or "-")
        rows.append((prefix, *names, str(one.details), newest, one.directory or "-"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    console = output()
    # Below its row if the line would be too long: a path that is broken cannot be copied.
    before = "  " if sum(widths) + 2 * len(widths) - 2 <= console.width else "\n  "
    for row in rows:
        *short, directory = map(one_line, row)
        line = "  ".join(map(str.ljust, short, widths)) + before + directory
        console.print(Text(line, style="" if row is not rows[0] else "bold"), soft_wrap=True)


@repo.command("expire", short_help="Keep only the newest file details.")
@options("repo expire")
@choosing
@click.option("--dry-run", is_flag=True, help="Print what would be deleted, and delete nothing.")
def expire(database: str, json: bool, dry_run: bool, **given: str | None) -> None:
    """Delete all alternates of some repositories' files: only the newest file details stay.

    For an emergency: clients then refuse every mirror that does not have the newest push, and all
    of them load the few that do. It takes effect with the next export. --directory alone means all
    files in it and below it, with or without a repository.

    \b
    mirrorlist repo expire --database sqlite:///mm.sqlite --product Fedora \\
        --version 44 --dry-run
    mirrorlist repo expire --database sqlite:///mm.sqlite \\
        --prefix updates-released-f44 --arch x86_64
    """
    end_on([signal.SIGTERM], 128 + signal.SIGTERM)
    choice = make_choice(given)
    if choice.is_all:
        raise OptionError("say which repositories, such as --product and --version, or --prefix")
    # Imported here: a worker must never load a database driver.
    from snapshot.repo.expiring import expire as run_expire

    result = run_expire(database, choice, dry_run=dry_run)
    if json:
        print_json(result)
    else:
        _say_expired(result)


def _say_expired(result: "ExpireResult") -> None:
    show(map(_expired, result.expired[:MOST_SHOWN]), output())
    say_more(len(result.expired))
    would = "would be " if result.dry_run else ""
    count = counted(len(result.expired), "alternate", "alternates")
    of = f" of {counted_repositories(result.repositories)}" if result.repositories else ""
    say(f"{count}{of} {would}deleted")


def _expired(one: "Expired") -> str:
    time = "no time" if one.timestamp is None else as_time(one.timestamp)
    return f"- {one.directory}/{one.filename} of {time}"


repo.add_command(move)
