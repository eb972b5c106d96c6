"""How MirrorManager's two programs begin, and take a wrong flag: a usage, and they end with 0."""

import os
from functools import partial
from typing import Any

import click

from mirrorlist.cli.begin import begun
from mirrorlist.cli.console import fail, say
from mirrorlist.cli.environment import warning_of_variables
from mirrorlist.cli.failure import guarded
from mirrorlist.process.messages import fill_standard

SETTINGS: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
    "allow_extra_args": True,
}
"""What click is to know of either program."""


def exit_code_of(command: click.Command) -> int:
    """Run a command as a program, and return the exit code, which is as that of `mirrorlist`."""
    fill_standard()
    if warning := warning_of_variables(os.environ):
        say(warning)
    return guarded(partial(_begin, command))


def _begin(command: click.Command) -> object:
    begun()
    return _run(command)


def _run(command: click.Command) -> object:
    """Run a command; a wrong flag prints its usage, as if that had been asked for."""
    try:
        return command.main(prog_name=command.name, standalone_mode=False)
    except (click.NoSuchOption, click.BadOptionUsage) as error:
        click.echo(command.get_help(click.Context(command, info_name=command.name)))
        return fail(error.format_message(), 0)
