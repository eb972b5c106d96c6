"""`mirrorlist run`: a site of mirrors.toml, all of it: applied, probed, exported and served."""

import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click
import msgspec

from mirrorlist.cli.beforehand import in_child, make_directory, own_directory
from mirrorlist.cli.console import say
from mirrorlist.cli.demo import is_gone, terminal_of
from mirrorlist.cli.exposure import warning_of_default_trust
from mirrorlist.cli.job_options import JobOptions
from mirrorlist.cli.keeping import SNAPSHOT, Keeping, keep, publish_first
from mirrorlist.cli.managed import manager_of
from mirrorlist.cli.options import options
from mirrorlist.cli.run_example import EXAMPLE_DIRECTORY, EXAMPLE_FILE, Example, teach
from mirrorlist.cli.values import FilePath
from mirrorlist.errors import OptionError
from mirrorlist.process.manager import Manager
from mirrorlist.process.messages import stay
from mirrorlist.process.signals import STOP, hold
from mirrorlist.settings.defaults import ADMIN_OF_WATCH, NOWHERE
from mirrorlist.workers.serve_settings import ServeSettings
from mirrorlist.workers.supervisor import Beside
from snapshot.file.errors import SnapshotError
from snapshot.file.reader import Snapshot

T = TypeVar("T", bound=msgspec.Struct)

_DIRECTORY = Path("mirrorlist-state")
# More than the first probe of a large site takes.
_FIRST_SECONDS = 600
_HEARS = frozenset({signal.SIGHUP})


@click.command(short_help="Serve the mirrors of a file: all in one command.")
@click.argument("file", metavar="[FILE]", type=FilePath(), required=False)
@click.option(
    "--example",
    is_flag=True,
    help="Show three mirrors on this machine, of which one is stale and one is dead.",
)
@options("run")
def run(
    file: Path | None, example: bool, state: Path | None, interval: float, **given: Any
) -> None:
    """Answer /metalink and /mirrorlist for the mirrors of FILE, a mirrors.toml.

    FILE is applied at the start, and whenever it or mirrors.d beside it has changed; what is gone
    from it is removed, up to --max-loss percent at once. Every --interval seconds the primary is
    read and all mirrors are asked. What has changed is served seconds later. Database and
    snapshot are in the --state directory. Any process that dies is replaced; meanwhile the last
    snapshot is served. SIGHUP asks the mirrors now. SIGTERM and SIGINT end all in order.

    \b
    mirrorlist run --example
    mirrorlist sites init
    mirrorlist run mirrors.toml
    mirrorlist run mirrors.toml --state /var/lib/mirrorlist --host 0.0.0.0 \\
        --workers 2
    """
    stay()
    hold()
    terminal = terminal_of() if example else None
    if example == (file is not None):
        raise OptionError("give either a FILE, such as mirrors.toml, or --example")
    directory = state or (EXAMPLE_DIRECTORY if example else _DIRECTORY)
    settings, manager = _settings(directory, given), manager_of()
    # Imported here so that `--help` does not wait for uvicorn.
    from mirrorlist.web.listener import listen_all

    # Bound first: if the port is in use, say so before asking any mirror.
    listeners = listen_all(settings.host, settings.port)
    make_directory(directory, "--state")
    own_directory(directory, "--state")
    keeping = Keeping(
        file=file or directory / EXAMPLE_FILE,
        state=directory,
        interval=interval,
        stale=settings.stale,
        options=_of(JobOptions, given, output=directory / SNAPSHOT, snapshot_key=None),
    )
    shown = Example() if example else None
    manager.starting("applying the file, and asking the mirrors", _FIRST_SECONDS)
    if code := _prepare(keeping, settings, shown):
        raise SystemExit(code)
    ending = Ending(STOP if terminal is None else STOP | _HEARS, partial(is_gone, terminal))
    _serve(keeping, settings, listeners, manager, shown, ending)


class Ending(NamedTuple):
    """The signals that end all of it, and whether it shall end without one."""

    signals: frozenset[signal.Signals]
    over: Callable[[], bool]


def _serve(
    keeping: Keeping,
    settings: ServeSettings,
    listeners: Sequence[socket.socket],
    manager: Manager,
    shown: Example | None,
    ending: Ending,
) -> None:
    """Serve what is published, with the keeper and the example's mirrors beside the workers."""
    from mirrorlist.workers.load import load_service
    from mirrorlist.workers.run import Hooks, run_server

    watch, settings = _watch_listener(settings)

    def listening(address: str) -> None:
        if warning := warning_of_default_trust(settings.host, settings.trusted_proxy):
            say(warning)
        if watch:
            say(f"how the site is kept is on http://{settings.watch_admin}/site")
        if shown:
            teach(address, keeping.state, settings.snapshot)

    hooks = Hooks(
        listening,
        ends=ending.signals,
        over=ending.over,
        tells_status=shown is not None,
        manager=manager,
        beside=_beside(keeping, watch, shown),
        closes=[*([watch] if watch else []), *(shown.sockets if shown else [])],
    )
    run_server(settings, load_service(settings, say), listeners, say, hooks)


def _settings(directory: Path, given: dict[str, Any]) -> ServeSettings:
    return _of(ServeSettings, given, snapshot=directory / SNAPSHOT)


def _of(kind: type[T], given: dict[str, Any], **more: Any) -> T:
    """Return a struct of those options that it has."""
    named = {name: value for name, value in given.items() if name in kind.__struct_fields__}
    return kind(**named, **more)


def _prepare(keeping: Keeping, settings: ServeSettings, shown: Example | None) -> int:
    """Make sure that there is a snapshot to serve; returns an exit code."""
    if shown:
        return in_child(partial(_prepare_example, keeping, shown))
    # What was published is served at once; the keeper looks whether it is still true.
    if _is_usable(settings.snapshot):
        return 0
    return in_child(partial(publish_first, keeping))


def _prepare_example(keeping: Keeping, shown: Example) -> None:
    shown.write(keeping.file)
    with shown.answering():
        publish_first(keeping)


def _is_usable(snapshot: Path) -> bool:
    try:
        Snapshot(snapshot)
    except SnapshotError:
        return False
    return True


def _watch_listener(settings: ServeSettings) -> tuple[socket.socket | None, ServeSettings]:
    """Listen where the pages of the keeper are; it keeps its address if it has to be replaced."""
    from mirrorlist.status.admin import open_admin
    from mirrorlist.web.listener import shown_of

    given = settings.watch_admin
    listener = open_admin(None if given == ADMIN_OF_WATCH else given, ADMIN_OF_WATCH, say)
    address = shown_of(listener) if listener else NOWHERE
    return listener, msgspec.structs.replace(settings, watch_admin=address)


def _beside(
    keeping: Keeping, watch: socket.socket | None, shown: Example | None
) -> tuple[Beside, ...]:
    keeper = Beside("keeper", partial(keep, keeping, watch), _HEARS)
    return (keeper, shown.beside()) if shown else (keeper,)
