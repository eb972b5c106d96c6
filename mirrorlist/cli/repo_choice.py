"""Which repositories a subcommand of `mirrorlist repo` is about, and what they all print."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.text import Text

from mirrorlist.cli.console import counted, say
from mirrorlist.cli.harmless import one_line

if TYPE_CHECKING:
    from rich.console import Console

    from snapshot.repo.choice import Choice

MOST_SHOWN = 40
"""As many as fit on a screen; --json has all of them."""
F = TypeVar("F", bound=Callable[..., Any])

_CHOICE = (
    ("category", "NAME", "Repositories of this category only."),
    ("product", "NAME", "Repositories of this product only, such as Fedora."),
    ("version", "NAME", "Repositories of this version only, such as 44."),
    ("arch", "NAME", "Repositories of this arch only."),
    ("prefix", "NAME", "Repositories with this prefix only; * and ? stand for other characters."),
    ("directory", "NAME", "Repositories in this directory, or below it, only."),
)


def choosing(function: F) -> F:
    """Give a subcommand the options that choose repositories."""
    for name, metavar, text in reversed(_CHOICE):
        function = click.option(f"--{name}", metavar=metavar, help=text)(function)
    return function


def make_choice(given: dict[str, str | None]) -> "Choice":
    """Return what the options choose."""
    from snapshot.repo.choice import Choice

    directory = given["directory"]
    if directory is not None:
        given = {**given, "directory": directory.strip("/")}
    return Choice(**given)


def counted_repositories(count: int) -> str:
    """Return a number of repositories."""
    return counted(count, "repository", "repositories")


def show(lines: Iterable[str], console: "Console") -> None:
    """Print lines of names that others wrote, each whole, without orders for the terminal."""
    for line in lines:
        console.print(Text(one_line(line)), soft_wrap=True)


def say_more(count: int) -> None:
    """Say that not all were shown, if so."""
    if count > MOST_SHOWN:
        say(f"only the first {MOST_SHOWN} are shown; --json names them all")
