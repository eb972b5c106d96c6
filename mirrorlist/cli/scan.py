"""`mirrorlist scan`: from the primary mirror to a MirrorManager database."""

import gc
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mirrorlist.cli.console import (
    MOST_SHOWN,
    counted,
    print_json,
    progress_bar,
    say,
    tell_problems,
)
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.harmless import one_line
from mirrorlist.cli.options import options
from mirrorlist.cli.printed import Phase, Scanned
from mirrorlist.cli.values import FilePath
from mirrorlist.errors import OptionError

if TYPE_CHECKING:
    from snapshot.scan.job import ScanJob, ScanResult

_SIGNS = {
    "versions_added": "+",
    "repositories_added": "+",
    "repositories_moved": "~",
    "repositories_deleted": "-",
    "directories_added": "+",
    "directories_changed": "~",
    "directories_deleted": "-",
}


@click.command(short_help="Bring a database to what the primary mirror holds.")
@options("scan", toml=False)
@click.option(
    "--config",
    type=FilePath(),
    required=True,
    metavar="FILE",
    help="The rules and categories: a TOML file of scan-primary-mirror (docs/scan.md).",
)
@click.option(
    "--category",
    "categories",
    required=True,
    multiple=True,
    metavar="NAME",
    help="The category to scan. With --watch it may be given several times.",
)
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="PATH",
    help="Scan only this directory of the category, with all below it. May be given several times.",
)
@click.option(
    "--source",
    metavar="SOURCE",
    help="Where the primary is, instead of the configuration's url: a folder, or rsync://HOST/PATH.",
)
@click.option(
    "--list",
    "list_file",
    type=FilePath(),
    metavar="FILE",
    help="A full file list (fullfiletimelist-*) to read. Without it, a list that lies in the folder"
    " is read.",
)
@click.option("--walk", is_flag=True, help="List the folder itself, even if a list lies in it.")
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
@click.option(
    "--allow-deletions",
    is_flag=True,
    help="Delete however much is no longer there. Without it, a scan that would delete more than a"
    " tenth of the category's directories or repositories is refused.",
)
@click.option(
    "--umdl-ages",
    is_flag=True,
    help="Keep alternates as long as MirrorManager's Python scanner does (4 days; a lone one 3),"
    " instead of the configuration's max_stale_days and max_propagation_days.",
)
@click.option("--full", is_flag=True, help="Compare everything, even if nothing has changed.")
def scan(
    database: str,
    json: bool,
    watch: bool,
    scan_every: float,
    stale: float,
    admin: str | None,
    hook_secret: str | None,
    config: Path,
    categories: tuple[str, ...],
    list_file: Path | None,
    **asked: Any,
) -> None:
    """Bring one category of a MirrorManager database to what the primary mirror holds.

    Lists the primary, finds its repositories by the rules of the configuration, reads the
    checksums of what changed, and writes all of it in one transaction. If the listing fails or
    is cut short, or too much would be deleted, nothing is changed. If nothing has changed since
    the last scan, it ends at once.

    \b
    mirrorlist scan --database postgresql://mm@db/mirrormanager \\
        --config scan.toml --category 'Fedora EPEL'
    mirrorlist scan --database sqlite:///mm.sqlite --config scan.toml \\
        --category 'Fedora EPEL' --list fullfiletimelist-epel --dry-run
    mirrorlist scan --database postgresql://mm@db/mirrormanager \\
        --config scan.toml \\
        --category 'Fedora EPEL' --watch --hook-secret @/etc/mirrorlist/hook
    """
    _check_together(watch, categories, {**asked, "list": list_file})
    # End by an exception: then the transaction is rolled back.
    end_on([signal.SIGTERM], 128 + signal.SIGTERM)
    # Nearly all objects live until the end: garbage collection would add a tenth of the time.
    gc.disable()
    # Imported here: a worker must never load a database driver.
    from snapshot.scan.config import read_settings
    from snapshot.scan.job import ScanJob

    job = ScanJob(
        database=database,
        settings=read_settings(config),
        category=categories[0],
        list=list_file,
        **asked,
    )
    report = _print_json if json else _say
    if watch:
        from mirrorlist.cli.scan_watch import WatchOptions, read_secret
        from mirrorlist.cli.scan_watch import watch as stay_and_scan

        secret = read_secret(hook_secret)
        printed = report if json else None
        stay_and_scan(
            job, WatchOptions(categories, config, scan_every, stale, admin, secret, printed)
        )
    else:
        _scan_once(job, report)


