"""The lines that `mirrorlist watch` prints: one for each export and each new trouble."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from mirrorlist.cli.console import as_time, messages

if TYPE_CHECKING:
    from snapshot.watch.loop import Done, Event

_MOST_REASONS = 3
_NOTHING = "nothing is published yet; trying again"


def event_printer(every: float, output: Path) -> Callable[["Event"], None]:
    """Return a function that prints events on standard error, coloured on a terminal.

    `output`: where snapshots are published.
    """
    from snapshot.watch.loop import Done, Failed, Missed

    left_out = started = 0
    notes: tuple[str, ...] = ()

    def tell(event: "Event") -> None:
        nonlocal left_out, notes, started
        if isinstance(event, Failed):
            stays = "what was published stays" if os.path.exists(output) else _NOTHING
            what = f"{event.error}; {stays}"
            _line(("error: ", "bold red"), (" ".join(what.split()), ""))
        elif isinstance(event, Missed):
            _line(("that change had not been seen by the looks at the database", "yellow"))
        elif isinstance(event, Done):
            why = _reasons(event.reasons) or (f"after {every:g} s" if started else "start")
            started = 1
            _tell_done(event, why)
            if left_out != (left_out := len(event.result.left_out)):
                _line((f"{left_out} rows are left out; `mirrorlist inspect` names them", "yellow"))
            for note in event.result.notes:
                if note not in notes:
                    _line((note, "yellow"))
            notes = event.result.notes
        else:
            _line(("the database answers again", "green"))

    return tell


def _tell_done(event: "Done", why: str) -> None:
    from snapshot.watch.loop import UNSURE

    result = event.result
    if result.changed:
        _line(
            (f"{why}: ", ""),
            ("published ", "green"),
            (f"{result.id}, {result.bytes:,} bytes, in {result.seconds:.2f} s", ""),
        )
    elif event.reasons not in ([], [UNSURE]) or why == "start":
        _line((f"{why}: nothing that is published changed, {result.seconds:.2f} s", ""))


def _reasons(reasons: list[str]) -> str:
    shown, more = reasons[:_MOST_REASONS], len(reasons) - _MOST_REASONS
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _line(*parts: tuple[str, str]) -> None:
    text = Text.assemble(f"mirrorlist: {as_time(int(time.time()))} ", *parts)
    messages().print(text, soft_wrap=True)
