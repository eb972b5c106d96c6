"""Turns the table of settings into options of a subcommand."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from mirrorlist.cli.settings_file import read_file
from mirrorlist.cli.values import FilePath, Number, OneOf, Switch, Whole
from mirrorlist.errors import OptionError
from mirrorlist.request.commas import elements
from mirrorlist.settings.setting import PREFIX, Setting, SettingKind
from mirrorlist.settings.table import SETTINGS
from snapshot.file.errors import OutputError

# Where the context keeps the settings file.
_CONFIG = "mirrorlist.config"

F = TypeVar("F", bound=Callable[..., Any])


def options(command: str, *, toml: bool = True) -> Callable[[F], F]:
    """Return a decorator that gives a function the options of a subcommand.

    Without `toml`, the command has a --config of its own.
    """

    def decorate(function: F) -> F:
        function = _apart(command, function)
        for setting in reversed(SETTINGS):
            if command in setting.commands:
                function = _option(setting)(function)
        return _config_option(function) if toml else function

    return decorate


class _Option(click.Option):
    """An option whose variable may end with a line feed, as `echo` writes one into a secret."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return the variable's value without line ends at its end, or None."""
        return (super().resolve_envvar_value(ctx) or "").rstrip("\r\n") or None


def _option(setting: Setting) -> Callable[[F], F]:
    name = setting.flag
    if setting.kind is SettingKind.SWITCH and setting.default:
        name = f"{setting.flag}/--no-{setting.flag[2:]}"
    # No `default=None`: click would take None for a value and never ask for a required option.
    default: dict[str, Any] = {} if setting.default is None else {"default": setting.default}
    if setting.repeatable:
        default = {name: [value] for name, value in default.items()}
        default["callback"] = _split
    return click.option(
        name,
        setting.name,
        cls=_Option,
        type=_type(setting),
        # Not False: for click, an option that may be a flag needs no value behind it.
        is_flag=setting.kind is SettingKind.SWITCH or None,
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
    """Split values at commas, whether they come from flags, the environment or a file."""
    found = tuple(one for value in values for one in elements(value))
    if values and not found:
        # Refused, because an empty list would silently mean the default.
        raise OptionError(f"{parameter.opts[0]}: names nothing; give at least one value")
    return found


def _metavar(setting: Setting) -> str | None:
    by_kind = {
        SettingKind.TEXT: "TEXT",
        SettingKind.FILE: "FILE",
        SettingKind.OUTPUT: "FILE",
        SettingKind.DIRECTORY: "DIRECTORY",
        SettingKind.INTEGER: "N",
        SettingKind.SECONDS: "SECONDS",
        SettingKind.NUMBER: "N",
        SettingKind.CHOICE: "|".join(setting.choices),
    }
    return setting.metavar or by_kind.get(setting.kind)


def _type(setting: Setting) -> click.ParamType[Any] | type:
    if setting.kind is SettingKind.INTEGER:
        return Whole(setting.least, setting.most)
    if setting.kind in (SettingKind.SECONDS, SettingKind.NUMBER):
        return Number(setting.least, setting.most)
    if setting.kind in (SettingKind.FILE, SettingKind.OUTPUT, SettingKind.DIRECTORY):
        return FilePath(stream=setting.stream)
    if setting.kind is SettingKind.CHOICE:
        return OneOf(setting.choices)
    return Switch() if setting.kind is SettingKind.SWITCH else str


def _apart(command: str, function: F) -> F:
    """Return a subcommand that refuses to write to a file that it also reads."""
    names = {one.name: one.kind for one in SETTINGS if command in one.commands}

    @wraps(function)
    def guarded(*arguments: Any, **given: Any) -> Any:
        written = [given[name] for name, kind in names.items() if kind is SettingKind.OUTPUT]
        read = [given[name] for name, kind in names.items() if kind is SettingKind.FILE]
        read.append(click.get_current_context().meta.get(_CONFIG))
        read.append(_file_of_url(given.get("database")))
        for path in filter(None, written):
            if any(_is_same(path, one) for one in read if one):
                raise OutputError(f"{path}: cannot be written: it is also read")
        return function(*arguments, **given)

    return cast(F, guarded)


def _file_of_url(database: str | None) -> Path | None:
    """Return the file that `--database @FILE` names, or None for a URL."""
    if database is None or database[:1] != "@":
        return None
    return Path(os.path.expanduser(database[1:]))


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def _config_option(function: F) -> F:
    return click.option(
        "--config",
        cls=_Option,
        type=FilePath(),
        envvar=PREFIX + "CONFIG",
        metavar="FILE",
        is_eager=True,
        expose_value=False,
        callback=_load,
        help="A TOML file with settings by their names; flags and the environment win over it.",
    )(function)


def _load(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        context.meta[_CONFIG] = path
        context.default_map = read_file(path)
