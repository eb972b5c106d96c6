"""What the commands of `mirrorlist sites` print for people."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from mirrorlist.cli.console import as_time, plain_table

if TYPE_CHECKING:
    from snapshot.sites.difference import Changes, SiteDifference
    from snapshot.sites.probe import Probed
    from snapshot.sites.verdict_rows import ProbedUrl

# As many of each kind as fit on a screen; --json has all of them.
_MOST_SHOWN = 20


def show_difference(console: Console, found: "SiteDifference") -> None:
    """Print what `sites apply` changes: added, changed, gone."""
    if found.renamed_from:
        line = f"~ site {found.renamed_from} -> {found.site}"
        console.print(Text(line, style="yellow"), soft_wrap=True)
    for kind, changes in (("mirror", found.mirrors), ("repository", found.repositories)):
        if not changes.is_empty:
            _show(console, kind, changes, found.prune)
    if found.requests:
        console.print(Text("~ requests in other words ([[shapes]], [aliases])", style="yellow"))
    elif not found.changes_anything and found.mirrors.is_empty and found.repositories.is_empty:
        console.print(Text(f"{found.site}: the database says what the file says"))


def _show(console: Console, kind: str, changes: "Changes", prune: bool) -> None:
    _lines(console, "+", "green", [f"{kind} {name}" for name in changes.added])
    shown = [f"{kind} {one.name}: {_fields(one.fields)}" for one in changes.changed]
    _lines(console, "~", "yellow", shown)
    kept = "" if prune else " (not in the file; kept, because --prune is not given)"
    _lines(console, "-", "red", [f"{kind} {name}{kept}" for name in changes.gone])


def _lines(console: Console, sign: str, colour: str, lines: Sequence[str]) -> None:
    for line in lines[:_MOST_SHOWN]:
        console.print(Text(f"{sign} {line}", style=colour), soft_wrap=True)
    if lines[_MOST_SHOWN:]:
        console.print(Text(f"{sign} ... and {len(lines) - _MOST_SHOWN:,} more; --json has all"))


def _fields(fields: dict[str, tuple[Any, Any]]) -> str:
    changes = (f"{name} {_value(old)} -> {_value(new)}" for name, (old, new) in fields.items())
    return "; ".join(changes)


def _value(value: object) -> str:
    match value:
        case None | ():
            return "none"
        case bool():
            return "yes" if value else "no"
        case tuple() if all(isinstance(one, tuple) for one in value):
            return " ".join(str(one[-1]) for one in value)
        case tuple() if len(value) > 5:
            return f"{len(value)} of them"
        case tuple():
            return " ".join(map(str, value))
        case _:
            return str(value)


def show_probed(console: Console, found: Iterable["Probed"]) -> None:
    """Print what the primary has of each repository."""
    table = plain_table("repository", "state", "newest file, or reason")
    for one in found:
        about = as_time(one.timestamp) if one.timestamp is not None else one.reason or ""
        table.add_row(Text(one.repository), one.state, Text(about))
    console.print(table)


def show_mirrors(console: Console, found: Sequence["ProbedUrl"]) -> None:
    """Print the URLs of mirrors that have a trouble, and how many have none."""
    troubled = [one for one in found if one.error is not None]
    if troubled:
        console.print()
        table = plain_table("mirror", "URL", "hidden", "repositories", "trouble")
        for one in troubled:
            counts = ", ".join(f"{count} {word}" for word, count in one.verdicts.items())
            hidden = "no" if one.offered else "yes"
            table.add_row(Text(one.mirror), Text(one.url), hidden, counts, Text(one.error or ""))
        console.print(table)
    if found:
        good = len(found) - len(troubled)
        console.print(Text(f"\n{good:,} of {len(found):,} URLs of mirrors have no trouble"))
