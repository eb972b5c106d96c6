"""The lines that `mirrorlist watch` prints: one for each export and each new trouble."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from mirrorlist.cli.console import as_time, messages

if TYPE_CHECKING:
    from snapshot.watch.loop import Done, Event

_MOST_REASONS = 3
_NOTHING = "nothing is published yet; trying again"


class EventPrinter:
    """Prints events on standard error, coloured on a terminal."""

    def __init__(self, every: float, output: Path) -> None:
        """Take the seconds between exports, and where snapshots are published."""
        self._every, self._output = every, output
        self._started = False
        self._left_out = 0
        self._notes: tuple[str, ...] = ()

    def tell(self, event: "Event") -> None:
        """Print an event; what was left out or noted is printed when it has changed."""
        from snapshot.watch.loop import Done, Failed, Missed, Said

        if isinstance(event, Failed):
            stays = "what was published stays" if os.path.exists(self._output) else _NOTHING
            what = f"{event.error}; {stays}"
            _line(("error: ", "bold red"), (" ".join(what.split()), ""))
        elif isinstance(event, Missed):
            _line(("no look at the database had seen that change", "yellow"))
        elif isinstance(event, Said):
            _line((event.text, "yellow"))
        elif isinstance(event, Done):
            self._tell_done(event)
        else:
            _line(("the database answers again", "green"))

    def _tell_done(self, event: "Done") -> None:
        timed = f"after {self._every:g} s" if self._started else "start"
        self._started = True
        _tell_export(event, _reasons(event.reasons) or timed)
        before, self._left_out = self._left_out, len(event.result.left_out)
        if self._left_out != before:
            _line(
                (f"{self._left_out} rows are left out; `mirrorlist inspect` names them", "yellow")
            )
        for note in event.result.notes:
            if note not in self._notes:
                _line((note, "yellow"))
        self._notes = event.result.notes


def _tell_export(event: "Done", why: str) -> None:
    from snapshot.watch.loop import UNSURE

    result = event.result
    if result.changed:
        _line(
            (f"{why}: ", ""),
            ("published ", "green"),
            (f"{result.id}, {result.bytes:,} bytes, in {result.seconds:.2f} s", ""),
        )
    elif event.reasons not in ([], [UNSURE]) or why == "start":
        _line((f"{why}: the published content is unchanged, {result.seconds:.2f} s", ""))


def _reasons(reasons: list[str]) -> str:
    shown, more = reasons[:_MOST_REASONS], len(reasons) - _MOST_REASONS
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _line(*parts: tuple[str, str]) -> None:
    text = Text.assemble(f"mirrorlist: {as_time(int(time.time()))} ", *parts)
    messages().print(text, soft_wrap=True)
