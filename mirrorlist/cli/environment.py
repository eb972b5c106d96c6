"""Warns of environment variables that look like settings of mirrorlist and are not."""

from collections.abc import Iterable, Mapping

from mirrorlist.cli.settings_file import with_nearest
from mirrorlist.settings.setting import PREFIX
from mirrorlist.settings.table import SETTINGS

KNOWN = (f"{PREFIX}CONFIG", *(setting.variable for setting in SETTINGS))
# Kubernetes sets a dozen for a service called mirrorlist.
_MOST_SHOWN = 4
# Higher than elsewhere: all names share the prefix, which makes any two of them alike.
_LIKENESS = 0.75


def warning_of_variables(environment: Mapping[str, str]) -> str | None:
    """Return a one-line warning about variables that have no effect, or None."""
    names = sorted(name for name in environment if name.upper().startswith(PREFIX))
    unknown = [with_nearest(name, KNOWN, _LIKENESS) for name in names if name not in KNOWN]
    empty = [name for name in names if name in KNOWN and not environment[name]]
    told = [f"no such setting: {_listed(unknown)}"] if unknown else []
    told += [f"empty, so as if not set: {_listed(empty)}"] if empty else []
    return f"warning: in the environment: {'; '.join(told)}" if told else None


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = f" and {len(shown) - _MOST_SHOWN} more" if len(shown) > _MOST_SHOWN else ""
    return ", ".join(shown[:_MOST_SHOWN]) + more
