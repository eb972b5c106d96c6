"""Consoles of rich that print no orders for the terminal, no matter who wrote the text.

A name, a path or an error may come from a database, a file or a server that somebody else has:
an escape sequence in it could clear the screen, or make one line look like another.
"""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from mirrorlist.cli.harmless import harmless


class Shown(Console):
    """A console whose text has a question mark for each control character."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Return the parts of what is printed; the orders of rich itself stay."""
        for part in super().render(renderable, options):
            yield part if part.control else Segment(harmless(part.text), part.style)


class Output(Shown):
    """Such a console for results."""

    def on_broken_pipe(self) -> None:
        """Let `main()` end the command."""
        raise BrokenPipeError
