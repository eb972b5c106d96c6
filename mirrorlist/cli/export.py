"""`mirrorlist export`: from a MirrorManager database to a snapshot file."""

import gc
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mirrorlist.cli.console import print_json, progress_bar, say
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.job_options import JobOptions
from mirrorlist.cli.left_out import tell_left_out
from mirrorlist.cli.options import options
from mirrorlist.cli.printed import Exported, LeftOutRow, Phase

if TYPE_CHECKING:
    from snapshot.export.job import Job
    from snapshot.export.pipeline import ExportResult


@click.command(short_help="Write a snapshot of a MirrorManager database.")
@options("export")
def export(database: str, json: bool, **given: Any) -> None:
    """Write a snapshot of a MirrorManager database.

    Reads in one consistent, read-only transaction. A row that cannot be used is left out and
    reported. The old file stays in place until the new file is written and verified; then the
    old file is kept as FILE.1, and the file before it as FILE.2.

    \b
    mirrorlist export --database postgresql://mm@db/mirrormanager --output mm.snap
    mirrorlist export --database sqlite:///mm.sqlite --output mm.snap \\
        --asn global_netblocks.txt
    """
    run_export(database, JobOptions(**given).job(), json)
    # Python would look at all objects once more at its end, only to free the memory.
    gc.freeze()


def run_export(database: str, job: "Job", json: bool = False) -> None:
    """Export and say what was done, for people or as JSON."""
    # End by an exception: then a half-written file is removed too.
    end_on([signal.SIGTERM], 128 + signal.SIGTERM)
    # Nearly all objects live until the end: garbage collection would add a tenth of the time.
    gc.disable()
    # Imported here: a worker must never load a database driver.
    from snapshot.export.exporter import export as export_database

    with progress_bar() as steps:
        result = export_database(database, job, progress=steps)
    report(result, job.output, json)


def report(result: "ExportResult", path: Path, json: bool) -> None:
    """Say what was published, as a line of JSON or for people."""
    if json:
        print_json(_exported(result))
    else:
        _say(result, path)


def _exported(result: "ExportResult") -> Exported:
    return Exported(
        counts=result.counts,
        left_out=[LeftOutRow(row.table, row.id, row.reason) for row in result.left_out],
        notes=list(result.notes),
        seconds=round(result.seconds, 3),
        bytes=result.bytes,
        phases=[Phase(phase.name, round(phase.seconds, 3)) for phase in result.phases],
    )


def _say(result: "ExportResult", path: Path) -> None:
    counts = ", ".join(
        f"{count:,} {name.replace('_', ' ')}" for name, count in result.counts.items()
    )
    say(f"{path}: {result.bytes:,} bytes in {result.seconds:.2f} s: {counts}")
    say(", ".join(f"{phase.name} {phase.seconds:.2f} s" for phase in result.phases))
    for note in result.notes:
        say(note)
    if result.left_out:
        say(f"{len(result.left_out)} rows could not be used and were left out:")
        tell_left_out(result.left_out)
