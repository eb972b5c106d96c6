"""`mirrorlist sites`: a file of mirrors and repositories instead of MirrorManager."""

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from mirrorlist import __version__
from mirrorlist.cli.console import counted, output, print_data, print_json, progress_bar
from mirrorlist.cli.options import options
from mirrorlist.cli.printed import Checked, CheckedProblem
from mirrorlist.cli.sites_host import host
from mirrorlist.cli.sites_import import import_group
from mirrorlist.cli.sites_shown import show_difference, show_mirrors, show_probed
from mirrorlist.cli.values import FilePath, Whole
from mirrorlist.errors import OptionError
from snapshot.file.defaults import DEFAULT_MAX_LOSS

if TYPE_CHECKING:
    from snapshot.sites.difference import SiteDifference

_FILE = click.argument("file", metavar="[FILE]", type=FilePath(), default="mirrors.toml")


@click.group(short_help="A file of mirrors instead of MirrorManager.")
def sites() -> None:
    """Keep mirrors and repositories in a file, mirrors.toml, instead of MirrorManager.

    FILE is mirrors.toml if it is not given. Mirrors may also stand in mirrors.d/*.toml beside
    it, a mirror a file. `mirrorlist run` does all of this in one command, again and again:

    \b
    mirrorlist sites init
    mirrorlist sites check
    mirrorlist run mirrors.toml

    Or in steps:

    \b
    mirrorlist sites apply --database sqlite:///mirrors.db
    mirrorlist sites probe --database sqlite:///mirrors.db
    mirrorlist export --database sqlite:///mirrors.db --output mm.snap
    mirrorlist serve --snapshot mm.snap
    """


sites.add_command(host)
sites.add_command(import_group)


@sites.command(short_help="Write a first file, from questions or options.")
@_FILE
@click.option("--name", metavar="TEXT", help="The name of your distribution or company.")
@click.option("--contact", metavar="TEXT", help="An e-mail address or URL for mirror admins.")
@click.option("--primary", metavar="URL", help="The tree that all mirrors copy: a URL or a folder.")
@click.option("--prefix", metavar="TEXT", help="A repository: the first part of its name.")
@click.option("--versions", metavar="LIST", help="Its versions, with commas between them.")
@click.option("--arches", metavar="LIST", help="Its arches, with commas between them.")
@click.option("--path", metavar="PATTERN", help="Its path, with {version} and {arch}.")
@click.option(
    "--mirror",
    metavar="CC=URL",
    multiple=True,
    help="A mirror: its country and its URL; may be given several times.",
)
def init(file: Path, **given: Any) -> None:
    """Write a first FILE with comments.

    In a terminal, asks for what no option gives; elsewhere an example stands in its place.
    A file that is there is never replaced.

    \b
    mirrorlist sites init
    mirrorlist sites init --name 'Example Linux' \\
        --mirror DE=https://mirror-de.example/pub/
    """
    from snapshot.sites.starter import Starter, check_absent, write_starter

    check_absent(file)
    starter = Starter()
    answers = {name: _answer(name, value, starter) for name, value in given.items()}
    found = {name: value for name, value in answers.items() if value is not None}
    if "mirror" in found:
        found["mirrors"] = tuple(map(_mirror, found.pop("mirror")))
    for name in {"versions", "arches"} & found.keys():
        found[name] = tuple(one.strip() for one in found[name].split(",") if one.strip())
    write_starter(file, msgspec.structs.replace(starter, **found))
    check, serve = f"mirrorlist sites check {file}", f"mirrorlist run {file}"
    print_data(f"{file}: written; edit it, then: {check}, and then: {serve}\n")


_QUESTIONS = {
    "name": "The name of your distribution or company",
    "contact": "An address for mirror admins",
    "primary": "The tree that all mirrors copy, a URL or a folder",
    "prefix": "A repository: the first part of its name",
    "versions": "Its versions, with commas between them",
    "arches": "Its arches, with commas between them",
    "path": "Its path below the URLs",
    "mirror": "A mirror: country=URL",
    "more": "Another mirror, or nothing",
}


def _answer(name: str, value: Any, starter: Any) -> Any:
    """Return the value of an option, or what is typed in its place; None for the example."""
    if value or not (sys.stdin and sys.stdin.isatty()):
        return value or None
    if name == "mirror":
        shown = "=".join(starter.mirrors[0])
        return [click.prompt(_QUESTIONS[name], default=shown, err=True), *iter(_another, "")]
    default = getattr(starter, name)
    shown = ",".join(default) if isinstance(default, tuple) else default
    return click.prompt(_QUESTIONS[name], default=shown, err=True)


def _another() -> str:
    return str(click.prompt(_QUESTIONS["more"], default="", show_default=False, err=True)).strip()


def _mirror(text: str) -> tuple[str, str]:
    country, mark, url = text.partition("=")
    if not mark:
        raise OptionError(f"--mirror {text}: not a country and a URL, such as DE=https://...")
    return country.strip(), url.strip()


