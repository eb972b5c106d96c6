"""The rows that an export left out as a table: a line for each table and reason, with some ids."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from mirrorlist.cli.console import PIPE_WIDTH, messages, plain_table, tell

if TYPE_CHECKING:
    from rich.table import Table

    from snapshot.file.model import LeftOut

_COLUMNS = ("table", "rows", "reason", "ids")


def tell_left_out(left_out: "Iterable[LeftOut]") -> None:
    """Print the table on standard error."""
    rows = _rows(left_out)
    lines = None if sys.stderr is None or sys.stderr.isatty() else plain_lines([_COLUMNS, *rows])
    if lines is None:
        messages().print(_table(rows))
    else:
        tell("\n".join(lines))


def _rows(left_out: "Iterable[LeftOut]") -> list[tuple[str, ...]]:
    ids: dict[tuple[str, str], list[str]] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for row in left_out:
        key = (row.table, row.reason)
        counts[key] += 1
        ids.setdefault(key, []).append(str(row.id))
    rows: list[tuple[str, ...]] = []
    for (name, reason), count in counts.items():
        more = f" and {count - 5} more" if count > 5 else ""
        rows.append((name, str(count), reason, ", ".join(ids[name, reason][:5]) + more))
    return rows


def plain_lines(rows: Sequence[Sequence[str]]) -> list[str] | None:
    """Return the lines that rich prints in a pipe; None if a text takes rich to be measured.

    An export nearly always leaves something out, and rich takes it 0.04 s to load.
    """
    if not all(cell.isascii() and cell.isprintable() for row in rows for cell in row):
        return None
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 2 * len(widths) > PIPE_WIDTH:
        return None
    padded = ([*map(str.ljust, row, widths)] for row in rows)
    return ["  ".join(row) for row in padded]


def left_out_table(left_out: "Iterable[LeftOut]") -> "Table":
    """Return the table for a console of rich."""
    return _table(_rows(left_out))


def _table(rows: Iterable[Sequence[str]]) -> "Table":
    from rich.text import Text

    table = plain_table(*_COLUMNS)
    for row in rows:
        table.add_row(*map(Text, row))
    return table
