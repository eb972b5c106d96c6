"""Writes a manual page for each command, from the texts of its --help.

`python contrib/packaging/manpages.py FOLDER`, with the Python of an environment that has the
project. It is not click-man, which joins the lines of examples.
"""

import os
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import entry_points
from inspect import cleandoc, getmembers
from pathlib import Path

import click

from mirrorlist import __version__

# click's mark of a paragraph whose lines stay as they are.
_AS_IT_IS = "\b\n"
_DOCS = "/usr/share/doc/mirrorlist"


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page: of the commands, and of their subcommands."""
    for point in entry_points(group="console_scripts"):
        if point.module.partition(".")[0] == "mirrorlist":
            command = _command(point.module)
            yield from _of(command, _context(command, point.name))


def _command(module: str) -> click.Command:
    """Return the one command that a module has of its own: what its function main() runs."""
    found = getmembers(import_module(module), lambda member: isinstance(member, click.Command))
    command: click.Command
    ((_, command),) = found
    return command


def _of(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    name = context.command_path.replace(" ", "-")
    yield name, "\n".join([*_head(name, command), *_body(command, context), *_foot(name)]) + "\n"
    for subname, subcommand in _subcommands(command, context):
        yield from _of(subcommand, _context(subcommand, subname, context))


def _context(
    command: click.Command, name: str, parent: click.Context | None = None
) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


def _subcommands(
    command: click.Command, context: click.Context
) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            if subcommand := command.get_command(context, name):
                yield name, subcommand


def _head(name: str, command: click.Command) -> Iterator[str]:
    now = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    day = time.strftime("%Y-%m-%d", now)
    yield f'.TH "{name.upper()}" 1 "{day}" "mirrorlist {__version__}" "mirrorlist"'
    yield ".SH NAME"
    yield f"{_escaped(name)} \\- {_escaped(_summary(command))}"


def _summary(command: click.Command) -> str:
    return cleandoc(command.help or "").split("\n\n")[0].replace("\n", " ").removesuffix(".")


def _body(command: click.Command, context: click.Context) -> Iterator[str]:
    yield ".SH SYNOPSIS"
    yield f".B {_escaped(context.command_path)}"
    yield _escaped(" ".join(command.collect_usage_pieces(context)))
    yield ".SH DESCRIPTION"
    for paragraph in cleandoc(command.help or "").split("\n\n"):
        yield from _paragraph(paragraph)
    yield ".SH OPTIONS"
    for parameter in command.get_params(context):
        if record := parameter.get_help_record(context):
            yield from _item(*record)
    if subcommands := list(_subcommands(command, context)):
        yield ".SH COMMANDS"
        for name, subcommand in subcommands:
            yield from _item(name, _summary(subcommand))


def _paragraph(text: str) -> Iterator[str]:
    if text.startswith(_AS_IT_IS):
        # Lines of examples are wider than a text beside a margin.
        yield from (".PP", ".nf", _escaped(text.removeprefix(_AS_IT_IS)), ".fi")
    else:
        yield from (".PP", _escaped(text))


def _item(term: str, text: str) -> Iterator[str]:
    yield from (".TP", f"\\fB{_escaped(term)}\\fR", _escaped(" ".join(text.split())))


def _foot(name: str) -> Iterator[str]:
    yield ".SH SEE ALSO"
    others = [] if name == "mirrorlist" else [r"\fBmirrorlist\fR(1)"]
    yield ", ".join([*others, _escaped(f"the pages in {_DOCS}")])


def _escaped(text: str) -> str:
    """Return a text that roff prints as it is: no line of it is a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") else line for line in text.split("\n"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} FOLDER")
    for title, page in pages():
        (Path(sys.argv[1]) / f"{title}.1").write_text(page)
