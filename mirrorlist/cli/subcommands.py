"""Finds a subcommand by its name, and imports its module only then.

All of them together take a tenth of a second to import, which an export would notice.
"""

from collections.abc import MutableMapping
from importlib import import_module
from typing import Any

import click

NAMES = (
    "demo",
    "export",
    "watch",
    "import-cache",
    "run",
    "scan",
    "repo",
    "packages",
    "serve",
    "sites",
    "ask",
    "inspect",
    "diff",
    "replay",
    "health",
    "stats",
)
"""The subcommands; each is a function in a module of its name."""


class Subcommands(click.Group):
    """The group of all subcommands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return their names, sorted, without an import."""
        return sorted(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the subcommand of a name, or None."""
        return _load(cmd_name) if cmd_name in NAMES else None

    @property
    def commands(self) -> MutableMapping[str, click.Command]:
        """All subcommands by their names; imports all of them."""
        return {name: _load(name) for name in NAMES}

    @commands.setter
    def commands(self, none: MutableMapping[str, click.Command]) -> None:
        """Take what click sets before any is added."""


def _load(name: str) -> click.Command:
    function = name.replace("-", "_")
    module: Any = import_module(f"mirrorlist.cli.{function}")
    command: click.Command = getattr(module, function)
    return command
