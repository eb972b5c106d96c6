"""Says how far the work is: a progress bar on a terminal, a plain line a phase in a pipe."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_T = TypeVar("_T")

# Progress is reported once for many rows, because a call costs as much time as a row.
_STRIDE = 20_000


class Phases:
    """The phases of the work, shown one below the other on standard error."""

    def __init__(self, bars: Progress | None) -> None:
        """Take rich's display, or None for plain lines."""
        self._bars = bars

    @contextmanager
    def phase(self, name: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show a phase while the block runs; the block calls its argument with the steps done."""
        started = time.monotonic()
        if self._bars:
            task = self._bars.add_task(name, total=total)
            bars = self._bars
            yield lambda done: bars.update(task, completed=done)
            bars.update(task, total=total or 1, completed=total or 1)
            return
        yield lambda done: None
        what = f"{name}: {total:,}" if total else name
        sys.stderr.write(f"{what} ({time.monotonic() - started:.1f} s)\n")

    def counted(self, name: str, items: Iterable[_T], total: int) -> Iterator[_T]:
        """Pass items on as a phase of that name."""
        with self.phase(name, total) as done:
            for number, item in enumerate(items):
                if number % _STRIDE == 0:
                    done(number)
                yield item


@contextmanager
def show_phases() -> Iterator[Phases]:
    """Show phases on standard error while the block runs."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Phases(None)
        return
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield Phases(bars)
