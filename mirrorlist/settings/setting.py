"""What a setting is: its flag, its variable, its kind of value, and the bounds of that.

A flag wins over the environment (`MIRRORLIST_` and the name in capitals), the environment over
a TOML file (`--config`), the file over the default.
"""

from enum import Enum

from msgspec import Struct

PREFIX = "MIRRORLIST_"


class SettingKind(Enum):
    """What kind of value a setting has."""

    TEXT = "text"
    FILE = "a file that is read"
    OUTPUT = "a file that is written"
    DIRECTORY = "a directory"
    INTEGER = "a whole number"
    SECONDS = "seconds"
    NUMBER = "a number"
    SWITCH = "on or off"
    CHOICE = "one of its words"


class Setting(Struct, frozen=True):
    """One setting; `commands` are the subcommands that know it.

    `stream`: the file may be `-`, standard output. `least`, `most`: the bounds of a number.
    `choices`: the words of a CHOICE.
    """

    name: str
    kind: SettingKind
    help: str
    commands: tuple[str, ...]
    default: str | int | float | bool | None = None
    metavar: str | None = None
    required: bool = False
    repeatable: bool = False
    stream: bool = False
    choices: tuple[str, ...] = ()
    least: int | None = None
    most: int | None = None

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()
