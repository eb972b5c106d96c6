"""Output for people: colours on a terminal, plain text in a pipe, one line for a failure."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from snapshot.file.model import LeftOut

# A pipe has no width; 80 columns would fold what a program wants to read as a line.
_PIPE_WIDTH = 1000
# Control characters, with which a terminal can be told to do things.
_ORDERS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], "?")


class _Output(Console):
    """A console that raises for a closed pipe, so that `main()` ends the command."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def output() -> Console:
    """Return the console for results, on standard output."""
    return _Output(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)


def messages() -> Console:
    """Return the console for everything else, on standard error."""
    return Console(stderr=True, width=None if sys.stderr.isatty() else _PIPE_WIDTH, highlight=False)


def say(text: str) -> None:
    """Print a line for people on standard error."""
    messages().print(Text(f"mirrorlist: {text}"), soft_wrap=True)


def fail(text: str, code: int) -> int:
    """Print an error as one line on standard error and return its exit code."""
    # A server that was asked, or a file, may have sent orders for the terminal.
    shown = " ".join(text.split()).translate(_ORDERS)
    line = Text("mirrorlist: ").append("error: ", style="bold red").append(shown)
    messages().print(line, soft_wrap=True)
    return code


def plain_table(*columns: str) -> Table:
    """Return a table without lines, because it must be readable in a pipe too."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def as_time(seconds: int) -> str:
    """Return a time in seconds since 1970 for people, in UTC."""
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return str(seconds)


class Steps:
    """A progress bar on a terminal; nothing in a pipe."""

    def __init__(self, progress: Progress) -> None:
        """Take rich's progress display."""
        self._progress = progress
        self._task = progress.add_task("", total=None)

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Show a phase and how many steps are done."""
        self._progress.update(self._task, description=phase, completed=done, total=total)


@contextmanager
def progress_bar() -> Iterator[Steps]:
    """Show a progress bar on standard error while the block runs, if it is a terminal."""
    console = messages()
    columns = (TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield Steps(progress)


def left_out_table(left_out: Iterable[LeftOut]) -> Table:
    """Return the rows left out as a table: one line for each table and reason, with some ids."""
    table = plain_table("table", "rows", "reason", "ids")
    ids: dict[tuple[str, str], list[str]] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for row in left_out:
        key = (row.table, row.reason)
        counts[key] += 1
        ids.setdefault(key, []).append(str(row.id))
    for (name, reason), count in counts.items():
        shown = ids[(name, reason)]
        more = f" and {count - 5} more" if count > 5 else ""
        table.add_row(name, str(count), Text(reason), ", ".join(shown[:5]) + more)
    return table
