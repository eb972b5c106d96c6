"""Settings of servers: the snapshot, the addresses, the answers, and the records."""

from mirrorlist.lists.defaults import DEFAULT_MINIMUM, DEFAULT_REUSE
from mirrorlist.request.defaults import DEFAULT_TRUSTED
from mirrorlist.settings.setting import Setting, SettingKind

SERVERS = (
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
)
