"""Settings of what a snapshot is made from, how, and what it must have."""

from mirrorlist.settings import command_groups
from mirrorlist.settings.setting import Setting, SettingKind
from snapshot.file.defaults import DEFAULT_MAX_LOSS

SNAPSHOTS = (
    Setting(
        "database",
        SettingKind.TEXT,
        "The database, such as MirrorManager's: sqlite:///FILE, postgresql://USER@HOST/NAME, or"
        " @FILE whose first line is the URL, which keeps a password off the command line.",
        command_groups.DATABASE,
        required=True,
        metavar="URL",
    ),
    Setting(
        "output",
        SettingKind.OUTPUT,
        "The snapshot file to write; a file there that is not a snapshot is not replaced.",
        ("export", "import-cache", "watch"),
        required=True,
    ),
    Setting(
        "asn",
        SettingKind.FILE,
        "Which networks belong to which ASN: lines `PREFIX ASN`, or an ASN mmdb.",
        ("export", "import-cache", "watch", "run"),
    ),
    Setting(
        "country_continent",
        SettingKind.FILE,
        "A CSV of lines `CC,CONT`; a line replaces that country's entry in the built-in table.",
        ("export", "import-cache", "watch", "run"),
    ),
    Setting(
        "dns",
        SettingKind.SWITCH,
        "Look up DNS names among netblocks, for at most 2 seconds in all and 32 names a host.",
        ("export", "watch", "run"),
        default=True,
    ),
    Setting(
        "files",
        SettingKind.SWITCH,
        "Put the size and SHA-256 of each package that `packages import` has read into the"
        " snapshot, for metalinks of single files: 43 bytes a package.",
        ("export", "watch", "run"),
        default=False,
    ),
    Setting(
        "newest",
        SettingKind.SWITCH,
        "Put into the snapshot which packages are the newest, for `select=newest` of the rsync"
        " filter; needs the tables of `packages import`.",
        ("export", "watch", "run"),
        default=False,
    ),
    Setting(
        "allow_wide_netblocks",
        SettingKind.SWITCH,
        "Accept netblocks of hosts wider than /16 (IPv6 /32), and netblocks that assign a country"
        " to more than a /8 (IPv6 /12).",
        ("export", "import-cache", "watch", "run", *command_groups.DROP_INS),
        default=False,
    ),
    Setting(
        "max_loss",
        SettingKind.INTEGER,
        "How many percent of what clients can use of the published snapshot (hosts, directories,"
        " repositories, checksums; in all and by category) the new snapshot may lack. A snapshot"
        " that lacks more, or a whole category, is refused. 100 switches the check off.",
        ("export", "import-cache", "watch", "run", *command_groups.DROP_INS),
        default=DEFAULT_MAX_LOSS,
        metavar="PERCENT",
        least=0,
        most=100,
    ),
    Setting(
        "require",
        SettingKind.TEXT,
        "A query, 'repo=epel-9&arch=x86_64' or path=DIRECTORY, for which the new snapshot must have"
        " a public host; without one it is refused. May be given several times.",
        ("export", "import-cache", "watch", "run", command_groups.GENERATOR),
        repeatable=True,
        metavar="QUERY",
    ),
    Setting(
        "force",
        SettingKind.SWITCH,
        "Publish the snapshot even if it is empty, is older than the published one, has lost too"
        " much, lacks what --require names, or replaces a file that is not a snapshot.",
        ("export", "import-cache", command_groups.GENERATOR),
        default=False,
    ),
    Setting(
        "snapshot_key",
        SettingKind.FILE,
        "A file with a secret of at least 32 bytes. Commands that write a snapshot seal it with"
        " the secret; commands that read a snapshot refuse it unless it is sealed with the secret.",
        ("export", "import-cache", "watch", "serve", "ask", "inspect"),
    ),
)
