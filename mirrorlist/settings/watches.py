"""Settings of programs that go on: what they wait for, and where their pages are."""

from mirrorlist.settings import command_groups
from mirrorlist.settings.defaults import (
    ADMIN_OF_COLLECT,
    ADMIN_OF_SCAN,
    ADMIN_OF_SERVER,
    ADMIN_OF_STATS,
    ADMIN_OF_WATCH,
    DEFAULT_STALE,
)
from mirrorlist.settings.setting import Setting, SettingKind

WATCHES = (
    Setting(
        "watch",
        SettingKind.SWITCH,
        "Keep running, and import or scan again whenever something has changed. An import follows"
        " the cache and the other files that it reads; a scan follows the primary and its hook.",
        ("import-cache", "scan"),
        default=False,
    ),
    Setting(
        "every",
        SettingKind.SECONDS,
        "Export at least this often, even if the database reports no change.",
        ("watch",),
        default=300,
        least=1,
    ),
    Setting(
        "stale",
        SettingKind.SECONDS,
        "Seconds until /health/fresh answers 503: since the last successful export (watch), since"
        " the database of the snapshot in use was read (serve), or since the oldest event came that"
        " still waits (scan --watch).",
        ("watch", "serve", "run", "scan"),
        default=DEFAULT_STALE,
        least=1,
    ),
    Setting(
        "hook",
        SettingKind.TEXT,
        "A URL to listen on, such as http://127.0.0.1:3003/changed: each POST to it triggers an"
        " export. Keep it where only your own programs can reach it.",
        ("watch",),
        metavar="URL",
    ),
    Setting(
        "scan_every",
        SettingKind.SECONDS,
        "With --watch, scan whole categories at least this often, even if no event calls for it.",
        ("scan",),
        default=3600,
        least=1,
    ),
    Setting(
        "hook_secret",
        SettingKind.TEXT,
        "With --watch, take a POST to /hook on the --admin address if it is signed with this secret"
        " (docs/scan.md), or with the first line of @FILE, which keeps it off the command line. At"
        " least 16 bytes.",
        ("scan",),
        metavar="SECRET",
    ),
    Setting(
        "push",
        SettingKind.TEXT,
        "A shell command to run after each publication, such as an rsync to other servers;"
        " $SNAPSHOT is the file. One run at a time; a run that fails is repeated until one"
        " succeeds. Of import-cache only with --watch.",
        ("import-cache", "watch"),
        metavar="COMMAND",
    ),
    Setting(
        "push_timeout",
        SettingKind.SECONDS,
        "Seconds after which a run of --push is ended, and counts as failed.",
        ("import-cache", "watch"),
        default=120,
        least=1,
    ),
    Setting(
        "admin",
        SettingKind.TEXT,
        "The address for health, metrics, status and statistics, or none. The default is"
        f" {ADMIN_OF_WATCH} for a watch, {ADMIN_OF_SERVER} for a server, {ADMIN_OF_SCAN} for"
        f" scan --watch, {ADMIN_OF_COLLECT} for stats collect --watch and {ADMIN_OF_STATS} for"
        " stats serve, if the port is free; mirrorlist-server has none.",
        command_groups.ADMIN,
        metavar="[HOST:]PORT",
    ),
    Setting(
        "watch_admin",
        SettingKind.TEXT,
        "The --admin address of the watch that /status and /chain show, or none.",
        ("serve", "demo", "run"),
        default=ADMIN_OF_WATCH,
        metavar="[HOST:]PORT",
    ),
    Setting(
        "chain",
        SettingKind.TEXT,
        "Where /chain asks another stage, an --admin address: scan=, collect=, or swap= of another"
        f" server. May be given several times. The default is scan={ADMIN_OF_SCAN} and"
        f" collect={ADMIN_OF_COLLECT}, if they answer. STAGE=none asks nobody.",
        ("serve", "run"),
        repeatable=True,
        metavar="STAGE=[HOST:]PORT",
    ),
    Setting(
        "interval",
        SettingKind.SECONDS,
        "Seconds between two probes of the mirrors.",
        ("run",),
        default=300,
        least=1,
    ),
)
