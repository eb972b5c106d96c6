"""`mirrorlist packages import`: from repodata to tables of its own in a MirrorManager database."""

import signal
from typing import TYPE_CHECKING

import click

from mirrorlist.cli.console import counted, print_json, progress_bar, say, tell_problems
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.harmless import one_line
from mirrorlist.cli.options import options
from mirrorlist.cli.printed import PackagesImported, Phase

if TYPE_CHECKING:
    from snapshot.packages.job import ImportResult


@click.command("import", short_help="Import what has changed in repositories.")
@click.argument("source", metavar="SOURCE")
@options("packages import", toml=False)
@click.option("--repo", metavar="PREFIX", help="Only repositories of this prefix.")
@click.option("--arch", metavar="ARCH", help="Only repositories of this arch.")
@click.option(
    "--topdir",
    metavar="DIRECTORY",
    default="",
    help="The directory of the database that SOURCE itself is, such as pub; only repositories below"
    " it are imported. Without it, SOURCE has the directories by their full names.",
)
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
@click.option(
    "--allow-deletions",
    is_flag=True,
    help="Delete however many repositories are no longer there. Without it, an import that would"
    " delete more than a tenth of them is refused.",
)
@click.option("--full", is_flag=True, help="Read all packages, even if nothing has changed.")
def import_command(
    database: str,
    json: bool,
    source: str,
    repo: str | None,
    arch: str | None,
    topdir: str,
    dry_run: bool,
    allow_deletions: bool,
    full: bool,
) -> int:
    """Import the packages of a database's repositories into tables of their own.

    SOURCE is a folder or an http URL, below which the directories of the database are, such as
    pub/fedora/linux; with --topdir it is one of them itself. If --repo and --arch name one
    repository, it may also be that repository.

    Reads each repository's repomd.xml, and primary.xml if it has changed since the last import:
    names, versions, checksums, sizes, paths and capabilities. All of it is written in one
    transaction. A repository that cannot be read stays as it was, and the exit code is 1; one
    that is no longer there leaves.

    \b
    mirrorlist packages import --database postgresql://mm@db/mirrormanager /srv
    mirrorlist packages import --database sqlite:///mm.sqlite \\
        --repo epel-9 --arch x86_64 https://mirror.example
    mirrorlist packages import --database sqlite:///mirrors.db \\
        --topdir pub https://primary.example/linux
    """
    # End by an exception: then the transaction is rolled back.
    end_on([signal.SIGTERM], 128 + signal.SIGTERM)
    # Imported here: a worker must never load a database driver.
    from snapshot.packages.job import ImportJob
    from snapshot.packages.run import import_packages

    job = ImportJob(
        database=database,
        source=source,
        repo=repo,
        arch=arch,
        topdir=topdir,
        dry_run=dry_run,
        allow_deletions=allow_deletions,
        full=full,
    )
    with progress_bar() as steps:
        result = import_packages(job, steps)
    found = _imported(result, dry_run)
    if json:
        print_json(found)
    else:
        _say(found)
    return 1 if found.repositories_unread else 0


def _imported(result: "ImportResult", dry_run: bool) -> PackagesImported:
    return PackagesImported(
        dry_run=dry_run,
        repositories_unchanged=result.unchanged,
        repositories_imported=result.imported,
        repositories_deleted=result.deleted,
        repositories_without_metadata=result.without,
        repositories_unread=sorted(result.unread),
        packages=result.packages,
        packages_added=result.packages_added,
        packages_deleted=result.packages_deleted,
        capabilities_added=result.capabilities_added,
        capabilities_deleted=result.capabilities_deleted,
        problems=result.problems,
        seconds=round(result.seconds, 3),
        phases=[Phase(name, round(seconds, 3)) for name, seconds in result.phases],
    )


def _say(found: PackagesImported) -> None:
    tell_problems(found.problems)
    if found.dry_run:
        for sign, some in (("~", found.repositories_imported), ("-", found.repositories_deleted)):
            for name in some:
                click.echo(f"{sign} {one_line(name)}")
    unchanged = len(found.repositories_unchanged)
    if not found.repositories_imported and not found.repositories_deleted:
        same = counted(unchanged, "repository", "repositories")
        say(f"nothing has changed in {same} ({found.seconds:.2f} s)")
        return
    would = "would be " if found.dry_run else ""
    say(
        f"repositories {would}{len(found.repositories_imported):,} imported,"
        f" {len(found.repositories_deleted):,} deleted, {unchanged:,} unchanged"
    )
    if found.repositories_without_metadata:
        without = found.repositories_without_metadata
        say(f"{counted(without, 'repository has', 'repositories have')} no repomd.xml there")
    say(f"packages {would}{found.packages_added:,} added, {found.packages_deleted:,} deleted")
    added, deleted = found.capabilities_added, found.capabilities_deleted
    say(f"capabilities {would}{added:,} added, {deleted:,} deleted")
    phases = ", ".join(f"{phase.name} {phase.seconds:.2f}" for phase in found.phases)
    say(f"{found.seconds:.2f} s: {phases}")
