"""The options that several load tests share, and the way in which their programs end."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from loadtest.common.records import holds_figures
from loadtest.common.sizes import BIGGEST, SMALLEST
from snapshot.file.errors import BackendError

RUNS = Path(__file__).parent / "runs"
"""The folder of the figures that the documentation quotes."""

FILE = click.Path(path_type=Path)
"""The type of an option that names a file or a folder."""

SCALE = click.FloatRange(SMALLEST, BIGGEST)
"""The type of a size of the data set."""

_Main = Callable[..., Any]
_Option = Callable[[_Main], _Main]


class Program(click.Command):
    """A command that tells a BackendError in one line, and ends with its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BackendError as error:
            click.echo(f"Error: {error}", err=True)
            raise SystemExit(error.exit_code) from error


def program(main: _Main) -> Program:
    """Return the command of a load test's `main`."""
    return click.command(cls=Program)(main)


def number(name: str, default: float, help: str, least: float = 0) -> _Option:
    """Return an option for a number from `least` on; an integer if the default is one."""
    kind = click.IntRange(int(least)) if isinstance(default, int) else click.FloatRange(least)
    return click.option(name, type=kind, default=default, show_default=True, help=help)


def scale(default: float = 1.0) -> _Option:
    """Return `--scale`."""
    return click.option(
        "--scale", type=SCALE, default=default, show_default=True, help="Size of the data set."
    )


def scales(*default: float) -> _Option:
    """Return `--scale` that may be given several times."""
    return click.option(
        "--scale",
        type=SCALE,
        multiple=True,
        default=default,
        show_default=True,
        help="Size of the data set; may be given more than once.",
    )


def seed(help: str = "Another seed, other requests.") -> _Option:
    """Return `--seed`."""
    return click.option("--seed", default=1, show_default=True, help=help)


def directory() -> _Option:
    """Return `--directory`, where data sets are kept from one run to the next."""
    return click.option(
        "--directory",
        type=FILE,
        default=Path(".cache/bench"),
        show_default=True,
        help="Where the data set is kept.",
    )


def database() -> _Option:
    """Return `--database`, which a measurement fills or changes."""
    return click.option(
        "--database", required=True, metavar="URL", help="A database to throw away."
    )


def record(name: str) -> _Option:
    """Return `--record`, which gives the path `DATE-NAME.json` of the figures, or None."""

    def path(context: click.Context, parameter: click.Parameter, given: Path | None) -> Path | None:
        found = given and given / f"{datetime.now(UTC):%Y-%m-%d}-{name}.json"
        # Checked before the measurement, because the record would replace this file.
        if found and not holds_figures(found):
            raise click.BadParameter(
                f"{found} is there and holds no figures of a run", context, parameter
            )
        return found

    return click.option(
        "--record",
        "path",
        is_flag=False,
        flag_value=str(RUNS),
        metavar="[FOLDER]",
        type=FILE,
        callback=path,
        help=f"Write DATE-{name}.json and .md to loadtest/runs, or to another folder.",
    )
