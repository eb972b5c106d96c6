"""How `mirrorlist stats` prints: tables with sparklines for people, JSON or CSV for programs."""

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from mirrorlist.cli.console import (
    counted,
    output,
    plain_table,
    print_data,
    print_json,
    say,
)
from mirrorlist.cli.harmless import harmless, one_line
from mirrorlist.status.cells import csv_text

if TYPE_CHECKING:
    from snapshot.stats.questions import Course, Line, Question, Step

_BARS = "▁▂▃▄▅▆▇█"
POINTS = 30
"""The steps of a course that has a line for itself."""
POINTS_OF_TOP = 20
"""The steps of a course beside requests and their share."""
# Of a line: requests, share or last, and the spaces between them.
_NUMBERS = 26
_SHORTEST_NAME = 6
_MINUTE = "%Y-%m-%d %H:%M"


def names_of(by: str) -> tuple[str, ...]:
    """Return the names in the value of --by."""
    return tuple(one for one in (part.strip() for part in by.split(",")) if one)


def _shown(value: object) -> str:
    """Return a label for people, who would not see an empty one."""
    return one_line(str(value)) or "(none)"


def print_sums(by: str, rows: Sequence[Sequence[Any]], what: str = "requests") -> None:
    """Print rows as a plain table; in a pipe nothing is folded or cut."""
    shown = plain_table(*names_of(by), what)
    shown.columns[-1].justify = "right"
    for *values, count in rows:
        shown.add_row(*(Text(_shown(one)) for one in values), f"{count:,}")
    output().print(shown)


def print_rows(
    by: str, rows: Sequence[Sequence[Any]], as_csv: bool, what: str = "requests"
) -> None:
    """Print rows as JSON, a list of objects, or as CSV."""
    names = (*names_of(by), what)
    if as_csv:
        text = csv_text(names, rows, "\n")
        print_data(harmless(text) if sys.stdout.isatty() else text)
        return
    print_json([dict(zip(names, row, strict=True)) for row in rows])


def _printer() -> Console:
    """Return the console: in a pipe 80 columns, because what is shown is for people."""
    console = output()
    if not console.is_terminal:
        console.width = 80
    return console


def print_top(
    question: "Question", lines: "Sequence[Line]", whole: int, drawn: "Sequence[Course]"
) -> None:
    """Print the largest sums with their shares and courses."""
    console = _printer()
    short = _shortener(console, len(question.by), POINTS_OF_TOP)
    courses = {one.values: one.requests for one in drawn}
    columns = [*question.by, "requests", "share", *(["course"] if drawn else [])]
    shown = plain_table(*columns)
    for column in shown.columns[len(question.by) : len(question.by) + 2]:
        column.justify = "right"
    for line in lines:
        share = f"{100 * line.requests / max(1, whole):.1f} %"
        spark = [sparkline(courses[line.values])] if drawn else []
        shown.add_row(*map(short, line.values), f"{line.requests:,}", share, *spark)
    console.print(shown)
    say(f"{counted(whole, 'request', 'requests')} in all")


def print_trend(question: "Question", steps: "Sequence[Step]", found: "Sequence[Course]") -> None:
    """Print courses; one alone with a line for each step."""
    if not question.by:
        (only,) = found
        _print_steps(steps, only.requests)
        return
    console = _printer()
    short = _shortener(console, len(question.by), POINTS)
    shown = plain_table(*question.by, "course", "last", "requests")
    for column in shown.columns[-2:]:
        column.justify = "right"
    for one in found:
        shown.add_row(
            *map(short, one.values),
            sparkline(one.requests),
            f"{one.requests[-1]:,}",
            f"{sum(one.requests):,}",
        )
    console.print(shown)
    count = counted(len(steps), "step", "steps")
    say(f"{count}, from {steps[0].first:{_MINUTE}} to {steps[-1].end:{_MINUTE}} UTC")


def _print_steps(steps: "Sequence[Step]", counts: Sequence[int]) -> None:
    shown = plain_table("from (UTC)", "requests", "")
    shown.columns[1].justify = "right"
    most = max([*counts, 1])
    for step, count in zip(steps, counts, strict=True):
        bar = "█" * round(40 * count / most)
        shown.add_row(f"{step.first:{_MINUTE}}", f"{count:,}", Text(bar))
    _printer().print(shown)


def _shortener(console: Console, labels: int, points: int) -> Callable[[str], Text]:
    """Return the function that cuts names so that a line fits on the screen."""
    room = (console.width - _NUMBERS - points) // max(1, labels) - 2
    most = max(_SHORTEST_NAME, room)

    def short(name: str) -> Text:
        shown = _shown(name)
        return Text(shown if len(shown) <= most else f"{shown[: most - 1]}…")

    return short


def sparkline(counts: Sequence[int]) -> Text:
    """Return counts as bars of eight heights, of which the lowest begins at 0."""
    most = max([*counts, 1])
    return Text("".join(_BARS[min(7, 8 * count // (most + 1))] for count in counts))
