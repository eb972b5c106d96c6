"""Reads the TOML file of `--config`, whose keys are the names of the table of settings."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from mirrorlist.errors import OptionError
from mirrorlist.settings.setting import Setting, SettingKind
from mirrorlist.settings.table import SETTINGS
from snapshot.file.wholefile import read_text


def read_file(path: Path) -> dict[str, object]:
    """Return the settings of a TOML file by name; raises an OptionError that says what is wrong."""
    try:
        found = tomllib.loads(read_text(path))
    except RecursionError:
        raise OptionError(f"{path}: cannot be read as settings: too many levels") from None
    # ValueError: tomllib raises it, beside its own subclass, for an impossible date or number.
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise OptionError(f"{path}: cannot be read as settings: {why}") from error
    settings = {name.replace("-", "_"): value for name, value in found.items()}
    unknown = sorted(settings.keys() - {setting.name for setting in SETTINGS})
    if unknown:
        known = [setting.name for setting in SETTINGS]
        shown = ", ".join(with_nearest(name, known) for name in unknown)
        raise OptionError(f"{path}: no such setting: {shown}; see mirrorlist --help")
    for setting in SETTINGS:
        if setting.name in settings and not _fits(setting, settings[setting.name]):
            kind = f"one of {', '.join(setting.choices)}" if setting.choices else setting.kind.value
            if setting.repeatable:
                kind = f"a list of {kind}, and not empty"
            raise OptionError(f"{path}: {setting.name}: must be {kind}")
        if setting.repeatable and isinstance(settings.get(setting.name), str):
            # A single value may be written without the brackets of a list.
            settings[setting.name] = [settings[setting.name]]
    return settings


def with_nearest(name: str, known: Sequence[str], likeness: float = 0.6) -> str:
    """Return an unknown name with the likeliest known name, if their likeness (0 to 1) suffices.

    Upper and lower case count as equal.
    """
    # Imported here, because nearly all names are known.
    from difflib import get_close_matches

    folded = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), folded, 1, likeness)
    return f"{name} (perhaps {folded[near[0]]}?)" if near else name


def _fits(setting: Setting, value: object) -> bool:
    if setting.repeatable:
        # Refused, because click would take an empty list for an absent one: the default.
        values = value if isinstance(value, list) else [value]
        return values != [] and all(type(one) is str and "\0" not in one for one in values)
    types: dict[SettingKind, tuple[type, ...]] = {
        SettingKind.INTEGER: (int,),
        SettingKind.SECONDS: (int, float),
        SettingKind.NUMBER: (int, float),
        SettingKind.SWITCH: (bool,),
    }
    return type(value) in types.get(setting.kind, (str,)) and "\0" not in str(value)
