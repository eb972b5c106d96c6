"""`mirrorlist serve`: the server."""

from typing import Any

import click

from mirrorlist.cli.console import say
from mirrorlist.cli.exposure import warning_of_default_trust
from mirrorlist.cli.managed import manager_of
from mirrorlist.cli.options import options
from mirrorlist.process.messages import stay
from mirrorlist.process.signals import hold
from mirrorlist.workers.serve_settings import ServeSettings

# More than any snapshot takes to load.
_LOAD_SECONDS = 60


@click.command(short_help="Answer /metalink and /mirrorlist from a snapshot.")
@options("serve")
def serve(**given: Any) -> None:
    """Answer /metalink and /mirrorlist from a snapshot.

    A changed snapshot or GeoIP file is taken into use at once, without a restart (SIGHUP makes
    it look, too); a bad file is refused. SIGTERM and SIGINT end the server after the answers
    under way; a worker that dies is replaced.

    \b
    mirrorlist serve --snapshot mm.snap --host 0.0.0.0 --workers 2 \\
        --log requests.log
    curl 'http://127.0.0.1:3000/metalink?repo=rawhide&arch=x86_64'
    curl http://127.0.0.1:3001/health/fresh
    """
    stay()
    hold()
    settings, manager = ServeSettings(**given), manager_of()
    # Imported here so that `--help` does not wait for uvicorn.
    from mirrorlist.workers.load import load_service

    def listening(address: str) -> None:
        if warning := warning_of_default_trust(settings.host, settings.trusted_proxy):
            say(warning)

    if settings.wait:
        manager.starting(f"waiting for {settings.snapshot}", settings.wait + _LOAD_SECONDS)
    loaded = load_service(settings, say)
    # Imported after that, because these modules use the memory that loading has freed.
    from mirrorlist.web.listener import listen_all
    from mirrorlist.workers.run import Hooks, run_server

    listeners = listen_all(settings.host, settings.port)
    run_server(settings, loaded, listeners, say, Hooks(listening, manager=manager))