def _scan_once(job: "ScanJob", report: "Callable[[ScanJob, ScanResult], None]") -> None:
    from snapshot.scan.run import scan as run_scan

    with progress_bar() as steps:
        result = run_scan(job, steps)
    report(job, result)
    gc.freeze()


def _check_together(watch: bool, categories: tuple[str, ...], asked: Mapping[str, Any]) -> None:
    """Refuse options that mean nothing together; raises OptionError."""
    if not watch and len(categories) > 1:
        raise OptionError("--category: several only with --watch; else run it for each category")
    if watch and (asked["dry_run"] or asked["paths"]):
        raise OptionError(f"{'--dry-run' if asked['dry_run'] else '--path'}: not with --watch")
    for name in ("source", "list"):
        if watch and len(categories) > 1 and asked[name] is not None:
            raise OptionError(f"--{name}: only with one category; the configuration has the others")


def _print_json(job: "ScanJob", result: "ScanResult") -> None:
    print_json(_scanned(job, result))


def _scanned(job: "ScanJob", result: "ScanResult") -> Scanned:
    changes = result.changes
    return Scanned(
        category=job.category,
        dry_run=job.dry_run,
        unchanged=result.unchanged,
        directories=result.directories,
        repositories=result.repositories,
        files_read=result.files_read,
        links=result.links,
        directories_added=changes.directories_added,
        directories_changed=changes.directories_changed,
        directories_deleted=changes.directories_deleted,
        repositories_added=changes.repositories_added,
        repositories_moved=[f"{old} -> {new}" for old, new in changes.repositories_moved],
        repositories_deleted=changes.repositories_deleted,
        versions_added=changes.versions_added,
        details_added=changes.details_added,
        details_aged=changes.details_aged,
        problems=result.problems,
        seconds=round(result.seconds, 3),
        phases=[Phase(name, round(seconds, 3)) for name, seconds in result.phases],
    )


def _say(job: "ScanJob", result: "ScanResult") -> None:
    found = _scanned(job, result)
    if found.unchanged:
        say(f"{job.category}: nothing has changed since the last scan ({found.seconds:.2f} s)")
        if found.problems:
            problems = counted(len(found.problems), "problem", "problems")
            say(f"still there from the last scan: {problems}; --full names them")
        return
    tell_problems(found.problems)
    if job.dry_run:
        _print_difference(found)
    would = "would be " if job.dry_run else ""
    say(
        f"{job.category}: {counted(found.directories, 'directory', 'directories')},"
        f" {counted(found.repositories, 'repository', 'repositories')} in {found.seconds:.2f} s"
    )
    for kind, verbs in (
        ("directories", ("added", "changed", "deleted")),
        ("repositories", ("added", "moved", "deleted")),
    ):
        counts = [f"{len(getattr(found, f'{kind}_{verb}')):,} {verb}" for verb in verbs]
        say(f"{kind} {would}{', '.join(counts)}")
    say(f"checksums {would}{found.details_added:,} added, {found.details_aged:,} aged")
    if found.links:
        say(f"left out: {counted(found.links, 'symbolic link', 'symbolic links')}")
    say(", ".join(f"{phase.name} {phase.seconds:.2f} s" for phase in found.phases))


def _print_difference(found: Scanned) -> None:
    for field, sign in _SIGNS.items():
        names: list[str] = getattr(found, field)
        kind = field.partition("_")[0]
        for name in names[:MOST_SHOWN]:
            click.echo(f"{sign} {kind}: {one_line(name)}")
        if len(names) > MOST_SHOWN:
            more = f"{sign} {kind}: {len(names) - MOST_SHOWN:,} more; --json names them all"
            click.echo(more)
