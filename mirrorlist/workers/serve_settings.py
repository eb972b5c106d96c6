"""Everything that a server was told, under the names of the settings."""

from pathlib import Path

from msgspec import Struct

from mirrorlist.lists.defaults import DEFAULT_MINIMUM, DEFAULT_REUSE
from mirrorlist.settings.defaults import DEFAULT_STALE, NOWHERE


class ServeSettings(Struct, frozen=True):
    """The values of `serve`'s options; the help of each stands in `mirrorlist.settings`.

    Defaults are for programs that do not read the command line: the demo and the load tests.
    They are those of the table, except for the addresses (`tests/test_serve_settings.py`).
    """

    snapshot: Path
    host: tuple[str, ...] = ()
    port: int = 0
    workers: int = 1
    admin: str | None = None
    watch_admin: str = NOWHERE
    chain: tuple[str, ...] = ()
    geoip: Path | None = None
    minimum: int = DEFAULT_MINIMUM
    log: Path | None = None
    log_format: str = "classic"
    log_addresses: str = "full"
    door: str = "fast"
    reuse: int = DEFAULT_REUSE
    trusted_proxy: tuple[str, ...] = ()
    proxy_protocol: bool = False
    seed: int | None = None
    wait: float = 0
    stale: float = DEFAULT_STALE
    drain: float = 0
    snapshot_key: Path | None = None
    spool: Path | None = None
    spool_key: Path | None = None
