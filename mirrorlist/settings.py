"""Every setting in one table: the source of the flags, the environment, the file, the docs.

Not settings, because they are part of one question: `--ip` of `ask`, `--path` of `inspect` and
the like, and what a scan or an import of packages is about. Each stands in its command.
"""

from mirrorlist import command_groups
from mirrorlist.lists.defaults import DEFAULT_MINIMUM, DEFAULT_REUSE
from mirrorlist.request.defaults import DEFAULT_TRUSTED
from mirrorlist.setting import Setting, SettingKind
from snapshot.file.defaults import DEFAULT_MAX_LOSS

DEFAULT_STALE = 900
ADMIN_OF_SERVER, ADMIN_OF_WATCH = "127.0.0.1:3001", "127.0.0.1:3002"
ADMIN_OF_SCAN, ADMIN_OF_COLLECT = "127.0.0.1:3004", "127.0.0.1:3006"
ADMIN_OF_STATS = "127.0.0.1:3007"
"""Where health, metrics and status are if `--admin` does not say."""
NOWHERE = "none"
"""The value that switches an address off."""

SETTINGS = (
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
        "watch",
        SettingKind.SWITCH,
        "Keep running, and import or scan again whenever something has changed. An import follows"
        " the cache and the other files that it reads; a scan follows the primary and its hook.",
        ("import-cache", "scan"),
        default=False,
    ),
    Setting(
        "snapshot_key",
        SettingKind.FILE,
        "A file with a secret of at least 32 bytes. Commands that write a snapshot seal it with"
        " the secret; commands that read a snapshot refuse it unless it is sealed with the secret.",
        ("export", "import-cache", "watch", "serve", "ask", "inspect"),
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
    Setting("snapshot", SettingKind.FILE, "The snapshot file.", ("serve", "ask"), required=True),
    Setting(
        "host",
        SettingKind.TEXT,
        "An address or name to listen on; may be given several times. A name stands for all of its"
        " addresses, :: for IPv6 and IPv4, and * for both, or for IPv4 where there is no IPv6.",
        ("serve", "demo", "run"),
        default="127.0.0.1",
        repeatable=True,
        metavar="ADDRESS",
    ),
    Setting(
        "port",
        SettingKind.INTEGER,
        "The port to listen on; 0 takes a free one.",
        ("serve", "demo", "run"),
        default=3000,
        least=0,
        most=65535,
    ),
    Setting(
        "workers",
        SettingKind.INTEGER,
        "How many processes answer requests.",
        ("serve", "demo", "run", "mirrorlist-server"),
        default=1,
        least=1,
        most=1024,
    ),
    Setting(
        "geoip",
        SettingKind.FILE,
        "A GeoIP country file (mmdb) instead of the built-in registry data.",
        ("serve", "ask", "replay", "demo", "run", "stats import"),
    ),
    Setting(
        "minimum",
        SettingKind.INTEGER,
        "If the nearer tiers give fewer hosts than this, the global tier is added.",
        ("serve", "ask", "replay", "demo", "run"),
        default=DEFAULT_MINIMUM,
        least=0,
        most=1000000,
    ),
    Setting(
        "log",
        SettingKind.OUTPUT,
        "The request log, which MirrorManager's statistics read; - is standard output.",
        ("serve", "demo", "run"),
        stream=True,
    ),
    Setting(
        "log_format",
        SettingKind.CHOICE,
        "The form of the request log's lines: classic, as MirrorManager writes them, or json.",
        ("serve", "run", "mirrorlist-server"),
        default="classic",
        choices=("classic", "json"),
    ),
    Setting(
        "log_addresses",
        SettingKind.CHOICE,
        "Clients' addresses in the request log: full, cut to the /24 or /48, or none.",
        ("serve", "run", "mirrorlist-server"),
        default="full",
        choices=("full", "cut", "none"),
    ),
    Setting(
        "spool",
        SettingKind.DIRECTORY,
        "A folder into which statistics are written each minute, for `mirrorlist stats collect`;"
        " each server has its own. Without it, no statistics are made.",
        ("serve", "run", "mirrorlist-server"),
    ),
    Setting(
        "spool_key",
        SettingKind.FILE,
        "A file with a secret of at least 32 bytes, the same on all servers of a site: distinct"
        " addresses are counted by it, and no address is kept. Without it, each spool has its own"
        " secret, and an address that two servers saw counts twice.",
        ("serve", "run", "mirrorlist-server"),
    ),
    Setting(
        "door",
        SettingKind.CHOICE,
        "What answers requests for lists: fast, the HTTP protocol class itself, or asgi, the"
        " application that answers everything else.",
        ("serve",),
        default="fast",
        choices=("fast", "asgi"),
    ),
    Setting(
        "reuse",
        SettingKind.INTEGER,
        "How many requests share one drawn order of hosts, on average; 0 or 1 draws a new order"
        " for each.",
        ("serve", "mirrorlist-server"),
        default=DEFAULT_REUSE,
        least=0,
        most=1000,
    ),
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
        "trusted_proxy",
        SettingKind.TEXT,
        "A network whose X-Forwarded-For is believed, or none to believe no peer; may be given"
        f" several times, and replaces the default: {', '.join(DEFAULT_TRUSTED)}."
        " A mirrorlist-server on loopback believes loopback alone.",
        ("serve", "run", "mirrorlist-server"),
        repeatable=True,
        metavar="CIDR",
    ),
    Setting(
        "proxy_protocol",
        SettingKind.SWITCH,
        "Connections of trusted proxies begin with a PROXY header (version 1 or 2) that names the"
        " client, such as haproxy's send-proxy-v2 writes. A connection without it is refused.",
        ("serve", "run", "mirrorlist-server"),
        default=False,
    ),
    Setting(
        "seed",
        SettingKind.INTEGER,
        "For tests: with the same seed, equal requests get equal bytes, except for the pubdate.",
        ("serve", "ask"),
    ),
    Setting(
        "wait",
        SettingKind.SECONDS,
        "Seconds to wait for the snapshot file; until it is there, the port stays closed.",
        ("serve",),
        default=0,
        least=0,
    ),
    Setting(
        "drain",
        SettingKind.SECONDS,
        "After SIGTERM, seconds in which /health/ready answers 503 and everything else is still"
        " answered, so that a load balancer goes elsewhere first. A second SIGTERM ends them.",
        ("serve", "run", "mirrorlist-server"),
        default=0,
        least=0,
    ),
    Setting(
        "directory",
        SettingKind.DIRECTORY,
        "Where the demo keeps its database, data files and snapshot.",
        ("demo",),
        default="mirrorlist-demo",
    ),
    Setting(
        "state",
        SettingKind.DIRECTORY,
        "Where run keeps its database and its snapshot; the default is mirrorlist-state, and"
        " mirrorlist-example with --example.",
        ("run",),
    ),
    Setting(
        "interval",
        SettingKind.SECONDS,
        "Seconds between two probes of the mirrors.",
        ("run",),
        default=300,
        least=1,
    ),
    Setting(
        "json",
        SettingKind.SWITCH,
        "Print JSON on standard output, for programs.",
        command_groups.JSON,
        default=False,
    ),
)