@sites.command(short_help="Say what is wrong with the file.")
@_FILE
@options("sites check")
def check(file: Path, json: bool) -> int:
    """Say what is wrong with FILE and mirrors.d: file, line, and what to write instead.

    Nothing else is read or written, so it is quick enough for every pull request. The exit code
    is 2 if something is wrong.

    \b
    mirrorlist sites check
    mirrorlist sites check distribution/mirrors.toml --json
    """
    from snapshot.sites.imports.writing import INCOMPLETE
    from snapshot.sites.load import FOLDER, load
    from snapshot.sites.problems import SitesFileError
    from snapshot.sites.state import declared

    try:
        loaded = load(file)
    except SitesFileError as error:
        if not json:
            raise
        rows = [CheckedProblem(one.file, one.line, one.text) for one in error.problems]
        with suppress(BrokenPipeError):
            print_json(Checked(False, rows, 0, 0))
        return error.exit_code
    state = declared(loaded.config)
    counts = len(state.mirrors), len(state.repositories)
    if json:
        print_json(Checked(True, [], *counts))
    else:
        files = counted(len(loaded.files), "file", "files")
        print_data(f"{file}: no mistake in {files}: {_counted(*counts)}\n")
        if waiting := len([*(file.parent / FOLDER).glob(f"*{INCOMPLETE}")]):
            unread = counted(waiting, "file", "files")
            print_data(f"{unread} of {FOLDER} with the ending {INCOMPLETE}: not read\n")
    return 0


def _counted(mirrors: int, repositories: int) -> str:
    of_mirrors = counted(mirrors, "mirror", "mirrors")
    of_both = counted(repositories, "repository", "repositories")
    return f"{of_mirrors}, {of_both} (each version and arch is one)"


@sites.command(short_help="Print the JSON Schema of the file.")
def schema() -> None:
    """Print the JSON Schema of mirrors.toml, with which editors complete and check it.

    \b
    mirrorlist sites schema > mirrors.schema.json
    # then, in the first line of mirrors.toml, for editors that use taplo:
    #:schema ./mirrors.schema.json
    """
    from snapshot.sites.config import schema as make_schema

    print_data(f"{msgspec.json.format(msgspec.json.encode(make_schema())).decode()}\n")


@sites.command(short_help="Bring a database to what the file says.")
@_FILE
@options("sites apply")
@click.option("--prune", is_flag=True, help="Remove what is gone from the file.")
@click.option("--dry-run", is_flag=True, help="Print the difference, and write nothing.")
@click.option(
    "--max-loss",
    type=Whole(0, 100),
    default=DEFAULT_MAX_LOSS,
    show_default=True,
    metavar="PERCENT",
    help="How many percent of the public mirrors, or with --prune of the repositories, may go at"
    " once; one may always go while another stays. 100 switches the check off.",
)
def apply(file: Path, database: str, json: bool, prune: bool, dry_run: bool, max_loss: int) -> None:
    """Bring a database to what FILE says, in one transaction, after the difference was printed.

    The database has MirrorManager's tables: a SQLite file that does not exist is made, and an
    empty PostgreSQL database is filled. Rows that come from elsewhere are left alone. What is
    gone from FILE stays in the database, and is offered to clients, until --prune is given.

    \b
    mirrorlist sites apply --database sqlite:///mirrors.db
    mirrorlist sites apply --database sqlite:///mirrors.db --prune --dry-run
    """
    from snapshot.sites.apply import apply as apply_file
    from snapshot.sites.load import load

    def told(found: "SiteDifference") -> None:
        # Somebody who reads one line alone wants the file applied as well.
        with suppress(BrokenPipeError):
            if not json:
                show_difference(output(), found)

    config = load(file).config
    found = apply_file(database, config, told, prune=prune, dry=dry_run, max_loss=max_loss)
    if json:
        print_json(found)
    elif dry_run:
        print_data("nothing was written, because of --dry-run\n")
    elif found.changes_anything:
        print_data("written\n")


@sites.command(short_help="Read checksums from the primary, and ask the mirrors.")
@_FILE
@options("sites probe")
@click.option(
    "--mirrors/--no-mirrors",
    default=True,
    show_default=True,
    help="Ask the mirrors too, not the primary alone.",
)
def probe(file: Path, database: str, json: bool, mirrors: bool) -> int:
    """Read each repository's repomd.xml from the primary, then from every mirror.

    The primary's checksums make the metalinks; one that was replaced stays valid for as long as
    a mirror may lag ([site] lag_hours). Nothing changes for a repository that the primary does
    not give, or whose repomd.xml names files that are not there yet; then the exit code is 1.
    A mirror that has an older or another repomd.xml is not offered for this repository. A URL
    without any answer leaves the lists after [site] failures tries, and comes back by itself.
    A repository with `check` has another file in the place of repomd.xml.

    \b
    mirrorlist sites probe --database sqlite:///mirrors.db
    mirrorlist sites probe --database sqlite:///mirrors.db --json --no-mirrors
    """
    from snapshot.sites.load import load
    from snapshot.sites.probe import probe as ask_all

    config = load(file).config
    contact = f" (+{config.site.contact})" if config.site.contact else ""
    agent = f"mirrorlist/{__version__}{contact}"
    with progress_bar() as steps:
        folder = file.absolute().parent
        now = int(time.time())
        found = ask_all(database, config, folder, agent, steps, now, mirrors=mirrors)
    with suppress(BrokenPipeError):
        if json:
            print_json(found)
        else:
            show_probed(output(), found.repositories)
            show_mirrors(output(), found.mirrors)
    return int(any(one.state == "failed" for one in found.repositories))
