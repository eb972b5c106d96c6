"""`mirrorlist-server`: MirrorManager's cache file, netblocks and GeoIP, served by this server."""

# Imported first: loading the other modules takes a while, and a signal may come meanwhile.
import mirrorlist.cli.begin  # noqa: F401

# isort: split

import sys
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mirrorlist.cli.console import fail, say
from mirrorlist.cli.dropin.flags import flags
from mirrorlist.cli.dropin.folder import snapshot_path
from mirrorlist.cli.dropin.importer import Importer
from mirrorlist.cli.dropin.usage import SETTINGS, exit_code_of
from mirrorlist.cli.exposure import warning_of_default_trust
from mirrorlist.cli.job_options import JobOptions
from mirrorlist.cli.managed import manager_of
from mirrorlist.cli.options import options
from mirrorlist.errors import GeoipError, OperatorError, OptionError
from mirrorlist.process.messages import stay
from mirrorlist.process.signals import hold
from mirrorlist.settings.defaults import NOWHERE
from mirrorlist.web.listener import listen_all, without_brackets
from mirrorlist.workers.serve_settings import ServeSettings

if TYPE_CHECKING:
    import socket

_NAME = "mirrorlist-server"
# A Rust program that cannot go on ends with this code: a wrong address, a port in use.
_PANIC = 101
# A file that cannot be used, which is 2 or 3 in the command `mirrorlist`.
_REFUSED = 1
# A cache that is made each quarter of an hour and copied each hour is often older than 900 s.
_STALE_SECONDS = 7200
_LOOPBACK = ("127.0.0.0/8", "::1/128")


@click.command(_NAME, context_settings=SETTINGS)
@flags
@options(_NAME)
def server(**given: Any) -> None:
    """Answer /metalink and /mirrorlist, in the place of MirrorManager's mirrorlist-server.

    The flags with a short form or an underscore, and --listen, --port, --cccsv and --geoip, are
    those of that server, with its defaults. A changed cache, netblocks, CSV or GeoIP file is taken
    into use without a restart; a bad file is refused. docs/drop-in.md says more.
    """
    stay()
    hold()
    job, manager = _options(given), manager_of()
    settings = _settings(job.output, given)
    importer = Importer(given["cache"], job)
    told = importer.begin()
    # Imported here, while the other process imports the cache.
    from mirrorlist.workers.load import load_service
    from mirrorlist.workers.run import Hooks, run_server

    if not importer.wait(told):
        raise SystemExit(_REFUSED)
    try:
        loaded = load_service(settings, say)
        importer.listeners = listeners = _listen(given["listen"], given["port"])
        # The supervisor asks `over` at intervals, which is when the other process is looked after.
        announce = partial(_announce, settings)
        hooks = Hooks(announce, over=importer.look_after, manager=manager)
        run_server(settings, loaded, listeners, say, hooks)
    finally:
        importer.end()


def main() -> None:
    """Run the command and exit with the code that mirrorlist-server exits with."""
    code = exit_code_of(server)
    sys.exit(_REFUSED if code == GeoipError.exit_code else code)


def _options(given: dict[str, Any]) -> JobOptions:
    files = [given[name].absolute() for name in ("cache", "global_netblocks", "cccsv")]
    return JobOptions(
        output=snapshot_path(*files, given["listen"], given["port"]),
        asn=files[1],
        country_continent=files[2],
        allow_wide_netblocks=given["allow_wide_netblocks"],
        max_loss=given["max_loss"],
        require=(),
        snapshot_key=None,
    )


def _settings(snapshot: Path, given: dict[str, Any]) -> ServeSettings:
    named = {name: given[name] for name in ServeSettings.__struct_fields__ if name in given}
    named["admin"] = named["admin"] or NOWHERE
    if _is_loopback(given["listen"]):
        # Who connects there is a proxy, and the last address that it names is the client, also a
        # private one: so it is in mirrorlist-server.
        named["trusted_proxy"] = named["trusted_proxy"] or _LOOPBACK
    return ServeSettings(snapshot=snapshot, host=(given["listen"],), stale=_STALE_SECONDS, **named)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(without_brackets(host)).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> "list[socket.socket]":
    try:
        try:
            ip_address(without_brackets(host))
        except ValueError:
            raise OptionError(f"--listen {host}: not an IP address") from None
        if port > 0xFFFF:
            raise OptionError(f"--port {port}: not a port")
        return listen_all((host,), port, "--listen or --port")
    except OperatorError as error:
        raise SystemExit(fail(str(error), _PANIC)) from error


def _announce(settings: ServeSettings, address: str) -> None:
    if warning := warning_of_default_trust(settings.host, settings.trusted_proxy):
        say(warning)
    click.echo(f"Listening on http://{address}")
