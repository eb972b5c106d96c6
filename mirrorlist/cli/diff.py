"""`mirrorlist diff`: what changed between two snapshot files."""

from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from mirrorlist.cli.console import as_time, output, plain_table, print_json
from mirrorlist.cli.options import options
from mirrorlist.cli.values import FilePath
from snapshot.file.difference import Change, Difference, ThingChanges, compare
from snapshot.file.reader import Snapshot

# As many of each kind as fit on a screen; --json has all of them.
_MOST_SHOWN = 10


@click.command(short_help="What changed between two snapshots.")
@click.argument("old", metavar="OLD", type=FilePath())
@click.argument("new", metavar="NEW", type=FilePath())
@options("diff")
def diff(old: Path, new: Path, json: bool) -> None:
    """Show what changed between two snapshots: hosts, URLs, repositories, directories.

    Shows the first few of each kind; --json names them all. `export` keeps the last two
    snapshots beside the new one, as FILE.1 and FILE.2.

    \b
    mirrorlist diff mm.snap.1 mm.snap
    """
    found = compare(Snapshot(old), Snapshot(new))
    if json:
        print_json(found)
        return
    console = output()
    for name, side in (("old", found.old), ("new", found.new)):
        console.print(Text(f"{name}  {side.id}  database read {as_time(side.read)}"))
    if found.equal:
        console.print(Text("\nequal: every answer made from the two is the same"))
        return
    _print(console, found)


def _print(console: Console, found: Difference) -> None:
    for kind in ("hosts", "urls", "repositories", "redirects", "directories"):
        changes: ThingChanges = getattr(found, kind)
        if changes.added or changes.removed or changes.changed:
            _print_changes(console, kind, changes)
    if found.carried:
        console.print(Text("\ndirectories that a host may be offered for", style="bold"))
        table = plain_table("host", "gained", "lost")
        by_size = sorted(found.carried, key=lambda row: -row.gained - row.lost)
        for row in by_size[:_MOST_SHOWN]:
            table.add_row(Text(row.host), f"{row.gained:,}", f"{row.lost:,}")
        console.print(table)
        _print_more(console, len(by_size))
    console.print(Text(f"\nsections that differ: {', '.join(found.sections)}"))


def _print_changes(console: Console, kind: str, changes: ThingChanges) -> None:
    console.print(
        Text(f"\n{kind}", style="bold").append(
            f"  {len(changes.added):,} added, {len(changes.removed):,} removed,"
            f" {len(changes.changed):,} changed",
            style="not bold",
        )
    )
    if len(changes.changed) > _MOST_SHOWN:
        fields = Counter(name for changed in changes.changed for name in changed.fields)
        counts = ", ".join(f"{count:,} in {name}" for name, count in fields.most_common())
        console.print(Text(f"  changed: {counts}"))
    for names, sign, colour in ((changes.added, "+", "green"), (changes.removed, "-", "red")):
        for name in names[:_MOST_SHOWN]:
            console.print(Text(f"  {sign} {name}", style=colour), soft_wrap=True)
        _print_more(console, len(names))
    for changed in changes.changed[:_MOST_SHOWN]:
        shown = "; ".join(_shown(name, change) for name, change in changed.fields.items())
        console.print(Text(f"  ~ {changed.name}: {shown}"), soft_wrap=True)
    _print_more(console, len(changes.changed))


def _shown(name: str, change: Change) -> str:
    return f"{name} {' -> '.join(_value(name, value) for value in change)}"


def _value(name: str, value: object) -> str:
    match value:
        case None | [] | () | {}:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int() if name == "ctime":
            return as_time(value)
        case list() | tuple():
            return " ".join(map(str, value))
        case dict():
            return ", ".join(f"{key} {_value(key, one)}" for key, one in value.items())
        case _:
            return str(value)


def _print_more(console: Console, count: int) -> None:
    if count > _MOST_SHOWN:
        console.print(Text(f"  ... and {count - _MOST_SHOWN:,} more; --json names them all"))
