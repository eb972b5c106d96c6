"""`mirrorlist packages slim`: what a partial mirror needs of a repository."""

import signal
from typing import TYPE_CHECKING

import click

from mirrorlist.cli.console import counted, print_json, progress_bar, say, tell, tell_problems
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.harmless import one_line
from mirrorlist.cli.options import options

if TYPE_CHECKING:
    from snapshot.slim.job import Slimmed

_MOST_SHOWN = 5


@click.command("slim", short_help="Make repodata and a list for rsync of the newest packages.")
@click.argument("source", metavar="SOURCE")
@options("packages slim", toml=False)
@click.option(
    "--out",
    metavar="DIRECTORY",
    required=True,
    help="Where to write. A directory there is replaced only if this command has made all of it.",
)
@click.option(
    "--newest",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="How many versions of each package to keep.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Keep the packages of this name, and what they require. `*` stands for any characters."
    " May be repeated.",
)
@click.option("--weak", is_flag=True, help="Keep what packages recommend, too.")
@click.option(
    "--prefix",
    default="",
    metavar="PATH",
    help="The repository's path below the root of the rsync transfer; each line of the lists"
    " begins with it.",
)
@click.option("--database", metavar="URL", help="A database to look --repo and --arch up in.")
@click.option(
    "--repo", metavar="PREFIX", help="The repository of this prefix; its directory is below SOURCE."
)
@click.option("--arch", metavar="ARCH", help="The repository of this arch.")
def slim_command(
    json: bool,
    source: str,
    out: str,
    newest: int,
    only: tuple[str, ...],
    weak: bool,
    prefix: str,
    database: str | None,
    repo: str | None,
    arch: str | None,
) -> None:
    """Write what a partial mirror needs of a repository: the newest versions of its packages.

    SOURCE is the repository, a folder or an http URL below which repodata/repomd.xml is. With
    --database it is the tree that has the repository's directory.

    Packages that a kept package requires are kept as well, older ones too. DIRECTORY gets
    `repodata`, `files` for rsync's --files-from, `excludes` for its --exclude-from, and
    `slim.json` with the figures.

    \b
    mirrorlist packages slim --newest 2 --out slim \\
        https://mirror.example/epel/9/Everything/x86_64
    rsync -rt --files-from=slim/files \\
        rsync://mirror.example/epel/9/Everything/x86_64/ /srv/epel
    rsync -rt --delete-after slim/repodata /srv/epel
    """
    # End by an exception: then nothing half-written is left.
    end_on([signal.SIGTERM], 128 + signal.SIGTERM)
    # Imported here: a worker must never load a database driver.
    from snapshot.slim.job import SlimJob
    from snapshot.slim.run import slim

    job = SlimJob(
        source=source,
        out=out,
        newest=newest,
        only=only,
        weak=weak,
        prefix=prefix,
        database=database,
        repo=repo,
        arch=arch,
    )
    with progress_bar() as steps:
        found = slim(job, steps)
    if json:
        print_json(found)
    else:
        _say(found)


def _say(found: "Slimmed") -> None:
    tell_problems(found.problems)
    share = 100 * (1 - found.bytes / found.bytes_before) if found.bytes_before else 0
    say(
        f"packages {found.packages:,} of {found.packages_before:,} kept,"
        f" {found.packages_required:,} only because others require them"
    )
    say(f"bytes {found.bytes:,} of {found.bytes_before:,}: {share:.1f} % are left out")
    say(f"the new repodata has {found.repodata_bytes:,} bytes")
    if found.missing:
        are = counted(found.missing, "requirement is", "requirements are")
        say(f"{are} not met here, perhaps by another repository:")
        for need in found.missing_first[:_MOST_SHOWN]:
            tell(f"  {one_line(need)}")
        if found.missing > _MOST_SHOWN:
            tell(f"  and {found.missing - _MOST_SHOWN:,} more; slim.json names the first 100")
