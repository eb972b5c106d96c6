"""Turns the tables of a TOML file into structs, and names every key and value that does not fit."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, TypeVar

import msgspec
from msgspec import NODEFAULT, Struct, ValidationError

from snapshot.file.text import refuse_control
from snapshot.sites.config import Variant
from snapshot.sites.positions import Path

T = TypeVar("T", bound=Struct)
Tell = Callable[[Path, str], None]
"""Is told what is wrong at a path within the table that is read."""

_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_JOINING = re.compile("[\xad\u061c\u180e\u200b-\u200f\u2060-\u206f\ufeff]")
_WORDED = ("contact", "sponsor")
_LIKENESS = 0.6
_MOST_LETTERS = 100
_MOST_UNKNOWN = 50
_AT = re.compile(r" - at `(?:key in )?\$(.*)`$")
_STEP = re.compile(r"\[(\d+)\]|\.(\w+)|\[\.\.\.\]")
_EXPECTED = re.compile(r"Expected `([^`]+)`(?:, got `([^`]+)`)?(.*)")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")
_WORDS = {
    "array": "a list in brackets",
    "bool": "true or false",
    "datetime": "a date",
    "float": "a number with a point",
    "int": "a whole number",
    "null": "nothing",
    "object": "a table",
    "str": "text in quotes",
}


def proposal(name: str, known: Iterable[str]) -> str:
    """Return `: did you mean X?` for the known name that is most like an unknown one, or ""."""
    if len(name) > _MOST_LETTERS:
        return ""
    folded = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), folded, 1, _LIKENESS)
    return f": did you mean `{folded[near[0]]}`?" if near else ""


def shaped(kind: type[T], data: object, tell: Tell) -> T | None:
    """Return a table as a struct; None if something is wrong, of which all is told."""
    if not isinstance(data, dict):
        tell((), f"needs a table, not {_WORDS.get(_name(data), 'this')}")
        return None
    fields = msgspec.structs.fields(kind)
    known = [field.name for field in fields]
    right = True
    values: dict[str, Any] = {}
    unknown = [name for name in data if name not in known]
    for name in unknown[:_MOST_UNKNOWN]:
        tell((name,), unknown_key(name, known))
        right = False
    if more := unknown[_MOST_UNKNOWN:]:
        tell((more[0],), f"unknown key `{more[0]:.{_MOST_LETTERS}}` and {len(more) - 1:,} more")
    # A key with a typing error is not missing too.
    meant = {proposal(name, known) for name in unknown[:_MOST_UNKNOWN]}
    for field in fields:
        if field.name not in data:
            required = field.default is NODEFAULT and field.default_factory is NODEFAULT
            if required and f": did you mean `{field.name}`?" not in meant:
                tell((), f"`{field.name}` is missing")
            right = right and not required
            continue
        try:
            values[field.name] = msgspec.convert(data[field.name], field.type)
        except ValidationError as error:
            path, why = _explained(str(error))
            tell((field.name, *path), f"`{field.name}` {why}" if why[:7] != "unknown" else why)
            right = False
        else:
            right = _is_clean(data[field.name], (field.name,), tell) and right
    return kind(**values) if right else None


def unknown_key(name: str, known: Iterable[str]) -> str:
    """Return what is said of a key that does not exist."""
    known = [*known]
    there = proposal(name, known) or f"; there are {', '.join(known)}"
    return f"unknown key `{name:.{_MOST_LETTERS}}`{there}"


def _name(value: object) -> str:
    if isinstance(value, dict):
        return "object"
    return "array" if isinstance(value, list) else type(value).__name__


def _explained(error: str) -> tuple[Path, str]:
    """Return the path of msgspec's error, and the error in plain words."""
    path: list[str | int] = []
    if place := _AT.search(error):
        error = error[: place.start()]
        for index, name in _STEP.findall(place[1]):
            path += [int(index)] if index else [name] if name else []
    if found := _UNKNOWN.fullmatch(error):
        return (*path, found[1]), unknown_key(found[1], Variant.__struct_fields__)
    if found := _MISSING.fullmatch(error):
        return tuple(path), f"needs the key `{found[1]}`"
    return tuple(path), _plain(error)


def _plain(error: str) -> str:
    found = _EXPECTED.fullmatch(error)
    if found is None:
        return f"cannot be used: {error}"
    kind, got, rest = found.groups()
    if not got and "length >= 1" in rest:
        return "is empty: give at least one" if kind == "array" else "is empty"
    wanted = " or ".join(
        _WORDS[one] for one in kind.split(" | ") if one in _WORDS and one != "null"
    )
    shown = f"needs {wanted or kind}{rest.replace(' of length <=', ' of at most')}"
    return f"{shown}, not {_WORDS.get(got, got)}" if got else shown


def _refuse_invisible(text: str, key: str | int) -> None:
    """Raise ValueError for what looks like something else: two names would look the same.

    Words of people may join their letters, and only what turns the direction of text is refused.
    """
    if _TURNING.search(text) or (key not in _WORDED and _JOINING.search(text)):
        raise ValueError(f"`{key}` has an invisible character")


def _is_clean(value: object, path: Path, tell: Tell) -> bool:
    """Tell of texts that neither a list nor a database can hold."""
    if isinstance(value, str):
        try:
            refuse_control(value, f"`{path[0]}`")
            _refuse_invisible(value, path[0])
        except ValueError as error:
            tell(path, str(error))
            return False
    parts: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    # All parts are looked at, so that all problems are told.
    return not [key for key, one in parts if not _is_clean(one, (*path, key), tell)]
