"""Commands that share settings, by what they have in common."""

GENERATOR = "generate-mirrorlist-cache"
DROP_INS = ("mirrorlist-server", GENERATOR)
"""The programs of MirrorManager's whose names and flags two commands have."""

_REPO = ("repo list", "repo move", "repo expire")
_PACKAGES = ("packages import", "packages find")
_HOSTS = ("sites host list", "sites host show", "sites host drain", "sites host undrain")
_IMPORTS = ("sites import almalinux", "sites import list")
# What looks at the statistics, and what changes them.
_LOOKS = ("stats top", "stats trend", "stats table", "stats addresses")
_STATS = ("stats collect", "stats import", "stats expire", *_LOOKS, "stats serve")

DATABASE = (
    *("export", "watch", "scan"),
    *_REPO,
    *_PACKAGES,
    *("sites apply", "sites probe", *_HOSTS),
    *_STATS,
)
"""Those that read or write MirrorManager's database, or tables of their own in one."""

JSON = (
    *("export", "import-cache", "scan"),
    *_REPO,
    *(*_PACKAGES, "packages slim"),
    *("ask", "inspect", "diff", "replay"),
    *_LOOKS,
    *("sites check", "sites apply", "sites probe", *_HOSTS, *_IMPORTS),
)
"""Those that can print JSON."""

ADMIN = (
    *("watch", "serve", "scan", "demo", "run", "mirrorlist-server"),
    *("stats collect", "stats serve"),
)
"""Those that have pages of health, metrics and status."""
