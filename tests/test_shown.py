"""What is printed for people has no orders for the terminal, no matter who wrote the text."""

import os
import pty

import pytest
from rich.console import Console
from rich.text import Text

from mirrorlist.cli.console import fail, messages, output, plain_table, progress_bar, say

ORDERS = "a\x1b[2Jb\x9b2Jc\x08\rd"
HARMLESS = "?[2Jb?2Jc"


def _table(console: Console) -> None:
    table = plain_table("name")
    table.add_row(Text(ORDERS))
    console.print(table)


@pytest.mark.parametrize("of", [output, messages])
def test_a_console(of: type[Console], capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a text nor the cell of a table has any; lines stay lines."""
    console = of()
    console.print(Text(f"{ORDERS}\nsecond", style="red"), soft_wrap=True)
    _table(console)
    captured = capsys.readouterr()
    printed = captured.out + captured.err
    # A cell is measured without them, so it may be cut.
    assert printed.count(HARMLESS[:8]) == 2
    assert "\nsecond\n" in printed
    assert {one for one in printed if not one.isprintable()} == {"\n"}


def test_colours_stay(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a style is an order of rich itself."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    output().print(Text(ORDERS, style="red"))
    assert capsys.readouterr().out.startswith("\x1b[31ma?[2J")


def test_lines_without_rich(capsys: pytest.CaptureFixture[str]) -> None:
    """A message and an error have none either."""
    say(ORDERS)
    assert fail(ORDERS, 3) == 3
    printed = capsys.readouterr().err
    assert printed.count(HARMLESS) == 2
    assert {one for one in printed if not one.isprintable()} == {"\n"}


def test_a_phase_without_steps_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a phase whose steps nobody counts runs, as that of a counted phase does."""
    ours, theirs = pty.openpty()
    with open(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        with progress_bar() as steps:
            steps("reading", 1, 2)
            steps("writing", 0, 0)
            assert steps._bar is not None
            (task,) = steps._bar[0].tasks
            assert (task.description, task.finished, task.total) == ("writing", False, None)
            steps("reading", 2, 3)
            assert (task.finished, task.total) == (False, 3)
    os.close(ours)
