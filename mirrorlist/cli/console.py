"""Output for people: colours on a terminal, plain text in a pipe, one line for a failure.

rich is imported when something is shown that needs it, because that takes a command 0.06 s.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mirrorlist.cli.harmless import harmless, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

PIPE_WIDTH = 1000
"""A pipe has no width; 80 columns would fold what a program wants to read as a line."""
MOST_SHOWN = 20
"""Of each kind, as many as fit on a screen."""


def output() -> "Console":
    """Return the console for results, on standard output; it raises for a closed pipe.

    It and `messages` print no text with orders for the terminal, no matter who wrote it.
    """
    from mirrorlist.cli.shown import Output

    return Output(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def messages() -> "Console":
    """Return the console for everything else, on standard error."""
    from mirrorlist.cli.shown import Shown

    return Shown(stderr=True, width=None if sys.stderr.isatty() else PIPE_WIDTH, highlight=False)


def json_line(value: object) -> bytes:
    """Return a value as JSON; what is not Unicode in a text of a database is escaped."""
    import msgspec

    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(_escaped(msgspec.to_builtins(value)))


def print_json(value: object) -> None:
    """Print a value as a line of JSON on standard output; raises BrokenPipeError."""
    print_data(f"{json_line(value).decode()}\n")


def print_data(text: str) -> None:
    """Print a text for programs as it is on standard output; raises BrokenPipeError."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError as error:
        # For one with a number, click ends the command with 1, although all is done.
        raise BrokenPipeError from error


def _escaped(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, list):
        return [_escaped(one) for one in value]
    return {k: _escaped(one) for k, one in value.items()} if isinstance(value, dict) else value


def tell(text: str) -> None:
    """Print text on standard error, without orders for the terminal."""
    if sys.stderr is None:
        # The command was started with a closed standard error (`2>&-`).
        return
    try:
        sys.stderr.write(f"{harmless(text).expandtabs(8)}\n")
        sys.stderr.flush()
    except BrokenPipeError:
        messages().on_broken_pipe()


def tell_problems(problems: Sequence[str]) -> None:
    """Print problems on standard error, as many as fit on a screen; --json has all of them."""
    for problem in problems[:MOST_SHOWN]:
        tell(f"  ! {one_line(problem)}")
    if len(problems) > MOST_SHOWN:
        tell(f"  ! {len(problems) - MOST_SHOWN:,} more; --json names them all")


def say(text: str) -> None:
    """Print a line for people on standard error."""
    tell(f"mirrorlist: {text}")


def counted(count: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{count:,} {one if count == 1 else many}"


def fail(text: str, code: int) -> int:
    """Print an error as one line on standard error and return its exit code."""
    # A server that was asked, or a file, may have sent orders for the terminal.
    shown = one_line(" ".join(text.split()))
    if sys.stderr is not None and sys.stderr.isatty():
        # Where no file can be opened, no module can be loaded: then the line has no colour.
        with suppress(OSError):
            from rich.text import Text

            line = Text("mirrorlist: ").append("error: ", style="bold red").append(shown)
            messages().print(line, soft_wrap=True)
            return code
    tell(f"mirrorlist: error: {shown}")
    return code


def plain_table(*columns: str) -> "Table":
    """Return a table without lines, because it must be readable in a pipe too."""
    from rich.table import Table

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
    """A progress bar on a terminal, from the first step on; nothing in a pipe."""

    def __init__(self) -> None:
        """Begin without a bar."""
        self._is_shown = sys.stderr.isatty()
        self._bar: tuple[Progress, TaskID] | None = None

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Show a phase and how many steps are done; of 0 steps, that it goes on."""
        if not self._is_shown:
            return
        progress, task = self._bar = self._bar or _begun()
        progress.update(task, description=phase, completed=done, total=total or 1)
        if not total:
            # With a total of 0 the task would have ended, and its time would stand still.
            progress.tasks[0].total = None

    def end(self) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar[0].stop()


def _begun() -> "tuple[Progress, TaskID]":
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = messages()
    columns = (TextColumn("{task.description:<28}"), BarColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    bar.start()
    return bar, bar.add_task("", total=None)


@contextmanager
def progress_bar() -> Iterator[Steps]:
    """Show a progress bar on standard error while the block runs, if it is a terminal."""
    steps = Steps()
    try:
        yield steps
    finally:
        steps.end()
