"""`mirrorlist inspect`: what is in a snapshot file."""

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.text import Text

from mirrorlist.cli.console import left_out_table, output, plain_table
from mirrorlist.cli.options import options
from snapshot.reader import Snapshot


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@options("inspect")
def inspect(file: Path, json: bool) -> None:
    """Show what is in a snapshot: its id, times, counts, sections, and rows left out."""
    snapshot = Snapshot(file)
    counts = snapshot.counts()
    if json:
        sections = [{"name": name, "bytes": size} for name, size in snapshot.section_sizes]
        found = {
            "format": snapshot.format,
            "id": snapshot.id,
            "built": snapshot.built,
            "read": snapshot.read,
            "counts": counts,
            "sections": sections,
        }
        click.echo(msgspec.json.encode(found))
        return
    _print(snapshot, counts)


def _print(snapshot: Snapshot, counts: dict[str, int]) -> None:
    console = output()
    console.print(Text(f"id        {snapshot.id}"))
    console.print(Text(f"format    {snapshot.format}"))
    console.print(Text(f"read      {_time(snapshot.read)} (when the database was read)"))
    console.print(Text(f"built     {_time(snapshot.built)}"))
    console.print()
    table = plain_table("holds", "")
    for name, count in counts.items():
        table.add_row(name.replace("_", " "), f"{count:,}")
    console.print(table)
    console.print()
    table = plain_table("section", "bytes")
    for name, size in sorted(snapshot.section_sizes, key=lambda section: -section[1]):
        table.add_row(name, f"{size:,}")
    console.print(table)
    left_out = snapshot.report.left_out
    if left_out:
        console.print(Text(f"\n{len(left_out)} rows of the database were left out:"))
        console.print(left_out_table(left_out))


def _time(seconds: int) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return str(seconds)
