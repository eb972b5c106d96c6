"""Figures as tables: by rich on a terminal, as Markdown in a pipe and in the records."""

import sys
from collections.abc import Sequence

from msgspec import Struct
from rich.console import Console
from rich.table import Table

MEGABYTE = 1_000_000


class Sheet(Struct, frozen=True):
    """A table of text; the first column is to the left, all others to the right."""

    title: str
    head: list[str]
    rows: list[list[str]]


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the least of some values that this many percent of all do not exceed."""
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def markdown(sheet: Sheet) -> str:
    """Return a table as Markdown."""
    align = ["---", *["---:"] * (len(sheet.head) - 1)]
    lines = [f"| {' | '.join(cells)} |" for cells in [sheet.head, align, *sheet.rows]]
    return "\n".join([f"**{sheet.title}**", "", *lines, ""])


def show(found: Sequence[Sheet]) -> None:
    """Print tables."""
    console = Console()
    for one in found:
        if not console.is_terminal:
            sys.stdout.write(f"{markdown(one)}\n")
            continue
        table = Table(title=one.title, title_justify="left")
        for place, name in enumerate(one.head):
            table.add_column(name, justify="right" if place else "left", no_wrap=True)
        for row in one.rows:
            table.add_row(*row)
        console.print(table)
