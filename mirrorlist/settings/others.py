"""Settings of a replay, and of every command that prints JSON."""

from mirrorlist.settings import command_groups
from mirrorlist.settings.setting import Setting, SettingKind

OTHERS = (
    Setting(
        "rate",
        SettingKind.NUMBER,
        "How many requests of the log to send a second at most; 0 sends them without a limit.",
        ("replay",),
        default=100,
        least=0,
    ),
    Setting(
        "requests",
        SettingKind.INTEGER,
        "How many requests of the log to send in all; 0 sends all of them.",
        ("replay",),
        default=0,
        least=0,
    ),
    Setting(
        "json",
        SettingKind.SWITCH,
        "Print JSON on standard output, for programs.",
        command_groups.JSON,
        default=False,
    ),
)
