"""docs/cli.md shows the help of each command as the command prints it."""

from collections.abc import Iterator

import click
import pytest

from mirrorlist.cli import cli
from tests.command import run_inside
from tests.pages import ROOT, hold

PAGE = "docs/cli.md"
# click leaves two of the columns.
WIDTH = 80 - 2


def _help(command: click.Command, *names: str) -> str:
    """Return the help of a command on 80 columns."""
    parent = None
    for name in names[:-1]:
        parent = click.Context(cli, info_name=name, parent=parent, **cli.context_settings)
    context = click.Context(
        command, info_name=names[-1], parent=parent, terminal_width=WIDTH, **cli.context_settings
    )
    return command.get_help(context)


def _commands(group: click.Group, *before: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield the commands of a group with their names, those of groups within it after them."""
    for name, command in group.commands.items():
        yield (*before, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, *before, name)


COMMANDS = dict(_commands(cli))


def _sections() -> Iterator[str]:
    for words, command in [((), cli), *COMMANDS.items()]:
        names = ("mirrorlist", *words)
        yield from ("", f"## {' '.join(names)}", "", "```text")
        yield from _help(command, *names).splitlines()
        yield "```"
    yield ""


def test_the_page_is_the_help() -> None:
    """The page has a section for each command, with what its --help prints."""
    hold(PAGE, "commands", _sections())


@pytest.mark.parametrize("command", ["", *map(" ".join, COMMANDS)])
def test_the_help_is_what_is_printed(command: str) -> None:
    """A command in a terminal of 80 columns prints what the page shows."""
    printed = run_inside(*command.split(), "--help", COLUMNS="80")
    assert printed.returncode == 0
    # Examples are not folded by click.
    assert [line for line in printed.stdout.splitlines() if len(line) > 80] == []
    assert f"```text\n{printed.stdout}```\n" in (ROOT / PAGE).read_text(encoding="utf-8")
