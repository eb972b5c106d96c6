"""How MirrorManager's two programs take a wrong flag: they print their usage and end with 0."""

import click

from mirrorlist.cli.console import fail


def run(command: click.Command) -> object:
    """Run a command; a wrong flag prints its usage, as if that had been asked for."""
    try:
        return command.main(prog_name=command.name, standalone_mode=False)
    except (click.NoSuchOption, click.BadOptionUsage) as error:
        click.echo(command.get_help(click.Context(command, info_name=command.name)))
        return fail(error.format_message(), 0)
