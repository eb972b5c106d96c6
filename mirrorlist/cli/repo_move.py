"""`mirrorlist repo move`: repositories are pointed to other directories."""

import signal
from typing import TYPE_CHECKING

import click

from mirrorlist.cli.console import counted, messages, output, print_json, say
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.options import options
from mirrorlist.cli.repo_choice import (
    MOST_SHOWN,
    choosing,
    counted_repositories,
    make_choice,
    say_more,
    show,
)
from mirrorlist.errors import OptionError
from snapshot.file.errors import RefusedMove

if TYPE_CHECKING:
    from snapshot.repo.destination import Order
    from snapshot.repo.moving import Moved, MoveResult


@click.command("move", short_help="Point repositories to other directories.")
@options("repo move")
@choosing
@click.option(
    "--to-archive",
    is_flag=True,
    help="Move to --archive-category: its topdir, and the old name without pub/.",
)
@click.option(
    "--archive-category",
    metavar="NAME",
    default="Fedora Archive",
    show_default=True,
    help="The category of --to-archive.",
)
@click.option(
    "--keep-category",
    metavar="NAME",
    multiple=True,
    default=("Fedora Codecs",),
    show_default=True,
    help="A category whose repositories --to-archive leaves where they are; may be repeated.",
)
@click.option(
    "--to-release",
    is_flag=True,
    help="Move from development/VERSION to releases/VERSION; needs --version and --category, and"
    " moves all repositories of the category that are there.",
)
@click.option(
    "--from",
    "old",
    metavar="PATH",
    help="Move repositories in whose directory this path is, such as linux/development; with --to.",
)
@click.option("--to", "new", metavar="PATH", help="The path that takes the place of --from.")
@click.option(
    "--to-category", metavar="NAME", help="The category of --to, if it is another than before."
)
@click.option(
    "--skip-unready",
    is_flag=True,
    help="Move those that can be moved. Without it, all stay if one new directory is not ready.",
)
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
def move(
    database: str,
    json: bool,
    to_archive: bool,
    archive_category: str,
    keep_category: tuple[str, ...],
    to_release: bool,
    old: str | None,
    new: str | None,
    to_category: str | None,
    skip_unready: bool,
    dry_run: bool,
    **given: str | None,
) -> None:
    """Point repositories to other directories; their prefixes stay, so clients notice nothing.

    A new directory must be in the database, in the new category, and readable, with file details
    of its repomd.xml: scan its category first. If one is not ready, nothing is changed.

    \b
    mirrorlist repo move --database sqlite:///mm.sqlite --product Fedora \\
        --version 41 --to-archive
    mirrorlist repo move --database sqlite:///mm.sqlite \\
        --category 'Fedora Linux' --version 44 --to-release --dry-run
    mirrorlist repo move --database sqlite:///mm.sqlite --prefix 'epel-7' \\
        --from epel/7 --to archive/epel/7 --to-category 'Fedora Archive'
    """
    end_on([signal.SIGTERM], 128 + signal.SIGTERM)
    if [to_archive, to_release, old is not None].count(True) != 1:
        raise OptionError("give one of --to-archive, --to-release, or --from with --to")
    if to_archive:
        order = _to_archive(given, archive_category, keep_category)
    elif to_release:
        order, given = _to_release(given)
    else:
        order = _to_path(old, new, to_category)
    # Imported here: a worker must never load a database driver.
    from snapshot.repo.moving import move_repositories

    result = move_repositories(
        database, make_choice(given), order, dry_run=dry_run, skip=skip_unready
    )
    if json:
        print_json(result)
    elif dry_run or not result.refused:
        _say_moved(result)
    if result.refused:
        raise _refusal(result)


def _to_archive(given: dict[str, str | None], category: str, kept: tuple[str, ...]) -> "Order":
    from snapshot.repo.destination import Order

    if not any(given.values()):
        raise OptionError("--to-archive: say which repositories, such as --product and --version")
    if given["version"] and not (given["product"] or given["category"] or given["prefix"]):
        raise OptionError("--version: several products may have it; give --product too")
    return Order(category=category, kept=kept)


def _to_release(given: dict[str, str | None]) -> "tuple[Order, dict[str, str | None]]":
    from snapshot.repo.destination import Order, Places

    version, category = given["version"], given["category"]
    if version is None or category is None:
        raise OptionError("--to-release needs --version and --category")
    places = Places(f"development/{version}", f"releases/{version}")
    # Not chosen by version: the row may still say `development`.
    return Order(places=places, category=category, version=version), {**given, "version": None}


def _to_path(old: str | None, new: str | None, category: str | None) -> "Order":
    from snapshot.repo.destination import Order, Places

    places = Places((old or "").strip("/"), (new or "").strip("/"))
    if not places.old or not places.new:
        raise OptionError("--from and --to go together, and neither is empty")
    return Order(places=places, category=category)


def _refusal(result: "MoveResult") -> RefusedMove:
    first = result.unready[0]
    total = len(result.unready) + len(result.moved)
    more = f", and {len(result.unready) - 1:,} more" if len(result.unready) > 1 else ""
    names = "--dry-run names them all, "
    return RefusedMove(
        f"{len(result.unready):,} of {counted_repositories(total)} cannot be moved, so none was:"
        f" {first.repository}: {first.why}{more} ({'' if result.dry_run else names}--skip-unready"
        " moves the others)"
    )


def _say_moved(result: "MoveResult") -> None:
    skipped, unready = result.skipped[:MOST_SHOWN], result.unready[:MOST_SHOWN]
    show((f"  {one.repository}: {one.why}; it stays" for one in skipped), messages())
    show((f"  ! {one.repository}: {one.why}" for one in unready), messages())
    show(map(_moved, result.moved[:MOST_SHOWN]), output())
    say_more(max(len(result.skipped), len(result.unready), len(result.moved)))
    if not result.refused:
        would = "would be " if result.dry_run else ""
        count = counted_repositories(len(result.moved))
        say(f"{count} {would}moved, {len(result.unready):,} not ready")
    if alone := sum(not one.hosts for one in result.moved):
        say(f"warning: no host is up to date in {alone:,} of the new directories: crawl them first")


def _moved(one: "Moved") -> str:
    hosts = counted(one.hosts, "host", "hosts")
    return f"~ {one.prefix} {one.arch}: {one.old} -> {one.new} ({hosts})"
