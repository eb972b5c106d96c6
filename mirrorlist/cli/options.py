"""Turns the table of settings into options of a subcommand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from mirrorlist.commas import elements
from mirrorlist.errors import OptionError
from mirrorlist.settings import PREFIX, SETTINGS, Kind, Setting, read_file

F = TypeVar("F", bound=Callable[..., Any])


def options(command: str) -> Callable[[F], F]:
    """Return a decorator that gives a function the options of a subcommand."""

    def decorate(function: F) -> F:
        for setting in reversed(SETTINGS):
            if command in setting.commands:
                function = _option(setting)(function)
        return _config_option(function)

    return decorate


def _option(setting: Setting) -> Callable[[F], F]:
    name = setting.flag
    if setting.kind is Kind.SWITCH and setting.default:
        name = f"{setting.flag}/--no-{setting.flag[2:]}"
    # To click, a default of None would be a value, so that nothing was ever missing.
    default: dict[str, Any] = {} if setting.default is None else {"default": setting.default}
    if setting.repeatable:
        default = {name: [value] for name, value in default.items()}
        default["callback"] = _split
    return click.option(
        name,
        setting.name,
        type=_type(setting),
        is_flag=setting.kind is Kind.SWITCH,
        required=setting.required,
        multiple=setting.repeatable,
        envvar=setting.variable,
        metavar=_metavar(setting),
        show_default=setting.default not in (None, False),
        help=setting.help,
        **default,
    )


def _split(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Take what stands between commas apart, wherever the values come from."""
    found = tuple(one for value in values for one in elements(value))
    if values and not found:
        # Empty would mean the default, which is not what it says.
        raise OptionError(f"{parameter.opts[0]}: names nothing; give at least one value")
    return found


def _metavar(setting: Setting) -> str | None:
    by_kind = {
        Kind.TEXT: "TEXT",
        Kind.FILE: "FILE",
        Kind.OUTPUT: "FILE",
        Kind.DIRECTORY: "DIRECTORY",
        Kind.INTEGER: "N",
        Kind.SECONDS: "SECONDS",
        Kind.NUMBER: "N",
    }
    return setting.metavar or by_kind.get(setting.kind)


def _type(setting: Setting) -> click.ParamType[Any] | type:
    if setting.kind is Kind.INTEGER:
        bounded = setting.least is not None
        return click.IntRange(setting.least, setting.most) if bounded else int
    if setting.kind in (Kind.SECONDS, Kind.NUMBER):
        return click.FloatRange(setting.least, setting.most)
    if setting.kind in (Kind.FILE, Kind.OUTPUT, Kind.DIRECTORY):
        return click.Path(path_type=Path, allow_dash=True)
    return bool if setting.kind is Kind.SWITCH else str


def _config_option(function: F) -> F:
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar=PREFIX + "CONFIG",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_load,
        help="A TOML file with settings by their names; flags and the environment win over it.",
    )(function)


def _load(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        context.default_map = read_file(path)
