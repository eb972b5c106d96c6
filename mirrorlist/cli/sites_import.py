"""`mirrorlist sites import`: a site's files from other lists of mirrors."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.text import Text

from mirrorlist.cli.console import counted, output, plain_table, print_json
from mirrorlist.cli.options import options
from mirrorlist.cli.values import FilePath
from mirrorlist.errors import OptionError

if TYPE_CHECKING:
    from snapshot.sites.imports.cleaning import Places
    from snapshot.sites.imports.draft import Note, Notes, SiteDraft
    from snapshot.sites.imports.writing import Imported

# As many as fit on a screen; --json has all of them.
_MOST_SHOWN = 20
F = TypeVar("F", bound=Callable[..., Any])


@click.group("import", short_help="Make a file of another list of mirrors.")
def import_group() -> None:
    """Make mirrors.toml and mirrors.d of another list of mirrors.

    What was written in another way and what is left out is printed. A mirror that is not complete
    gets a file with the ending .incomplete, which says what has to be written into it. A file that
    is there is never replaced.

    \b
    mirrorlist sites import almalinux mirrors/
    mirrorlist sites import list mirrorlist.txt --country DE
    """


def _common(name: str) -> Callable[[F], F]:
    """Return a decorator that gives the options which all lists have."""
    found = (
        click.option(
            "--output", "file", type=FilePath(), default="mirrors.toml", show_default=True,
            metavar="FILE", help="The main file; mirrors.d is made beside it.",
        ),
        click.option("--name", default=name, show_default=True, metavar="TEXT",
                     help="The name of the site."),
        click.option("--contact", metavar="TEXT", help="An address for mirror admins."),
        click.option("--primary", metavar="URL",
                     help="The tree that all mirrors copy: a URL or a folder."),
        click.option("--country", metavar="[HOST=]CC", multiple=True,
                     help="The country of a host, or of mirrors of which nothing else tells it; may"
                     " be given several times."),
        click.option(
            "--dns/--no-dns", default=True, show_default=True,
            help="Look names up, and take the country of the address, where nothing else tells it.",
        ),
    )  # fmt: skip

    def decorate(function: F) -> F:
        for option in reversed(found):
            function = option(function)
        return function

    return decorate


@import_group.command(short_help="AlmaLinux's config.yml and mirrors.d/*.yml.")
@click.argument("folder", metavar="DIR", type=FilePath())
@_common("AlmaLinux")
@options("sites import almalinux")
def almalinux(folder: Path, json: bool, **given: Any) -> None:
    """Read AlmaLinux's config.yml and mirrors.d/*.yml in DIR.

    Repositories with `vault: true` are left out, because the mirrors do not have them.

    \b
    mirrorlist sites import almalinux mirrors/ \\
        --primary https://primary.example/almalinux/
    """
    from snapshot.sites.imports.almalinux import read_almalinux

    _write(lambda places, notes: read_almalinux(folder, given["name"], places, notes), json, given)


@import_group.command("list", short_help="A text file: a URL a line.")
@click.argument("source", metavar="FILE", type=FilePath())
@click.option(
    "--prefix",
    default="main",
    show_default=True,
    metavar="TEXT",
    help="The first part of the repository's name.",
)
@click.option("--versions", metavar="LIST", help="Its versions, with commas between them.")
@click.option("--arches", metavar="LIST", help="Its arches, with commas between them.")
@click.option(
    "--path",
    default="{version}/{arch}",
    show_default=True,
    metavar="PATTERN",
    help="Its path; where a URL ends with it, this end is cut off.",
)
@_common("My mirrors")
@options("sites import list")
def plain(source: Path, json: bool, **given: Any) -> None:
    """Read a text file of URLs: one a line, `CC URL`, or pacman's `Server = URL`.

    A heading such as `## Germany` is the country of the lines below it. URLs of one host are one
    mirror.

    \b
    mirrorlist sites import list mirrorlist.txt \\
        --path '{version}/BaseOS/{arch}/os' --prefix baseos
    """  # fmt: skip
    from snapshot.sites.imports.draft import RepositoryDraft
    from snapshot.sites.imports.plain import read_plain

    versions, arches = _split(given["versions"]), _split(given["arches"])
    repository = RepositoryDraft(given["prefix"], versions, arches, given["path"])
    name = given["name"]
    _write(lambda places, notes: read_plain(source, name, repository, places, notes), json, given)


def _split(text: str | None) -> list[str]:
    return [one.strip() for one in (text or "").split(",") if one.strip()]


def _write(read: "Callable[[Places, Notes], SiteDraft]", json: bool, given: dict[str, Any]) -> None:
    from snapshot.sites.imports.cleaning import Places
    from snapshot.sites.imports.draft import Notes
    from snapshot.sites.imports.writing import check_free, write_site

    file: Path = given["file"]
    check_free(file)
    places, notes = Places(dns=given["dns"]), Notes()
    for country in given["country"]:
        try:
            places.give(country)
        except ValueError as error:
            raise OptionError(f"--country {error}") from error
    command = " ".join(["mirrorlist", *sys.argv[1:]])
    site = read(places, notes)
    found = write_site(site, notes, file, command, given["contact"], given["primary"])
    if json:
        print_json(found)
    else:
        _show(output(), found)


def _show(console: Console, found: "Imported") -> None:
    mirrors = counted(found.mirrors, "mirror", "mirrors")
    counts = f"{mirrors}, {counted(found.repositories, 'repository', 'repositories')}"
    console.print(Text(f"{found.file}: written, with mirrors.d beside it: {counts}"))
    if found.incomplete:
        console.print(Text("\nnot complete, so not used; complete and rename them:"))
        table = plain_table("file", "what is missing")
        for one in found.incomplete[:_MOST_SHOWN]:
            table.add_row(Text(one.file), Text(one.why))
        console.print(table)
        _more(console, found.incomplete)
    _notes(console, "written in another way", found.changed)
    _notes(console, "left out", found.left_out)


def _notes(console: Console, title: str, notes: "Sequence[Note]") -> None:
    """Print notes, those of one field with one reason in a row."""
    if not notes:
        return
    groups: dict[tuple[str, str], list[Note]] = {}
    for one in notes:
        groups.setdefault((one.field, one.why), []).append(one)
    table = plain_table(title, "times", "because, or as", "the first one", "where")
    for (field, why), of in [*groups.items()][:_MOST_SHOWN]:
        place = f"{of[0].file}:{of[0].line}"
        table.add_row(
            Text(field), f"{len(of):,}", Text(why), Text(f"{of[0].value:.60}"), Text(place)
        )
    console.print()
    console.print(table)
    _more(console, [*groups])


def _more(console: Console, rows: Sequence[object]) -> None:
    if rows[_MOST_SHOWN:]:
        console.print(Text(f"... and {len(rows) - _MOST_SHOWN:,} more; --json has all"))
