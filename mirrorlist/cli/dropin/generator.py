"""`generate-mirrorlist-cache`: MirrorManager's database, written as mirrorlist-server's cache."""

# Imported first: loading the other modules takes a while, and Ctrl-C may come meanwhile.
import mirrorlist.cli.begin  # noqa: F401

# isort: split

import gc
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from mirrorlist.cli.console import fail
from mirrorlist.cli.dropin.configuration import database_url
from mirrorlist.cli.dropin.flags import generator_flags
from mirrorlist.cli.dropin.usage import SETTINGS, exit_code_of
from mirrorlist.cli.ending import end_on
from mirrorlist.cli.import_cache import load_importer
from mirrorlist.cli.job_options import JobOptions
from mirrorlist.cli.left_out import tell_left_out
from mirrorlist.cli.options import options
from snapshot.file.errors import DatabaseError, DatabaseURLError, OutputError

_NAME = "generate-mirrorlist-cache"
# The exit codes of MirrorManager's program: of a Rust program that cannot go on, and of a file.
_PANIC, _FILE = 101, 1
# What the command `mirrorlist` ends with for options, files and refused snapshots.
_OURS = (2, 3)


@click.command(_NAME, context_settings=SETTINGS)
@generator_flags
@options(_NAME, toml=False)
def generator(outfile: Path, config: Path, debug: bool, peer_asns: bool, **given: Any) -> None:
    """Write the cache file that MirrorManager's mirrorlist-server reads, of its database.

    --outfile, --config and --debug are those of MirrorManager's generate-mirrorlist-cache, with its
    defaults. The old file stays until the new one is written and read again; a new file that has
    lost too much does not replace the old one. docs/drop-in.md says more.
    """
    database = database_url(config)
    if database is None:
        click.echo(f"Error reading configuration file {config}")
        raise SystemExit(_FILE)
    end_on([signal.SIGTERM], 128 + signal.SIGTERM)
    options = JobOptions(
        output=outfile, asn=None, country_continent=None, snapshot_key=None, **given
    )
    # Nearly all objects live until the end: garbage collection would be lost time.
    gc.disable()
    try:
        _generate(database, options, config, debug, peer_asns)
    except (DatabaseURLError, DatabaseError) as error:
        raise SystemExit(fail(str(error), _PANIC)) from error
    except OutputError:
        click.echo(f"Error opening file {outfile}")
        raise
    gc.freeze()


def main() -> None:
    """Run the command and exit with the code of MirrorManager's generate-mirrorlist-cache."""
    code = exit_code_of(generator)
    sys.exit(_FILE if code in _OURS else code)


def _generate(database: str, options: JobOptions, config: Path, debug: bool, peers: bool) -> None:
    # Says what is to be installed if protobuf is missing.
    load_importer()
    from snapshot.cache.generator import generate_cache

    progress = _Steps() if debug else _silent
    left_out = generate_cache(database, options.job(), progress, peers=peers, inputs=(config,))
    if debug and left_out:
        tell_left_out(left_out)


def _silent(phase: str, done: int, total: int) -> None:
    """Show nothing, because cron sends what is printed by mail."""


class _Steps:
    """Prints each phase as a line of --debug."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Print a phase with its number."""
        self._count += 1
        # A reader that has ended, or a full disk, must not end this: the file is what counts.
        with suppress(OSError):
            click.echo(f" Step [{self._count}]: {phase}")
