"""The types of options: numbers, paths and switches, each refused in plain words.

A refusal names the source of the value (the option, the variable or the settings file), so that
an operator does not search the command line for a value of the environment.
"""

import math
import os
import re
from pathlib import Path
from typing import Any, ClassVar

import click
from click.core import ParameterSource


class Unfit(click.BadParameter):
    """A value that cannot be used; the text names the source of the value."""

    def format_message(self) -> str:
        """Return the text as it is."""
        return self.message


def refuse(
    value: object, why: str, parameter: click.Parameter | None, context: click.Context | None
) -> Unfit:
    """Return the error for a value: its source, the value, and why it is refused."""
    shown = f" {value}" if str(value) else ""
    return Unfit(f"{_place(parameter, context)}{shown}: {why}", context, parameter)


def _place(parameter: click.Parameter | None, context: click.Context | None) -> str:
    if parameter is None:
        return "a value"
    source = context.get_parameter_source(parameter.name or "") if context else None
    if source is ParameterSource.ENVIRONMENT and isinstance(parameter.envvar, str):
        return parameter.envvar
    if source is ParameterSource.DEFAULT_MAP:
        return f"{parameter.name} in the --config file"
    return max(parameter.opts, key=len) if parameter.opts[0][:1] == "-" else _argument(parameter)


def _argument(parameter: click.Parameter) -> str:
    return str(parameter.metavar or parameter.human_readable_name)


class Number(click.ParamType[float]):
    """A number between two bounds, each of which may be absent."""

    name = "number"
    _words = "number"

    def __init__(self, least: int | None = None, most: int | None = None) -> None:
        """Take the bounds, which are allowed themselves."""
        self._least, self._most = least, most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; raises Unfit."""
        try:
            number = self._parse(value)
        except (ValueError, OverflowError):
            number = None
        if number is None or not self._fits(number):
            raise refuse(value, f"not a {self._words}{self._range()}", param, ctx)
        return number

    def _parse(self, value: Any) -> float:
        return float(value)

    def _fits(self, number: float) -> bool:
        return (
            math.isfinite(number)
            and (self._least is None or number >= self._least)
            and (self._most is None or number <= self._most)
        )

    def _range(self) -> str:
        if self._most is not None:
            return f" from {self._least} to {self._most}"
        return "" if self._least is None else f" of at least {self._least}"


class Whole(Number):
    """A whole number between two bounds."""

    _words = "whole number"

    def _parse(self, value: Any) -> int:
        return int(value)


class Duration(click.ParamType[int]):
    """A length of time in seconds, written as 90m, 2h or 1d12h."""

    name = "duration"
    _seconds: ClassVar = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    _most = 366 * 86_400

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds; raises Unfit."""
        text = str(value).strip().lower()
        parts = re.findall(r"(\d{1,9})([smhd])", text)
        total = sum(int(number) * self._seconds[unit] for number, unit in parts)
        if "".join(map("".join, parts)) != text or not 1 <= total <= self._most:
            why = "not a time such as 30m, 2h or 1d12h, of at most 366d"
            raise refuse(value, why, param, ctx)
        return total


class Switch(click.types.BoolParamType):
    """On or off, as the environment may say it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return whether it is on; raises Unfit."""
        try:
            return super().convert(value, None, None)
        except click.BadParameter as error:
            raise refuse(value, "neither 1 nor 0", param, ctx) from error


class OneOf(click.Choice[str]):
    """One of some words, in small letters."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the word; raises Unfit."""
        if value not in self.choices:
            raise refuse(value, f"not one of {', '.join(self.choices)}", param, ctx)
        return str(value)


class FilePath(click.Path):
    """A path as people give it: `~` is the home folder, and a text that is not a path is refused.

    Whether the file exists is not checked here: the code that opens it has better words and its
    own exit code.
    """

    def __init__(self, *, stream: bool = False) -> None:
        """Take whether `-` stands for standard input or output."""
        super().__init__(path_type=Path, allow_dash=True)
        self._stream = stream

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path; raises Unfit."""
        text = os.fspath(value)
        if not text:
            raise refuse("", "is empty: give a path", param, ctx)
        if text == "-" and not self._stream:
            why = "not possible here; give a file (a file called - is ./-)"
            raise refuse(text, why, param, ctx)
        # A shell expands ~ only at the start of a word, and never in a variable's value.
        return Path(os.path.expanduser(text) if text == "~" or text.startswith("~/") else text)
