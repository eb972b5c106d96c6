"""docs/drop-in.md: its flags are those of the commands, and its tests are there."""

import re

import click
import pytest

from mirrorlist.cli.dropin.command import server
from mirrorlist.cli.dropin.generator import generator
from tests.pages import ROOT, hold

PAGE = "docs/drop-in.md"


@pytest.mark.parametrize(("part", "command"), [("flags", server), ("generator", generator)])
def test_the_page_is_the_help(part: str, command: click.Command) -> None:
    """The page shows what each command prints with --help on 80 columns."""
    context = click.Context(
        command, info_name=command.name, terminal_width=78, **command.context_settings
    )
    hold(PAGE, part, ["", "```text", *command.get_help(context).splitlines(), "```", ""])


def test_the_tests_are_there() -> None:
    """Each test that the page names is in one of the files for these commands."""
    named = re.findall(r"`(test_\w+)`", (ROOT / PAGE).read_text())
    files = ("test_dropin.py", "test_dropin_restart.py", "test_generate_cache.py")
    tests = "".join((ROOT / "tests" / name).read_text() for name in files)
    assert len(named) > 5
    assert [name for name in named if f"def {name}(" not in tests] == []
