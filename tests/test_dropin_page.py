"""docs/drop-in.md: its flags are those of the command, and its tests are there."""

import re

import click

from mirrorlist.cli.dropin.command import server
from tests.pages import ROOT, hold

PAGE = "docs/drop-in.md"


def test_the_page_is_the_help() -> None:
    """The page shows what `mirrorlist-server --help` prints on 80 columns."""
    context = click.Context(
        server, info_name="mirrorlist-server", terminal_width=78, **server.context_settings
    )
    hold(PAGE, "flags", ["", "```text", *server.get_help(context).splitlines(), "```", ""])


def test_the_tests_are_there() -> None:
    """Each test that the page names is in tests/test_dropin.py."""
    named = re.findall(r"`(test_\w+)`", (ROOT / PAGE).read_text())
    tests = (ROOT / "tests" / "test_dropin.py").read_text()
    assert len(named) > 5
    assert [name for name in named if f"def {name}(" not in tests] == []
