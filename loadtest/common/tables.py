"""Figures as tables: by rich on a terminal, as Markdown in a pipe and in the records."""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from msgspec import Struct
from rich.console import Console
from rich.table import Table

_T = TypeVar("_T")

MEGABYTE = 1_000_000


class Sheet(Struct, frozen=True):
    """A table of text; the first column is to the left, all others to the right."""

    title: str
    head: list[str]
    rows: list[list[str]]


def sheet(title: str, items: Iterable[_T], columns: dict[str, Callable[[_T], object]]) -> Sheet:
    """Return a table with a row for each item, whose cells the columns' functions give."""
    rows = [[str(cell(one)) for cell in columns.values()] for one in items]
    return Sheet(title, list(columns), rows)


class Goal(Struct, frozen=True):
    """A figure that is not to be above a limit."""

    name: str
    unit: str
    limit: float
    measured: float

    @property
    def text(self) -> str:
        """Met, or missed by how much."""
        missed = self.measured - self.limit
        return "met" if missed <= 0 else f"missed by {missed:.3g} {self.unit}"


def goals_sheet(title: str, goals: Iterable[Goal]) -> Sheet:
    """Return the table of goals."""
    return sheet(title, goals, {
        "figure": lambda one: one.name,
        "at most": lambda one: f"{one.limit:g} {one.unit}",
        "measured": lambda one: f"{one.measured:.3g} {one.unit}",
        "": lambda one: one.text,
    })  # fmt: skip


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
        for index, name in enumerate(one.head):
            table.add_column(name, justify="right" if index else "left", no_wrap=True)
        for row in one.rows:
            table.add_row(*row)
        console.print(table)
